"""COCO documents larger than memory: which annotations an image has is worked out in a file beside them.

Two passes. The first, :func:`labelglot.wire.json_large.scan_fields`, finds where each image and annotation stands. The
second sorts the annotations by image with SQLite, which needs little memory for it. A sample is then a number; its image
and its annotations are read from the document when it is decoded, in a worker if there is one. What is seen and said is
what :mod:`labelglot_coco.coco` sees and says of a small document.
"""

from __future__ import annotations

import os
import sqlite3
from array import array
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from labelglot.errors import SourceError
from labelglot.plugin import IndexEntry, Report
from labelglot.wire.json_large import Parts, Scratch

from labelglot_coco import records
from labelglot_coco.grouping import Key, Plain
from labelglot_coco.records import Part, Record

CACHE = 32 << 10
"""KiB of memory for sorting."""

_TABLES = """
CREATE TABLE sample (ordinal INTEGER PRIMARY KEY, key TEXT UNIQUE, path TEXT, name TEXT, document INTEGER, id,
  width INTEGER, height INTEGER, start INTEGER, length INTEGER, annotations INTEGER DEFAULT 0, highest DEFAULT 0);
CREATE TABLE image (number INTEGER PRIMARY KEY, document INTEGER, id, position INTEGER, start INTEGER, length INTEGER,
  name TEXT, width INTEGER, height INTEGER, sample INTEGER);
CREATE TABLE member (number INTEGER, position INTEGER, start INTEGER, length INTEGER,
  PRIMARY KEY (number, position)) WITHOUT ROWID;
CREATE TABLE fact (number INTEGER PRIMARY KEY, annotations INTEGER, highest);
"""

HUGE = 1 << 63


def _stored(id_: int | str) -> int | bytes:
    """An id as SQLite compares it: never a number with a text, and numbers of any length in their order."""
    if isinstance(id_, str):
        return b"\2" + id_.encode()
    if -HUGE <= id_ < HUGE:
        return id_
    if id_ < 0:
        return b"\0" + str(id_).encode()
    length = (id_.bit_length() + 7) // 8
    return b"\1" + length.to_bytes(4, "big") + id_.to_bytes(length, "big")


def _given(stored: int | bytes) -> int | str:
    if isinstance(stored, int):
        return stored
    kind, rest = stored[0], stored[1:]
    return rest.decode() if kind == 2 else int(rest) if kind == 0 else int.from_bytes(rest[4:], "big")


class Grouping(NamedTuple):
    """What sorting the annotations of a document has shown; see :class:`~labelglot_coco.grouping.Grouped`."""

    images: int
    repeated: frozenset[int]
    numbered: bool
    categories: dict[int, bool] | None


