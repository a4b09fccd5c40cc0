"""The annotation XML that the whole family shares: one file for one image, taken apart and put together.

Every child that has no place in the schema stays in ``extra[<format id>]``: under its own name where it is plain text
or a plain group of texts, else as XML text in the list ``xml``. Blanks around texts are no data, except in attributes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from labelglot import native
from labelglot.plugin import (
    PIXELS,
    Annotation,
    Box,
    Columns,
    Convention,
    LabelglotError,
    Points,
    Polygon,
    Report,
    Ring,
    Sample,
)
from labelglot.wire import xml
from labelglot.wire.text import spell, spell_all
from labelglot.wire.xml import Element, escape

Origin = Literal["raw", "1-based"]
CONVENTIONS: Mapping[str, Convention] = {"raw": PIXELS, "1-based": Convention(first=1, inclusive=True)}
"""What the numbers of a box mean: continuous pixels as they stand, or pixels counted from 1, the last one inside."""

FLAGS = ("truncated", "difficult", "occluded")
DEFAULT_POSE = "Unspecified"
_TRUE, _FALSE = frozenset({"1", "true", "yes"}), frozenset({"0", "false", "no"})
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
UNLABELLED = "labelled"
"""Root attribute, "no" in files that exist only to keep the name and size of an image nobody has looked at."""

_FILE_DEFAULTS = {"folder": "JPEGImages", "segmented": "0", "source": {"database": "Unknown"}}
_PARSED = frozenset({"folder", "filename", "path", "source", "owner", "segmented"})
_TAG = re.compile(r"(?!xml)[a-z_][\w.-]*", re.ASCII | re.IGNORECASE)
_DECLARATION = re.compile(rb"""<\?xml(?:[^>]*?encoding=["']([^"'>]+)["'])?[^>]*\?>""")


class Reading(NamedTuple):
    """Where problems of one file go, and what its numbers mean."""

    format: str
    place: str
    report: Report
    boxes: Convention = PIXELS

    def problem(self, what: str, message: str, element: Element | None = None, **more: Any) -> None:
        """Note a problem at the line of an element."""
        place = self.place if element is None else f"{self.place}:{element.sourceline}"
        self.report.problem(f"{self.format}.{what}", message, place, **more)


class Contents(NamedTuple):
    """An annotation file without its objects. ``filename``: with the blanks around it, which may belong to the name;
    ``labelled``: whether anybody has looked at the image.
    """

    filename: str | None
    uri: str | None
    size: tuple[int, int] | None
    objects: Sequence[Element]
    extra: dict[str, Any]
    labelled: bool


def parse_root(data: bytes, how: Reading) -> Element | None:
    """The root of an annotation file; ``None`` for XML of another kind. Raises :class:`LabelglotError` if it is no XML.

    A file whose bytes are not in the encoding it names (or, naming none, not in UTF-8) is read all the same.
    """
    data = data.lstrip(b" \t\r\n") if data[:1].isspace() else data
    try:
        root = xml.parse(data, how.place, blanks=False)
    except LabelglotError:
        found = _reparsed(data, how)
        if found is None:
            raise
        root, encoding = found
        if encoding is not None:
            how.problem("encoding", f"the file is not in the encoding it claims; read as {encoding}")
    if root.tag != "annotation":
        how.problem("root", f"the root element is <{root.tag}>, not <annotation>", action="left out")
        return None
    return root


def _reparsed(data: bytes, how: Reading) -> tuple[Element, str | None] | None:
    """The root of a file in an encoding that it does not name, or names in a way the parser does not know; in the
    former case with the encoding it turned out to be in.
    """
    head = _DECLARATION.match(data.removeprefix(b"\xef\xbb\xbf"))
    body = data.removeprefix(b"\xef\xbb\xbf")[head.end() if head else 0 :]
    claimed = head[1].decode("ascii", "replace") if head and head[1] else None
    for encoding in (claimed, "UTF-8", "Windows-1252"):
        try:
            text = "" if encoding is None else body.decode(encoding)
            if text:
                return xml.parse(text.encode(), how.place, blanks=False), None if encoding == claimed else encoding
        except (LookupError, UnicodeError, LabelglotError):
            continue
    return None


def text_of(element: Element) -> str:
    """The text of an element without blanks around it."""
    return (element.text or "").strip()


def read_contents(root: Element, how: Reading) -> Contents:
    """Take an annotation file apart; its objects stay elements."""
    objects: list[Element] = []
    texts: dict[str, Any] = {}
    rest: list[Element] = []
    for child in root:
        if child.tag == "object":
            objects.append(child)
            continue
        value = plain(child) if child.tag != "filename" or len(child) else child.text or ""
        if value is None or child.tag in texts or not is_plain(str(child.tag), value):
            rest.append(child)
        else:
            texts[str(child.tag)] = value
    contents, wrong = contents_of(texts)
    for tag in wrong:
        raw = texts["size"][tag]
        message = f"<{tag}> is {raw!r}, not a number"
        how.problem("size", message, root.find("size"), raw=raw, action="taken as unknown")
    keep_rest(contents.extra, rest, how)
    labelled = True
    if root.attrib:
        attributes = {str(k): str(v) for k, v in root.attrib.items()}
        labelled = attributes.pop(UNLABELLED, "") != "no"
        if attributes:
            contents.extra["root"] = attributes
    return contents._replace(objects=objects, labelled=labelled)


def is_plain(tag: str, value: Any) -> bool:
    """Whether a plain child of the root can be kept under its name."""
    if tag in ("source", "owner"):
        return True
    if tag == "size":
        return not isinstance(value, str)
    return isinstance(value, str) if tag in _PARSED else tag not in _RESERVED and _TAG.fullmatch(tag) is not None


def contents_of(texts: Mapping[str, Any]) -> tuple[Contents, list[str]]:
    """Contents of the plain children of the root; and those of ``size`` that are no numbers."""
    size: dict[str, int] = {}
    wrong: list[str] = []
    extra: dict[str, Any] = {}
    for tag, value in texts.items():
        if tag == "size":
            for name, text in value.items():
                if name in ("width", "height"):
                    try:
                        size[name] = int(text) if text.isdecimal() else int(float(text))
                    except (ValueError, OverflowError):
                        wrong.append(name)
                elif name != "depth":
                    extra.setdefault("size", {})[name] = text
                elif text != "3":
                    extra["depth"] = text
        elif tag not in ("filename", "path") and value != _FILE_DEFAULTS.get(tag):
            extra[tag] = value
    width, height = size.get("width", 0), size.get("height", 0)
    known = (width, height) if 0 < width < 1 << 31 and 0 < height < 1 << 31 else None
    return Contents(texts.get("filename") or None, texts.get("path") or None, known, (), extra, True), wrong


def plain(element: Element) -> Any:
    """A leaf as its text, a group of unlike leaves as a dictionary of texts; ``None`` for anything else."""
    if element.attrib or not isinstance(element.tag, str) or not _TAG.fullmatch(element.tag):
        return None
    if not len(element):
        return text_of(element)
    if (element.text or "").strip():
        return None
    group: dict[str, str] = {}
    for child in element:
        value = plain(child)
        if not isinstance(value, str) or child.tag in group or (child.tail or "").strip():
            return None
        group[str(child.tag)] = value
    return group


def keep_rest(extra: dict[str, Any], rest: Iterable[Element], how: Reading) -> None:
    """Put elements the schema has no place for into an extra bag."""
    for element in rest:
        value = plain(element)
        tag = str(element.tag)
        if value is not None and tag not in extra and tag not in _RESERVED:
            extra[tag] = value
        elif any(not isinstance(each.tag, str) for each in element.iter()):
            how.problem("entity", "it uses an entity that is not known here", element, action="left out")
        else:
            extra.setdefault("xml", []).append(xml.outer(element))


_RESERVED = frozenset({"xml", "root", "folder", "filename", "path", "source", "owner", "segmented", "depth", "sets",
                       "name", "pose", *FLAGS, "bndbox", "part", "polygon", "attributes", "actions", "object", "size"})  # fmt: skip


def read_object(element: Element, how: Reading, rest: list[Element]) -> dict[str, Any]:
    """The fields of an object's annotation that all members of the family share; what is left goes to ``rest``.

    ``extra`` is the object's own bag, not yet keyed by format.
    """
    name: str | None = None
    box: Box | None = None
    boxed = False
    attributes: dict[str, Any] = {}
    polygons: list[tuple[Ring, ...]] = []
    extra: dict[str, Any] = {}
    for child in element:
        tag = child.tag
        if tag == "name" and name is None:
            name = (child.text or "").strip()
        elif tag == "bndbox" and not boxed:
            boxed = True
            box = read_box(child, how)
        elif tag in FLAGS:
            if child.text != "0" and _flag(child, how):
                attributes[tag] = True
        elif tag == "pose" and "pose" not in attributes:
            pose = text_of(child)
            if pose not in ("", DEFAULT_POSE):
                attributes["pose"] = pose
        elif tag == "attributes":
            _attributes(child, attributes, extra)
        elif tag == "actions" and "actions" not in extra:
            _actions(child, attributes, extra, rest)
        elif tag == "polygon":
            ring = _polygon(child, how)
            if ring is None:
                rest.append(child)
            else:
                polygons.append((ring,))
        elif tag == "part":
            _part(child, extra, rest)
        else:
            rest.append(child)
    if not name:
        how.problem("name", "an object has no class name", element, action="kept without class")
    fields: dict[str, Any] = {"label": name or None, "extra": extra, "attributes": attributes}
    if box is not None:
        fields["box"] = box
    if polygons:
        fields["shape"] = Polygon.trusted(parts=tuple(polygons))
    elif not boxed:
        _boxless(rest, fields, how)
    return fields


def _boxless(rest: list[Element], fields: dict[str, Any], how: Reading) -> None:
    """An object of the action task may have a point and no box."""
    for child in rest:
        if child.tag == "point":
            x, y = child.find("x"), child.find("y")
            try:
                numbers = (float(text_of(x)), float(text_of(y))) if x is not None and y is not None else None
            except ValueError:
                numbers = None
            if numbers is not None and all(map(math.isfinite, numbers)):
                fields["shape"] = Points.trusted(points=how.boxes.read_points(numbers, None))
                rest.remove(child)
                return


def read_box(element: Element, how: Reading) -> Box | None:
    """The box of ``bndbox``, whatever the order of its children; ``None`` and a problem if it has no usable numbers."""
    texts = {child.tag: child.text for child in element}
    try:
        numbers = tuple(float(texts[corner] or "") for corner in _CORNERS)
    except KeyError as error:
        how.problem("box", f"<bndbox> has no <{error.args[0]}>", element, severity="error", action="skipped")
        return None
    except ValueError as error:
        how.problem("number", f"{error} in <bndbox>", element, severity="error", raw=str(texts), action="skipped")
        return None
    if not all(map(math.isfinite, numbers)):
        message = "<bndbox> holds a number that is not finite"
        how.problem("number", message, element, severity="error", raw=str(numbers), action="skipped")
        return None
    if how.boxes is not PIXELS and (numbers[0] < how.boxes.first or numbers[1] < how.boxes.first):
        message = f"xmin, ymin are {spell(numbers[0])}, {spell(numbers[1])} in a file read as 1-based: it is not"
        how.problem("origin", message, element)
    box = how.boxes.read_box(numbers, None)
    if box[2] <= box[0] or box[3] <= box[1]:
        how.problem("extent", "the box is empty or its corners are swapped", element, raw=str(numbers))
    return box


def _flag(element: Element, how: Reading) -> bool:
    text = text_of(element).lower()
    if text not in _TRUE and text not in _FALSE:
        raw = element.text or ""
        how.problem("flag", f"<{element.tag}> is {raw!r}, neither 0 nor 1", element, raw=raw, action="taken as 0")
    return text in _TRUE


def _attributes(element: Element, attributes: dict[str, Any], extra: dict[str, Any]) -> None:
    """``attribute/{name,value}`` (CVAT, Datumaro). Values are text, whatever they look like."""
    for child in element:
        texts = {each.tag: each.text or "" for each in child}
        name = texts.get("name")
        flat = child.tag == "attribute" and not any(len(each) for each in child)
        if flat and name and name not in attributes and list(texts) == ["name", "value"]:
            attributes[name] = texts["value"]
        else:
            extra.setdefault("xml", []).append(f"<attributes>{xml.outer(child)}</attributes>")


def _actions(element: Element, attributes: dict[str, Any], extra: dict[str, Any], rest: list[Element]) -> None:
    """Each action is an attribute; their names are kept, because they go back into ``actions``."""
    group = plain(element)
    if not isinstance(group, dict) or any(name in attributes or name in _RESERVED for name in group):
        rest.append(element)
        return
    attributes.update(group)
    extra["actions"] = list(group)


def _part(element: Element, extra: dict[str, Any], rest: list[Element]) -> None:
    """A part of the person layout task: a name and a box of its own, as written."""
    name, box = element.find("name"), element.find("bndbox")
    corners = None if box is None else plain(box)
    if name is None or len(element) != 2 or not isinstance(corners, dict):
        rest.append(element)
    else:
        extra.setdefault("part", []).append({"name": text_of(name), "bndbox": corners})


def _polygon(element: Element, how: Reading) -> Ring | None:
    """The ring of ``x1, y1, x2, y2, ...``: numbered by the tags, up to the first number missing."""
    texts = {child.tag: child.text for child in element}
    if "x1" not in texts:
        return None
    numbers: list[float] = []
    n = 1
    try:
        while f"x{n}" in texts and f"y{n}" in texts:
            numbers += [float(texts[f"x{n}"] or ""), float(texts[f"y{n}"] or "")]
            n += 1
    except ValueError as error:
        how.problem("number", f"{error} in <polygon>", element, raw=str(texts), action="left out of the object")
        return None
    if len(texts) != len(numbers) or not all(map(math.isfinite, numbers)):
        how.problem("polygon", f"the points of <polygon> break off after {n - 1}", element, raw=str(texts))
    if len(numbers) < 2 or not all(map(math.isfinite, numbers)):
        return None
    return how.boxes.read_points(numbers, None)


def annotation_of(element: Element, how: Reading) -> Annotation | None:
    """One object with an upright box, or a polygon; ``None`` and a problem if it has no geometry."""
    rest: list[Element] = []
    fields = read_object(element, how, rest)
    if "box" not in fields and "shape" not in fields:
        if element.find("bndbox") is None:
            how.problem("box", "an object has no box", element, severity="error", action="skipped")
        return None
    return finish_object(fields, rest, how)


def finish_object(fields: dict[str, Any], rest: list[Element], how: Reading) -> Annotation:
    """The annotation of the fields read, with what is left in its extra bag."""
    if rest:
        keep_rest(fields["extra"], rest, how)
    if fields["extra"]:
        fields["extra"] = {how.format: fields["extra"]}
    else:
        del fields["extra"]
    return Annotation.trusted(**fields)


@lru_cache(maxsize=4096)
def escaped(text: str) -> str:
    """``escape``, remembered: names repeat."""
    return escape(text)


def write_element(tag: str, value: Any, indent: str) -> str:
    """An element of a text or of a group of texts."""
    if isinstance(value, Mapping):
        inner = "".join(write_element(k, v, indent + "\t") for k, v in value.items() if _TAG.fullmatch(k))
        return f"{indent}<{tag}>\n{inner}{indent}</{tag}>\n"
    return f"{indent}<{tag}>{escape(value)}</{tag}>\n"


def write_rest(bag: Mapping[str, Any], done: frozenset[str], indent: str) -> str:
    """Everything of an extra bag that has not been written in a place of its own."""
    named = "".join(write_element(k, v, indent) for k, v in bag.items() if k not in done and _TAG.fullmatch(k))
    raw = bag.get("xml")
    return named + "".join(f"{indent}{text}\n" for text in (raw if isinstance(raw, list | tuple) else ()) if _is_xml(text))


def _is_xml(text: Any) -> bool:
    """Whether a text from an extra bag is one element, so that the file stays well-formed."""
    if "<?" in str(text) or "<!" in str(text):
        return False
    try:
        xml.parse(str(text).encode(), "")
    except (LabelglotError, UnicodeEncodeError):
        return False
    return True


def write_file(sample: Sample, filename: str, objects: bytes, bag: Mapping[str, Any]) -> bytes:
    """An annotation file around its objects. ``bag``: the extra of the sample that belongs to this format."""
    if bag or sample.uri is not None:
        before, after = _around_name(sample, bag)
    else:
        before, after = _around_usual_name(sample.size, sample.annotations is None)
    rest = write_rest(bag, _FILE_DONE, "\t").encode() if bag else b""
    return b"".join((before, escape(filename).encode(), after, objects, rest, b"</annotation>\n"))


@lru_cache(maxsize=4096)
def _around_usual_name(size: tuple[int, int] | None, unlabelled: bool) -> tuple[bytes, bytes]:
    """:func:`_around_name` where there is nothing else to say, remembered: many images are of one size."""
    return _around_name(Sample(path="", size=size, annotations=None if unlabelled else ()), {})


def _around_name(sample: Sample, bag: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """The head of an annotation file up to the name of the image, and from there on."""
    source = bag.get("source", _FILE_DEFAULTS["source"])
    before = (
        f"<annotation{_root_attributes(sample, bag)}>\n",
        f"\t<folder>{escaped(str(bag.get('folder', _FILE_DEFAULTS['folder'])))}</folder>\n\t<filename>",
    )
    after = (
        "</filename>\n",
        "" if sample.uri is None else f"\t<path>{escape(sample.uri)}</path>\n",
        _DEFAULT_SOURCE if source is _FILE_DEFAULTS["source"] else write_element("source", source, "\t"),
        write_element("owner", bag["owner"], "\t") if "owner" in bag else "",
        _write_size(sample.size, bag),
        f"\t<segmented>{escape(bag.get('segmented', '0'))}</segmented>\n",
    )
    return "".join(before).encode(), "".join(after).encode()


_DEFAULT_SOURCE = write_element("source", _FILE_DEFAULTS["source"], "\t")
_FILE_DONE = frozenset(
    ["folder", "filename", "path", "source", "owner", "segmented", "size", "depth", "root", "sets", "xml"]
)


def _write_size(size: tuple[int, int] | None, bag: Mapping[str, Any]) -> str:
    depth = bag.get("depth") if size is None else bag.get("depth", "3")
    more = bag.get("size")
    inner = "" if size is None else f"\t\t<width>{size[0]}</width>\n\t\t<height>{size[1]}</height>\n"
    if depth is not None:
        inner += f"\t\t<depth>{escape(depth)}</depth>\n"
    if isinstance(more, Mapping):
        inner += "".join(write_element(k, v, "\t\t") for k, v in more.items())
    return f"\t<size>\n{inner}\t</size>\n" if inner else ""


def _root_attributes(sample: Sample, bag: Mapping[str, Any]) -> str:
    attributes = dict(bag.get("root", {}))
    if sample.annotations is None:
        attributes[UNLABELLED] = "no"
    return "".join(f" {k}={xml.quote(v)}" for k, v in attributes.items())


def write_object(a: Annotation, name: str, boxes: Convention, bag: Mapping[str, Any], kind: str = "") -> str:
    """One object. ``name``: of its class, escaped; ``kind``: elements put before the name."""
    attributes = a.attributes
    if attributes:
        pose, truncated, difficult, occluded, more = _spoken(attributes, bag)
    else:
        pose, truncated, difficult, occluded, more = DEFAULT_POSE, "0", "0", "", ""
    head = (
        f"\t<object>\n{kind}\t\t<name>{name}</name>\n\t\t<pose>{pose}</pose>\n"
        f"\t\t<truncated>{truncated}</truncated>\n\t\t<difficult>{difficult}</difficult>\n{occluded}"
    )
    body = ""
    if a.box is not None:
        x0, y0, x1, y1 = spell_all(a.box if boxes is PIXELS else boxes.write_box(a.box, None))
        body = (
            f"\t\t<bndbox>\n\t\t\t<xmin>{x0}</xmin>\n\t\t\t<ymin>{y0}</ymin>\n"
            f"\t\t\t<xmax>{x1}</xmax>\n\t\t\t<ymax>{y1}</ymax>\n\t\t</bndbox>\n"
        )
    if isinstance(a.shape, Polygon):
        body += "".join(_write_polygon(part[0], boxes) for part in a.shape.parts)
    rest = write_rest(bag, _OBJECT_DONE, "\t\t") if bag else ""
    return f"{head}{body}{more}{rest}\t</object>\n"


_OBJECT_DONE = frozenset({"actions", "part", "xml", "angle"})


_END = "\t</object>\n"
_ROW = re.split("(?<=<name>|<xmin>|<ymin>|<xmax>|<ymax>)[0-4]", write_object(Annotation(box=(1.0, 2.0, 3.0, 4.0)), "0", PIXELS, {}))
_PIECES = tuple(piece.encode() for piece in (*_ROW[:-1], _ROW[-1].removesuffix(_END)))


def write_columns(columns: Columns, names: Mapping[str, bytes]) -> bytes | None:
    """Objects of which nothing is said but class, box and polygon, in pixels; ``None`` if each has to be written by itself.
    ``names``: of classes, escaped, by key.
    """
    if columns.boxes is None or not columns.plain:
        return None
    texts = list(map(names.get, columns.labels))
    numbers = columns.boxes.numbers
    sides = [numbers[side::4].tolist() for side in range(4)]
    polygons: list[bytes | None] = [b""] * len(texts)
    if columns.shapes is not None:
        rings = [shape.parts[0][0] for shape in columns.shapes if isinstance(shape, Polygon)]
        polygons = [native.weave(_polygon_pieces(len(ring)), ring, True) for ring in rings]
    if None in texts or None in polygons or len(polygons) < len(texts):
        return None
    return native.fill((*_PIECES, _END.encode()), (texts, *sides, polygons), len(texts), shorter=True)


@lru_cache(maxsize=1024)
def _polygon_pieces(numbers: int) -> tuple[bytes, ...]:
    return tuple(piece.encode() for piece in _polygon_template(numbers // 2).split("%s"))


def _write_polygon(ring: Ring, boxes: Convention) -> str:
    return _polygon_template(len(ring) // 2) % tuple(spell_all(boxes.write_points(ring, None)))


@lru_cache(maxsize=256)
def _polygon_template(corners: int) -> str:
    points = "".join(f"\t\t\t<x{n}>%s</x{n}>\n\t\t\t<y{n}>%s</y{n}>\n" for n in range(1, corners + 1))
    return f"\t\t<polygon>\n{points}\t\t</polygon>\n"


def _spoken(attributes: Mapping[str, Any], bag: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    """Pose, the three flags, and the elements of all other attributes."""
    actions = [name for name in bag.get("actions", ()) if isinstance(attributes.get(name), str)]
    free = []
    for name, value in attributes.items():
        if name == "pose" or value is True or value is False or name in actions:
            continue
        value_text = value if isinstance(value, str) else str(value)
        free.append(
            f"\t\t\t<attribute>\n\t\t\t\t<name>{escape(name)}</name>\n\t\t\t\t<value>{escape(value_text)}</value>\n"
            "\t\t\t</attribute>\n"
        )
    more = f"\t\t<attributes>\n{''.join(free)}\t\t</attributes>\n" if free else ""
    if actions:
        more += write_element("actions", {name: attributes[name] for name in actions}, "\t\t")
    for part in bag.get("part", ()):
        more += write_element("part", part, "\t\t")
    return (
        escape(attributes.get("pose", DEFAULT_POSE)),
        "1" if attributes.get("truncated") is True else "0",
        "1" if attributes.get("difficult") is True else "0",
        "\t\t<occluded>1</occluded>\n" if attributes.get("occluded") is True else "",
        more,
    )
