"""Marmot: one XML file per page, whose composites have boxes in points as the hexadecimal digits of doubles."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Mapping
from itertools import groupby
from math import isfinite
from typing import Any

from labelglot.plugin import (
    Annotation,
    Box,
    Convention,
    Holds,
    LabelglotError,
    LabelHolds,
    Match,
    Mirrored,
    Naming,
    Pair,
    ReadContext,
    Report,
    Sample,
    Source,
    WriteContext,
    image_size,
)
from labelglot.wire import xml
from labelglot.wire.xml import XML_TEXT, Element, quote

CODE = "marmot"
PIXELS_PER_POINT = 96 / 72
"""Of the pictures that belong to the data set."""
IDS = ("CLIDs", "PLIDs")
_HEX = r"[0-9A-Fa-f]{16}(?:\s+[0-9A-Fa-f]{16}){3}"
_SIGN = re.compile(rf'(?:CropBox|BBox)\s*=\s*"\s*{_HEX}\s*"'.encode())
_COMPOSITE = re.compile(r"<Composite\b([^<>]*)>")
_PAGE = re.compile(r"<Page\b([^<>]*)>")
_ATTRIBUTE = re.compile(r'(\w+)\s*=\s*"([^"]*)"')
_NAME = re.compile(r"(?!xml)[A-Za-z_][\w.-]*")


class Marmot(Mirrored):
    """Boxes with a class: tables, captions, footnotes.

    Points are counted from the lower left corner of the crop box; it is as large as the picture, or 96 pixels an inch
    where there is none. ``extra``: the ids of an object's leaves, other attributes of the page.
    """

    id = CODE
    name = "Marmot"
    url = "https://www.icst.pku.edu.cn/cpdp/sjzy/"
    image_folder = "Raw"
    file_folder = "Labeled"
    image_folders = ("raw", "images")
    file_folders = ("labeled", "labelled", "xml")
    suffix = ".xml"
    holds = Holds(
        geometry=(frozenset({"box"}),),
        boxes=Convention(ordered=True),
        labels=LabelHolds(unused=False, order="appearance", names=rf"(?=.){XML_TEXT}"),
        size_required=True,
        naming=Naming(unique="stem", suffix=False),
        extra=frozenset({CODE}),
    )

    def detect(self, source: Source) -> Match | None:
        for path in source.match("*.xml")[:20]:
            if _SIGN.search(_text(source.head(path, 1 << 14)).encode("utf-8", "replace")):
                return Match(0.95, f"{path} has boxes as digits of doubles")
        return None

    def is_annotation(self, source: Source, path: str) -> bool:
        return _SIGN.search(_text(source.head(path, 1 << 14)).encode("utf-8", "replace")) is not None

    def decode(self, data: bytes | None, pair: Pair, context: ReadContext, report: Report) -> Sample | None:
        sample = super().decode(None, pair, context, report)
        if data is None or sample is None:
            return sample
        place, key = pair.annotation or "", sample.path
        page, composites = _contents(data, place, report)
        crop = _doubles(page.pop("CropBox", ""))
        known = None if sample.image is None else image_size(sample.image)
        if crop is None or crop[0] == crop[2] or crop[1] == crop[3]:
            raise LabelglotError("the page has no usable CropBox", place)
        left, right = sorted((crop[0], crop[2]))
        bottom, top = sorted((crop[1], crop[3]))
        size = known or (round((right - left) * PIXELS_PER_POINT), round((top - bottom) * PIXELS_PER_POINT))
        if not all(0 < side < 1 << 31 for side in size):
            raise LabelglotError("the CropBox has no size", place)
        across, down = size[0] / (right - left), size[1] / (top - bottom)
        found = []
        for about in composites:
            numbers = _doubles(about.pop("BBox", ""))
            label = about.pop("Label", "").strip()
            if numbers is None or not label:
                report.problem(
                    f"{CODE}.composite", "no class, or not four finite numbers of 16 digits", place, severity="error", key=key,
                    raw=str(about), action="skipped",
                )  # fmt: skip
                continue
            xs = sorted((x - left) * across for x in (numbers[0], numbers[2]))
            ys = sorted((top - y) * down for y in (numbers[1], numbers[3]))
            box: Box = (xs[0], ys[0], xs[1], ys[1])
            about = {name: value for name, value in about.items() if value}
            found.append(Annotation(label=label, box=box, extra={CODE: about} if about else {}))
        extra = {CODE: {"page": page}} if page else {}
        return sample.replace(size=size, annotations=tuple(found), extra=extra)

    def parse(self, data: bytes, pair: Pair, report: Report) -> Mapping[str, Any]:
        return {}

    def encode_file(self, sample: Sample, context: WriteContext) -> bytes:
        width, height = sample.size or (1, 1)
        crop = (0.0, height / PIXELS_PER_POINT, width / PIXELS_PER_POINT, 0.0)
        page = {"CropBox": _hex(crop), **sample.extra.get(CODE, {}).get("page", {})}
        lines = [f"<Page{_spell(page)}>", "  <Contents>"]
        for label, objects in groupby(sample.annotations or (), key=lambda a: context.name(a.label)):
            lines.append(f"    <Composites Label={quote(label)}>")
            for a in objects:
                x0, y0, x1, y1 = self.holds.boxes.write_box(a.box or (0, 0, 0, 0), None)
                points = [round(v / PIXELS_PER_POINT, 9) for v in (x0, height - y0, x1, height - y1)]
                bag = a.extra.get(CODE, {})
                about = {"Label": label, "BBox": _hex(points), **{name: bag.get(name, "") for name in IDS}, **bag}
                lines.append(f"      <Composite{_spell(about)}/>")
            lines.append("    </Composites>")
        return "\n".join([*lines, "  </Contents>", "</Page>", ""]).encode()


def _text(data: bytes) -> str:
    """The text of a file: UTF-16 where it is marked or looks so, UTF-8, else GBK."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    if data[1:2] == b"\0":
        return data.decode("utf-16-le", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("gbk", "replace")


def _contents(data: bytes, place: str, report: Report) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Attributes of the page and of each composite; where the file is no XML, of all tags that look like one."""
    try:
        root = xml.parse(data, place)
        elements = root.iter("Composite")
        return _attributes(root), [_attributes(element) for element in elements]
    except LabelglotError as error:
        text = _text(data)
        page = _PAGE.search(text)
        if page is None:
            raise
        report.problem(f"{CODE}.xml", error.message, error.place or place, action="its tags are read one by one")
        unescape = re.compile(r"&(lt|gt|quot|apos|amp);")
        signs = {"lt": "<", "gt": ">", "quot": '"', "apos": "'", "amp": "&"}
        tags = [page[1], *(found[1] for found in _COMPOSITE.finditer(text))]
        found = [
            {name: unescape.sub(lambda m: signs[m[1]], value) for name, value in _ATTRIBUTE.findall(tag)}
            for tag in tags
        ]
        return found[0], found[1:]


def _attributes(element: Element) -> dict[str, str]:
    return {str(name): str(value) for name, value in element.attrib.items()}


def _doubles(text: str) -> tuple[float, float, float, float] | None:
    """Four doubles, big-endian, 16 digits each."""
    cells = text.split()
    if not re.fullmatch(_HEX, " ".join(cells)):
        return None
    a, b, c, d = struct.unpack(">4d", bytes.fromhex("".join(cells)))
    return (a, b, c, d) if all(isfinite(v) and abs(v) < 1e12 for v in (a, b, c, d)) else None


def _hex(numbers: Iterable[float]) -> str:
    return " ".join(struct.pack(">d", v + 0.0).hex() for v in numbers)


def _spell(attributes: Mapping[str, Any]) -> str:
    return "".join(f" {name}={quote(value)}" for name, value in attributes.items() if _NAME.fullmatch(str(name)))
