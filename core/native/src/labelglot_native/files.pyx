# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Small files by the hundred thousand. See :mod:`labelglot.native` for what each function promises."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdio cimport snprintf
from libc.string cimport memchr, memcmp, strcmp, strlen, strrchr
from libcpp.string cimport string

cdef extern from * nogil:
    """
    #ifdef _WIN32
    static inline Py_ssize_t labelglot_read(int folder, const char* path, char* into, Py_ssize_t room) { return -1; }
    static inline int labelglot_here() { return -1; }
    static inline bool labelglot_create(const char* path, const char* data, Py_ssize_t size) { return false; }
    static inline int labelglot_folder(const char* path) { return -1; }
    static inline bool labelglot_stamp(int folder, const char* name, long long* size, long long* time) { return false; }
    static inline void labelglot_close(int folder) {}
    static inline void* labelglot_open_folder(const char* path) { return nullptr; }
    static inline const char* labelglot_next(void* folder, int* file) { return nullptr; }
    static inline void labelglot_close_folder(void* folder) {}
    #else
    #include <dirent.h>
    #include <sys/stat.h>
    #include <errno.h>
    #include <fcntl.h>
    #include <unistd.h>
    static inline int labelglot_here() { return AT_FDCWD; }
    // The first bytes of a file that is no link: how many there are, -1 if it cannot be read.
    static inline Py_ssize_t labelglot_read(int folder, const char* path, char* into, Py_ssize_t room) {
        int handle = openat(folder, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
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
    // A new file with these bytes; false, and no file, if that cannot be.
    static inline bool labelglot_create(const char* path, const char* data, Py_ssize_t size) {
        int handle = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (handle < 0) return false;
        bool fine = true;
        while (fine && size > 0) {
            Py_ssize_t put = write(handle, data, size);
            if (put > 0) data += put, size -= put;
            else fine = put < 0 && errno == EINTR;
        }
        fine = !close(handle) && fine;
        if (!fine) unlink(path);
        return fine;
    }
    static inline int labelglot_folder(const char* path) { return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC); }
    static inline void labelglot_close(int folder) { if (folder >= 0) close(folder); }
    static inline bool labelglot_stamp(int folder, const char* name, long long* size, long long* time) {
        struct stat found;
        if (fstatat(folder, name, &found, 0)) return false;
        *size = found.st_size;
    #ifdef __APPLE__
        *time = found.st_mtimespec.tv_sec * 1000000000LL + found.st_mtimespec.tv_nsec;
    #else
        *time = found.st_mtim.tv_sec * 1000000000LL + found.st_mtim.tv_nsec;
    #endif
        return true;
    }
    static inline void* labelglot_open_folder(const char* path) { return opendir(path); }
    // The next name in a folder, and whether it is known to be that of a plain file.
    static inline const char* labelglot_next(void* folder, int* file) {
        struct dirent* entry = readdir((DIR*) folder);
        if (!entry) return nullptr;
        *file = entry->d_type == DT_REG;
        return entry->d_name;
    }
    static inline void labelglot_close_folder(void* folder) { closedir((DIR*) folder); }
    #endif
    """
    void* labelglot_open_folder(const char* path)
    const char* labelglot_next(void* folder, int* file)
    void labelglot_close_folder(void* folder)
    int labelglot_folder(const char* path)
    bint labelglot_stamp(int folder, const char* name, long long* size, long long* time)
    void labelglot_close(int folder)
    bint labelglot_create(const char* path, const char* data, Py_ssize_t size)
    int labelglot_here()
    Py_ssize_t labelglot_read(int folder, const char* path, char* into, Py_ssize_t room)

cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL


cdef enum:
    SMALL = 65536


cdef const char* _as_path(str text) noexcept:
    """A text as the system takes a path; ``NULL`` for one that it cannot take. It lives as long as the text."""
    cdef Py_ssize_t length
    cdef const char* path
    try:
        path = PyUnicode_AsUTF8AndSize(text, &length)
    except UnicodeEncodeError:
        return NULL
    if memchr(path, 0, length) != NULL:
        return NULL
    return path


