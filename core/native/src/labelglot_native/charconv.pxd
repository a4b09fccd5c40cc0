"""Numbers from text and back, of the C++ standard library."""

cdef extern from "<charconv>" namespace "std" nogil:
    enum errc "std::errc":
        pass
    enum chars_format "std::chars_format":
        fixed "std::chars_format::fixed"
        general "std::chars_format::general"
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
