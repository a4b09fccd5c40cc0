"""Gantry XML: one document with all images, and turned boxes measured from the lower left corner of the image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from labelglot.geometry import upside_down
from labelglot.plugin import (
    Annotation,
    Content,
    Document,
    Holds,
    Label,
    LabelglotError,
    LabelHolds,
    Match,
    Naming,
    ReadContext,
    Report,
    RotatedBox,
    Rotation,
    Sample,
    Source,
    WriteContext,
    decode_objects,
    make_labels,
    numbers,
    whole,
)
from labelglot.wire import text, xml

# (ax, ay) is the lower left corner and stays where it is; turned counter-clockwise. In a mirror that shows the image upside
# down, where y points down, that is the top left corner and a clockwise turn.
# Nine decimals: what is finer is noise of the arithmetic, and would change with every trip.
DECIMALS = 9
MIRRORED = Rotation(form="xywh", pivot="top_left", degrees=True, clockwise=True, decimals=DECIMALS)
HIGHEST = 2**31 - 1
PLACE = ("ax", "ay", "w", "h", "turn")


class _Frame(NamedTuple):
    """One image, as plain values: worker processes get these."""

    name: str
    width: str
    height: str
    place: str
    boxes: tuple[tuple[str, dict[str, str]], ...]


class GantryXml(Document):
    """Turned boxes with a class and a certainty."""

    id = "gantry-xml"
    name = "Gantry XML"
    documents = (".xml",)
    separator = b""
    holds = Holds(
        geometry=(frozenset({"rotated_box"}),),
        labels=LabelHolds(ids="int", ids_required=True, first_id=0, last_id=HIGHEST, names=xml.XML_TEXT, duplicates=True),
        score=True,
        size_required=True,
        naming=Naming(pattern=xml.XML_TEXT),
    )

    def detect(self, source: Source) -> Match | None:
        for path in source.match("*.xml")[:5]:
            if xml.root_tag(source.head(path)) == "gantry":
                return Match(0.95, f"the root of {path} is gantry")
        return None

    def inputs(self, context: ReadContext) -> Sequence[tuple[str, str | None]]:
        return [
            (path, None)
            for path in context.source.match("*.xml")
            if xml.root_tag(context.source.head(path)) == "gantry"
        ]

    def parse(self, data: bytes, path: str, context: ReadContext) -> Content:
        root = xml.parse(data, path)
        labels = make_labels(_classes(root, path, context.report))
        frames = [_frame(element, path) for element in root.iterfind("frames/frame")]
        keys = {label.id: label.key for label in labels}
        return Content(frames, labels=labels, shared=keys, names=[frame.name for frame in frames])

    def decode(
        self, record: _Frame, path: str, split: str | None, shared: dict[int, str], context: ReadContext, report: Report
    ) -> Sample | None:
        if not record.name:
            raise LabelglotError(f"{record.place}: the frame has no file name")
        width, height = whole(record.width), whole(record.height)
        if not (width and height):
            raise LabelglotError(f"{record.place}: width and height of {record.name!r} are no whole numbers")
        where = context.place(record.name, path.rpartition("/")[0])

        def annotation(box: dict[str, str]) -> Annotation:
            code = whole(box.get("class"), HIGHEST)
            if code not in shared:
                raise LabelglotError(f"the head has no class with code {box.get('class')!r:.40}")
            *corner, turn = numbers(map(box.get, PLACE), 5)
            shape = RotatedBox(corners=upside_down(MIRRORED.read(corner, turn), height))
            score = numbers([box["certainty"]])[0] / 100 if "certainty" in box else None
            return Annotation(label=shared[code], shape=shape, score=score)

        found = decode_objects(record.boxes, annotation, report, f"{self.id}.object", where.path)
        return Sample(path=where.path, uri=where.uri, image=where.image, size=(width, height), annotations=found)

    def frame(self, split: str | None, context: WriteContext) -> tuple[bytes, bytes]:
        classes = "".join(f'      <class code="{label.id}" name={xml.quote(label.name)}/>\n' for label in context.labels)
        head = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<gantry version="2">\n  <head>\n    <classes>\n{classes}'
            "    </classes>\n  </head>\n  <frames>\n"
        )
        return head.encode(), b"  </frames>\n</gantry>\n"

    def encode_record(self, sample: Sample, context: WriteContext, ordinal: int) -> bytes:
        assert sample.size is not None
        width, height = sample.size
        name = sample.path.replace("]]>", "]]]]><![CDATA[>")
        lines = [f'    <frame width="{width}" height="{height}">', f"      <file><![CDATA[{name}]]></file>"]
        for a in sample.annotations or ():
            if isinstance(a.shape, RotatedBox) and a.label is not None:
                place = MIRRORED.write(upside_down(a.shape.corners, height))
                spelled = " ".join(f'{k}="{text.spell(v)}"' for k, v in zip(PLACE, place, strict=True))
                certainty = "" if a.score is None else f' certainty="{text.spell(round(a.score * 100, DECIMALS))}"'
                lines.append(f'      <obb class="{context.by_key[a.label].id}" {spelled}{certainty}/>')
        return "\n".join([*lines, "    </frame>", ""]).encode()


def _classes(root: xml.Element, path: str, report: Report) -> Iterator[Label]:
    seen: set[int] = set()
    for element in root.iterfind("head/classes/class"):
        code, name = whole(element.get("code"), HIGHEST), element.get("name", "").strip()
        if code is not None and name and code not in seen:
            seen.add(code)
            yield Label(key=name, name=name, id=code)
        else:
            report.problem(
                "gantry-xml.class", "no name, or no code of its own", f"{path}:{xml.line_number(element)}", action="skipped"
            )


def _frame(element: xml.Element, path: str) -> _Frame:
    boxes = tuple(
        (f"{path}:{xml.line_number(box)}", {str(name): str(value) for name, value in box.attrib.items()})
        for box in element.iterfind("obb")
    )
    name = xml.child_text(element, "file", "") or ""
    place = f"{path}:{xml.line_number(element)}"
    return _Frame(name, element.get("width", ""), element.get("height", ""), place, boxes)
