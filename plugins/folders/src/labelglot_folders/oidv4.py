"""OIDv4 ToolKit: a folder per class, in it a folder ``Label`` with a text file per image, ``name x1 y1 x2 y2``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from labelglot.images import SourceImage, is_image
from labelglot.plugin import (
    PIXELS,
    Annotation,
    Holds,
    LabelglotError,
    LabelHolds,
    Match,
    Naming,
    Options,
    Pair,
    PerImage,
    ReadContext,
    Report,
    Sample,
    Source,
    WriteContext,
    split_role,
    under,
    with_suffix,
)
from labelglot.storage import FOLDER
from labelglot.wire.text import LINE, lines, spell
from pydantic import Field

ROOT = "OID/Dataset"
SPLITS = frozenset({"train", "validation", "test", "val"})
UNSPLIT = "unsplit"
"""Folder of images of no split."""

LABEL = ("Label", "Labels")
_CORNERS = PIXELS.replace(ordered=True)
_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
_LINE = re.compile(rf"(?P<name>.*\S)\s+(?P<numbers>{_NUMBER}(?:\s+{_NUMBER}){{3}})")
_NAMES = rf"(?!(?i:labels?)$)(?={LINE}$){FOLDER}"
_PATH = r"(?!(?:.*/)?Labels?(?:/|$))(?s:.*)"


class Oidv4(PerImage):
    """Boxes in pixels, corners in any order, with the name of their class."""

    id = "oidv4"
    name = "OIDv4 ToolKit"
    url = "https://github.com/EscVM/OIDv4_ToolKit"
    holds = Holds(
        geometry=(frozenset({"box"}),), boxes=_CORNERS, size=False, splits=SPLITS,
        labels=LabelHolds(names=_NAMES, unused=False, order="appearance"),
        naming=Naming(scope="split", unique="stem", pattern=_PATH, suffix=False, class_folder="object", no_class="none"),
    )  # fmt: skip

    class ReadOptions(Options):
        """What downloading twice leaves behind."""

        merge: bool = Field(
            False, title="Merge",
            description="join the boxes of images of one name in a split: the same image, fetched for several classes",
        )  # fmt: skip
        duplicates: bool = Field(
            True, title="Duplicates", description="keep lines that stand in a file twice; false takes each once"
        )

    def detect(self, source: Source) -> Match | None:
        files = [name for name in source.match("*.txt") if _is_label(name)][:10]
        for name in files:
            found = [_LINE.fullmatch(line) for _, line in lines(source.head(name))][:5]
            if found and all(line is not None and not re.search(r"\s[-\d.]+$", line["name"]) for line in found):
                return Match(0.9, f"{name} has lines of a class and four corners, in a folder of that name")
        return None

    def pairs(self, context: ReadContext) -> Sequence[Pair]:
        images = context.images.paths if context.source.focus is None else ()
        by_stem = {with_suffix(image, ""): image for image in reversed(images)}
        found: list[Pair] = []
        for name in context.source.match("*.txt"):
            if not _is_label(name) and context.source.focus is None:
                continue
            folder, _, base = name.rpartition("/")
            image = by_stem.pop(under(folder.rpartition("/")[0], with_suffix(base, "")), None)
            found.append(_pair(name, image, image or under(folder.rpartition("/")[0], with_suffix(base, ""))))
        found += [_pair(None, image, image) for image in by_stem.values()]
        found.sort(key=lambda pair: (pair.splits, pair.path or ""))
        return _merged(found) if context.options.merge else found

    def decode(self, data: bytes | None, pair: Pair, context: ReadContext, report: Report) -> Sample | None:
        annotations: list[Annotation] = []
        key = pair.path or ""
        for name, text in ((pair.annotation, data), *((more, context.source.read(more)) for more in pair.more or ())):
            annotations += self._objects(text or b"", name or "", key, context.options.duplicates, report)
        image = None if pair.image is None else SourceImage(context.source, pair.image)
        return Sample(path=key, image=image, splits=pair.splits, annotations=tuple(annotations))

    def _objects(self, data: bytes, place: str, key: str, twice: bool, report: Report) -> Iterator[Annotation]:
        seen: set[str] = set()
        for number, line in lines(data):
            if line in seen:
                action = "kept" if twice else "skipped"
                message = "the line stands there already; was it downloaded twice?"
                report.problem(f"{self.id}.duplicate", message, f"{place}:{number}", key=key, raw=line, action=action)
                if not twice:
                    continue
            seen.add(line)
            parts = _LINE.fullmatch(line)
            if parts is None:
                report.problem(
                    f"{self.id}.line", "a class and four numbers were expected", f"{place}:{number}", severity="error",
                    key=key, raw=line, action="skipped",
                )  # fmt: skip
                continue
            x0, y0, x1, y1 = map(float, parts["numbers"].split())
            if x1 < x0 and y1 < y0:
                message = "the second corner comes first, as in files of 2018"
                report.problem(f"{self.id}.order", message, f"{place}:{number}", key=key, raw=line, action="exchanged")
            if max(map(abs, (x0, y0, x1, y1))) == float("inf"):
                raise LabelglotError("a number is out of range", f"{place}:{number}")
            box = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
            yield Annotation(label=parts["name"], box=box)

    def annotation_path(self, sample: Sample, context: WriteContext) -> str:
        folder, _, name = sample.path.rpartition("/")
        return f"{_top(sample)}/{under(folder, LABEL[0])}/{with_suffix(name, '') if is_image(name) else name}.txt"

    def encode_file(self, sample: Sample, context: WriteContext) -> bytes:
        rows = (
            f"{context.name(a.label)} {' '.join(map(spell, _CORNERS.write_box(a.box, None)))}\n"
            for a in sample.annotations or () if a.box is not None
        )  # fmt: skip
        return "".join(rows).encode()

    def image_path(self, sample: Sample, context: WriteContext) -> str | None:
        return f"{_top(sample)}/{sample.path}"


def _top(sample: Sample) -> str:
    return f"{ROOT}/{sample.split or UNSPLIT}"


def _is_label(name: str) -> bool:
    return name.rpartition("/")[0].rpartition("/")[2] in LABEL


def _pair(annotation: str | None, image: str | None, where: str) -> Pair:
    """``where``: the place of the image in the tree; what stands before the split is no part of its path."""
    parts = where.split("/")
    start = parts.index("Dataset") + 1 if "Dataset" in parts[:-1] else 0
    at = next((i for i in range(start, len(parts) - 1) if split_role(parts[i]) or parts[i] == UNSPLIT), None)
    if at is None:
        return Pair(annotation, image, (), "/".join(parts[start:]))
    splits = () if parts[at] == UNSPLIT else (parts[at],)
    return Pair(annotation, image, splits, "/".join(parts[at + 1 :]))


def _merged(pairs: Sequence[Pair]) -> list[Pair]:
    """One entry for all images of one name in a split."""
    found: dict[tuple[tuple[str, ...], str], Pair] = {}
    for pair in pairs:
        key = pair.splits, with_suffix((pair.path or "").rpartition("/")[2], "")
        first = found.get(key)
        if first is None:
            found[key] = pair
        elif first.annotation is None:
            found[key] = first._replace(annotation=pair.annotation)
        elif pair.annotation is not None:
            found[key] = first._replace(more=(*(first.more or ()), pair.annotation))
    return list(found.values())


__all__ = ["Oidv4"]
