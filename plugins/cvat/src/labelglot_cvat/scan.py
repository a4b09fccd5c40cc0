"""What both flavours share in finding their documents and taking them apart without parsing every element."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from labelglot.errors import SourceError
from labelglot.plugin import Label, LabelglotError, ReadContext, Report, Source, split_role
from labelglot.wire.xml import Cut, Element, cut, parse, root_tag

from labelglot_cvat.labels import Table
from labelglot_cvat.meta import Meta, Tree, read_meta

Flavour = Literal["images", "video"]

HEAD = 1 << 18
_LABEL = re.compile(rb"""\slabel\s*=\s*(?:"([^"<]*)"|'([^'<]*)')""")
_SKELETON = re.compile(rb"""<skeleton\b(?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+(?<!/)>(.*?)</skeleton\s*>""", re.DOTALL)
_FIRST = re.compile(rb"<(image|track|tag)[\s/>]")
_MODE = re.compile(rb"<mode>\s*(annotation|interpolation)\s*<")
NO_SPLIT_NAMES = ("annotations", "default")


class Evidence(NamedTuple):
    """What the head of a document says. ``certain``: elements were seen, not only the mode of the task."""

    flavour: Flavour
    certain: bool


def evidence(head: bytes) -> Evidence | None:
    """Which flavour a document is, ``None`` if it is no CVAT XML."""
    if root_tag(head[:4096]) != "annotations":
        return None
    first = _FIRST.search(head)
    if first is not None:
        return Evidence("video" if first[1] == b"track" else "images", True)
    if b"<meta" not in head and b"<version" not in head:
        return None
    mode = _MODE.search(head)
    return Evidence("video" if mode is not None and mode[1] == b"interpolation" else "images", False)


def documents(source: Source, flavour: Flavour) -> list[tuple[str, Evidence]]:
    """The documents of a flavour."""
    names = [name for name in source.match("*.xml") if root_tag(source.head(name)) == "annotations"]
    found = [(name, evidence(source.head(name, HEAD))) for name in names]
    return [(name, seen) for name, seen in found if seen is not None and seen.flavour == flavour]


def with_splits(names: Sequence[str]) -> list[tuple[str, str | None]]:
    """Each document with its split: Datumaro names one file per subset, CVAT calls all of them annotations.xml."""
    stems = {name: name.rpartition("/")[2][: -len(".xml")] for name in names}
    named = {name.rpartition("/")[0] for name in names if split_role(stems[name]) is not None}
    return [
        (name, stems[name] if name.rpartition("/")[0] in named and stems[name] not in NO_SPLIT_NAMES else None)
        for name in names
    ]


class Parts(NamedTuple):
    """A document taken apart: its facts and classes, and the elements of its images or tracks, not parsed. ``head``:
    all that stands before them, ``None`` if that is damaged.
    """

    head: Element | None
    meta: Meta
    labels: list[Label]
    points: Mapping[str, tuple[str, ...]]
    elements: list[Cut]


USUAL: Mapping[Flavour, Mapping[str, Tree]] = {"images": {"mode": "annotation"}, "video": {"mode": "interpolation"}}
"""What the writer says of any task."""


