"""What a pickle says, without doing what it asks for: calls become inert objects, nothing is imported or run.

Numbers in the file never decide how much memory is taken: only bytes that are there are read.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from labelglot.errors import SourceError


class Name(NamedTuple):
    """Something of a module, by name."""

    module: str
    name: str


class Made:
    """What a call would have made: the callable's name, its arguments, and the state given to it later."""

    def __init__(self, call: Any, args: Any) -> None:
        self.call, self.args, self.state = call, args, None


class Blob(NamedTuple):
    """Bytes of the file and where they stand."""

    data: bytes
    offset: int


class Array(NamedTuple):
    """A numpy array: its shape, the name of its type, and bytes or, for objects, their list."""

    shape: tuple[int, ...]
    type: str
    data: Blob | bytes | list[Any]


_MARK = object()
_HEADS = {
    "BINBYTES": 5, "SHORT_BINBYTES": 2, "BINBYTES8": 9, "BYTEARRAY8": 9, "BINSTRING": 5, "SHORT_BINSTRING": 2,
}  # fmt: skip
_LONG = 64
"""Bytes and strings from this length on keep their place in the file."""

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_VALUES = frozenset({
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "UNICODE",
    "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
})  # fmt: skip
_MAKERS: dict[str, Callable[[], Any]] = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple, "EMPTY_SET": list}


def load(data: bytes, place: str) -> Any:
    """The value of a pickle. Raises :class:`SourceError` if it is damaged or uses what no data set needs."""
    machine = _Machine()
    try:
        for op, arg, at in pickletools.genops(io.BytesIO(data)):
            if op.name == "STOP":
                return machine.stack.pop()
            machine.step(op.name, arg, at or 0)
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, UnicodeError, AssertionError) as error:
        raise SourceError(f"the pickle is damaged: {error}", place) from error
    raise SourceError("the pickle does not end", place)


