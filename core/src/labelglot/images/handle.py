"""An image as a handle, never a bare path: it can come from a folder, an archive, a URL or memory."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, BinaryIO, Protocol

from labelglot.errors import LabelglotError
from labelglot.images.probe import HEAD, SHORT_HEAD, ImageInfo, probe, probe_head
from labelglot.storage.access import Packed, random_access
from labelglot.storage.source import Source


class ImageHandle(Protocol):
    """Picklable access to an image file."""

    @property
    def name(self) -> str: ...
    def open(self) -> BinaryIO: ...
    def read(self) -> bytes: ...
    def info(self) -> ImageInfo: ...
    def digest(self) -> str: ...


class _Handle:
    def open(self) -> BinaryIO:
        raise NotImplementedError

    def read(self) -> bytes:
        """All bytes of the file."""
        with self.open() as stream:
            return stream.read()

    @cached_property
    def _info(self) -> ImageInfo:
        with self.open() as stream:
            return probe(stream)

    def info(self) -> ImageInfo:
        """Size, orientation and type from the header. Raises :class:`LabelglotError` for a damaged file."""
        return self._info

    @cached_property
    def _digest(self) -> str:
        sha = hashlib.sha256()
        with self.open() as stream:
            while block := stream.read(1 << 20):
                sha.update(block)
        return sha.hexdigest()

    def digest(self) -> str:
        """SHA-256 of the bytes, computed once."""
        return self._digest


class SourceImage(_Handle):
    """An image file of a source."""

    _known: ImageInfo | None = None

    def __init__(self, source: Source, path: str) -> None:
        self.source, self.path = source, path

    @property
    def name(self) -> str:
        return self.path

    def open(self) -> BinaryIO:
        return self.source.open(self.path)

    def _look(self) -> ImageInfo:
        for head in (SHORT_HEAD, HEAD):
            found = probe_head(self.source.read(self.path, head))
            if found is not None:
                return found
        with self.open() as stream:
            return probe(stream)

    def note(self, head: bytes) -> None:
        """Take note of what the first bytes of the file say, if it is no riddle."""
        try:
            self._known = probe_head(head)
        except LabelglotError:
            pass  # whoever asks will hear of it

    def info(self) -> ImageInfo:
        found = self._known
        if found is None:
            try:
                found = self._known = self._look()
            except LabelglotError as error:
                raise LabelglotError(error.message, f"{self.source.where}/{self.path}") from error
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SourceImage) and (self.source.where, self.path) == (other.source.where, other.path)

    def __hash__(self) -> int:
        return hash((self.source.where, self.path))

    def __getstate__(self) -> dict[str, Any]:
        return {"source": self.source, "path": self.path}


def look_at(source: Source, paths: Sequence[str]) -> list[SourceImage]:
    """Image files of a source, with what their headers say where these can be read together."""
    images = [SourceImage(source, path) for path in paths]
    for image, head in zip(images, source.read_many(paths, SHORT_HEAD), strict=True):
        if head is not None:
            image.note(head)
    return images


class PartImage(_Handle):
    """An image inside a bigger file of a source: ``length`` bytes from ``offset`` on (counted unpacked).

    ``name``: what it is called there; ``packed``: how the file is compressed as a whole. The bytes stay in the file
    until they are asked for.
    """

    def __init__(
        self, source: Source, path: str, offset: int, length: int, name: str, packed: Packed = ""
    ) -> None:
        self.source, self.path, self.offset, self.length = source, path, offset, length
        self._name, self.packed = name, packed

    @property
    def name(self) -> str:
        return self._name

    def read(self) -> bytes:
        access = random_access(self.source, self.path, self.packed)
        with access.stream as stream:
            stream.seek(self.offset)
            return stream.read(max(0, min(self.length, access.size - self.offset)))

    def open(self) -> BinaryIO:
        return io.BytesIO(self.read())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PartImage) and self._place() == other._place()

    def __hash__(self) -> int:
        return hash(self._place())

    def _place(self) -> tuple[str, str, int, int]:
        return (self.source.where, self.path, self.offset, self.length)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in ("_info", "_digest")}


class LazyImage(_Handle):
    """An image whose bytes ``load`` fetches each time they are asked for. ``load`` must be picklable."""

    def __init__(self, name: str, load: Callable[[], bytes]) -> None:
        self._name, self.load = name, load

    @property
    def name(self) -> str:
        return self._name

    def open(self) -> BinaryIO:
        return io.BytesIO(self.load())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LazyImage) and (self._name, self.load()) == (other._name, other.load())

    def __hash__(self) -> int:
        return hash(self._name)

    def __getstate__(self) -> dict[str, Any]:
        return {"_name": self._name, "load": self.load}


class BytesImage(_Handle):
    """An image in memory."""

    def __init__(self, name: str, data: bytes) -> None:
        self._name, self.data = name, data

    @property
    def name(self) -> str:
        return self._name

    def open(self) -> BinaryIO:
        return io.BytesIO(self.data)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BytesImage) and self.data == other.data

    def __hash__(self) -> int:
        return hash(self.data)
