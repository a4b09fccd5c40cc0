"""Parquet files: opened with bounds, read a row group at a time, written from a stream of rows."""

from __future__ import annotations

import datetime
import decimal
import io
import struct
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
from labelglot.errors import SourceError
from labelglot.plugin import Source
from labelglot.storage import random_access

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq


MAGIC = b"PAR1"
ROWS = 100
"""Rows in a group, as the library writes them where there are images."""

_LIMITS = {"thrift_string_size_limit": 64 << 20, "thrift_container_size_limit": 1 << 20}


def _errors() -> tuple[type[Exception], ...]:
    """What the library raises for files that are damaged."""
    import pyarrow as pa

    return (
        pa.ArrowException, OSError, EOFError, ValueError, TypeError, LookupError, NotImplementedError, MemoryError,
        OverflowError,
    )  # fmt: skip


@contextmanager
def opened(source: Source, path: str) -> Iterator[pq.ParquetFile]:
    """A file for reading. Raises :class:`SourceError` if it, or what is read of it inside, is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with random_access(source, path).stream as stream:
        try:
            with pq.ParquetFile(pa.PythonFile(stream, mode="r"), page_checksum_verification=True, **_LIMITS) as file:
                yield file
        except _errors() as error:
            raise SourceError(f"is no readable Parquet file: {error}", path) from error


def group(source: Source, path: str, number: int, columns: Sequence[str]) -> pa.Table:
    """Some columns of a row group; those of structs by ``outer.inner``."""
    with opened(source, path) as file:
        return file.read_row_group(number, columns=list(columns), use_threads=False)


class Kept:
    """What was read last, by place; rows and images are asked for one after the other."""

    def __init__(self, most: int = 2) -> None:
        self.most = most
        self.found: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
        self.lock = threading.Lock()

    def get(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        """The value of ``key``, made if it is not at hand."""
        with self.lock:
            if key in self.found:
                self.found.move_to_end(key)
                return self.found[key]
        value = make()
        with self.lock:
            self.found[key] = value
            while len(self.found) > self.most:
                self.found.popitem(last=False)
        return value


def plain(value: Any) -> Any:
    """A value of Arrow as JSON has it; what JSON cannot say becomes text, bytes nothing."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, datetime.date | datetime.time | datetime.timedelta | decimal.Decimal):
        return str(value)
    return None if isinstance(value, bytes) else value


def frame(row: Mapping[str, Any]) -> bytes:
    """A row for the way from ``encode`` to ``assemble``."""
    data = msgspec.msgpack.encode(row)
    return struct.pack(">Q", len(data)) + data


def frames(stream: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The rows of a stream of frames."""
    rest = bytearray()
    for block in stream:
        rest += block
        while len(rest) >= 8:
            (length,) = struct.unpack_from(">Q", rest)
            if len(rest) < 8 + length:
                break
            yield msgspec.msgpack.decode(bytes(rest[8 : 8 + length]))
            del rest[: 8 + length]


def kind_of(values: list[Any]) -> pa.DataType:
    """The type of a column nothing is known of; text (of JSON) if its values do not fit together."""
    import pyarrow as pa

    try:
        found = pa.array(values).type
    except _errors():
        return pa.string()
    return pa.string() if pa.types.is_null(found) else found


def fitting(value: Any, kind: pa.DataType) -> Any:
    """A value for a column of this type."""
    import pyarrow as pa

    if value is None or not pa.types.is_string(kind) or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def write(rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> Iterator[bytes]:
    """The bytes of a file, given out group by group."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    writer = pq.ParquetWriter(sink, schema, compression="snappy", write_page_checksum=True)
    waiting: list[Mapping[str, Any]] = []
    for row in rows:
        waiting.append(row)
        if len(waiting) == ROWS:
            writer.write_table(pa.Table.from_pylist(waiting, schema=schema))
            waiting = []
            yield sink.getvalue()
            sink.seek(0)
            sink.truncate()
    if waiting:
        writer.write_table(pa.Table.from_pylist(waiting, schema=schema))
    writer.close()
    yield sink.getvalue()
