"""What a format can hold, as data. From this follow projection, loss prediction, generated tests and docs."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Literal

from labelglot.conventions import PIXELS, Convention
from labelglot.schema.base import Attribute, Frozen
from labelglot.storage.paths import clean_foreign

GeometryKind = Literal["box", "rotated_box", "polygon", "mask", "polyline", "points", "ellipse", "cuboid", "keypoints"]
IdKind = Literal["none", "int", "str", "any"]
ValueKind = Literal["bool", "int", "float", "str", "list", "null"]

ANY_VALUE: frozenset[ValueKind] = frozenset({"bool", "int", "float", "str", "list", "null"})
TEXT: frozenset[ValueKind] = frozenset({"str"})
NO_VALUE: frozenset[ValueKind] = frozenset()

_FOREIGN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")

SPLIT_NAME = r"\w(?:[\w .+()-]*[\w+()-])?"
"""Names of splits that can be part of a file name on any system."""


class LabelHolds(Frozen):
    """Classes. ``ids``: ``"index"`` = the position in the table, from 0 or ``first_id`` on, so nothing else survives;
    ``ids_required``: classes without id are given one. ``first_id``: no class may have a smaller number; if one has, all
    are raised by the same amount, but for 0 where it is called ``background``. ``last_id``: a class of a greater number
    is given a free one.

    ``unused``: classes that no object uses are kept. ``order``: ``"declared"`` survives, otherwise classes come back in
    order of first appearance or sorted by name. ``names``: regular expression a whole name must match.
    ``duplicates``: two classes may share a name; ``caseless``: not even but for capital letters (they are folders).
    ``required``: every object must have a class. ``table``: false where
    the format has no classes at all. ``only``: the name of the one class all objects of the format have (wheat heads,
    faces); whatever is written becomes one of these. ``parent``/``parents_are_labels``: the parent's name is kept.
    ``keypoints``: the names of a class's keypoints are kept; ``most_keypoints``: at most so many, and each object has exactly
    those of its class: further points are lost, missing ones become not labelled.
    """

    table: bool = True
    ids: Literal["none", "index", "int", "str", "any"] = "none"
    ids_required: bool = False
    first_id: int | None = None
    last_id: int | None = None
    unused: bool = True
    order: Literal["declared", "appearance", "sorted"] = "declared"
    names: str | None = None
    duplicates: bool = False
    caseless: bool = False
    required: bool = True
    only: str | None = None
    parent: bool = False
    color: bool = False
    keypoints: bool = False
    most_keypoints: int | None = None
    skeleton: bool = False
    keypoint_flip: bool = False
    attributes: bool = False


class TagHolds(Frozen):
    """Image-level statements. ``labels``: how many per image; ``negative``: verified absence; ``order``: as given, or
    each class once and in the order of the class table; ``repeated``: false: each class once, in the order given.
    """

    labels: Literal["none", "one", "many"] = "many"
    order: Literal["given", "labels"] = "given"
    repeated: bool = True
    negative: bool = False
    captions: Literal["none", "one", "many"] = "none"
    score: bool = False
    layer: bool = False
    attributes: frozenset[ValueKind] = NO_VALUE


class Naming(Frozen):
    """How image paths fare. ``folders``: sub-folders survive. ``unique``: what tells two images apart: the whole path,
    the path without suffix (two images a.jpg, a.png would share one annotation file), or the bare ``name``.
    ``scope``: images of different splits may share it, or not. ``pattern``: what a path must match as a whole.
    ``suffix``: the image's suffix survives even when no image file is written. ``class_folder``: ``"tag"``: every image lies
    in a folder named after its first class; ``"object"``: it lies in some folder, one named after the class of its
    first object if it was in none before. Images without class are put into ``no_class``.
    """

    folders: bool = True
    unique: Literal["path", "stem"] = "path"
    scope: Literal["split", "dataset"] = "dataset"
    pattern: str | None = None
    suffix: bool = True
    class_folder: Literal["none", "tag", "object"] = "none"
    no_class: str = "unlabeled"


class Holds(Frozen):
    """Everything a format can carry.

    ``geometry``: one set per slot of an object; a slot holds one geometry out of its set. COCO is
    ``({"box"}, {"polygon", "mask"}, {"keypoints"})``, YOLO ``({"box"},)``, LabelMe one slot of many kinds.
    ``required``: kinds every object must have; the projection derives a missing box from the rest.
    ``bare``: objects without any geometry can be written.
    ``boxes``, ``points``: spelling and precision of coordinates.
    ``polygon_parts``: false: each part becomes an object of its own, or, with ``join_parts``, all are joined into one
    ring by bridges of no width. ``polygon_nested``: rings are written one after the other and filled by the even-odd
    rule, so that one inside another is a hole; polygons meant otherwise become a mask, or an object for each part.
    ``inside``: boxes and polygons are cut at the edge of the image.
    ``overlap``: false: a pixel belongs to one object at the most; masks lose what later ones cover, and objects whose mask
    has no pixel (left) are not kept. ``regions``: besides, all objects of a class are one, in the order of their first
    pixels row by row, and those of the class ``background`` none; or so only those of some classes, behind all others.
    ``several_points``: false: each loose point becomes an object of its own.
    ``keypoint_visibility``: none; 0, 1 or 2 (or none at all); 0, 1 or 2 ``stated`` for each point, or any number
    ``given`` for each, so that points of unknown visibility count as visible; any number or none at all; ``labelled``: a
    point has a place, or it is not labelled (2 or 0), as is one that ``points`` has no room for.
    ``absent_points``: keypoints of visibility 0 keep their place; otherwise it becomes 0, 0.
    ``ellipses``: turned ones too, upright ones, or circles; others become polygons.
    ``turned_needs_size``: a rotated box is written with an angle, which says nothing about fractions of an image of unknown
    size; there it becomes something else.
    ``cuboids``: any eight corners, or two upright rectangles (``faces``); others become boxes.
    ``attributes``: values any attribute may have; ``flags`` names attributes the format holds on its own terms;
    ``sample_flags``: the same for attributes of images.
    ``defaults``: values that the format writes for objects without the attribute, so that they say the same as nothing
    (VOC's ``difficult`` 0). ``implied``: attributes that all objects of a class have by being of it, and need not be
    written (``{"DontCare": {"ignore": True}}``).
    ``text``: of objects; ``ignored_text``: also of those with ``ignore`` (false: a mark in its place says so).
    ``unlabelled``: "nobody looked" is told from "reviewed and empty"; otherwise the former becomes the latter.
    ``empty``: images without objects are kept. ``images``: the image files are the dataset, so that an image whose file
    is not at hand cannot be written.
    ``ids_required``/``sample_ids_required``: missing ids are assigned.
    ``size``: the image size is written; otherwise it survives only if the image itself does. ``size_required``: nothing can
    be written about an image of unknown size (the format counts from the lower edge, or its reader insists): it is left out.
    Where boxes are in pixels and points are fractions, or the other way round, those that need the size are lost without it.
    ``uri``: the address an image was given elsewhere is kept; ``"location"``: it stands in place of the path, so that only
    an address that leads to the same path is (``s3://bucket/a/b.jpg`` for ``a/b.jpg``; see :func:`leads_to`).
    ``uri_root``: regular expression of what stands before the path in such an address, if it is more than a server.
    ``relative``: coordinates of images of unknown size may be fractions or pixels, and which is written down.
    ``splits``: any name, a fixed set, or none (the engine then writes one folder per split); ``several_splits``: an
    image may be in more than one; ``split_order``: in the order given, or in that of
    :func:`labelglot.schema.order_splits`; ``split_names``: what a split's name must match, by default fit for a file name;
    ``split_required``: the split given to images that have none (``None``: not needed).
    ``extra``: owners (format ids) of opaque extras that are written back.
    """

    geometry: tuple[frozenset[GeometryKind], ...] = ()
    required: frozenset[GeometryKind] = frozenset()
    bare: bool = False
    boxes: Convention = PIXELS
    points: Convention = PIXELS
    polygon_parts: bool = True
    join_parts: bool = False
    polygon_holes: bool = True
    polygon_nested: bool = False
    inside: bool = False
    overlap: bool = True
    regions: bool | frozenset[str] = False
    rotated_angle: bool = False
    turned_needs_size: bool = False
    several_points: bool = True
    ellipses: Literal["any", "upright", "circle"] = "any"
    cuboids: Literal["any", "faces"] = "any"
    keypoint_visibility: Literal["none", "coco", "stated", "given", "labelled", "any"] = "any"
    absent_points: bool = True
    labels: LabelHolds = LabelHolds()
    attributes: frozenset[ValueKind] = NO_VALUE
    flags: dict[str, frozenset[ValueKind]] = {}
    defaults: dict[str, Attribute] = {}
    implied: dict[str, dict[str, Attribute]] = {}
    score: bool = False
    text: bool = False
    ignored_text: bool = True
    ids: IdKind = "none"
    ids_required: bool = False
    track: IdKind = "none"
    group: IdKind = "none"
    parent: IdKind = "none"
    layer: bool = False
    tags: TagHolds | None = None
    sample_ids: IdKind = "none"
    sample_ids_required: bool = False
    size: bool = True
    size_required: bool = False
    relative: bool = False
    uri: bool | Literal["location"] = False
    uri_root: str | None = None
    splits: Literal["any", "none"] | frozenset[str] = "none"
    several_splits: bool = False
    split_order: Literal["given", "roles"] = "given"
    split_names: str | None = SPLIT_NAME
    split_required: str | None = None
    sequence: bool = False
    frame: bool = False
    timestamp: bool = False
    sample_attributes: frozenset[ValueKind] = NO_VALUE
    sample_flags: dict[str, frozenset[ValueKind]] = {}
    unlabelled: bool = False
    empty: bool = True
    images: bool = False
    naming: Naming = Naming()
    info: frozenset[Literal["name", "description", "version", "licenses", "url"]] = frozenset()
    extra: frozenset[str] | Literal["any"] = frozenset()

    def keeps_uri(self, uri: str, path: str, image: bool) -> bool:
        """Whether the address of the image written at ``path`` survives. ``image``: its file is written, too."""
        return leads_to(uri, path, image, self.uri_root) if self.uri == "location" else self.uri

    @cached_property
    def kinds(self) -> frozenset[str]:
        """All geometry kinds some slot takes."""
        return frozenset(kind for slot in self.geometry for kind in slot)

    @cached_property
    def mixed_units(self) -> bool:
        """Whether of the boxes and the points in an object one is in pixels and the other relative to the size."""
        both = "box" in self.kinds and bool(self.kinds - {"box", "mask"})
        return both and self.boxes.needs_size != self.points.needs_size


def meant_by(uri: str, root: str | None = None) -> tuple[str, ...]:
    """Paths an address may stand for, best first: its own path without server and ``root``, then each end of it."""
    found = re.match(root, uri) if root is not None else None
    return clean_foreign(uri if found is None else f"root://root/{uri[found.end() :]}")


def leads_to(uri: str, path: str, image: bool, root: str | None = None) -> bool:
    """Whether a reader that finds ``uri`` takes it for the image at ``path``: the whole of its own path, or where the
    image file is at hand to be found (``image``) the end of it.
    """
    meant = meant_by(uri, root) if _FOREIGN.match(uri) else ()
    return path in (meant if image else meant[:1])


EVERYTHING = Holds(
    geometry=(
        frozenset({"box"}), frozenset({"keypoints"}),
        frozenset({"rotated_box", "polygon", "mask", "polyline", "points", "ellipse", "cuboid"}),
    ),
    bare=True, rotated_angle=True,
    labels=LabelHolds(
        ids="any", duplicates=True, required=False, parent=True, color=True, keypoints=True, skeleton=True,
        keypoint_flip=True, attributes=True,
    ),
    attributes=ANY_VALUE, score=True, text=True, ids="any", track="any", group="any", parent="any", layer=True,
    tags=TagHolds(negative=True, captions="many", score=True, layer=True, attributes=ANY_VALUE),
    sample_ids="any", relative=True, uri=True, splits="any", several_splits=True, sequence=True, frame=True, timestamp=True,
    sample_attributes=ANY_VALUE, unlabelled=True, naming=Naming(scope="split"),
    info=frozenset({"name", "description", "version", "licenses", "url"}), extra="any",
)  # fmt: skip
"""Whatever the schema can say."""


def value_kind(value: object) -> ValueKind:
    """The kind of an attribute's value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    if isinstance(value, float):
        return "float"
    if isinstance(value, str):
        return "str"
    return "list"
