# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, embedsignature=True
"""Rows of numbers and texts, from bytes and to bytes. See ``rows.pyi`` for what each function promises.

Nothing here decides what a format means. What is out of the ordinary is answered with ``None``, and whoever asked does it in
Python.
"""

from cpython cimport array
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.float cimport PyFloat_AS_DOUBLE
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.math cimport copysign, fabs, floor
from libc.string cimport memchr, memcmp, memcpy

cdef extern from "<charconv>" namespace "std" nogil:
    enum errc "std::errc":
        pass
    enum chars_format "std::chars_format":
        fixed "std::chars_format::fixed"
    cdef struct to_chars_result:
        char* ptr
        errc ec
    cdef struct from_chars_result:
        const char* ptr
        errc ec
    to_chars_result to_chars(char* first, char* last, long long value)
    to_chars_result to_chars(char* first, char* last, double value, chars_format how)
    from_chars_result from_chars(const char* first, const char* last, long long& value)
    from_chars_result from_chars(const char* first, const char* last, double& value, chars_format how)

cdef extern from * nogil:
    """
    static inline bool labelglot_fine(std::errc code) { return code == std::errc(); }
    """
    bint labelglot_fine(errc code)

cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL
    bint PyFloat_CheckExact(object value)
    bint PyLong_CheckExact(object value)
    bint PyUnicode_CheckExact(object value)
    bint PyBytes_CheckExact(object value)
    bint PyTuple_CheckExact(object value)
    bint PyList_CheckExact(object value)
    long long PyLong_AsLongLongAndOverflow(object value, int* overflow) except? -1

cdef extern from * nogil:
    """
    #ifdef _WIN32
    static inline Py_ssize_t labelglot_read(const char* path, char* into, Py_ssize_t room) { return -1; }
    static inline bool labelglot_stamp(const char* path, long long* size, long long* time) { return false; }
    #else
    #include <sys/stat.h>
    #include <errno.h>
    #include <fcntl.h>
    #include <unistd.h>
    // The first bytes of a file that is no link: how many there are, -1 if it cannot be read.
    static inline Py_ssize_t labelglot_read(const char* path, char* into, Py_ssize_t room) {
        int handle = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (handle < 0) return -1;
        Py_ssize_t size = 0, got = 1;
        while (size < room && got > 0) {
            got = read(handle, into + size, room - size);
            if (got > 0) size += got;
            else if (got < 0 && errno == EINTR) got = 1;
        }
        close(handle);
        return got < 0 ? -1 : size;
    }
    static inline bool labelglot_stamp(const char* path, long long* size, long long* time) {
        struct stat found;
        if (stat(path, &found)) return false;
        *size = found.st_size;
    #ifdef __APPLE__
        *time = found.st_mtimespec.tv_sec * 1000000000LL + found.st_mtimespec.tv_nsec;
    #else
        *time = found.st_mtim.tv_sec * 1000000000LL + found.st_mtim.tv_nsec;
    #endif
        return true;
    }
    #endif
    """
    bint labelglot_stamp(const char* path, long long* size, long long* time)
    Py_ssize_t labelglot_read(const char* path, char* into, Py_ssize_t room)

# The numbers that every usual way of writing them spells alike: no exponent, and at least one decimal.
cdef double SMALLEST = 1e-4
cdef double LARGEST = 1e15

DEF NUMBER = 32
DEF PLACES = 64


