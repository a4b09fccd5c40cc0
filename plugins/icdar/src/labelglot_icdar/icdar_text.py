"""ICDAR robust reading: regions with their text per image, texts of cut-out words, or characters by colour."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any, Literal, NamedTuple

from labelglot.geometry import encode_string, from_bitmap
from labelglot.images import SourceImage, decode_color, is_image
from labelglot.plugin import (
    Annotation,
    Dataset,
    File,
    Holds,
    LabelglotError,
    LabelHolds,
    Mask,
    Match,
    Mirrored,
    Naming,
    Options,
    Pair,
    Piece,
    Pieces,
    Polygon,
    Problem,
    ReadContext,
    Records,
    Report,
    Sample,
    Source,
    Tag,
    TagHolds,
    WriteContext,
    in_pixels,
    seen_from,
    split_role,
    under,
)
from pydantic import Field

from labelglot_icdar.rows import CARELESS, Row, parse, write

WORDS = "gt.txt"
_WORD = re.compile(r'(.+?)\s*,\s*"(.*)"\s*')
_CHARACTER = re.compile(r'(#?)\s*(\d+) (\d+) (\d+) (\S+) (\S+) (\S+) (\S+) (\S+) (\S+) "(.*)"\s*')
CODE = "icdar-text"


class Word(NamedTuple):
    """A cut-out word: where it is listed, its image and its text."""

    list: str
    line: int
    name: str
    text: str


class IcdarText(Mirrored):
    """Boxes and polygons with their text. A region whose text is ``###`` is to be ignored.

    ``extra``: the ``script`` of MLT, the ``difficult`` of RCTW.
    """

    id = CODE
    name = "ICDAR scene text"
    aliases = ("icdar",)
    url = "https://rrc.cvc.uab.es"
    image_folder = "images"
    file_folder = ""
    prefix = "gt_"
    holds = Holds(
        geometry=(frozenset({"box", "polygon"}),),
        polygon_parts=False,
        polygon_holes=False,
        labels=LabelHolds(table=False, required=False),
        flags={"ignore": frozenset({"bool"})},
        defaults={"ignore": False},
        text=True,
        ignored_text=False,
        size=False,
        naming=Naming(unique="stem", suffix=False),
        extra=frozenset({CODE}),
    )

    class WriteOptions(Options):
        """Options of the writer."""

        task: Literal["localisation", "recognition"] = Field(
            default="localisation",
            title="Task",
            description="localisation: the regions of each image; recognition: the caption of each image, in gt.txt",
        )

    def holds_with(self, options: Any) -> Holds:
        if options.task == "localisation":
            return self.holds
        return self.holds.replace(
            geometry=(), text=False, flags={}, defaults={}, empty=False, tags=TagHolds(labels="none", captions="one"),
            naming=Naming(pattern=r"[^\x00-\x1f\x7f\",]+"),
        )  # fmt: skip

    def detect(self, source: Source) -> Match | None:
        for path in self.annotation_files(source)[:8]:
            row = next((parse(line) for line in _lines(source.head(path, 2048)) if line.strip()), None)
            if row is not None:
                return Match(
                    0.9 if len(row.numbers) >= 8 or row.text is not None else 0.6,
                    f"{path}: corners of regions, and their texts",
                )
        for path in _characters(source)[:1]:
            return Match(0.9, f"{path}: colours and boxes of characters")
        for path in _words(source)[:1]:
            return Match(0.85, f"{path}: images and their texts in quotation marks")
        return None

    def read(self, context: ReadContext) -> Dataset:
        if self.annotation_files(context.source):
            return super().read(context)
        words = [word for path in _words(context.source) for word in _read_words(path, context)]
        if words:
            return Dataset(Records(words, _DecodeWord(context)))
        characters = _characters(context.source)
        if characters:
            return Dataset(Records(characters, _DecodeCharacters(context)))
        return super().read(context)

    def parse(self, data: bytes, pair: Pair, report: Report) -> Mapping[str, Any]:
        found = []
        for at, line in enumerate(_lines(data), 1):
            if line.strip():
                annotation = _annotation(line, f"{pair.annotation}:{at}", pair.path or "", report)
                if annotation is not None:
                    found.append(annotation)
        return {"annotations": tuple(found)}

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece | Problem]:  # type: ignore[override]
        if context.options.task == "recognition":
            text = next((tag.text for tag in sample.tags if tag.text is not None), None)
            if text is not None:
                escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\r", " ").replace("\n", " ")
                yield Piece(WORDS, f'{sample.path}, "{escaped}"\n'.encode())
            return
        yield from super().encode(sample, context, ordinal)
        for position, a in enumerate(sample.annotations or ()):
            if a.text == CARELESS:
                yield Problem(
                    f"{CODE}.careless", f"the text is {CARELESS}", key=sample.key, object=position,
                    action="it will be read as a region to be ignored",
                )  # fmt: skip

    def encode_file(self, sample: Sample, context: WriteContext) -> bytes:
        return "".join(f"{_spell(a)}\n" for a in sample.annotations or ()).encode()

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        if context.options.task == "recognition":
            yield File(WORDS, pieces.stream(WORDS))


def _lines(data: bytes) -> list[str]:
    return data.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _annotation(line: str, place: str, key: str, report: Report) -> Annotation | None:
    row = parse(line)
    if row is None or not all(map(isfinite, row.numbers)):
        report.problem(
            f"{CODE}.line", "no numbers of a region", place, severity="error", key=key, raw=line, action="skipped"
        )
        return None
    more = {name: value for name, value in (("script", row.script), ("difficult", row.difficult)) if value is not None}
    careless = row.text == CARELESS
    fields: dict[str, Any] = {"shape": Polygon.of(row.numbers)}
    if len(row.numbers) == 4:
        fields = {"box": row.numbers}
    return Annotation(
        text=None if careless else row.text,
        attributes={"ignore": True} if careless else {},
        extra={CODE: more} if more else {},
        **fields,
    )


def _spell(annotation: Annotation) -> str:
    shape = annotation.shape
    numbers = tuple(shape.parts[0][0] if isinstance(shape, Polygon) else annotation.box or ())
    if isinstance(shape, Polygon) and 2 <= len(numbers) < 6:
        numbers += numbers[-2:] * (3 - len(numbers) // 2)
    text = CARELESS if annotation.attributes.get("ignore") is True else annotation.text
    more = annotation.extra.get(CODE, {})
    return write(Row(tuple(map(float, numbers)), text, more.get("script"), more.get("difficult")))


def _words(source: Source) -> list[str]:
    """Lists of cut-out words."""
    found = []
    for path in source.match(WORDS):
        first = next((line for line in _lines(source.head(path, 2048)) if line.strip()), "")
        named = _WORD.fullmatch(first)
        if named and is_image(named[1]):
            found.append(path)
    return found


def _read_words(path: str, context: ReadContext) -> Iterable[Word]:
    for at, line in enumerate(_lines(context.source.read(path)), 1):
        found = _WORD.fullmatch(line)
        if found and seen_from("", found[1]) is not None:
            yield Word(path, at, str(seen_from("", found[1])), re.sub(r"\\(.)", r"\1", found[2]))
        elif line.strip():
            context.report.problem(
                f"{CODE}.word", "not a name and a text in quotation marks", f"{path}:{at}", severity="error", raw=line,
                action="skipped",
            )  # fmt: skip


def _split(path: str) -> tuple[str, ...]:
    folder = path.rpartition("/")[0].rpartition("/")[2]
    return (folder,) if split_role(folder) is not None else ()


class _DecodeWord:
    def __init__(self, context: ReadContext) -> None:
        self.context = context

    def __call__(self, record: Word, ordinal: int, report: Report) -> Sample | None:
        folder = record.list.rpartition("/")[0]
        places = (under(folder, f"images/{record.name}"), under(folder, record.name))
        image = next((place for place in places if place in self.context.images), None)
        return in_pixels(
            Sample(
                path=record.name, splits=_split(record.list), tags=(Tag(text=record.text),), annotations=(),
                image=None if image is None else SourceImage(self.context.source, image),
            )
        )  # fmt: skip


def _characters(source: Source) -> list[str]:
    """Files of characters: those beside a picture of the same name."""
    return [
        path
        for path in source.match("*_GT.txt")
        if source.exists(path[:-4] + ".bmp") or source.exists(path[:-4] + ".png")
    ]


class _DecodeCharacters:
    """The characters of an image: each has its colour in the picture; a blank line ends a word."""

    def __init__(self, context: ReadContext) -> None:
        self.context = context

    def __call__(self, record: str, ordinal: int, report: Report) -> Sample | None:
        source = self.context.source
        folder, _, name = record.rpartition("/")
        stem = name[: -len("_GT.txt")]
        images = [
            f"{under(folder, part)}{stem}{suffix}"
            for part in ("images/", "")
            for suffix in (".png", ".jpg", ".jpeg", ".bmp")
        ]
        image = next((place for place in images if place in self.context.images), None)
        picture = None
        try:
            shown = record[:-4] + (".bmp" if source.exists(record[:-4] + ".bmp") else ".png")
            picture = decode_color(source.read(shown))
        except LabelglotError as error:
            report.problem(f"{CODE}.picture", error.message, record, action="read without masks")
        found: list[Annotation] = []
        word, empty = 1, True
        for at, line in enumerate(_lines(source.read(record)), 1):
            if not line.strip():
                word, empty = (word, True) if empty else (word + 1, True)
                continue
            empty = False
            annotation = self._character(line, picture, word, f"{record}:{at}", report)
            if annotation is not None:
                found.append(annotation)
        path = stem if image is None else image.rpartition("/")[2]
        return in_pixels(
            Sample(
                path=path, splits=_split(record), annotations=tuple(found),
                image=None if image is None else SourceImage(source, image),
                size=None if picture is None else (picture.shape[1], picture.shape[0]),
            )
        )  # fmt: skip

    def _character(self, line: str, picture: Any, word: int, place: str, report: Report) -> Annotation | None:
        cells = _CHARACTER.fullmatch(line)
        try:
            if cells is None:
                raise ValueError
            x0, y0, x1, y1 = (float(cells[i]) for i in range(7, 11))
            if not all(map(isfinite, (x0, y0, x1, y1))):
                raise ValueError
        except ValueError:
            report.problem(
                f"{CODE}.character", "not a colour, a centre, a box and a character", place, severity="error", raw=line,
                action="skipped",
            )  # fmt: skip
            return None
        shape = None
        if picture is not None:
            bitmap = picture == (int(cells[2]) << 16 | int(cells[3]) << 8 | int(cells[4]))
            height, width = bitmap.shape
            shape = Mask(width=width, height=height, rle=encode_string(from_bitmap(bitmap))) if bitmap.any() else None
        return Annotation(
            box=(x0, y0, x1, y1),
            shape=shape,
            text=cells[11],
            group=word,
            attributes={"ignore": True} if cells[1] else {},
        )


__all__ = ["IcdarText"]
