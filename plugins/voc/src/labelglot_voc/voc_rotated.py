"""roLabelImg: VOC files whose objects are upright boxes or boxes turned about their centre (``robndbox``).

The angle is in radians, clockwise on the screen, and that of the first side. The tool reduces it to half a turn; what is
written here is a whole one, so that the order of the corners survives.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from labelglot.geometry import signed_area
from labelglot.images import SourceImage, is_image
from labelglot.plugin import (
    PIXELS,
    Annotation,
    Dataset,
    File,
    Holds,
    LabelHolds,
    Match,
    Naming,
    Pair,
    PerImage,
    Piece,
    Pieces,
    Problem,
    ReadContext,
    Report,
    RotatedBox,
    Rotation,
    Sample,
    Source,
    WriteContext,
    make_labels,
    with_suffix,
)
from labelglot.wire.text import LINE, lines, spell
from labelglot.wire.xml import XML_TEXT, Element

from labelglot_voc import layout
from labelglot_voc.annotation import (
    Reading,
    escaped,
    finish_object,
    parse_root,
    read_contents,
    read_object,
    text_of,
    write_file,
    write_object,
)
from labelglot_voc.voc import PATH, VOC_DEFAULTS, VOC_FLAGS, annotation_files, bag_of, checked_size, identify

CODE = "voc-rotated"
ROTATION = Rotation(form="center", degrees=False, decimals=9)
CLASSES = "predefined_classes.txt"
"""The list that the tool offers."""
_NUMBERS = ("cx", "cy", "w", "h", "angle")
_TYPES = {"bndbox", "robndbox"}


class VocRotated(PerImage):
    """Upright and rotated boxes, truncated, difficult, pose; an XML file beside each image."""

    id = CODE
    name = "roLabelImg rotated VOC"
    aliases = ("rolabelimg",)
    url = "https://github.com/cgvict/roLabelImg"
    holds = Holds(
        geometry=(frozenset({"box", "rotated_box"}),),
        labels=LabelHolds(names=rf"(?={LINE}\Z){XML_TEXT}"),
        flags={name: kinds for name, kinds in VOC_FLAGS.items() if name != "occluded"},
        defaults={name: value for name, value in VOC_DEFAULTS.items() if name != "occluded"},
        uri="location",
        naming=Naming(unique="stem", pattern=layout.NO_LABELS + PATH),
        extra=frozenset({CODE}),
    )

    def detect(self, source: Source) -> Match | None:
        files = source.match("*.xml")
        for path in files[:: max(1, len(files) // 8)][:8]:
            head = source.head(path, 1 << 15)
            if b"<annotation" in head and (b"<robndbox>" in head or b"<type>bndbox<" in head):
                return Match(0.95, f"{path} has boxes as roLabelImg writes them")
        return None

    def read(self, context: ReadContext) -> Dataset:
        listed = [name for path in context.source.match(CLASSES)[:1] for _, name in lines(context.source.read(path))]
        return super().read(context).replace(labels=make_labels(dict.fromkeys(listed)), labels_complete=False)

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        yield File(CLASSES, "".join(f"{label.name}\n" for label in context.labels).encode())

    def pairs(self, context: ReadContext) -> Sequence[Pair]:
        files = annotation_files(context, CODE)
        beside = not any(map(layout.is_of_labels, files))
        return layout.survey(context, files, ("Main", ""), False, CODE, beside).pairs

    def decode(self, data: bytes | None, pair: Pair, context: ReadContext, report: Report) -> Sample | None:
        image = None if pair.image is None else SourceImage(context.source, pair.image)
        if data is None:
            return Sample(path=pair.path or "", image=image, splits=pair.splits)
        how = Reading(CODE, pair.annotation or "", report)
        root = parse_root(data, how)
        if root is None:
            return None
        contents = read_contents(root, how)
        extra = dict(contents.extra)
        about = {name: value for name, value in extra.pop("root", {}).items() if (name, value) != ("verified", "no")}
        if about:
            extra["root"] = about
        name, uri = contents.filename, contents.uri
        base = (uri or "").replace("\\", "/").rpartition("/")[2]
        stem = with_suffix(base, "")
        if name is not None and is_image(base) and stem.strip() == name.strip():
            name += base[len(stem) :]
        path, other = identify(pair, name)
        if other is not None:
            extra["filename"] = other
        if uri in (path.strip(), path.rpartition("/")[2].strip()):
            uri = None
        found = (_read(element, how) for element in contents.objects)
        size, annotations = contents.size, tuple(a for a in found if a is not None)
        if image is not None:
            size = checked_size(size, annotations, image, how)
        return Sample(
            path=path, image=image, uri=uri, size=size, splits=pair.splits, annotations=annotations,
            extra={CODE: extra} if extra else {},
        )  # fmt: skip

    def annotation_path(self, sample: Sample, context: WriteContext) -> str:
        return with_suffix(sample.path, ".xml")

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece | Problem]:  # type: ignore[override]
        yield from super().encode(sample, context, ordinal)
        for position, a in enumerate(sample.annotations or ()):
            if isinstance(a.shape, RotatedBox):
                x0, y0, x1, y1, x2, y2, x3, y3 = a.shape.corners
                if (
                    math.hypot(x0 + x2 - x1 - x3, y0 + y2 - y1 - y3) > 1e-3
                    or abs((x1 - x0) * (x2 - x1) + (y1 - y0) * (y2 - y1)) > 1e-3
                ):
                    yield Problem(
                        f"{CODE}.corners", "its corners form no rectangle", key=sample.key, object=position,
                        action="written as the rectangle on its first side",
                    )  # fmt: skip
                elif signed_area(a.shape.corners) < 0:
                    yield Problem(
                        f"{CODE}.corners", "its corners run anticlockwise, which cannot be told from the other way round",
                        "info", key=sample.key, object=position, action="written",
                    )  # fmt: skip

    def encode_file(self, sample: Sample, context: WriteContext) -> bytes:
        objects = "".join(_write(a, context) for a in sample.annotations or ())
        bag = dict(bag_of(sample.extra, CODE))
        bag["root"] = {"verified": "no", **bag.get("root", {})}
        name = sample.path.rpartition("/")[2]
        short = with_suffix(name, "") if sample.uri is None and is_image(name) else name
        said = sample if sample.uri is not None else sample.replace(uri=name)
        return write_file(said, str(bag.get("filename", short)), objects.encode(), bag)


def _read(element: Element, how: Reading) -> Annotation | None:
    """One object; a turned box counts more than an upright one."""
    rest: list[Element] = []
    fields = read_object(element, how, rest)
    turned = next((child for child in rest if child.tag == "robndbox"), None)
    kind = next((child for child in rest if child.tag == "type"), None)
    if turned is not None:
        rest.remove(turned)
        shape = _rotated(turned, how)
        if shape is None:
            return None
        if "box" in fields:
            how.problem(
                "box", "an object has both an upright and a turned box", element, action="the turned one is read"
            )
            del fields["box"]
        fields["shape"] = shape
    elif "box" not in fields and "shape" not in fields:
        if element.find("bndbox") is None:
            how.problem("box", "an object has no box", element, severity="error", action="skipped")
        return None
    if kind is not None and text_of(kind) in _TYPES and not len(kind):
        rest.remove(kind)
    return finish_object(fields, rest, how)


def _rotated(element: Element, how: Reading) -> RotatedBox | None:
    texts = {child.tag: child.text for child in element}
    try:
        cx, cy, w, h, angle = (float(texts.get(name) or "") for name in _NUMBERS)
        if not all(map(math.isfinite, (cx, cy, w, h, angle))):
            raise ValueError("a number is not finite")
    except ValueError as error:
        how.problem("number", f"{error} in <robndbox>", element, severity="error", raw=str(texts), action="skipped")
        return None
    if abs(angle) > math.tau + 1e-3:
        how.problem("angle", f"the angle {spell(angle)} is more than a full turn", element, action="read as degrees")
        angle = math.radians(angle % 360)
    return RotatedBox(corners=ROTATION.read((cx, cy, w, h), angle))


def _write(annotation: Annotation, context: WriteContext) -> str:
    name = escaped(context.name(annotation.label))
    bag = bag_of(annotation.extra, CODE)
    shape = annotation.shape
    if not isinstance(shape, RotatedBox):
        return write_object(annotation, name, PIXELS, bag, "\t\t<type>bndbox</type>\n")
    numbers = zip(_NUMBERS, ROTATION.write(shape.corners), strict=True)
    inner = "".join(f"\t\t\t<{tag}>{spell(value)}</{tag}>\n" for tag, value in numbers)
    text = write_object(annotation, name, PIXELS, bag, "\t\t<type>robndbox</type>\n")
    end = "\t</object>\n"
    return f"{text.removesuffix(end)}\t\t<robndbox>\n{inner}\t\t</robndbox>\n{end}"


__all__ = ["VocRotated"]
