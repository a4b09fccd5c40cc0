"""Records for google/automl's EfficientDet: sharded files, numbers as image ids, classes in a YAML of its settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from labelglot.plugin import (
    File,
    Holds,
    Label,
    LabelglotError,
    LabelHolds,
    Match,
    Naming,
    ReadContext,
    Source,
    TagHolds,
    WriteContext,
)
from labelglot.wire import yaml

from labelglot_tensorflow.classes import OWNER, number_of, text_of
from labelglot_tensorflow.features import CORNERS, FRACTIONS
from labelglot_tensorflow.splits import SPLIT_NAMES
from labelglot_tensorflow.tfrecord import TfRecord, first_keys, record_files

SETTINGS = "efficientdet.yaml"
_ATTRIBUTES = ("crowd", "difficult", "truncated")
_LARGEST = 1 << 20


class EfficientDet(TfRecord):
    """Records of images with boxes and masks; classes in the trainer's settings."""

    id = "efficientdet"
    name = "EfficientDet (google/automl) TFRecord"
    aliases = ("automl-efficientdet",)
    url = "https://github.com/google/automl/tree/master/efficientdet"
    holds = Holds(
        geometry=(frozenset({"box"}), frozenset({"mask"})), required=frozenset({"box"}), boxes=FRACTIONS,
        points=FRACTIONS, labels=LabelHolds(ids="int", ids_required=True, first_id=1, required=False),
        flags={**{name: TfRecord.holds.flags[name] for name in _ATTRIBUTES}, "pose": TfRecord.holds.flags["pose"]},
        defaults={**dict.fromkeys(_ATTRIBUTES, False), "pose": ""},
        tags=TagHolds(labels="none", captions="many"), sample_ids="int", sample_ids_required=True, splits="any",
        split_names=SPLIT_NAMES, naming=Naming(scope="split"), extra=frozenset({OWNER}),
    )  # fmt: skip

    def detect(self, source: Source) -> Match | None:
        names = record_files(source)
        if not names or any(path.lower().endswith(".pbtxt") for path in source.companions()):
            return None
        settings = next((path for path in _candidates(source) if _classes(source, path)), None)
        seen = first_keys(source, names) if settings is not None else None
        if seen is None or CORNERS[0] not in seen[1]:
            return None
        return Match(0.97, f"{seen[0]} holds records with {CORNERS[0]}, and {settings} a label_map for EfficientDet")

    def tables(self, context: ReadContext, names: Sequence[str]) -> tuple[list[Sequence[Label]], Mapping[str, int]]:
        labels: list[Label] = []
        for path in _candidates(context.source):
            try:
                found = _load(context.source, path)
            except LabelglotError as error:
                context.report.problem(f"{self.id}.settings", str(error), path, action="not used")
                continue
            classes = found.get("label_map")
            if isinstance(classes, str):
                message = f"the classes of {classes!r} are known to the trainer only; the records name those they use"
                context.report.problem(f"{self.id}.label_map", message, path, severity="info", action="not used")
            elif isinstance(classes, dict):
                labels += _labels(classes)
                break
        if not labels:
            return super().tables(context, names)
        return [labels], dict.fromkeys(names, 0)

    def sample_id(self, written: str) -> int | str | None:
        try:
            number = int(written)
        except ValueError:
            return None
        return number if str(number) == written else None

    def number_of_shards(self, images: int, options: Any) -> int | None:
        return super().number_of_shards(images, options) or 1

    def class_files(self, context: WriteContext) -> Iterable[File]:
        classes = {number_of(label): text_of(label) for label in context.labels}
        settings = {"num_classes": max(classes, default=0) + 1, "label_map": classes}
        yield File(SETTINGS, yaml.dump(settings))


def _candidates(source: Source) -> list[str]:
    found = [path for path in source.companions() if path.lower().endswith((".yaml", ".yml"))]
    return sorted(found, key=lambda path: (path.count("/"), path))[:20]


def _load(source: Source, path: str) -> dict[Any, Any]:
    found = yaml.load(source.read(path, _LARGEST), path)
    return found if isinstance(found, dict) else {}


def _classes(source: Source, path: str) -> bool:
    try:
        found = _load(source, path)
    except (LabelglotError, OSError):
        return False
    return "label_map" in found and not {"train", "names"} & found.keys()


def _labels(classes: Mapping[Any, Any]) -> list[Label]:
    found = []
    for number, name in classes.items():
        if isinstance(number, int) and not isinstance(number, bool) and name is not None:
            found.append(Label(key=str(name), name=str(name), id=number))
    return found
