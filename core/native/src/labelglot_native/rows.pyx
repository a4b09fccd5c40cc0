# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Rows of numbers and texts, from bytes and to bytes. See :mod:`labelglot.native` for what each function promises.

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
from libc.math cimport copysign, fabs
from libc.string cimport memchr, memcmp, memcpy

from labelglot_native.charconv cimport fixed, from_chars, from_chars_result, labelglot_fine, to_chars
from labelglot_native.doubles cimport double_pointer, doubles

cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL
    bint PyFloat_CheckExact(object value)
    bint PyLong_CheckExact(object value)
    bint PyUnicode_CheckExact(object value)
    bint PyBytes_CheckExact(object value)
    bint PyTuple_CheckExact(object value)
    bint PyList_CheckExact(object value)
    long long PyLong_AsLongLongAndOverflow(object value, int* overflow) except? -1

# The numbers that every usual way of writing them spells alike: no exponent, and at least one decimal.
cdef double SMALLEST = 1e-4
cdef double LARGEST = 1e15

cdef enum:
    NUMBER = 32
    PLACES = 64


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


def fill(
    tuple pieces not None, tuple columns not None, Py_ssize_t rows, bytes between not None=b",", bytes after not None=b",",
    bint shorter=False,
):
    cdef _Text text = _Text()
    cdef Py_ssize_t i, j, k, number = PyTuple_GET_SIZE(columns)
    cdef Py_ssize_t length[PLACES]
    cdef const char* piece[PLACES + 1]
    cdef double* given[PLACES]
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
        given[j] = NULL
        width[j] = 1
        if isinstance(column, array.array):
            given[j] = double_pointer(column)
            width[j] = len(column) // rows if rows else 1
            if not width[j] or width[j] * rows != len(column):
                raise ValueError(f"as many numbers for each of {rows} rows are expected")
        elif not PyList_CheckExact(column) or PyList_GET_SIZE(column) != rows:
            raise ValueError(f"each column is an array or a list of {rows} items")
    for i in range(rows):
        for j in range(number):
            text.add(piece[j], length[j])
            if given[j] == NULL:
                column = <object> PyTuple_GET_ITEM(columns, j)
                if not text.add_item(<object> PyList_GET_ITEM(column, i), separators, shorter):
                    return None
                continue
            for k in range(width[j]):
                if k:
                    text.add(separators + (k & 1), 1)
                if not text.add_float(given[j][i * width[j] + k], shorter):
                    return None
        text.add(piece[number], length[number])
    return PyBytes_FromStringAndSize(text.data, text.size) if text.size else b""


def weave(tuple pieces not None, tuple numbers not None, bint shorter=False):
    cdef _Text text = _Text()
    cdef Py_ssize_t i, number = PyTuple_GET_SIZE(numbers)
    cdef object value
    cdef bytes piece
    if PyTuple_GET_SIZE(pieces) != number + 1:
        raise ValueError("one piece more than numbers is expected")
    for i in range(number):
        piece = <object> PyTuple_GET_ITEM(pieces, i)
        text.add(PyBytes_AS_STRING(piece), PyBytes_GET_SIZE(piece))
        value = <object> PyTuple_GET_ITEM(numbers, i)
        if not PyFloat_CheckExact(value) or not text.add_float(PyFloat_AS_DOUBLE(value), shorter):
            return None
    piece = <object> PyTuple_GET_ITEM(pieces, number)
    text.add(PyBytes_AS_STRING(piece), PyBytes_GET_SIZE(piece))
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
        numbers = doubles(floats.size // sizeof(double))
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


def alike(bytes text not None, Py_ssize_t start, tuple tags not None, bytes end not None, str kinds not None):
    cdef const char* begin = PyBytes_AS_STRING(text)
    cdef const char* at = begin + start
    cdef const char* last
    cdef const char* value
    cdef bytes tag
    cdef list pieces = []
    if not 0 <= start <= PyBytes_GET_SIZE(text) or PyTuple_GET_SIZE(tags) != len(kinds):
        raise ValueError("a kind for each tag, and a start inside the text are expected")
    last = <const char*> labelglot_find(at, PyBytes_GET_SIZE(text) - start, PyBytes_AS_STRING(end), PyBytes_GET_SIZE(end))
    if last == NULL:
        return None
    last += PyBytes_GET_SIZE(end)
    for tag in tags:
        value = <const char*> labelglot_find(at, last - at, PyBytes_AS_STRING(tag), PyBytes_GET_SIZE(tag))
        if value == NULL:
            return None
        value += PyBytes_GET_SIZE(tag)
        pieces.append(PyBytes_FromStringAndSize(at, value - at))
        at = <const char*> memchr(value, c"<", last - value)
        if at == NULL:
            return None
    pieces.append(PyBytes_FromStringAndSize(at, last - at))
    spelled = tuple(pieces)
    found = scan(text, start, spelled, kinds)
    return None if found is None else (found[0], found[1], spelled)
