"""Punchcard: beside each image a ``.crd`` file, a card per object; what stands in which column is fixed.

=======  =====================================================================
columns  what
=======  =====================================================================
1-4      code of the class, see ``codes.dat``
5-36     xmin, ymin, xmax, ymax: whole pixels from 1, the last one inside; 8 columns each
37-78    x, y of up to three keypoints in percent of the image, 7 columns each, two decimals; -1 where there is none
79       1 where something hides a part of the object, else 0
=======  =====================================================================

The size of the image is in the image alone: keypoints need the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from labelglot.plugin import (
    Annotation,
    Convention,
    File,
    Holds,
    Keypoints,
    Label,
    LabelglotError,
    LabelHolds,
    Match,
    Naming,
    Pair,
    PerImage,
    Pieces,
    ReadContext,
    Report,
    Sample,
    Source,
    WriteContext,
    decode_objects,
    image_size,
    image_stem,
    make_labels,
    numbers,
    pair_by_stem,
    whole,
    with_suffix,
)
from labelglot.wire import text

BOXES = Convention(form="corners", first=1, inclusive=True, integer=True, lowest=-9_999_999, highest=99_999_999)
POINTS = Convention(unit="percent", decimals=2, lowest=0, highest=9999.99)
SLOTS = 3
EDGES = (0, 4, 12, 20, 28, *range(36, 79, 7), 79)
CARD = re.compile(rb"[ \d]{3}\d([ \d-]{7}\d){4}([ \d.-]{6}\d){6}[01]\s*")


class Punchcard(PerImage):
    """Boxes and up to three keypoints in fixed columns. Without the image its suffix and size are unknown."""

    id = "punchcard"
    name = "Punchcard"
    holds = Holds(
        geometry=(frozenset({"box"}), frozenset({"keypoints"})),
        required=frozenset({"box"}),
        boxes=BOXES,
        points=POINTS,
        keypoint_visibility="labelled",
        labels=LabelHolds(
            ids="int", ids_required=True, first_id=0, last_id=9999, names=text.LINE, duplicates=True, keypoints=True,
            most_keypoints=SLOTS,
        ),
        flags={"occluded": frozenset({"bool"})},
        defaults={"occluded": False},
        size=False,
        naming=Naming(unique="stem", suffix=False),
    )

    def detect(self, source: Source) -> Match | None:
        for path in source.match("*.crd")[:5]:
            first = source.head(path).partition(b"\n")[0]
            if CARD.fullmatch(first):
                return Match(0.9, f"{path} begins with a card of 79 columns")
        return None

    def labels(self, context: ReadContext) -> Sequence[Label]:
        return list(context.once(_classes).values())

    def pairs(self, context: ReadContext) -> Sequence[Pair]:
        return pair_by_stem(context.source.match("*.crd"), context.images.paths)

    def decode(self, data: bytes | None, pair: Pair, context: ReadContext, report: Report) -> Sample | None:
        path = pair.image or with_suffix(pair.annotation or "", "")
        image = None if pair.image is None else context.image(pair.image)
        if data is None:
            return Sample(path=path, image=image)
        classes = context.once(_classes)
        size = None if image is None else image_size(image)

        def annotation(card: str) -> Annotation:
            cells = [card[a:b].strip() for a, b in pairwise(EDGES)]
            code = whole(cells[0])
            label = None if code is None else classes.get(code)
            rest = numbers(cells[1:11], 10)
            if label is None:
                raise LabelglotError(f"codes.dat has no code {cells[0]}")
            keypoints = None
            percent = rest[4:][: 2 * len(label.keypoints or ())]
            if any(v != -1 for v in percent):
                if size is None:
                    report.problem("punchcard.keypoints", "keypoints in percent need the image", path, key=path)
                else:
                    keypoints = _keypoints(percent, size)
            attributes = {"occluded": True} if cells[11] == "1" else {}
            return Annotation(
                label=label.key, box=BOXES.read_box(rest[:4], None), keypoints=keypoints, attributes=attributes
            )

        lines = enumerate(data.decode("latin-1").splitlines(), 1)
        cards = ((f"{pair.annotation}:{number}", card) for number, card in lines if card.strip())
        return Sample(
            path=path, image=image, size=size, annotations=decode_objects(cards, annotation, report, "punchcard.card", path)
        )

    def annotation_path(self, sample: Sample, context: WriteContext) -> str:
        return image_stem(sample.path) + ".crd"

    def encode_file(self, sample: Sample, context: WriteContext) -> bytes:
        lines = []
        for a in sample.annotations or ():
            if a.box is not None and a.label is not None:
                box = "".join(f"{v:8.0f}" for v in BOXES.write_box(a.box, None))
                points = "".join(f"{v:7.2f}" for v in _percent(a.keypoints, sample.size))
                lines.append(f"{context.by_key[a.label].id:4}{box}{points}{int(a.attributes.get('occluded') is True)}\n")
        return "".join(lines).encode()

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        lines = (
            "\t".join([f"{label.id:4}", label.name, *map(_spell, label.keypoints or ())]) for label in context.labels
        )
        yield File("codes.dat", "".join(f"{line}\n" for line in lines).encode())


def _classes(context: ReadContext) -> dict[int, Label]:
    """The class of each code: the code, the name, and the names of the keypoints, with tabs between."""
    found: dict[int, Label] = {}
    for path in context.source.match("codes.dat"):
        for number, line in text.lines(context.source.read(path)):
            written, *names = line.split("\t")
            code = whole(written)
            if code is None or not (names and names[0].strip()):
                context.report.problem("punchcard.class", "no code and name", f"{path}:{number}", raw=line, action="skipped")
            elif code in found:
                context.report.problem("punchcard.class", "a code that was there", f"{path}:{number}", raw=line, action="skipped")
            else:
                points = tuple(map(_unspell, names[1:])) or None
                found[code] = Label(key=names[0].strip(), name=names[0].strip(), id=code, keypoints=points)
    return {int(label.id or 0): label for label in make_labels(found.values())}


def _spell(name: str) -> str:
    return name if re.fullmatch(text.LINE, name) and name[0] != '"' else json.dumps(name)


def _unspell(name: str) -> str:
    try:
        return str(json.loads(name)) if name.startswith('"') else name
    except ValueError:
        return name


def _percent(keypoints: Keypoints | None, size: tuple[int, int] | None) -> Iterable[float]:
    places = () if keypoints is None else POINTS.write_points(keypoints.points, size)
    seen = () if keypoints is None else keypoints.visibility or ()
    written = [v if seen[i // 2] else -1.0 for i, v in enumerate(places)]
    return (*written, *[-1.0] * (2 * SLOTS - len(written)))


def _keypoints(percent: Sequence[float], size: tuple[int, int]) -> Keypoints:
    places = POINTS.read_points(percent, size)
    there = [x >= 0 and y >= 0 for x, y in zip(percent[::2], percent[1::2], strict=True)]
    return Keypoints(
        points=tuple(v if there[i // 2] else 0.0 for i, v in enumerate(places)),
        visibility=tuple(2 if one else 0 for one in there),
    )
