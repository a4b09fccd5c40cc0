"""Arrays of doubles, as the modules here take and give them."""

from cpython cimport array


cdef inline array.array doubles(Py_ssize_t length):
    """A new one, its numbers still to be written."""
    return array.clone(array.array("d"), length, False)


cdef inline double* double_pointer(array.array numbers) except? NULL:
    """The numbers of one. Raises TypeError for an array of anything else."""
    if numbers.ob_descr.typecode != c"d":
        raise TypeError("an array of doubles is expected")
    return numbers.data.as_doubles
