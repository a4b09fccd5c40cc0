# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Where the objects of an encoded JSON array are, and some of their fields, without decoding them. See :mod:`labelglot.native` for what it promises."""

from cpython cimport array
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memcmp

from labelglot_native.charconv cimport from_chars, from_chars_result, general, labelglot_fine

cdef enum:
    DEPTH = 64
    FIELDS = 16

cdef enum Kind:
    MISSING = 0
    NUMBER = 1
    EMPTY = 2
    NESTED = 3
    OBJECT = 4
    OTHER = 5

# What may stand between strings and brackets; NaN and Infinity are no JSON, so neither N nor I.
cdef char INSIDE[256]
for _each in range(256):
    INSIDE[_each] = _each in b"0123456789+-.eE,: \t\n\rtrufalsn"


cdef inline const char* _skip_blanks(const char* at, const char* end) noexcept nogil:
    while at < end and (at[0] == c" " or at[0] == c"\n" or at[0] == c"\t" or at[0] == c"\r"):
        at += 1
    return at


cdef const char* _skip_string(const char* at, const char* end) noexcept nogil:
    """Behind the quotation mark that ends a string; ``NULL`` if there is none. ``at``: behind the first one."""
    while at < end:
        if at[0] == c'"':
            return at + 1
        if at[0] == c"\\":
            at += 1
        elif <unsigned char> at[0] < 32:
            return NULL
        at += 1
    return NULL


cdef const char* _skip_nested(const char* at, const char* end) noexcept nogil:
    """Behind the bracket that closes the one at ``at``; ``NULL`` if something stands inside that is no JSON."""
    cdef char open[DEPTH]
    cdef int depth = 0
    cdef char character
    while at < end:
        character = at[0]
        at += 1
        if INSIDE[<unsigned char> character]:
            continue
        if character == c"[" or character == c"{":
            if depth == DEPTH:
                return NULL
            open[depth] = character + 2
            depth += 1
        elif character == c"]" or character == c"}":
            depth -= 1
            if open[depth] != character:
                return NULL
            if not depth:
                return at
        elif character == c'"':
            at = _skip_string(at, end)
            if at == NULL:
                return NULL
        else:
            return NULL
    return NULL


cdef inline const char* _skip_scalar(const char* at, const char* end) noexcept nogil:
    """Behind a number, ``true``, ``false`` or ``null``."""
    while at < end and at[0] != c"," and at[0] != c":" and at[0] > 32 and INSIDE[<unsigned char> at[0]]:
        at += 1
    return at


cdef bint _is_number(const char* start, const char* end) noexcept nogil:
    """Whether this is a number as JSON writes them."""
    cdef const char* at = start
    if at < end and at[0] == c"-":
        at += 1
    if at >= end or not c"0" <= at[0] <= c"9" or (at[0] == c"0" and at + 1 < end and c"0" <= at[1] <= c"9"):
        return False
    while at < end and c"0" <= at[0] <= c"9":
        at += 1
    if at < end and at[0] == c".":
        at += 1
        if at >= end or not c"0" <= at[0] <= c"9":
            return False
        while at < end and c"0" <= at[0] <= c"9":
            at += 1
    if at < end and (at[0] == c"e" or at[0] == c"E"):
        at += 1
        if at < end and (at[0] == c"+" or at[0] == c"-"):
            at += 1
        if at >= end:
            return False
        while at < end and c"0" <= at[0] <= c"9":
            at += 1
    return at == end


cdef const char* _four(const char* at, const char* end, double* into) noexcept nogil:
    """Behind an array of four numbers; ``NULL`` if it is none. ``at``: at its bracket."""
    cdef int i
    cdef const char* stop
    cdef from_chars_result found
    at += 1
    for i in range(4):
        at = _skip_blanks(at, end)
        stop = _skip_scalar(at, end)
        if not _is_number(at, stop):
            return NULL
        found = from_chars(at, stop, into[i], general)
        if not labelglot_fine(found.ec) or found.ptr != stop:
            return NULL
        at = _skip_blanks(stop, end)
        if at >= end or at[0] != (c"," if i < 3 else c"]"):
            return NULL
        at += 1
    return at