class Index:
    """The index of all documents that are read together. Picklable; each process opens it anew."""

    def __init__(self) -> None:
        self.scratch = Scratch()
        self.path = self.scratch.path("index.sqlite")
        self.parts: list[tuple[Parts | None, Parts | None]] = []
        """Of each document its images and its annotations."""
        self.splits: list[str | None] = []
        self.length = 0
        self._connection: sqlite3.Connection | None = sqlite3.connect(self.path, isolation_level=None)
        for setting in ("journal_mode=OFF", "synchronous=OFF", "temp_store=FILE", f"cache_size=-{CACHE}", "locking_mode=EXCLUSIVE"):
            self._connection.execute(f"PRAGMA {setting}")
        self._connection.executescript(_TABLES)
        self._connection.execute("BEGIN")
        self._owner = os.getpid()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_connection": None}

    def open(self) -> sqlite3.Connection:
        """A connection of this process."""
        if self._connection is None or self._owner != os.getpid():
            try:
                place = f"{Path(self.path).as_uri()}?mode=ro&immutable=1"
                self._connection = sqlite3.connect(place, uri=True, check_same_thread=False)
                self._connection.execute("PRAGMA cache_size=-4096")
            except sqlite3.Error as error:
                hint = "keep the dataset until all its parts are read, on this machine"
                raise SourceError("the temporary index of a large document is gone", self.path, hint) from error
            self._owner = os.getpid()
        return self._connection

    def close(self) -> None:
        """Finish building."""
        connection = self.open()
        connection.execute("CREATE INDEX by_sample ON image (sample, number)")
        self.length = connection.execute("SELECT count(*) FROM sample").fetchone()[0]
        connection.execute("COMMIT")
        connection.close()
        self._connection = None

    # Building

    def group(
        self, path: str, split: str | None, images: Parts | None, annotations: Parts | None, report: Report
    ) -> Grouping:
        """Take in a document."""
        document = len(self.parts)
        found = self._group(document, path, images, annotations, report)
        self.name(document, split, path, report)
        self.parts.append((images, annotations))
        self.splits.append(split)
        return found

    def _group(
        self, document: int, path: str, images: Parts | None, annotations: Parts | None, report: Report
    ) -> Grouping:
        first, plain, fits = self._images(document, f"{path}#images", images, report)
        number = self.open().execute("SELECT count(*) FROM image WHERE number >= ?", (first,)).fetchone()[0]
        if annotations is None or (plain and not len(annotations)):
            return Grouping(number, frozenset(), True, {} if plain else None)
        return self._annotations(first, number, f"{path}#annotations", annotations, fits, report)

    def _images(self, document: int, place: str, images: Parts | None, report: Report) -> tuple[int, bool, bool]:
        """The number of the first image, and whether all ids are whole numbers, and such as fit."""
        connection = self.open()
        first = connection.execute("SELECT coalesce(max(number), -1) + 1 FROM image").fetchone()[0]
        connection.execute("CREATE TEMP TABLE taken (id PRIMARY KEY, position INTEGER, name TEXT) WITHOUT ROWID")
        number, plain, fits = first, True, True
        later = Report(report.examples)
        for start, places, batch in () if images is None else images.batches():
            assert images is not None
            for position, image in enumerate(images.items(batch, start, records.Image, place, report, "coco.image"), start):
                if image is None:
                    continue
                if image.id is None or not image.name:
                    records.incomplete(image, f"{place}[{position}]", later)
                    continue
                id_ = _stored(image.id)
                taken = connection.execute("INSERT OR IGNORE INTO taken VALUES (?, ?, ?)", (id_, position, image.name))
                if not taken.rowcount:
                    known = connection.execute("SELECT name FROM taken WHERE id = ?", (id_,)).fetchone()
                    records.given_twice(image, known[0] == image.name, f"{place}[{position}]", later)
                    continue
                plain = plain and type(image.id) is int
                fits = fits and type(id_) is int
                size = records.image_size_of(image) or (None, None)
                at = 2 * (position - start)
                row = (number, document, id_, position, places[at], places[at + 1], image.name, *map(_whole, size))
                connection.execute("INSERT INTO image VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)", row)
                number += 1
        report.merge(later)
        connection.execute("DROP TABLE taken")
        return first, plain, plain and fits

    def _annotations(
        self, first: int, images: int, place: str, parts: Parts, plain: bool, report: Report
    ) -> Grouping:
        connection = self.open()
        connection.execute(
            "CREATE TEMP TABLE raw (position INTEGER PRIMARY KEY, image, id, category INTEGER, crowd INTEGER,"
            " start INTEGER, length INTEGER)"
        )
        rising, numbered, simple, whole, last = True, True, plain, True, -HUGE - 1
        for start, places, batch in parts.batches():
            numbers, listed = range(start, start + len(batch)), places.tolist()
            columns = _columns(batch, simple) if whole else None
            if columns is not None:
                named, ids, categories, crowds = columns
                simple = categories is not None
                rising = rising and ids[0] > last and all(map(int.__lt__, ids, ids[1:]))
                numbered = numbered and ids == list(range(start + 1, start + 1 + len(ids)))
                last = ids[-1]
                nothing = [None] * len(ids)
                rows = zip(numbers, named, ids, categories or nothing, crowds or nothing, listed[::2], listed[1::2], strict=True)
                connection.executemany("INSERT INTO raw VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
                continue
            whole = simple = rising = False
            keys = parts.items(batch, start, records.Key, place, report, "coco.annotation")
            for position, key, begin, length in zip(numbers, keys, listed[::2], listed[1::2], strict=True):
                numbered = numbered and key is not None and key.id == position + 1
                if key is None:
                    continue
                given = [None if id_ is None else _stored(id_) for id_ in (key.image_id, key.id)]
                connection.execute("INSERT INTO raw VALUES (?, ?, ?, NULL, NULL, ?, ?)", (position, *given, begin, length))
        connection.execute("CREATE TEMP TABLE own (id PRIMARY KEY, number INTEGER) WITHOUT ROWID")
        connection.execute("INSERT INTO own SELECT id, number FROM image WHERE number >= ? ORDER BY id", (first,))
        connection.execute(
            "CREATE TEMP TABLE sorted AS SELECT own.number AS number, position, raw.id AS id, category, crowd, start, length"
            " FROM raw CROSS JOIN own ON own.id = raw.image ORDER BY own.number, position"
        )
        connection.execute("INSERT INTO member SELECT number, position, start, length FROM sorted ORDER BY number, position")
        connection.execute("CREATE TEMP TABLE again (position INTEGER PRIMARY KEY)")
        if not rising:
            connection.execute("CREATE INDEX by_id ON sorted (id, position)")
            connection.execute(
                "INSERT INTO again SELECT position FROM sorted WHERE id IS NOT NULL"
                " AND position > (SELECT min(position) FROM sorted AS s WHERE s.id = sorted.id)"
            )
        repeated = frozenset(row[0] for row in connection.execute("SELECT position FROM again"))
        counted = connection.execute("SELECT (SELECT count(*) FROM raw), (SELECT count(*) FROM sorted)").fetchone()
        dangling = counted[0] > counted[1]
        if dangling or repeated:
            wrong = connection.execute(
                "SELECT raw.position, raw.image, raw.id, own.id IS NULL FROM raw LEFT JOIN own ON own.id = raw.image"
                " WHERE own.id IS NULL OR raw.position IN (SELECT position FROM again) ORDER BY raw.position"
            )
            for position, image, id_, lost in wrong:
                key = records.Key(None if image is None else _given(image), None if id_ is None else _given(id_))
                (records.dangling if lost else records.renumbered)(key, f"{place}[{position}]", report)
        connection.execute(
            "INSERT INTO fact SELECT number, count(*), max(CASE WHEN (typeof(id) = 'integer' OR substr(id, 1, 1) = x'01')"
            " AND position NOT IN (SELECT position FROM again) THEN id END) FROM sorted GROUP BY number"
        )
        categories_seen: dict[int, bool] | None = None
        if simple and images and not (dangling or repeated):
            found = connection.execute("SELECT category, max(crowd) FROM sorted GROUP BY category ORDER BY min(rowid)")
            categories_seen = {category: bool(crowd) for category, crowd in found}
        for name in ("raw", "own", "sorted", "again"):
            connection.execute(f"DROP TABLE {name}")
        return Grouping(images, repeated, numbered, categories_seen)

    def name(self, document: int, split: str | None, path: str, report: Report) -> None:
        """Work out the samples that the images of a document are."""
        connection = self.open()
        prefix = f"{split}:" if split is not None else ""
        last = -1
        while rows := connection.execute(
            "SELECT image.number, position, name, id, width, height, start, length, coalesce(annotations, 0),"
            " coalesce(highest, 0) FROM image LEFT JOIN fact ON fact.number = image.number WHERE document = ?"
            " AND image.number > ? ORDER BY image.number LIMIT 10000", (document, last),
        ).fetchall():  # fmt: skip
            last = rows[-1][0]
            for number, position, name, id_, width, height, start, length, count, highest in rows:
                inside, foreign = records.identity(name)
                if foreign is not None:
                    records.unsafe(foreign, inside, f"{path}#images[{position}]", report)
                highest = 0 if type(highest) is int and highest < 0 else highest
                key = prefix + inside
                known = connection.execute("SELECT ordinal, highest FROM sample WHERE key = ?", (key,)).fetchone()
                if known is None:
                    known = (self.length,)
                    row = (self.length, key, inside, name, document, id_, width, height, start, length, count, highest)
                    connection.execute("INSERT INTO sample VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
                    self.length += 1
                else:
                    connection.execute(
                        "UPDATE sample SET annotations = annotations + ?, highest = max(highest, ?) WHERE ordinal = ?",
                        (count, highest, known[0]),
                    )
                connection.execute("UPDATE image SET sample = ? WHERE number = ?", (known[0], number))

    # Reading

    def names(self) -> Iterator[tuple[int, str]]:
        """The document and the name of each image."""
        return iter(self.open().execute("SELECT document, name FROM image ORDER BY number"))

    def repeated(self) -> frozenset[str]:
        """Names of images that documents of different splits list."""
        return frozenset(row[0] for row in self.open().execute("SELECT name FROM sample GROUP BY name HAVING count(*) > 1"))

    def __call__(self) -> Iterator[IndexEntry]:
        """The cheap index of all samples."""
        rows = self.open().execute(
            "SELECT path, document, width, height, annotations, id, highest FROM sample ORDER BY ordinal"
        )
        for path, document, width, height, number, id_, highest in rows:
            split = self.splits[document]
            size = None if width is None else (int(width), int(height))
            splits = () if split is None else (split,)
            yield IndexEntry(path, splits, size, None, number, None, _given(id_), _given(highest))  # type: ignore[arg-type]

    def records(self, start: int, stop: int) -> Iterator[Record]:
        """The records of a range of samples, a few at a time."""
        for low in range(start, stop, 100):
            high = min(low + 100, stop)
            found = self.open().execute(
                "SELECT image.sample, image.number, image.document, position_, begin, size FROM image LEFT JOIN"
                " (SELECT number AS n, position AS position_, start AS begin, length AS size FROM member) ON n = image.number"
                " WHERE image.sample >= ? AND image.sample < ? ORDER BY image.sample, image.number, position_", (low, high),
            ).fetchall()  # fmt: skip
            heads = self.open().execute(
                "SELECT ordinal, document, start, length, name, path FROM sample WHERE ordinal >= ? AND ordinal < ?"
                " ORDER BY ordinal", (low, high),
            ).fetchall()  # fmt: skip
            members = {ordinal: list(rows) for ordinal, rows in groupby(found, itemgetter(0))}
            for ordinal, document, begin, length, name, path in heads:
                parts = []
                for (_, owner), rows in groupby(members[ordinal], itemgetter(1, 2)):
                    mine = [row for row in rows if row[3] is not None]
                    listed = self.parts[owner][1]
                    raws = listed.at([(row[4], row[5]) for row in mine]) if listed is not None and mine else []
                    parts.append(Part(owner, tuple(raws), array("I", [row[3] for row in mine])))
                images = self.parts[document][0]
                assert images is not None
                yield Record(images.at([(begin, length)])[0], name, path, tuple(parts))


class Stored(Sequence[Record]):
    """The records of a range of samples, read when they are asked for."""

    def __init__(self, table: Index, start: int, stop: int) -> None:
        self.table, self.start, self.stop = table, start, stop

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, place: Any) -> Any:
        if not isinstance(place, slice):
            found = range(self.start, self.stop)[place]
            return next(self.table.records(found, found + 1))
        several = range(self.start, self.stop)[place]
        if several.step == 1:
            return Stored(self.table, several.start, max(several.start, several.stop))
        return [next(self.table.records(i, i + 1)) for i in several]

    def __iter__(self) -> Iterator[Record]:
        return self.table.records(self.start, self.stop)


def _columns(
    batch: Sequence[msgspec.Raw], simple: bool
) -> tuple[list[int], list[int], list[int] | None, list[int] | None] | None:
    """Image and id of annotations, and if all have nothing but a class and a box, class and whether they are crowds.

    ``None`` if an id is missing or no whole number that fits.
    """
    text = b"[" + b",".join(batch) + b"]"
    items = _typed(text, Plain) if simple else None
    if items is not None:
        columns = [i.image_id for i in items], [i.id for i in items], [i.category_id for i in items]
        if all(min(column) >= -HUGE and max(column) < HUGE for column in columns):
            return (*columns, [int(i.iscrowd != 0) for i in items])
    items = _typed(text, Key)
    if items is None:
        return None
    named, ids = [i.image_id for i in items], [i.id for i in items]
    fits = all(min(column) >= -HUGE and max(column) < HUGE for column in (named, ids))
    return (named, ids, None, None) if fits else None


def _typed(text: bytes, type: Any) -> list[Any] | None:
    try:
        return msgspec.json.decode(text, type=list[type])  # type: ignore[no-any-return]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _whole(size: int | None) -> int | bytes | None:
    return size if size is None or size < HUGE else str(size).encode()
