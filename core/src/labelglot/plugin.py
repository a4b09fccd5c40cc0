"""Everything a format plugin needs, in one place to import from."""

from labelglot.conventions import PERCENT_XYWH, PIXELS, PIXELS_XYWH, RELATIVE, RELATIVE_CENTER, Convention
from labelglot.errors import LabelglotError
from labelglot.formats.base import (
    File,
    Format,
    Match,
    Options,
    Piece,
    Pieces,
    ReadContext,
    WriteContext,
    image_size,
    in_pixels,
    under,
    with_suffix,
)
from labelglot.formats.document import Content, Document
from labelglot.formats.per_image import Pair, PerImage, pair_by_stem
from labelglot.formats.table import Group, Row, Table, number
from labelglot.holds import ANY_VALUE, NO_VALUE, TEXT, Holds, LabelHolds, Naming, TagHolds
from labelglot.hooks import hookimpl
from labelglot.report import Problem, Report
from labelglot.schema import (
    Annotation,
    AttributeSpec,
    Box,
    Cuboid,
    Dataset,
    Ellipse,
    IndexEntry,
    Info,
    Keypoints,
    Label,
    Mask,
    Points,
    Polygon,
    Polyline,
    Records,
    Ring,
    RotatedBox,
    Sample,
    Tag,
    label_keys,
    make_labels,
    merge_labels,
    split_role,
)
from labelglot.storage import Source

__all__ = [
    "ANY_VALUE", "Annotation", "AttributeSpec", "Box", "Content", "Convention", "Cuboid", "Dataset", "Document",
    "Ellipse", "File", "Format", "Group", "Holds", "IndexEntry", "Info", "Keypoints", "Label", "LabelHolds",
    "LabelglotError", "Mask", "Match", "NO_VALUE", "Naming", "Options", "PERCENT_XYWH", "PIXELS", "PIXELS_XYWH",
    "Pair", "PerImage", "Piece", "Pieces", "Points", "Polygon", "Polyline", "Problem", "RELATIVE",
    "RELATIVE_CENTER", "ReadContext", "Records", "Report", "Ring", "RotatedBox", "Row", "Sample", "Source", "TEXT",
    "Table", "Tag", "TagHolds", "WriteContext", "hookimpl", "image_size", "in_pixels", "label_keys", "make_labels",
    "merge_labels", "number", "pair_by_stem", "split_role", "under", "with_suffix",
]  # fmt: skip