def take_apart(path: str, flavour: Flavour, context: ReadContext) -> Parts:
    """Read a document. Raises LabelglotError if it is no CVAT XML at all."""
    tag = "image" if flavour == "images" else "track"
    format = f"cvat-{flavour}"
    report = context.report
    table = Table(format, path, report)
    used = _Used(table, path, tag)
    elements: list[Cut] = []
    before: Cut | None = None
    behind = b""
    others = 0
    with context.source.open(path) as stream:
        for piece in cut(stream, ("image", "track"), path):
            if piece.tag == tag:
                elements.append(piece)
            elif piece.tag is not None:
                others += 1
                if others == 1:
                    report.problem(
                        f"{format}.element", f"<{piece.tag}> belongs to the other flavour of CVAT XML",
                        f"{path}:{piece.line}", severity="error", raw=piece.data.decode("utf-8", "replace"), action="skipped",
                    )  # fmt: skip
            elif before is None and not elements and not others:
                before = piece
            else:
                behind = _between(piece, path, format, report)
    if others > 1:
        report.problem(
            f"{format}.element", f"{others - 1} more of them", path, severity="error", action="skipped"
        )
    head = _head_of(before, bool(elements or others), path, format, report)
    meta = None if head is None else head.find("meta")
    table.declare(meta)
    for element in elements:
        used.look(element)
    if (elements or others) and not behind.endswith(b"</annotations>"):
        report.problem(f"{format}.end", "the document ends too early", path, action="read as far as it goes")
    labels = table.labels()
    points = {label.key: label.keypoints for label in labels if label.keypoints}
    return Parts(head, read_meta(meta, USUAL[flavour]), labels, points, elements)


def _head_of(before: Cut | None, more: bool, path: str, format: str, report: Report) -> Element | None:
    """What stands before the first element."""
    data = b"<annotations>" if before is None else before.data
    try:
        root = parse(data + b"</annotations>" if more else data, path)
    except SourceError as error:
        if not more:
            raise
        report.problem(
            f"{format}.meta", error.message, error.place, severity="error", action="skipped; classes are taken from the objects"
        )
        return None
    if root.tag != "annotations":
        raise LabelglotError(f"its root element is <{root.tag}>, expected <annotations>", path)
    if root.find("meta") is None and more:
        report.problem(f"{format}.meta", "it has no meta", path, action="classes are taken from the objects")
    return root


def _between(piece: Cut, path: str, format: str, report: Report) -> bytes:
    """What stands between two elements; it should be nothing but the end of the document."""
    text = piece.data.strip()
    junk = text.removesuffix(b"</annotations>").strip()
    if junk:
        report.problem(
            f"{format}.element", "something between the elements that has no place there", f"{path}:{piece.line}",
            severity="error", raw=junk.decode("utf-8", "replace"), action="skipped",
        )  # fmt: skip
    return text


class _Used:
    """Finds classes and points that are used but not declared, by their text; parses only elements with such."""

    def __init__(self, table: Table, path: str, tag: str) -> None:
        self.table, self.path, self.tag = table, path, tag
        self.known: set[bytes] = {b""}
        self.skeletons: set[bytes] = set()

    def look(self, element: Cut) -> None:
        """Take the classes of one image or track."""
        data = element.data
        if b"<skeleton" in data:
            own = b"" if self.tag == "image" else b"".join((_LABEL.findall(data) or [(b"", b"")])[0])
            found = {
                b"\0".join((own, *map(b"".join, _LABEL.findall(body)))) for body in map(_whole, _SKELETON.finditer(data))
            }
            if not found <= self.skeletons:
                self.skeletons |= found
                self._parse(element)
            data = _SKELETON.sub(_head, data)
        for quoted in _LABEL.findall(data):
            raw = quoted[0] or quoted[1]
            if raw not in self.known:
                self.known.add(raw)
                if b"&" in raw or raw.decode("utf-8", "replace") not in self.table:
                    self._parse(element)

    def _parse(self, element: Cut) -> None:
        try:
            root = parse(element.data, self.path, first=element.line)
        except LabelglotError:
            return  # said when the element itself is decoded
        place = f"{self.path}:{element.line}"
        own = root.get("label")
        for item in (root, *root):
            name = item.get("label") if item.tag != "attribute" else None
            if name:
                self.table.use(name, place)
            if item.tag == "skeleton":
                self.table.use_points(name or own or "", [p.get("label", "") for p in item.iterfind("points")], place)


def _whole(found: re.Match[bytes]) -> bytes:
    return found[0]


def _head(found: re.Match[bytes]) -> bytes:
    return found[0][: found.start(1) - found.start()]


__all__ = ["Evidence", "Parts", "documents", "evidence", "take_apart", "with_splits"]