cdef class _Folder:
    """The folder of the file last asked for, kept open: where most files lie side by side, it is looked up once."""

    cdef str root
    cdef string inside
    cdef int opened
    cdef bint asked

    def __cinit__(self, str root):
        self.root, self.opened, self.asked = root, -1, False

    def __dealloc__(self):
        labelglot_close(self.opened)

    cdef const char* name_of(self, const char* path) except? NULL:
        """The name of a file in its folder, which is ``opened`` then; ``NULL`` if it cannot be."""
        cdef const char* slash = strrchr(path, c"/")
        cdef const char* name = path
        cdef const char* place
        cdef str whole
        if slash != NULL:
            name = slash + 1
        if not self.asked or <size_t> (name - path) != self.inside.size() or memcmp(path, self.inside.data(), name - path):
            self.asked = True
            self.inside.assign(path, name - path)
            labelglot_close(self.opened)
            self.opened = -1
            whole = f"{self.root}/{self.inside.decode()}"
            place = _as_path(whole)
            if place != NULL:
                self.opened = labelglot_folder(place)
        if self.opened < 0:
            return NULL
        return name


def read(str path not None, Py_ssize_t limit):
    cdef char into[SMALL]
    cdef Py_ssize_t size
    cdef const char* place = _as_path(path)
    if limit > SMALL or place == NULL:
        return None
    with nogil:
        size = labelglot_read(labelglot_here(), place, into, limit)
    return None if size < 0 else PyBytes_FromStringAndSize(into, size)


def create(str path not None, bytes data not None):
    cdef const char* content = PyBytes_AS_STRING(data)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
    cdef const char* place = _as_path(path)
    cdef bint fine
    if place == NULL:
        return None
    with nogil:
        fine = labelglot_create(place, content, size)
    return True if fine else None


def read_many(str root not None, tuple paths not None, Py_ssize_t limit, bint whole):
    cdef char into[SMALL]
    cdef Py_ssize_t size
    cdef const char* place
    cdef const char* name
    cdef _Folder folder = _Folder(root)
    cdef int opened
    cdef list found = []
    if limit > SMALL:
        return None
    for path in paths:
        place = _as_path(path)
        if place == NULL:
            return None
        name = folder.name_of(place)
        if name == NULL:
            return None
        opened = folder.opened
        with nogil:
            size = labelglot_read(opened, name, into, limit)
        found.append(None if size < 0 or (whole and size == limit) else PyBytes_FromStringAndSize(into, size))
    return found


def entries(str folder not None):
    cdef const char* place = _as_path(folder)
    cdef const char* name
    cdef void* opened
    cdef int is_file = 0
    cdef list files = []
    cdef list others = []
    if place == NULL:
        return None
    opened = labelglot_open_folder(place)
    if opened == NULL:
        return None
    try:
        while True:
            name = labelglot_next(opened, &is_file)
            if name == NULL:
                return files, others
            if is_file:
                files.append(PyUnicode_DecodeUTF8(name, strlen(name), NULL))
            elif strcmp(name, ".") and strcmp(name, ".."):
                others.append(PyUnicode_DecodeUTF8(name, strlen(name), NULL))
    except UnicodeDecodeError:
        return None
    finally:
        labelglot_close_folder(opened)


def stamps(str root not None, tuple paths not None):
    cdef string found
    cdef char numbers[64]
    cdef long long size = 0, time = 0
    cdef const char* place
    cdef const char* name
    cdef _Folder folder = _Folder(root)
    cdef int opened
    cdef bint there
    for path in paths:
        place = _as_path(path)
        if place == NULL:
            return None
        name = folder.name_of(place)
        if name == NULL:
            return None
        opened = folder.opened
        with nogil:
            there = labelglot_stamp(opened, name, &size, &time)
        if not there:
            return None
        found.append(place, strlen(place) + 1)
        snprintf(numbers, sizeof(numbers), "%lld:%lld", size, time)
        found.append(numbers, strlen(numbers) + 1)
    return PyBytes_FromStringAndSize(found.data(), found.size())


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
