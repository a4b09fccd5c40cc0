"""The canonical schema: one frame, nothing clipped, rounded, sorted or invented."""

from labelglot.schema.annotation import Annotation, Origin, Tag
from labelglot.schema.base import Attribute, Extra, Frozen, Id
from labelglot.schema.canonical import dumps, from_plain, json_schema, loads, to_plain
from labelglot.schema.dataset import (
    Dataset,
    IndexEntry,
    Info,
    Overview,
    Partition,
    Records,
    SampleList,
    SampleStream,
    Step,
    entry_of,
    join_splits,
    labels_of,
    slices,
    with_seen,
)
from labelglot.schema.label import AttributeSpec, Label, color_rgb, label_keys, make_labels, merge_labels
from labelglot.schema.record import Record
from labelglot.schema.sample import Sample, order_splits, split_role
from labelglot.schema.shape import (
    Box,
    Cuboid,
    Ellipse,
    Keypoints,
    Mask,
    Points,
    Polygon,
    Polyline,
    Ring,
    RotatedBox,
    Shape,
    ShapeKind,
)

__all__ = [
    "Annotation", "Attribute", "AttributeSpec", "Box", "Cuboid", "Dataset", "Ellipse", "Extra", "Frozen", "Id",
    "IndexEntry", "Info", "Keypoints", "Label", "Mask", "Origin", "Overview", "Partition", "Points", "Polygon", "Polyline",
    "Record", "Records", "Ring", "RotatedBox", "Sample", "SampleList", "SampleStream", "Shape", "ShapeKind", "Step", "Tag",
    "color_rgb", "dumps", "entry_of", "from_plain", "join_splits", "json_schema", "label_keys", "labels_of", "loads", "make_labels", "merge_labels",
    "order_splits", "slices",
    "split_role", "to_plain", "with_seen",
]  # fmt: skip
