"""A JSON object whose lists are larger than memory: taken apart block by block, its items read when they are asked for.

The counterpart of :func:`labelglot.wire.json.load_fields` and ``load_parts``: the same values, the same refusals. A first
pass finds where each item begins and ends and writes that down in a file; :class:`Parts` is then a sequence of encoded
items that needs no memory to speak of. Each item is checked by the decoder that the whole document would have gone
through.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import shutil
import tempfile
import threading
import weakref
from array import array
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, TypeVar

import msgspec

from labelglot.errors import SourceError, UnsafeInput
from labelglot.report import Report
from labelglot.storage.source import DAMAGED, Source
from labelglot.wire.json import TOO_DEEP, _integer, _lenient, load_fields, load_listed

T = TypeVar("T")

BLOCK = 1 << 21
"""Bytes looked at in one go."""

BATCH = 8 << 20
"""Bytes of items that are in memory together."""

ITEMS = 10_000
"""Items that are in memory together."""

SUSPECT = 16 << 20
"""From this size on an item that does not end is looked at: perhaps something before it is broken."""

LARGEST = 256 << 20
"""Bytes read to find out what is wrong with a document."""

_MARKS = ((b"\xef\xbb\xbf", ""), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_SPACE = b" \t\r\n"


class Scratch:
    """A temporary folder that goes away with the last thing in this process that uses it; workers only read it."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="labelglot-")
        self._end = weakref.finalize(self, _remove, self.folder, os.getpid())

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder}

    def path(self, name: str) -> str:
        return os.path.join(self.folder, name)  # noqa: PTH118


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


class Bytes:
    """Ranges of a file: of the source itself if it lies on the disk, else of a copy. Each process opens it anew."""

    def __init__(self, source: Source | None, path: str, skip: int, scratch: Scratch | None) -> None:
        self.source, self.path, self.skip, self.scratch = source, path, skip, scratch
        self._opened: tuple[int, BinaryIO] | None = None
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in ("source", "path", "skip", "scratch")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def read(self, start: int, length: int) -> bytes:
        """Bytes from ``start`` on, less if the file has become shorter."""
        with self._lock:
            if self._opened is None or self._opened[0] != os.getpid():
                # A file opened before a fork shares its place with the other processes.
                self._opened = os.getpid(), self._open()
            stream = self._opened[1]
            try:
                stream.seek(self.skip + start)
                return stream.read(length)
            except OSError as error:
                raise SourceError(f"cannot be read: {error}", self.path) from error

    def _open(self) -> BinaryIO:
        return Path(self.path).open("rb") if self.source is None else self.source.open(self.path)

    def blocks(self, size: int) -> Iterator[bytes]:
        with self._open() as stream:
            stream.seek(self.skip)
            while block := stream.read(size):
                yield block

    def close(self) -> None:
        if self._opened is not None and self._opened[0] == os.getpid():
            self._opened[1].close()
        self._opened = None

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()


