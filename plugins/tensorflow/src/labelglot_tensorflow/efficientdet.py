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
from labelglot_tensorflow.features import CORNERS, ENCODED, FILENAME, FRACTIONS
from labelglot_tensorflow.settings import find_settings, labels_of, load_settings, settings_files
from labelglot_tensorflow.splits import SPLIT_NAMES
from labelglot_tensorflow.tfrecord import TfRecord, first_keys, record_files

SETTINGS = "efficientdet.yaml"
_ATTRIBUTES = ("crowd", "difficult", "truncated")


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
        settings = find_settings(source) if names else None
        seen = first_keys(source, names) if settings is not None else None
        known = [key for key in (CORNERS[0], ENCODED, FILENAME) if seen is not None and key in seen[1]]
        if seen is None or not known:
            return None
        sure = 0.97 if known[0] == CORNERS[0] else 0.9
        return Match(sure, f"{seen[0]} holds records with {known[0]}, and {settings} a label_map for EfficientDet")

    def tables(self, context: ReadContext, names: Sequence[str]) -> tuple[list[Sequence[Label]], Mapping[str, int]]:
        for path in settings_files(context.source):
            try:
                classes = load_settings(context.source, path).get("label_map")
            except LabelglotError as error:
                context.report.problem(f"{self.id}.settings", str(error), path, action="not used")
                continue
            if isinstance(classes, str):
                message = f"the classes of {classes!r} are known to the trainer only; the records name those they use"
                context.report.problem(f"{self.id}.label_map", message, path, severity="info", action="not used")
            elif isinstance(classes, dict):
                labels = labels_of(classes)
                if len(labels) < len(classes):
                    message = f"{len(classes) - len(labels)} entries of the label_map are no number with a name"
                    context.report.problem(f"{self.id}.label_map", message, path, action="not used")
                return [labels], dict.fromkeys(names, 0)
        return super().tables(context, names)

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