cdef class _Text:
    """Bytes that grow."""

    cdef char* data
    cdef Py_ssize_t size
    cdef Py_ssize_t room

    def __cinit__(self):
        self.data = NULL
        self.size = self.room = 0

    def __dealloc__(self):
        PyMem_Free(self.data)

    cdef int reserve(self, Py_ssize_t more) except -1:
        cdef Py_ssize_t room
        cdef char* data
        if self.size + more > self.room:
            room = max(2 * self.room, self.size + more, 4096)
            data = <char*> PyMem_Realloc(self.data, room)
            if data == NULL:
                raise MemoryError
            self.data, self.room = data, room
        return 0

    cdef int add(self, const char* text, Py_ssize_t length) except -1:
        self.reserve(length)
        memcpy(self.data + self.size, text, length)
        self.size += length
        return 0

    cdef int add_float(self, double value, bint whole) except -1:
        """False if the number is out of the ordinary. ``whole``: a whole number is written without decimals."""
        cdef double far = fabs(value)
        cdef long long hundredths
        cdef char* start
        cdef char* end
        if not (far == 0 or SMALLEST <= far < LARGEST):
            return 0
        self.reserve(NUMBER)
        start = self.data + self.size
        hundredths = <long long> (far * 100 + 0.5)
        if far < 1e12 and <double> hundredths / 100 == far:
            # Up to 15 digits there is one number for each text, so this is the shortest; most numbers are like that.
            self._add_hundredths(hundredths, value, whole)
            return 1
        end = to_chars(start, start + NUMBER - 2, value, fixed).ptr
        if not whole and memchr(start, c".", end - start) == NULL:
            end[0], end[1] = c".", c"0"
            end += 2
        self.size = end - self.data
        return 1

    cdef void _add_hundredths(self, long long number, double value, bint whole) noexcept:
        """There is room for it."""
        cdef char* at = self.data + self.size
        cdef int rest = <int> (number % 100)
        if copysign(1, value) < 0:
            at[0] = c"-"
            at += 1
        at = to_chars(at, at + NUMBER - 8, number // 100).ptr
        if rest or not whole:
            at[0], at[1] = c".", <char> (c"0" + rest // 10)
            at += 2
            if rest % 10:
                at[0] = <char> (c"0" + rest % 10)
                at += 1
        self.size = at - self.data

    cdef int add_int(self, long long value) except -1:
        self.reserve(NUMBER)
        self.size = to_chars(self.data + self.size, self.data + self.size + NUMBER, value).ptr - self.data
        return 1

    cdef int add_item(self, object item, const char* separators, bint shorter) except -1:
        """False if the item is out of the ordinary."""
        cdef Py_ssize_t length
        cdef const char* text
        cdef int overflow = 0
        cdef long long whole
        if PyFloat_CheckExact(item):
            return self.add_float(PyFloat_AS_DOUBLE(item), shorter)
        if PyLong_CheckExact(item):
            whole = PyLong_AsLongLongAndOverflow(item, &overflow)
            return 0 if overflow else self.add_int(whole)
        if PyBytes_CheckExact(item):
            self.add(PyBytes_AS_STRING(item), PyBytes_GET_SIZE(item))
            return 1
        if PyTuple_CheckExact(item):
            return self.add_numbers(<tuple> item, separators, shorter)
        if PyUnicode_CheckExact(item):
            try:
                text = PyUnicode_AsUTF8AndSize(item, &length)
            except UnicodeEncodeError:
                return 0
            self.add(text, length)
            return 1
        return 0

    cdef int add_numbers(self, tuple numbers, const char* separators, bint shorter) except -1:
        cdef Py_ssize_t i, length = PyTuple_GET_SIZE(numbers)
        cdef object number
        for i in range(length):
            if i:
                self.add(separators + (i & 1), 1)
            number = <object> PyTuple_GET_ITEM(numbers, i)
            if not PyFloat_CheckExact(number) or not self.add_float(PyFloat_AS_DOUBLE(number), shorter):
                return 0
        return length != 0


cdef array.array _DOUBLES = array.array("d")


cdef array.array _doubles(Py_ssize_t length):
    return array.clone(_DOUBLES, length, False)


cdef double* _double_pointer(array.array numbers) except? NULL:
    if numbers.ob_descr.typecode != c"d":
        raise TypeError("an array of doubles is expected")
    return numbers.data.as_doubles


def fill(
    tuple pieces not None, tuple columns not None, Py_ssize_t rows, bytes between not None=b",", bytes after not None=b",",
    bint shorter=False,
):
    cdef _Text text = _Text()
    cdef Py_ssize_t i, j, k, number = PyTuple_GET_SIZE(columns)
    cdef Py_ssize_t length[PLACES]
    cdef const char* piece[PLACES + 1]
    cdef double* doubles[PLACES]
    cdef Py_ssize_t width[PLACES]
    cdef object column
    cdef bytes each
    cdef char separators[2]
    if PyTuple_GET_SIZE(pieces) != number + 1 or number >= PLACES or PyBytes_GET_SIZE(between) != 1 or PyBytes_GET_SIZE(after) != 1:
        raise ValueError("one piece more than columns, and single characters between numbers are expected")
    separators[1], separators[0] = PyBytes_AS_STRING(between)[0], PyBytes_AS_STRING(after)[0]
    for j in range(number + 1):
        each = pieces[j]
        piece[j], length[j] = PyBytes_AS_STRING(each), PyBytes_GET_SIZE(each)
        if j == number:
            break
        column = <object> PyTuple_GET_ITEM(columns, j)
        doubles[j] = NULL
        width[j] = 1
        if isinstance(column, array.array):
            doubles[j] = _double_pointer(column)
            width[j] = len(column) // rows if rows else 1
            if not width[j] or width[j] * rows != len(column):
                raise ValueError(f"as many numbers for each of {rows} rows are expected")
        elif not PyList_CheckExact(column) or PyList_GET_SIZE(column) != rows:
            raise ValueError(f"each column is an array or a list of {rows} items")
    for i in range(rows):
        for j in range(number):
            text.add(piece[j], length[j])
            if doubles[j] == NULL:
                column = <object> PyTuple_GET_ITEM(columns, j)
                if not text.add_item(<object> PyList_GET_ITEM(column, i), separators, shorter):
                    return None
                continue
            for k in range(width[j]):
                if k:
                    text.add(separators + (k & 1), 1)
                if not text.add_float(doubles[j][i * width[j] + k], shorter):
                    return None
        text.add(piece[number], length[number])
    return PyBytes_FromStringAndSize(text.data, text.size) if text.size else b""


cdef bint _ends_number(char character) noexcept nogil:
    return not (c"0" <= character <= c"9" or character == c"." or character == c"-")


cdef const char* _skip_number(const char* at, const char* end) noexcept nogil:
    while at < end and not _ends_number(at[0]):
        at += 1
    return at


cdef const char* _skip_text(const char* at, const char* end, char stop) noexcept nogil:
    """Where a text without markup and control characters ends; ``NULL`` if it has some."""
    cdef unsigned char character
    while at < end:
        character = <unsigned char> at[0]
        if character == <unsigned char> stop:
            return at
        if character < 32 or character == c"&" or character == c"<" or character == c">":
            return NULL
        at += 1
    return NULL


def scan(bytes text not None, Py_ssize_t start, tuple pieces not None, str kinds not None):
    cdef const char* begin = PyBytes_AS_STRING(text)
    cdef const char* at = begin + start
    cdef const char* end = begin + PyBytes_GET_SIZE(text)
    cdef const char* stop
    cdef const char* piece[PLACES]
    cdef Py_ssize_t length[PLACES]
    cdef char kind[PLACES]
    cdef Py_ssize_t place[PLACES]
    cdef Py_ssize_t j, number = len(kinds)
    cdef long long whole = 0
    cdef double value = 0
    cdef from_chars_result found
    cdef bytes each
    cdef list columns = []
    cdef list texts
    cdef _Text floats = _Text()
    cdef Py_ssize_t floating = -1
    cdef array.array numbers
    if PyTuple_GET_SIZE(pieces) != number + 1 or not 0 < number < PLACES or not 0 <= start <= PyBytes_GET_SIZE(text):
        raise ValueError("one piece more than kinds, and a start inside the text are expected")
    for j in range(number + 1):
        each = pieces[j]
        piece[j], length[j] = PyBytes_AS_STRING(each), PyBytes_GET_SIZE(each)
        if j and not length[j]:
            raise ValueError("between values there is something")
        if j == number:
            break
        kind[j] = <char> ord(kinds[j])
        if kind[j] == c"f" and floating < 0:
            floating = len(columns)
        place[j] = floating if kind[j] == c"f" else len(columns)
        if place[j] == len(columns):
            columns.append([])
    while end - at >= length[0] and at < end and not memcmp(at, piece[0], length[0]):
        at += length[0]
        for j in range(number):
            if kind[j] == c"s":
                stop = _skip_text(at, end, piece[j + 1][0])
                if stop == NULL:
                    return None
                texts = <list> columns[place[j]]
                texts.append(PyUnicode_DecodeUTF8(<char*> at, stop - at, NULL))
            else:
                stop = _skip_number(at, end)
                found = from_chars(at, stop, value, fixed) if kind[j] == c"f" else from_chars(at, stop, whole)
                if not labelglot_fine(found.ec) or found.ptr != stop:
                    return None
                if kind[j] == c"f":
                    floats.add(<char*> &value, sizeof(double))
                else:
                    texts = <list> columns[place[j]]
                    texts.append(whole)
            at = stop
            if end - at < length[j + 1] or memcmp(at, piece[j + 1], length[j + 1]):
                return None
            at += length[j + 1]
    if floating >= 0:
        numbers = _doubles(floats.size // sizeof(double))
        if floats.size:
            memcpy(numbers.data.as_doubles, floats.data, floats.size)
        columns[floating] = numbers
    return at - begin, columns


cdef extern from * nogil:
    """
    #ifndef _WIN32
    #define labelglot_find memmem
    #else
    #include <algorithm>
    static inline const void* labelglot_find(const void* in, size_t size, const void* piece, size_t length) {
        const char* end = (const char*) in + size;
        const char* at = std::search((const char*) in, end, (const char*) piece, (const char*) piece + length);
        return at == end ? nullptr : at;
    }
    #endif
    """
    const void* labelglot_find(const void* text, size_t size, const void* piece, size_t length)


cdef const char* _behind(const char* at, const char* end, bytes piece) noexcept:
    """Behind a text that stands here, ``NULL`` if it does not."""
    cdef Py_ssize_t length = PyBytes_GET_SIZE(piece)
    if end - at < length or memcmp(at, PyBytes_AS_STRING(piece), length):
        return NULL
    return at + length


def first_children(bytes text not None, bytes outer not None, bytes inner not None, bytes end not None):
    cdef const char* at = PyBytes_AS_STRING(text)
    cdef const char* last = at + PyBytes_GET_SIZE(text)
    cdef const char* stop
    cdef list found = []
    if not outer:
        raise ValueError("a tag is expected")
    while True:
        at = <const char*> labelglot_find(at, last - at, PyBytes_AS_STRING(outer), PyBytes_GET_SIZE(outer))
        if at == NULL:
            return found
        at += PyBytes_GET_SIZE(outer)
        if at >= last or at[0] != c">":
            return None
        at += 1
        while at < last and (at[0] == c" " or at[0] == c"\n" or at[0] == c"\t" or at[0] == c"\r"):
            at += 1
        at = _behind(at, last, inner)
        if at == NULL:
            return None
        stop = _skip_text(at, last, c"<")
        if stop == NULL or _behind(stop, last, end) == NULL:
            return None
        found.append(PyUnicode_DecodeUTF8(<char*> at, stop - at, NULL))
        at = stop


def corners(array.array centres not None, double width, double height, double low, double high):
    cdef double* c = _double_pointer(centres)
    cdef Py_ssize_t i, length = len(centres)
    cdef array.array found = _doubles(length)
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
    cdef array.array found = _doubles(4 * number)
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
    cdef double* c = _double_pointer(boxes)
    cdef double width, height
    cdef Py_ssize_t i, length = len(boxes)
    cdef array.array found = _doubles(length)
    cdef array.array areas = _doubles(length // 4)
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
    cdef double* c = _double_pointer(boxes)
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


DEF SMALL = 65536


def read(str path not None, Py_ssize_t limit):
    cdef char into[SMALL]
    cdef Py_ssize_t length, size
    cdef const char* place
    if limit > SMALL:
        return None
    try:
        place = PyUnicode_AsUTF8AndSize(path, &length)
    except UnicodeEncodeError:
        return None
    if memchr(place, 0, length) != NULL:
        return None
    with nogil:
        size = labelglot_read(place, into, limit)
    return None if size < 0 else PyBytes_FromStringAndSize(into, size)


def stamps(str root not None, tuple paths not None):
    cdef _Text place = _Text()
    cdef long long size = 0, time = 0
    cdef Py_ssize_t length, start
    cdef const char* text
    cdef bint there
    cdef list found = []
    try:
        text = PyUnicode_AsUTF8AndSize(root, &length)
        place.add(text, length)
        place.add(b"/", 1)
        start = place.size
        for path in paths:
            text = PyUnicode_AsUTF8AndSize(path, &length)
            place.size = start
            place.add(text, length)
            place.add(b"\0", 1)
            with nogil:
                there = labelglot_stamp(place.data, &size, &time)
            if not there:
                return None
            place.size = start
            place.add_int(size)
            place.add(b":", 1)
            place.add_int(time)
            found.append(PyUnicode_DecodeUTF8(place.data + start, place.size - start, NULL))
    except UnicodeEncodeError:
        return None
    return found


def jpeg(bytes head not None):
    cdef const unsigned char* data = <const unsigned char*> PyBytes_AS_STRING(head)
    cdef Py_ssize_t at = 2, end = PyBytes_GET_SIZE(head)
    cdef int marker
    if end < 2 or data[0] != 0xFF or data[1] != 0xD8:
        return None
    while at + 10 <= end and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xE1 or marker == 0xFF:
            return None
        if 0xC0 <= marker <= 0xCF and marker != 0xC4 and marker != 0xC8 and marker != 0xCC:
            return (data[at + 7] << 8 | data[at + 8], data[at + 5] << 8 | data[at + 6])
        at += 2 + (data[at + 2] << 8 | data[at + 3])
    return None