class Parts(Sequence[msgspec.Raw]):
    """The items of a list, still encoded, read when they are asked for. Picklable.

    ``lenient``: the document holds what the strict decoder refuses, so that each item is written anew.
    """

    def __init__(self, data: Bytes, ranges: Bytes, number: int) -> None:
        self.data, self.ranges, self.number = data, ranges, number
        self.lenient = False

    def __len__(self) -> int:
        return self.number

    def places(self, start: int, stop: int) -> array[int]:
        """Begin and length of each of these items, one after the other."""
        found = array("Q")
        found.frombytes(self.ranges.read(16 * start, 16 * max(0, min(stop, self.number) - start)))
        return found

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            start, stop, step = place.indices(self.number)
            found = self.places(start, stop)
            return self.at(list(zip(found[::2], found[1::2], strict=True)))[::step]
        if not -self.number <= place < self.number:
            raise IndexError(place)
        place %= self.number
        return self[place : place + 1][0]

    def at(self, ranges: Sequence[tuple[int, int]]) -> list[msgspec.Raw]:
        """The items at these places of the file, given in ascending order; neighbours are read together."""
        found: list[msgspec.Raw] = []
        first = 0
        while first < len(ranges):
            begin, length = ranges[first]
            last, end = first + 1, begin + length
            while last < len(ranges) and 0 <= ranges[last][0] - end <= 4096 and ranges[last][0] - begin < BATCH:
                end = ranges[last][0] + ranges[last][1]
                last += 1
            text = self.data.read(begin, end - begin)
            if len(text) != end - begin:
                raise SourceError("cannot be read: it has become shorter", self.data.path, "did the source change meanwhile?")
            found += [msgspec.Raw(text[a - begin : a - begin + n]) for a, n in ranges[first:last]]
            first = last
        return [_anew(raw) for raw in found] if self.lenient else found

    def batches(self) -> Iterator[tuple[int, array[int], list[msgspec.Raw]]]:
        """All items, some at a time: position of the first, places as :meth:`places` gives them, and the items."""
        start = 0
        while start < self.number:
            found = self.places(start, start + ITEMS)
            stop, size = 0, 0
            while stop < len(found) // 2 and (not stop or size + found[2 * stop + 1] <= BATCH):
                size += found[2 * stop + 1]
                stop += 1
            del found[2 * stop :]
            yield start, found, self.at(list(zip(found[::2], found[1::2], strict=True)))
            start += stop

    def __iter__(self) -> Iterator[msgspec.Raw]:
        for _, _, batch in self.batches():
            yield from batch

    def items(
        self, batch: Sequence[msgspec.Raw], start: int, item: type[T], place: str, report: Report, code: str
    ) -> list[T | None]:
        """A batch as :func:`labelglot.wire.json.load_listed` has it; ``start``: the position of its first item."""
        return load_listed(batch, item, place, report, code, start)


def _anew(raw: msgspec.Raw) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(_lenient(bytes(raw), "")).encode())


def scan_fields(
    source: Source, path: str, lists: Collection[str], scratch: Scratch, block: int = 0
) -> dict[str, msgspec.Raw | Parts]:
    """The top-level object of a document with its values still encoded, those named in ``lists`` as :class:`Parts`.

    They are ordinary values if they are no lists. ``block``: bytes looked at in one go, :data:`BLOCK` if 0. Raises what :func:`labelglot.wire.json.load_fields` raises.
    """
    block = block or BLOCK
    data = _stored(source, path, scratch, block)
    scanner = _Scanner(data, path, frozenset(lists), scratch)
    try:
        for each in data.blocks(block):
            scanner.feed(each)
        return scanner.finish()
    except OSError as error:
        raise SourceError(f"cannot be read: {error}", f"{source.where}/{path}") from error
    finally:
        scanner.close()


def _stored(source: Source, path: str, scratch: Scratch, block: int) -> Bytes:
    """The document for reading here and there, in UTF-8 without mark."""
    head = source.read(path, 4)
    mark, encoding = next(((m, e) for m, e in _MARKS if head.startswith(m)), (b"", ""))
    if not encoding and (source.kind == "memory" or source.local_path(path) is not None):
        return Bytes(source, path, len(mark), None)
    decoder = codecs.getincrementaldecoder(encoding)("replace") if encoding else None
    handle, copy = tempfile.mkstemp(suffix=".json", dir=scratch.folder)
    with os.fdopen(handle, "wb") as out, source.open(path) as stream:
        stream.read(len(mark))
        try:
            while data := stream.read(max(block, 1 << 16)):
                out.write(decoder.decode(data).encode() if decoder else data)
        except (OSError, *DAMAGED) as error:
            raise SourceError(f"cannot be read: {error}", f"{source.where}/{path}") from error
        if decoder:
            out.write(decoder.decode(b"", True).encode())
    return Bytes(None, copy, 0, scratch)


OPENING, CLOSING, COMMA, QUOTE, BACKSLASH = 1, 2, 3, 4, 5


def _table() -> Any:
    import numpy as np

    kinds = np.zeros(256, np.uint8)
    for letters, kind in ((b"[{", OPENING), (b"]}", CLOSING), (b",", COMMA), (b'"', QUOTE), (b"\\", BACKSLASH)):
        kinds[list(letters)] = kind
    return kinds


