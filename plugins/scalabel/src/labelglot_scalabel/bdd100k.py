"""BDD100K: Scalabel frames in the folders of that data set, and the two shapes of its first release.

2018: a list of frames for each split, or a file per image with ``frames`` of ``objects`` whose outlines are lists of
``[x, y, "L"]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
from labelglot.plugin import Match, ReadContext, Source, WriteContext, under
from labelglot.wire import json

from labelglot_scalabel.scalabel import HEAD, Scalabel, bdd_signs, evidence

LAYOUT = ("/det_20/", "/box_track_20/", "/seg_track_20/", "bdd100k_labels_images_")


class _Moment(msgspec.Struct):
    """A moment of a file of one image, as of 2018."""

    objects: list[Any]
    timestamp: int | float | None = None


class Bdd100k(Scalabel):
    """Berkeley DeepDrive, 100,000 videos."""

    id = "bdd100k"
    name = "BDD100K"
    aliases = ("bdd",)
    url = "https://doc.bdd100k.com/format.html"
    images: ClassVar[str] = "images/100k"
    taken_for = frozenset({"scalabel"})
    holds = Scalabel.holds.replace(splits=frozenset({"train", "val", "test"}))

    def detect(self, source: Source) -> Match | None:
        for path in source.match("*.json")[:20]:
            value = json.peek(source.head(path, HEAD))
            if isinstance(value, dict) and {"name", "frames"} <= value.keys() and _moments(value["frames"]):
                return Match(0.95, f"{path} is the file of one image with frames of objects")
            if evidence(path, value) is None:
                continue
            frames = value.get("frames", ()) if isinstance(value, dict) else value
            signs = [sign for frame in frames if isinstance(frame, dict) for sign in bdd_signs(frame)]
            layout = [part for part in LAYOUT if part in f"/{path}"]
            if signs or layout:
                return Match(0.95, f"{path} lists frames, with {(layout or signs)[0]} of BDD100K")
        return None

    def inputs(self, context: ReadContext) -> Sequence[tuple[str, str | None]]:
        source = context.source
        found = list(super().inputs(context))
        if source.focus is not None:
            return found
        known = {path for path, _ in found}
        others = (path for path in source.match("*.json") if path not in known)
        single = [path for path in others if _is_single(json.peek(source.head(path, HEAD)))]
        return sorted([*found, *((path, self.split_of(path)) for path in single)])

    def folders(self, path: str, split: str | None) -> Sequence[str]:
        kinds = (self.images, "images/10k", "images/track", "images/seg_track_20")
        return tuple(under(kind, split or "") for kind in kinds)

    def frames(self, data: bytes, path: str, context: ReadContext) -> tuple[list[bytes], dict[str, msgspec.Raw]]:
        parts, top = super().frames(data, path, context)
        if "name" not in top:
            return parts, top
        found = []
        name = json.load(bytes(top["name"]), f"{path}#name", str)
        for number, moment in enumerate(json.load_items(b"[" + b",".join(parts) + b"]", _Moment, path, context.report, "bdd100k.frame")):
            if moment is None:
                continue
            about = json.rest(top, ("name",))
            frame = {**about, "name": f"{name}.jpg", "timestamp": moment.timestamp, "labels": moment.objects}
            found.append(json.dump({**frame, "frameIndex": number} if len(parts) > 1 else frame))
        return found, {}

    def attribute(self, name: str) -> str:
        """The tracking files begin names with a capital letter."""
        known = super().attribute(name)
        return known.lower() if known in ("Occluded", "Truncated", "Crowd") else known

    def closed(self, category: str | None) -> bool:
        """Outlines of 2018: areas are closed, lanes are not."""
        return "lane" not in (category or "")

    def document_path(self, split: str | None, context: WriteContext) -> str:
        return context.document(f"labels/det_20/det_{split}.json" if split else "labels/det_20/det.json", per_split=True)


def _moments(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and "objects" in value[0]


def _is_single(value: Any) -> bool:
    return isinstance(value, dict) and _moments(value.get("frames"))