cdef class _Columns:
    """What is found, and what is looked for. ``usual``: all objects have what is expected of them, and nothing unknown."""

    cdef array.array starts
    cdef array.array ends
    cdef array.array boxes
    cdef list whole
    cdef list kinds
    cdef bint usual

    cdef const char* name[FIELDS]
    cdef Py_ssize_t length[FIELDS]
    cdef int fields
    cdef int numbers
    cdef int required
    cdef int expected
    cdef int four

    cdef long long value[FIELDS]
    cdef char kind[FIELDS]
    cdef double box[4]

    cdef const char* read(self, const char* at, const char* end) noexcept nogil:
        """Behind the object at ``at``, whose fields are then in ``value``, ``kind`` and ``box``; ``NULL`` if it is none, or
        lacks what is required.
        """
        cdef int field
        cdef const char* key
        cdef const char* stop
        cdef from_chars_result found
        for field in range(self.fields):
            self.value[field] = 0
            self.kind[field] = MISSING
        at = _skip_blanks(at + 1, end)
        if at < end and at[0] == c"}":
            return NULL
        while True:
            if at >= end or at[0] != c'"':
                return NULL
            key = at + 1
            at = _skip_string(key, end)
            if at == NULL:
                return NULL
            field = self.find(key, at - 1 - key)
            at = _skip_blanks(at, end)
            if at >= end or at[0] != c":":
                return NULL
            at = _skip_blanks(at + 1, end)
            if at >= end:
                return NULL
            if field < 0:
                self.usual = False
                field = FIELDS - 1
            if at[0] == c"[":
                stop = NULL
                if field == self.four:
                    stop = _four(at, end, self.box)
                    if stop == NULL:
                        self.usual = False
                self.kind[field] = NESTED
                if field != self.four:
                    key = _skip_blanks(at + 1, end)
                    self.kind[field] = OTHER if key >= end or (key[0] != c"[" and key[0] != c"]") else EMPTY if key[0] == c"]" else NESTED
                at = _skip_nested(at, end) if stop == NULL else stop
            elif at[0] == c"{":
                self.kind[field] = OBJECT
                at = _skip_nested(at, end)
            elif at[0] == c'"':
                self.kind[field] = OTHER
                at = _skip_string(at + 1, end)
            else:
                stop = _skip_scalar(at, end)
                self.kind[field] = OTHER
                if _is_number(at, stop):
                    self.kind[field] = NUMBER
                    if field < self.numbers:
                        found = from_chars(at, stop, self.value[field])
                        if not labelglot_fine(found.ec) or found.ptr != stop:
                            return NULL
                elif not (
                    (stop - at == 4 and (not memcmp(at, "true", 4) or not memcmp(at, "null", 4)))
                    or (stop - at == 5 and not memcmp(at, "false", 5))
                ):
                    return NULL
                at = stop
            if at == NULL:
                return NULL
            at = _skip_blanks(at, end)
            if at >= end:
                return NULL
            if at[0] == c"}":
                return self.check(at + 1)
            if at[0] != c",":
                return NULL
            at = _skip_blanks(at + 1, end)

    cdef const char* check(self, const char* at) noexcept nogil:
        """``at`` if the object just read has what is required."""
        cdef int field
        for field in range(self.numbers):
            if self.kind[field] == NUMBER:
                continue
            if field < self.required:
                return NULL
            if field < self.expected or self.kind[field] != MISSING:
                self.usual = False
        if self.kind[self.four] != NESTED:
            self.usual = False
        return at

    cdef int find(self, const char* key, Py_ssize_t length) noexcept nogil:
        cdef int field
        for field in range(self.fields):
            if self.length[field] == length and not memcmp(self.name[field], key, length):
                return field
        return -1


def index(
    bytes data not None, Py_ssize_t start, Py_ssize_t stop, tuple numbers not None, int required, int expected,
    bytes box not None, tuple others not None,
):
    cdef _Columns columns = _Columns()
    cdef const char* begin = PyBytes_AS_STRING(data)
    cdef const char* at
    cdef const char* end
    cdef const char* after
    cdef Py_ssize_t room, i = 0
    cdef int field
    cdef bytes name
    cdef tuple names = (*numbers, box, *others)
    cdef long long* starts
    cdef long long* ends
    cdef double* boxes
    cdef long long* whole[FIELDS]
    cdef char* kinds[FIELDS]
    if not 0 <= start <= stop <= PyBytes_GET_SIZE(data) or len(names) >= FIELDS or not 0 <= required <= expected <= len(numbers):
        raise ValueError("a range of the text and a few names are expected")
    for field, name in enumerate(names):
        columns.name[field], columns.length[field] = PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name)
    columns.fields, columns.numbers, columns.four = len(names), len(numbers), len(numbers)
    columns.required, columns.expected, columns.usual = required, expected, True
    # An object has a bracket of its own at the least, and what is required of it.
    room = data.count(b"{", start, stop)
    quads, doubles = array.array("q"), array.array("d")
    columns.starts, columns.ends = array.clone(quads, room, False), array.clone(quads, room, False)
    columns.boxes = array.clone(doubles, 4 * room, True)
    columns.whole = [array.clone(quads, room, False) for _ in numbers]
    columns.kinds = [bytearray(room) for _ in others]
    starts, ends, boxes = columns.starts.data.as_longlongs, columns.ends.data.as_longlongs, columns.boxes.data.as_doubles
    for field in range(columns.numbers):
        whole[field] = (<array.array> columns.whole[field]).data.as_longlongs
    for field in range(len(others)):
        kinds[field] = columns.kinds[field]
    at, end = begin + start, begin + stop
    with nogil:
        at = _skip_blanks(at, end)
        while at < end:
            if at[0] != c"{":
                i = -1
                break
            after = columns.read(at, end)
            if after == NULL:
                i = -1
                break
            starts[i], ends[i] = at - begin, after - begin
            for field in range(columns.numbers):
                whole[field][i] = columns.value[field]
            for field in range(4):
                boxes[4 * i + field] = columns.box[field]
            for field in range(columns.numbers + 1, columns.fields):
                kinds[field - columns.numbers - 1][i] = columns.kind[field]
            i += 1
            at = _skip_blanks(after, end)
            if at < end:
                if at[0] != c",":
                    i = -1
                    break
                at = _skip_blanks(at + 1, end)
                if at >= end:
                    i = -1
                    break
    if i < 0:
        return None
    return (
        columns.starts[:i], columns.ends[:i], [column[:i] for column in columns.whole], columns.boxes[: 4 * i],
        [bytes(column[:i]) for column in columns.kinds], bool(columns.usual),
    )