class _Scanner:
    """Finds the commas and brackets at the two outermost levels of a document, and takes it apart there."""

    def __init__(self, data: Bytes, path: str, lists: frozenset[str], scratch: Scratch) -> None:
        self.data, self.path, self.lists, self.scratch = data, path, lists, scratch
        self.kinds = _table()
        self.inside = self.escaped = False
        self.depth = 0
        self.held = bytearray()
        self.base = 0
        """Where ``held`` begins; everything before is dealt with."""
        self.at = 0
        """How much of the document was seen."""
        self.done = False
        self.members = 0
        self.key: str | None = None
        """The list that is open."""
        self.shut = False
        """Whether the member that is open was a list, and is complete."""
        self.count = 0
        self.ranges: Any = None
        self.fields: dict[str, msgspec.Raw | Parts] = {}
        self.lenient = False
        self.suspect = SUSPECT

    def close(self) -> None:
        if self.ranges is not None:
            self.ranges.close()
            self.ranges = None

    def feed(self, block: bytes) -> None:
        start = self.at
        self.held += block
        self.at += len(block)
        if self.done:
            self._nothing_more()
            return
        places, letters, depths = self._outer(block)
        if not self.depth and not len(places) and self.held.strip(_SPACE):
            self._no_object()
        ends = _run_ends(letters, depths)
        i, number = 0, len(places)
        while i < number:
            place, letter, depth = start + int(places[i]), letters[i], int(depths[i])
            if self.done:
                self._nothing_more()
            if not self.base and not (letter == 123 and depth == 1):
                self._no_object()
            if letter == 44 and depth == 2:
                # A run of commas between items: only the last matters for what can be taken.
                j = ends[i]
                if self.key is not None:
                    self._items(start + int(places[j - 1]), places[i:j] + start)
                i = j
                continue
            if letter == 44:
                self._member(place)
            elif letter in b"[{":
                self._open(place, letter, depth)
            else:
                self._shut(place, letter, depth)
            i += 1
        if self.done:
            self._nothing_more()
        elif len(self.held) > self.suspect:
            self._check()
            self.suspect = 2 * len(self.held)

    def _outer(self, block: bytes) -> tuple[Any, bytes, Any]:
        """Brackets and commas of a block outside of texts at depths 1 and 2, with the depth they are at (of an opening
        bracket that inside it, of a closing one that outside it).
        """
        import numpy as np

        values = np.frombuffer(block, np.uint8)
        kinds = self.kinds[values]
        places = np.flatnonzero(kinds)
        kinds = kinds[places]
        escapes = np.flatnonzero(kinds == BACKSLASH)
        escaped_first, self.escaped = self.escaped, False
        if len(escapes) or escaped_first:
            slashes = places[escapes]
            escaped = self._escaped(slashes, len(block), escaped_first)
            keep = (kinds != BACKSLASH) & ~np.isin(places, escaped)
            places, kinds = places[keep], kinds[keep]
        quotes = kinds == QUOTE
        within = np.cumsum(quotes, dtype=np.int64) + self.inside
        if len(within):
            self.inside = bool(within[-1] & 1)
        keep = ~quotes & (within & 1 == 0)
        places, kinds = places[keep], kinds[keep]
        steps = np.where(kinds == OPENING, 1, np.where(kinds == CLOSING, -1, 0))
        depths = self.depth + np.cumsum(steps, dtype=np.int64)
        if len(depths):
            self.depth = int(depths[-1])
        wanted = ((kinds == COMMA) & (depths <= 2)) | ((kinds == OPENING) & (depths <= 2)) | ((kinds == CLOSING) & (depths <= 1))
        places = places[wanted]
        return places, values[places].tobytes(), depths[wanted]

    def _escaped(self, slashes: Any, length: int, first: bool) -> Any:
        """Places of the block behind a backslash that is not itself escaped. Sets whether the next block begins with one."""
        import numpy as np

        if not len(slashes):
            return np.array([0] if first else [])
        begins = np.ones(len(slashes), bool)
        begins[1:] = slashes[1:] != slashes[:-1] + 1
        run_start = np.maximum.accumulate(np.where(begins, np.arange(len(slashes)), 0))
        turn = np.arange(len(slashes)) - run_start
        if first:
            # The first letter is escaped: a run that starts with it starts one later.
            turn = turn + ((run_start == 0) & (slashes[0] == 0))
        found = slashes[turn % 2 == 0] + 1
        if first:
            found = np.concatenate(([0], found))
        self.escaped = bool(len(found)) and int(found[-1]) == length
        return found

    def _take(self, end: int) -> bytes:
        """What is held up to a place, which is dealt with then; so is the letter at the place."""
        text = bytes(memoryview(self.held)[: end - self.base])
        del self.held[: end - self.base + 1]
        self.base = end + 1
        self.suspect = SUSPECT
        return text

    def _open(self, place: int, letter: int, depth: int) -> None:
        if depth == 1:
            if self.held[: place - self.base].strip(_SPACE):
                self._no_object()
            self._take(place)
        elif self.shut:
            self._refuse()
        elif letter == 91:
            text = bytes(self.held[: place - self.base])
            sound = text.rstrip(_SPACE).endswith(b":")
            named = self._decoded(b"{" + text + b"0}", dict[str, msgspec.Raw]) if sound else None
            key = next(iter(named), None) if isinstance(named, dict) and len(named) == 1 else None
            if key in self.lists:
                self._take(place)
                self.key, self.count = key, 0
                handle, name = tempfile.mkstemp(suffix=".ranges", dir=self.scratch.folder)
                self.close()
                self.ranges, self.name = os.fdopen(handle, "wb"), name

    def _decoded(self, text: bytes, type: Any = msgspec.Raw) -> Any:
        """A value, ``None`` if it is none; notes if only the lenient decoder reads it."""
        try:
            return msgspec.json.decode(text, type=type)
        except RecursionError as error:
            raise UnsafeInput(TOO_DEEP, self.path) from error
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
        try:
            plain = _lenient(text, self.path)
        except UnsafeInput:
            raise
        except SourceError:
            return None
        self.lenient = True
        if isinstance(plain, dict):
            return {key: msgspec.Raw(json.dumps(value).encode()) for key, value in plain.items()}
        return [msgspec.Raw(json.dumps(value).encode()) for value in plain]

    def _items(self, end: int, commas: Any) -> None:
        """Items up to the last of these commas."""
        base, held = self.base, self.held
        text = b"[" + held[: end - base] + b"]"
        found = self._decoded(text, list[msgspec.Raw])
        if found is None or len(found) != len(commas):
            self._refuse()
        ranges = self._ranges(commas)
        ranges.tofile(self.ranges)
        self.count += len(commas)
        self._take(end)

    def _ranges(self, commas: Any) -> array[int]:
        """Begin and length of the items before these commas, without the space around them."""
        import numpy as np

        ends = np.asarray(commas, np.int64)
        starts = np.concatenate(([self.base], ends[:-1] + 1))
        values = np.frombuffer(memoryview(self.held)[: int(ends[-1]) - self.base], np.uint8)
        if (values[starts - self.base] > 32).all() and (values[ends - 1 - self.base] > 32).all():
            both = np.stack((starts, ends - starts), 1)
            return array("Q", both.astype(np.uint64).tobytes())
        ranges = array("Q")
        text = values.tobytes()
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            item = text[start - self.base : end - self.base]
            bare = item.lstrip(_SPACE)
            ranges.append(start + len(item) - len(bare))
            ranges.append(len(bare.rstrip(_SPACE)))
        return ranges

    def _shut(self, place: int, letter: int, depth: int) -> None:
        if depth == 1 and self.key is not None:
            if letter != 93:
                self._refuse()
            if self.held[: place - self.base].strip(_SPACE):
                self._items(place, [place])
            elif self.count:
                self._refuse()
            else:
                self._take(place)
            self.ranges.close()
            self.ranges = None
            self.fields[self.key] = Parts(self.data, Bytes(None, self.name, 0, self.scratch), self.count)
            self.key, self.shut = None, True
        elif depth == 0:
            if letter != 125:
                self._refuse()
            self._member(place, last=True)
            self.done = True
        elif depth < 0:
            self._refuse()

    def _member(self, place: int, last: bool = False) -> None:
        """The member that ends here."""
        text = bytes(self.held[: place - self.base])
        if self.shut:
            if text.strip(_SPACE):
                self._refuse()
            self.shut = False
        elif not (last and not self.members and not text.strip(_SPACE)):
            found = self._decoded(b"{" + text + b"}", dict[str, msgspec.Raw])
            if not isinstance(found, dict) or len(found) != 1:
                self._refuse()
            self.fields.update({key: msgspec.Raw(bytes(value)) for key, value in found.items()})
        self.members += 1
        self._take(place)

    def _nothing_more(self) -> None:
        if self.held.strip(_SPACE):
            self._refuse()
        self.base += len(self.held)
        self.held.clear()

    def finish(self) -> dict[str, msgspec.Raw | Parts]:
        if not self.done:
            if not self.members and self.depth == 0 and self.base == 0:
                self._no_object()
            self._refuse()
        lists = [value for value in self.fields.values() if isinstance(value, Parts)]
        if self.lenient:
            for value in lists:
                value.lenient = True
            self.fields.update({k: _anew(v) for k, v in self.fields.items() if not isinstance(v, Parts)})
        return self.fields

    def _no_object(self) -> None:
        """Refuse a document that is something else, in the words that a small one is refused with."""
        load_fields(self.data.read(0, SUSPECT), self.path)
        self._refuse()

    def _refuse(self) -> NoReturn:
        """Say where the document is broken. What comes before ``base`` is not, so the decoder begins there."""
        if self.done:
            start = b"{}"
        elif self.key is not None:
            start = b'{"":[0,' if self.count else b'{"":['
        elif self.shut:
            start = b'{"":[]'
        elif self.members:
            start = b'{"":0,'
        else:
            start = b"{" if self.base else b""
        limit = len(self.held) + (1 << 16)
        while True:
            rest = self.data.read(self.base, limit)
            text = rest.decode("utf-8", "replace")
            try:
                json.loads(start.decode() + text, parse_int=_integer)
            except json.JSONDecodeError as error:
                place = error.pos - len(start)
                cut = place > len(text) - 64 or error.msg.startswith("Unterminated")
                if cut and len(rest) == limit < LARGEST:
                    # The decoder may have stumbled only over where the bytes were cut off.
                    limit *= 4
                    continue
                line, column = self._where(text, place)
                raise SourceError(
                    f"not valid JSON: {error.msg} at line {line}, column {column}", self.path, "is the file complete?"
                ) from error
            except RecursionError as error:
                raise UnsafeInput(TOO_DEEP, self.path) from error
            raise SourceError("not valid JSON", self.path, "is the file complete?")

    def _check(self) -> None:
        """Whether what is held, which is a lot, is an item that goes on, or one that will never end."""
        start = b"[" if self.key is not None else b"{"
        try:
            msgspec.json.decode(start + self.held, type=msgspec.Raw)
        except RecursionError as error:
            raise UnsafeInput(TOO_DEEP, self.path) from error
        except msgspec.DecodeError as error:
            if "truncated" not in str(error):
                self._refuse_if_broken()

    def _refuse_if_broken(self) -> None:
        text = ("[" if self.key is not None else "{") + self.held.decode("utf-8", "replace")
        try:
            json.loads(text, parse_int=_integer)
        except json.JSONDecodeError as error:
            if error.pos < len(text) - 64 and not error.msg.startswith("Unterminated"):
                self._refuse()

    def _where(self, text: str, place: int) -> tuple[int, int]:
        """Line and column, both from 1, of a letter so many letters behind ``base``."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        line, column, left = 1, 0, self.base
        for block in self.data.blocks(BLOCK):
            seen = decoder.decode(block[:left])
            line += seen.count("\n")
            column = len(seen) - 1 - seen.rindex("\n") if "\n" in seen else column + len(seen)
            left -= min(left, len(block))
            if not left:
                break
        before = text[: max(0, place)]
        if "\n" in before:
            return line + before.count("\n"), place - before.rindex("\n")
        return line, column + place + 1


def _run_ends(letters: bytes, depths: Any) -> dict[int, int]:
    """Where each run of commas between items begins, and where it ends."""
    import numpy as np

    commas = np.concatenate(([False], (np.frombuffer(letters, np.uint8) == 44) & (depths == 2), [False]))
    edges = np.flatnonzero(commas[1:] != commas[:-1])
    return dict(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


__all__ = ["Parts", "Scratch", "scan_fields"]
