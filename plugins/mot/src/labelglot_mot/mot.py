"""MOT Challenge: a folder per sequence with its frames, ``gt/gt.txt`` (a row per object and frame) and ``seqinfo.ini``.

Frames are images called by their number. Where images are called otherwise, or differ in size, ``gt/frames.txt`` says
which frame is which image; readers of the benchmark do not look for it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from labelglot.images import SourceImage
from labelglot.plugin import (
    PIXELS_XYWH,
    Dataset,
    File,
    Format,
    Holds,
    LabelglotError,
    LabelHolds,
    Match,
    Options,
    Piece,
    Pieces,
    Problem,
    ReadContext,
    Records,
    Report,
    Sample,
    Source,
    WriteContext,
    from_folder_name,
    in_pixels,
    make_labels,
    merge_labels,
    sequence_folder,
    split_role,
    under,
    with_suffix,
)
from labelglot.wire import json
from labelglot.wire.text import LINE, lines
from pydantic import Field

from labelglot_mot.rows import CLASSES, LAST_FRAME, Kind, head_of, read_row, values, write_row

GT, DET, INFO = "gt/gt.txt", "det/det.txt", "seqinfo.ini"
NAMES, FRAMES = "gt/labels.txt", "gt/frames.txt"
IMAGES = "img1"
LONGEST = 1_000_000
"""Frames that a ``seqLength`` may announce."""
HEADER = ("number", "frame", "width", "height", "image")


class Clip(NamedTuple):
    """One sequence: its name, the file of its rows, and how to read them."""

    name: str | None
    rows: str
    kind: Kind
    classes: tuple[str, ...]
    origin: str


class Frame(NamedTuple):
    """One image: the position of its sequence, and its rows with their line numbers."""

    sequence: int
    frame: int | None
    path: str
    splits: tuple[str, ...]
    size: tuple[int, int] | None
    image: str | None
    rows: tuple[tuple[int, str], ...]


class Mot(Format):
    """Boxes with tracks in the frames of sequences.

    ``conf`` 0 = ``ignore``; visibility = ``visible_fraction``; -1 says nothing. Class numbers count from 1 and are named
    by ``gt/labels.txt`` (as CVAT writes it), else by the benchmark.
    """

    id = "mot"
    name = "MOT Challenge"
    aliases = ("motchallenge",)
    url = "https://motchallenge.net"
    holds = Holds(
        geometry=(frozenset({"box"}),),
        boxes=PIXELS_XYWH,
        labels=LabelHolds(ids="index", required=False, names=LINE),
        flags={"ignore": frozenset({"bool"}), "visible_fraction": frozenset({"float"})},
        defaults={"ignore": False},
        track="int",
        sequence=True,
        frame=True,
        extra=frozenset({"mot"}),
    )

    class ReadOptions(Options):
        """Options of the reader."""

        rows: Literal["gt", "det"] = Field(
            default="gt",
            title="Rows",
            description="which file of a sequence is read where it has both: the ground truth or the detections",
        )
        origin: Literal["raw", "1-based"] = Field(
            default="raw",
            title="Origin of coordinates",
            description="raw: the numbers as they stand; 1-based: the first pixel is called 1, as the benchmark says",
        )

    class WriteOptions(Options):
        """Options of the writer."""

        rows: Literal["gt", "det"] = Field(
            default="gt",
            title="Rows",
            description="gt: flags, classes and visibility; det: scores, as results have them",
        )
        origin: Literal["raw", "1-based"] = Field(
            default="raw",
            title="Origin of coordinates",
            description="raw: coordinates as they are; 1-based: the first pixel is called 1",
        )

    def holds_with(self, options: Any) -> Holds:
        if options.rows == "gt":
            return self.holds
        return self.holds.replace(labels=LabelHolds(table=False, required=False), flags={}, defaults={}, score=True)

    def detect(self, source: Source) -> Match | None:
        roots = _roots(source)
        for root, files in list(roots.items())[:8]:
            for name in (GT, DET):
                if name in files:
                    row = next((line for _, line in lines(source.head(root + name))), None)
                    if row is not None and values(row) is None:
                        return None
                    score = 0.95 if INFO in files else 0.9 if row is not None else 0.6
                    return Match(score, f"{root}{name}: rows of a frame, a track and a box")
        if roots:
            return Match(0.6, f"a {INFO}")
        for name in _loose(source)[:1]:
            return Match(0.6, f"{name}: rows of ten numbers, the last three -1")
        return None

    def read(self, context: ReadContext) -> Dataset:
        roots = _roots(context.source)
        sequences: list[Clip] = []
        frames: list[Frame] = []
        tables: list[Sequence[str]] = []
        for root, files in roots.items():
            names = _names(root, context) if NAMES in files or FRAMES in files else None
            tables.append(CLASSES if names is None else names)
            found = _sequence(root, files, tables[-1], context)
            frames += _frames(found, len(sequences), root, context)
            sequences.append(found)
        if not roots:
            for path in _loose(context.source):
                found = Clip(with_suffix(path, ""), path, "det", (), context.options.origin)
                frames += _frames(found, len(sequences), with_suffix(path, "") + "/", context)
                sequences.append(found)
            if not sequences:
                raise LabelglotError("there is no gt.txt, det.txt or seqinfo.ini in it", context.source.where)
        labels = [label.replace(id=i) for i, label in enumerate(merge_labels(make_labels(table) for table in tables))]
        return Dataset(Records(frames, _Decode(context.source, sequences)), labels, labels_complete=False)

    def image_path(self, sample: Sample, context: WriteContext) -> str:
        return _image_path(_root(sample.sequence), sample.path)

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece | Problem]:
        root = _root(sample.sequence)
        width, height = sample.size or (None, None)
        head = [ordinal, sample.sequence, sample.frame, width, height, sample.path]
        yield Piece(f"{root}#frames", json.dump(head) + b"\n")
        options = context.options
        rows = (f"{ordinal},{write_row(a, context, options.rows, options.origin)}" for a in sample.annotations or ())
        yield Piece(f"{root}#rows", "".join(rows).encode())
        if options.rows == "det" and any(a.score is None for a in sample.annotations or ()):
            yield Problem("mot.score", "objects without score", key=sample.key, action="written with score 1")

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        kind: Kind = context.options.rows
        roots = [slot.removesuffix("#frames") for slot in pieces.slots() if slot.endswith("#frames")] or [""]
        table = "".join(f"{label.name}\n" for label in context.labels).encode()
        for root in roots:
            heads: list[Any] = [json.load(line, "") for line in _lines(pieces.stream(f"{root}#frames"))]
            taken = [frame for _, _, frame, *_ in heads]
            own = len(set(taken)) == len(taken) and all(isinstance(f, int) and 1 <= f <= LAST_FRAME for f in taken)
            numbers = {head[0]: head[2] if own else i for i, head in enumerate(heads, 1)}
            yield File(root + (GT if kind == "gt" else DET), _rows(pieces.stream(f"{root}#rows"), numbers))
            if kind == "gt":
                yield File(root + NAMES, table)
            if heads:
                plain = _plain(root, heads, numbers)
                yield File(root + INFO, _info(heads, numbers))
                if not plain:
                    yield File(root + FRAMES, _list(heads, numbers))


def _roots(source: Source) -> dict[str, set[str]]:
    """The folders of sequences, each ending with a slash, and which of their files are there."""
    found: dict[str, set[str]] = {}
    for path in source.match("*.txt", "*.ini"):
        for name in (GT, DET, INFO, NAMES, FRAMES):
            if f"/{path}".lower().endswith("/" + name):
                found.setdefault(path[: -len(name)], set()).add(name)
    return {root: files for root, files in found.items() if files & {GT, DET, INFO}}


def _loose(source: Source) -> list[str]:
    """Files of results: ten numbers in a row, the last three -1; and others if one is named by the user."""
    found = []
    for path in source.match("*.txt"):
        row = next((values(line) for _, line in lines(source.head(path, 512))), None)
        if row is not None and (row[7:] == [-1, -1, -1] or (source.focus and 7 <= len(row) <= 10)) and row[0] >= 0:
            found.append(path)
    return found


def _names(root: str, context: ReadContext) -> tuple[str, ...]:
    """The classes of a sequence by line; lines without text keep their number."""
    try:
        text = context.source.read(root + NAMES).decode("utf-8-sig", "replace")
    except LabelglotError:
        return ()
    rows = [line.strip() for line in text.replace("\r\n", "\n").split("\n")]
    while rows and not rows[-1]:
        rows.pop()
    return tuple(label.key for label in make_labels([row or f"class_{i}" for i, row in enumerate(rows, 1)]))


def _sequence(root: str, files: set[str], classes: Sequence[str], context: ReadContext) -> Clip:
    kind: Kind = "det" if DET in files and (context.options.rows == "det" or GT not in files) else "gt"
    if {GT, DET} <= files:
        other = GT if kind == "det" else DET
        context.report.problem("mot.other", f"{root}{other} is there too", root, severity="info", action="not read")
    folder = root[:-1].rpartition("/")[2]
    name = _seqinfo(root, context).get("name", from_folder_name(folder) if folder else None)
    return Clip(name, root + (GT if kind == "gt" else DET), kind, tuple(classes), context.options.origin)


def _seqinfo(root: str, context: ReadContext) -> dict[str, str]:
    """The settings of a sequence, keys in small letters."""
    if not context.source.exists(root + INFO):
        return {}
    pairs = (line.partition("=") for _, line in lines(context.source.read(root + INFO)) if "=" in line)
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def _whole(text: str | None, most: int) -> int | None:
    """A positive whole number, ``None`` for anything else."""
    number = int(text) if text and text.isascii() and text.isdigit() and len(text) < 12 else 0
    return number if 0 < number <= most else None


def _frames(found: Clip, position: int, root: str, context: ReadContext) -> list[Frame]:
    """The frames of a sequence by number: of the list, else those announced, those with an image, those with rows."""
    info = _seqinfo(root, context)
    rows: dict[int, list[tuple[int, str]]] = {}
    if context.source.exists(found.rows):
        seen: set[tuple[int, str]] = set()
        for at, line in lines(context.source.read(found.rows)):
            number, track = head_of(line)
            if number is None:
                context.report.problem(
                    "mot.row", "no frame number", f"{found.rows}:{at}", severity="error", raw=line, action="skipped"
                )
                continue
            rows.setdefault(number, []).append((at, line))
            if (number, track) in seen and track not in ("-1", "-1.0", ""):
                context.report.problem("mot.twice", f"track {track} is twice in frame {number}", f"{found.rows}:{at}")
            seen.add((number, track))
    width, height = _whole(info.get("imwidth"), 10**6), _whole(info.get("imheight"), 10**6)
    size = (width, height) if width and height else None
    listed = _listed(root, context)
    if listed is None:
        listed = _numbered(root, info, rows, size, context)
    result = []
    for number, (frame, path, own, image) in sorted(listed.items()):
        splits, short = _split(root, path)
        result.append(Frame(position, frame, short, splits, own, image, tuple(rows.pop(number, ()))))
    for number, left in rows.items():
        context.report.problem(
            "mot.frame", f"frame {number} is not in {root}{FRAMES}", f"{found.rows}:{left[0][0]}", severity="error",
            action="skipped",
        )  # fmt: skip
    return result


Listed = dict[int, tuple[int | None, str, tuple[int, int] | None, str | None]]


def _numbered(
    root: str, info: Mapping[str, str], rows: Iterable[int], size: tuple[int, int] | None, context: ReadContext
) -> Listed:
    """Frames by their number: images are called by it, or count from 1."""
    folder = root + (info.get("imdir", "").strip("/") or IMAGES)
    images = [path for path in context.images.paths if path.startswith(folder + "/")]
    stems = [with_suffix(path.rpartition("/")[2], "") for path in images]
    numbers = [_whole(stem, LAST_FRAME) if stem.strip("0") else 0 for stem in stems]
    called = None not in numbers and len(set(numbers)) == len(numbers)
    shown = dict(zip(numbers if called else range(1, len(images) + 1), images, strict=True))
    announced = _whole(info.get("seqlength"), LONGEST)
    if announced is None and info.get("seqlength"):
        context.report.problem("mot.length", f"seqLength is {info['seqlength']!r}", root + INFO, action="not used")
    suffix = info.get("imext", ".jpg").strip()
    suffix = suffix if suffix.startswith(".") else f".{suffix}"
    if not re.fullmatch(r"\.\w{1,10}", suffix):
        suffix = ".jpg"
    known = {*shown, *rows, *range(1, (announced or 0) + 1)}
    return {n: (n, shown.get(n) or f"{folder}/{n:06d}{suffix}", size, shown.get(n)) for n in known if n is not None}


def _listed(root: str, context: ReadContext) -> Listed | None:
    """Frames as ``gt/frames.txt`` lists them."""
    if not context.source.exists(root + FRAMES):
        return None
    above, _, own = root[:-1].rpartition("/")
    text = context.source.read(root + FRAMES).decode("utf-8-sig", "replace").replace("\0", "")
    found: Listed = {}
    for at, cells in enumerate(csv.reader(io.StringIO(text, newline="")), 1):
        if tuple(cells) == HEADER or not any(cells):
            continue
        place = f"{root}{FRAMES}:{at}"
        try:
            number, frame, width, height = (int(cell) if cell else None for cell in cells[:4])
            where = context.place(cells[4])
            if number is None or number in found or not 0 <= number <= LAST_FRAME:
                raise ValueError
        except (ValueError, IndexError, LabelglotError):
            context.report.problem(
                "mot.list", "not a new number, a frame, a size and an image", place, severity="error",
                raw=",".join(cells), action="skipped",
            )  # fmt: skip
            continue
        places = (_image_path(root, where.path), under(above, _image_path(f"{own}/", where.path)))
        image = next((place for place in places if place in context.images), None)
        size = (width, height) if width and height and width > 0 and height > 0 else None
        found[number] = (frame, where.path, size, image)
    return found


def _split(root: str, path: str) -> tuple[tuple[str, ...], str]:
    """The split that a folder above the sequence names, and the path below it."""
    above = root[:-1].split("/")[:-1]
    at = next((i for i in range(len(above) - 1, -1, -1) if split_role(above[i]) is not None), None)
    if at is None:
        return (), path
    return (above[at],), path.removeprefix("/".join(above[: at + 1]) + "/")


def _root(sequence: str | None) -> str:
    """The folder of a sequence with its slash. Different names give different folders."""
    return "" if sequence is None else f"{sequence_folder(sequence)}/"


def _image_path(root: str, path: str) -> str:
    base = under(root[:-1], IMAGES) + "/"
    return path if path.startswith(base) else base + path


def _lines(stream: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for block in stream:
        *whole, rest = (rest + block).split(b"\n")
        yield from whole
    if rest:
        yield rest


def _rows(stream: Iterable[bytes], numbers: Mapping[int, int]) -> Iterator[bytes]:
    for line in _lines(stream):
        ordinal, _, rest = line.partition(b",")
        yield b"%d,%b\n" % (numbers[int(ordinal)], rest)


def _plain(root: str, heads: Sequence[Any], numbers: Mapping[int, int]) -> bool:
    """Whether the frames are called by their numbers, without gap, in images of one size."""
    suffix = heads[0][5][heads[0][5].rfind(".") :]
    return (
        {numbers[head[0]] for head in heads} == set(range(1, len(heads) + 1))
        and all(h[2] == numbers[h[0]] and h[5] == f"{root}{IMAGES}/{h[2]:06d}{suffix}" for h in heads)
        and len({(h[3], h[4]) for h in heads}) == 1
        and re.fullmatch(r"\.\w{1,10}", suffix) is not None
    )


def _info(heads: Sequence[Any], numbers: Mapping[int, int]) -> bytes:
    _, name, _, width, height, path = heads[0]
    suffix = path[path.rfind(".") :]
    fields = {
        "name": name if name is not None and (re.fullmatch(LINE, name) or not name) else None,
        "imDir": IMAGES,
        "seqLength": max(numbers.values()),
        "imWidth": width,
        "imHeight": height,
        "imExt": suffix if re.fullmatch(r"\.\w{1,10}", suffix) else None,
    }
    said = "".join(f"{key}={value}\n" for key, value in fields.items() if value is not None)
    return f"[Sequence]\n{said}".encode()


def _list(heads: Sequence[Any], numbers: Mapping[int, int]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows([numbers[ordinal], *rest] for ordinal, _, *rest in heads)
    return text.getvalue().encode()


class _Decode:
    """Turns the rows of a frame into a sample."""

    def __init__(self, source: Source, sequences: Sequence[Clip]) -> None:
        self.source, self.sequences = source, sequences

    def __call__(self, record: Frame, ordinal: int, report: Report) -> Sample | None:
        of = self.sequences[record.sequence]
        found = (
            read_row(line, of.kind, of.classes, of.origin, f"{of.rows}:{at}", record.path, report)
            for at, line in record.rows
        )
        return in_pixels(
            Sample(
                path=record.path, image=None if record.image is None else SourceImage(self.source, record.image),
                size=record.size, sequence=of.name, frame=record.frame, splits=record.splits,
                annotations=tuple(a for a in found if a is not None),
            )
        )  # fmt: skip
