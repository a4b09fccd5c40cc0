# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Boxes as numbers side by side. See :mod:`labelglot.native` for what each function promises."""

from cpython cimport array
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.tuple cimport PyTuple_CheckExact, PyTuple_GET_ITEM, PyTuple_GET_SIZE
from libc.math cimport INFINITY, fabs, floor, rint

from labelglot_native.doubles cimport double_pointer, doubles

# Up to here a double holds every whole number.
cdef double EXACT = 9007199254740992.0


def corners(array.array centres not None, double width, double height, double low, double high):
    cdef double* c = double_pointer(centres)
    cdef Py_ssize_t i, length = len(centres)
    cdef array.array found = doubles(length)
    cdef double* edges = found.data.as_doubles
    if length & 3:
        raise ValueError("four numbers for each box are expected")
    for i in range(length):
        if not low <= c[i] <= high:
            return None
    for i in range(0, length, 4):
        edges[i] = (c[i] - c[i + 2] / 2) * width
        edges[i + 1] = (c[i + 1] - c[i + 3] / 2) * height
        edges[i + 2] = (c[i] + c[i + 2] / 2) * width
        edges[i + 3] = (c[i + 1] + c[i + 3] / 2) * height
    return found


def centres(array.array boxes not None, double grid):
    cdef double* c = double_pointer(boxes)
    cdef Py_ssize_t i, j, length = len(boxes)
    cdef array.array found = doubles(length)
    cdef double* written = found.data.as_doubles
    if length & 3:
        raise ValueError("four numbers for each box are expected")
    for i in range(0, length, 4):
        written[i] = (c[i] + c[i + 2]) * (grid / 2)
        written[i + 1] = (c[i + 1] + c[i + 3]) * (grid / 2)
        written[i + 2] = (c[i + 2] - c[i]) * grid
        written[i + 3] = (c[i + 3] - c[i + 1]) * grid
        for j in range(i, i + 4):
            if not fabs(written[j]) < EXACT:
                return None
            written[j] = rint(written[j]) / grid + 0.0
    return found


cdef bint _take_four(object numbers, double* into) noexcept:
    """Whether this is a tuple of four floats, which are then in ``into``."""
    cdef Py_ssize_t i
    cdef object number
    if not PyTuple_CheckExact(numbers) or PyTuple_GET_SIZE(numbers) != 4:
        return False
    for i in range(4):
        number = <object> PyTuple_GET_ITEM(numbers, i)
        if not PyFloat_CheckExact(number):
            return False
        into[i] = PyFloat_AS_DOUBLE(number)
    return True


def edges(list sizes not None, double limit):
    cdef Py_ssize_t i, number = PyList_GET_SIZE(sizes)
    cdef array.array found = doubles(4 * number)
    cdef double* c = found.data.as_doubles
    cdef list sound = []
    for i in range(number):
        if not _take_four(<object> PyList_GET_ITEM(sizes, i), c):
            return None
        sound.append(0 < c[2] < limit and 0 < c[3] < limit and fabs(c[0]) < limit and fabs(c[1]) < limit)
        c[2] += c[0]
        c[3] += c[1]
        c += 4
    return found, sound


cdef double _span(double low, double high) noexcept nogil:
    """Width of what lies between two edges, without the noise of the subtraction; negative if that is out of the ordinary."""
    cdef double width = high - low
    cdef double tidy
    if not 0 <= width < 1e6:
        return -1
    tidy = floor(width * 1e9 + 0.5) / 1e9
    return tidy if low + tidy == high else width


def spans(array.array boxes not None):
    cdef double* c = double_pointer(boxes)
    cdef double width, height
    cdef Py_ssize_t i, length = len(boxes)
    cdef array.array found = doubles(length)
    cdef array.array areas = doubles(length // 4)
    cdef double* written = found.data.as_doubles
    if length & 3:
        raise ValueError("four numbers for each box are expected")
    for i in range(0, length, 4):
        width, height = _span(c[i], c[i + 2]), _span(c[i + 1], c[i + 3])
        if width < 0 or height < 0:
            return None
        written[i], written[i + 1], written[i + 2], written[i + 3] = c[i], c[i + 1], width, height
        areas.data.as_doubles[i // 4] = width * height
    return found, areas


def enclose(array.array boxes not None, list rings not None, double tolerance):
    cdef double* c = double_pointer(boxes)
    cdef double low[2]
    cdef double high[2]
    cdef double value
    cdef Py_ssize_t i, j, length, number = PyList_GET_SIZE(rings)
    cdef int axis
    cdef tuple ring
    cdef object coordinate
    cdef list found = []
    if len(boxes) != 4 * number:
        raise ValueError("as many rings as boxes are expected")
    for i in range(number):
        if not PyTuple_CheckExact(<object> PyList_GET_ITEM(rings, i)):
            return None
        ring = <tuple> PyList_GET_ITEM(rings, i)
        length = PyTuple_GET_SIZE(ring)
        if length < 4 or length & 1:
            return None
        for j in range(length):
            coordinate = <object> PyTuple_GET_ITEM(ring, j)
            if not PyFloat_CheckExact(coordinate):
                return None
            value, axis = PyFloat_AS_DOUBLE(coordinate), j & 1
            if value != value:
                return None
            if j < 2:
                low[axis] = high[axis] = value
            elif value < low[axis]:
                low[axis] = value
            elif value > high[axis]:
                high[axis] = value
        found.append(
            fabs(low[0] - c[4 * i]) <= tolerance and fabs(low[1] - c[4 * i + 1]) <= tolerance
            and fabs(high[0] - c[4 * i + 2]) <= tolerance and fabs(high[1] - c[4 * i + 3]) <= tolerance
        )
    return found


def extent(array.array boxes not None):
    cdef double* c = double_pointer(boxes)
    cdef double x0 = INFINITY
    cdef double y0 = INFINITY
    cdef double x1 = -INFINITY
    cdef double y1 = -INFINITY
    cdef Py_ssize_t i, length = len(boxes)
    if length & 3:
        raise ValueError("four numbers for each box are expected")
    for i in range(0, length, 4):
        if not (c[i] < c[i + 2] and c[i + 1] < c[i + 3]):
            return None
        x0, y0 = min(x0, c[i]), min(y0, c[i + 1])
        x1, y1 = max(x1, c[i + 2]), max(y1, c[i + 3])
    return (x0, y0, x1, y1) if -INFINITY < x0 < x1 < INFINITY and -INFINITY < y0 < y1 < INFINITY else None