class _Machine:
    """The stack and memory of a pickle being read."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def step(self, op: str, arg: Any, at: int) -> None:
        stack = self.stack
        if op in _VALUES:
            stack.append(arg)
        elif op in _HEADS:
            raw = arg.encode("latin-1") if isinstance(arg, str) else bytes(arg)
            stack.append(Blob(raw, at + _HEADS[op]) if len(raw) >= _LONG else arg)
        elif op in _CONSTANTS:
            stack.append(_CONSTANTS[op])
        elif op in _MAKERS:
            stack.append(_MAKERS[op]())
        elif op in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[int(arg)] = stack[-1]
        elif op == "MEMOIZE":
            self.memo[len(self.memo)] = stack[-1]
        elif op in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(self.memo[int(arg)])
        elif op == "MARK":
            stack.append(_MARK)
        elif op not in ("PROTO", "FRAME"):
            self._build(op, arg)

    def _build(self, op: str, arg: Any) -> None:
        stack = self.stack
        if op == "APPEND":
            value = stack.pop()
            stack[-1].append(value)
        elif op in ("APPENDS", "ADDITEMS"):
            values = self._to_mark()
            stack[-1].extend(values)
        elif op == "SETITEM":
            value, key = stack.pop(), stack.pop()
            stack[-1][_key(key)] = value
        elif op == "SETITEMS":
            values = self._to_mark()
            stack[-1].update(zip(map(_key, values[::2]), values[1::2], strict=True))
        elif op in ("LIST", "FROZENSET"):
            stack.append(self._to_mark())
        elif op == "TUPLE":
            stack.append(tuple(self._to_mark()))
        elif op in ("TUPLE1", "TUPLE2", "TUPLE3"):
            number = int(op[-1])
            values = [stack.pop() for _ in range(number)]
            stack.append(tuple(values[::-1]))
        elif op == "DICT":
            values = self._to_mark()
            stack.append(dict(zip(map(_key, values[::2]), values[1::2], strict=True)))
        elif op == "GLOBAL":
            stack.append(Name(*str(arg).split(" ", 1)))
        elif op == "STACK_GLOBAL":
            name, module = stack.pop(), stack.pop()
            stack.append(Name(str(module), str(name)))
        elif op in ("REDUCE", "NEWOBJ"):
            args, call = stack.pop(), stack.pop()
            stack.append(Made(call, args))
        elif op == "BUILD":
            state = stack.pop()
            stack[-1].state = state
        elif op == "POP":
            stack.pop()
        elif op == "POP_MARK":
            self._to_mark()
        elif op == "DUP":
            stack.append(stack[-1])
        else:
            raise ValueError(f"it uses {op}")

    def _to_mark(self) -> list[Any]:
        at = len(self.stack) - 1
        while self.stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise ValueError("a mark is missing")
        values = self.stack[at + 1 :]
        del self.stack[at:]
        return values


def _key(value: Any) -> Any:
    """Keys written by Python 2 are bytes to some."""
    text = as_text(value)
    return value if text is None and isinstance(value, int) else str(value) if text is None else text


def array(value: Any) -> Array | None:
    """The numpy array a pickle describes, or ``None`` if it is none."""
    if not isinstance(value, Made) or not isinstance(value.call, Name):
        return None
    args = value.args if isinstance(value.args, tuple) else ()
    if value.call.name == "_frombuffer" and len(args) >= 3:
        return _array(args[2], args[1], args[0])
    state = value.state
    if value.call.name != "_reconstruct" or not isinstance(state, tuple) or len(state) != 5:
        return None
    return _array(state[1], state[2], state[4])


def _array(shape: Any, type_: Any, data: Any) -> Array | None:
    if isinstance(shape, int):
        shape = (shape,)
    if not isinstance(shape, tuple) or not all(isinstance(n, int) and n >= 0 for n in shape):
        return None
    if not isinstance(type_, Made) or not isinstance(type_.args, tuple) or not type_.args:
        return None
    name = type_.args[0]
    name = name.decode("latin-1") if isinstance(name, bytes) else str(name)
    content = data if isinstance(data, list | Blob) else as_bytes(data)
    return None if content is None else Array(shape, name, content)


def as_bytes(value: Any) -> bytes | None:
    """Bytes in any of the ways a pickle spells them; ``None`` if the value is something else."""
    if isinstance(value, Blob):
        return value.data
    if isinstance(value, bytes):
        return value
    if isinstance(value, Made) and value.call == Name("_codecs", "encode"):
        value = value.args[0] if isinstance(value.args, tuple) and value.args else None
    try:
        return value.encode("latin-1") if isinstance(value, str) else None
    except UnicodeEncodeError:
        return None


def as_text(value: Any) -> str | None:
    """Text, also where it is written as bytes."""
    if isinstance(value, str):
        return value
    data = as_bytes(value)
    return None if data is None else data.decode("utf-8", "replace")


# --- writing: the opcodes of protocol 2, as Python 2 wrote the published files ---


def text(value: str) -> bytes:
    """Opcodes of a string: a Python 2 string if it can be one."""
    data = value.encode("utf-8", "replace")
    if not value.isascii():
        return b"X" + len(data).to_bytes(4, "little") + data
    return (b"U" + bytes([len(data)]) if len(data) < 256 else b"T" + len(data).to_bytes(4, "little")) + data


def number(value: int | None) -> bytes:
    """Opcodes of a number or of nothing."""
    if value is None:
        return b"N"
    if 0 <= value < 256:
        return b"K" + bytes([value])
    return b"J" + value.to_bytes(4, "little", signed=True)


def sequence(items: Sequence[bytes]) -> bytes:
    """Opcodes of a list."""
    return b"](" + b"".join(items) + b"e"


_ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\x01b\x87R(K\x01"
_DTYPE = b"cnumpy\ndtype\nU\x02%sK\0K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK%stb\x89"


def array_head(shape: Sequence[int], length: int) -> bytes:
    """Opcodes before the bytes of an array of bytes."""
    if length >= 1 << 31:
        raise SourceError(f"a file of this kind holds no more than {1 << 31} bytes of pixels")
    dimensions = b"(" + b"".join(map(number, shape)) + b"t"
    return _ARRAY + dimensions + _DTYPE % (b"u1", b"\0") + b"T" + length.to_bytes(4, "little")


def objects_head(count: int) -> bytes:
    """Opcodes before the items of an array of objects."""
    return _ARRAY + number(count) + b"\x85" + _DTYPE % (b"O8", b"\x3f") + b"]("


ARRAY_END = b"tb"
OBJECTS_END = b"etb"
