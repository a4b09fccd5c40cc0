"""Everything that can be wrong with an input, by stable code: how bad it is, what it does to you, what to do about it.

Readers report what they see under a code of their own, ``<format>.<what>``; :func:`entry_of` says which entry of the
catalogue that is, by ``<what>``. ``docs/problems.md`` is generated from here.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from labelglot.report import Severity


class Entry(NamedTuple):
    """One kind of problem.

    ``why``: what it does to whoever uses the data. ``remedy``: what a person can do. ``fix``: what ``--fix`` does about
    it, empty where nothing is safe. ``tails``: what readers call it, behind the format's name.
    """

    code: str
    severity: Severity
    title: str
    why: str
    remedy: str
    fix: str = ""
    tails: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """``"box"`` of ``"box.inverted"``."""
        return self.code.partition(".")[0]


CATALOGUE: tuple[Entry, ...] = (
    Entry(
        "file.unreadable", "error", "A file cannot be read",
        "It is cut off, empty, in another encoding or of another format, so nothing or not all of it reached the dataset.",
        "Fetch or export the file again; the place says where reading stopped.",
        tails=("document", "csv", "encoding", "file", "root", "end", "entity", "svg", "unreadable", "manifest", "xml", "parquet", "shard"),
    ),
    Entry(
        "file.ignored", "info", "A file or an entry of a list is left out",
        "It lies where this format keeps nothing, or is listed nowhere, so no training tool would see it either.",
        "Move it to where the format looks, or list it.",
        tails=("stray", "list", "unlisted", "unfiled", "folder", "place", "image-list", "cancelled", "video", "deleted"),
    ),
    Entry(
        "path.unsafe", "error", "A name leaves the dataset's folder",
        "An absolute path, a drive letter, `..` or a link could make a careless tool read or overwrite other files. The "
        "member is not read, or the image is written under a name inside the target.",
        "Find out who made the file. Export it again with relative names.",
        tails=("unsafe",),
    ),
    Entry(
        "record.unreadable", "error", "A record cannot be understood",
        "Its fields are missing, too many or of the wrong type. It is left out, or what can be read of it is kept; the "
        "report says which.",
        "Correct the record at the place given.",
        tails=(
            "record", "row", "line", "shape", "shapes", "shape_type", "region", "regions", "entry", "entries", "segment",
            "tokens", "element", "type", "lists", "geometry", "view", "annotation", "object", "columns", "fields", "item",
            "cell", "classification", "annotations", "answer", "boxes", "column", "data", "feature", "field", "gtboxes", "instance",
            "json", "objects", "response", "sample", "token", "cuboid", "composite", "parts", "member", "details", "length", "mixed", "count",
        ),
    ),
    Entry(
        "record.number", "error", "A number is none, or out of range",
        "Text, NaN or a value no image has stands where a coordinate, a size or a time should be.",
        "Correct the number at the place given.",
        tails=("number", "range", "timestamp", "score", "frame", "value", "conf", "fraction", "area", "angle", "gaps", "frames"),
    ),
    Entry(
        "record.attribute", "warning", "An attribute is not what the format promises",
        "It is kept as it is where possible, but a tool that relies on it will not understand it.",
        "Correct the value, or declare the attribute.",
        tails=(
            "attribute", "attributes", "flag", "flags", "occluded", "truncated", "difficult", "group", "group_id",
            "kie_linking", "tags", "prediction", "z_order", "rotation", "rotated", "text", "track", "pose", "tag",
            "predictions", "annotators", "temporal", "word", "character",
        ),
    ),
    Entry(
        "dataset.metadata", "warning", "What the dataset says about itself cannot be used",
        "A setting, a header or a summary is damaged or contradicts the data; the data counts.",
        "Correct or remove it.",
        tails=("meta", "settings", "notes", "task", "media", "source_id", "header", "info", "splits", "split", "version", "asset", "channels", "pages", "metadata", "batch", "capture", "context", "definitions"),
    ),
    Entry(
        "class.undeclared", "warning", "An object has a class nobody declared",
        "Tools that number classes by the table skip such objects, give them another class, or stop.",
        "Add the class to the table, or correct the object. The object's class is added to the table here.",
        tails=("label", "category", "class", "name", "undeclared", "label-place"),
    ),
    Entry(
        "class.duplicate", "warning", "Two classes share a name",
        "Tools that look classes up by name merge them, and models learn two outputs for one thing.",
        "Rename one, or merge them on purpose.",
        tails=("label-shared", "class-duplicate"),
    ),
    Entry(
        "class.table", "warning", "The table of classes is damaged",
        "Names or numbers are missing, repeated or contradict each other, so an object may get the wrong class.",
        "Correct the table.",
        tails=("label_map", "labelmap", "classes", "names", "nc", "categories", "labels", "class-map", "hierarchy", "map", "color"),
    ),
    Entry(
        "id.dangling", "error", "A reference leads nowhere",
        "An object names an image, or a parent, that is not in the dataset; it belongs to nothing.",
        "Restore what it refers to, or remove the object.",
        tails=("image-id", "parent", "dangling", "image_id", "relation"),
    ),
    Entry(
        "id.duplicate", "warning", "Two things have the same id",
        "Evaluation tools keep the last one, or count it twice; references to it are ambiguous.",
        "Give them numbers of their own; formats that need ids number them anew here.",
        tails=("annotation-id", "id"),
    ),
    Entry(
        "image.listed-twice", "warning", "An image is listed more than once",
        "Tools read its objects twice, or only those of the last entry.",
        "Remove or join the entries.",
        tails=("duplicate", "listed-twice", "twice", "repeated"),
    ),
    Entry(
        "image.collision", "error", "Two images would have one name in the target",
        "Only the first was written; the labels of the second lie beside the wrong picture.",
        "Rename one of them in the source, or write a format that keeps folders.",
        tails=("collision",),
    ),
    Entry(
        "image.missing", "warning", "The image file is not there",
        "The labels cannot be trained on, and where the size is known only from the file, nor converted to pixels.",
        "Name the folder of the images with `--image-dir`, or restore the file.",
        tails=("missing", "image", "image-missing", "images", "picture"),
    ),
    Entry(
        "image.unused", "info", "No label refers to an image file",
        "It may be an image without objects that somebody forgot to list, or names do not match.",
        "Compare its name with those in the labels; list it if it was looked at.",
        tails=("unused",),
    ),
    Entry(
        "image.corrupt", "error", "The image file is damaged",
        "Its header cannot be read, or it ends too early. Training stops at it, or trains on half an image.",
        "Fetch the file again.",
        tails=("corrupt",),
    ),
    Entry(
        "size.wrong", "error", "The declared size is not that of the image",
        "Boxes in pixels land elsewhere as soon as a tool divides them by the declared size.",
        "Find out which image the labels were drawn on. Correct the size, or bring the right image.",
        tails=("size", "sizes"),
    ),
    Entry(
        "size.exif", "warning", "The declared size ignores that the image is turned",
        "The file is stored on its side and carries an EXIF rotation. Width and height are those of the stored file, so "
        "the boxes are right only for tools that do not turn it.",
        "Find out in which frame the labels were drawn; turn the image for good, or swap the size.",
        tails=("exif", "orientation", "turned", "image_rotation"),
    ),
    Entry(
        "box.not-finite", "error", "A coordinate is NaN or infinite",
        "Losses become NaN, and a whole training run with them.",
        "Correct or remove the object.",
        "A box is taken from the object's own outline, if that is sound.",
        tails=("nan", "not-finite"),
    ),
    Entry(
        "box.inverted", "error", "A box has its corners swapped",
        "Width or height is negative: tools drop the box, the whole image, or train on nonsense.",
        "Swap the corners.",
        "The corners are put in order.",
        tails=("inverted",),
    ),
    Entry(
        "box.empty", "warning", "A box without area",
        "Width or height is zero. Many trainers drop the whole image for it.",
        "Draw the box again or remove the object.",
        "A box is taken from the object's own outline, if that has an area.",
        tails=("box-empty", "extent", "box", "bbox", "empty"),
    ),
    Entry(
        "box.outside", "warning", "A box leaves the image",
        "Some trainers reject the whole image for a fraction of a pixel, others cut the box in silence.",
        "Cut the box at the edge, or correct the size of the image.",
        "The box is cut at the edge of the image, if some of it is inside.",
        tails=("outside",),
    ),
    Entry(
        "box.skewed", "info", "A rotated box is no rectangle",
        "Four corners were drawn by hand. Formats that keep centre, size and angle make a rectangle of them, each its own.",
        "Keep it as a polygon, or draw the box again.",
    ),
    Entry(
        "point.outside", "info", "A point of an outline or skeleton leaves the image",
        "Tools cut it, keep it, or reject the image.",
        "Move the point. Outlines are not cut here, because that changes their points.",
    ),
    Entry(
        "polygon.degenerate", "warning", "A polygon encloses nothing",
        "Fewer than three points, or less area than a pixel: mask tools fail on it or make an empty mask.",
        "Draw it again or remove it.",
        "A part without area is removed, if the object has another part or a box.",
        tails=("polygon", "points", "polyline", "contour", "segmentation", "short", "outlines"),
    ),
    Entry(
        "polygon.crossing", "info", "A polygon crosses itself",
        "Tools disagree on what is inside, so areas and masks differ.",
        "Draw it again, or convert it into a mask with one tool for all uses.",
    ),
    Entry(
        "mask.length", "error", "A mask does not fit its size",
        "The runs add up to more or fewer pixels than the image has: the mask is shifted, or cannot be unpacked.",
        "Export it again; often width and height were swapped.",
        tails=("mask", "rle", "mask-size"),
    ),
    Entry(
        "keypoints.count", "error", "The number of keypoints is not that of the class",
        "Each point means what its place says; one missing shifts all that follow.",
        "Write points nobody saw as 0, 0 with visibility 0.",
        tails=("keypoints", "skeleton", "kpt_shape", "visibility"),
    ),
    Entry(
        "object.duplicate", "warning", "An object is there twice",
        "It counts twice in the loss and as a false alarm in evaluation.",
        "Remove one.",
        "Exact copies behind the first are removed.",
        tails=("object-duplicate", "line-twice"),
    ),
    Entry(
        "crowd.all", "warning", "Every object is a crowd",
        "Training and evaluation skip crowds, so nothing is left to learn from. Some tools mark every mask that way.",
        "Take the mark off the objects that are single.",
    ),
    Entry(
        "suspicious.origin", "warning", "Numbers may start at the other origin",
        "Boxes begin at -1 where 1 was taken off a file that counts from 0, or never at 0 in one that counts from 1. Each "
        "box is then a pixel off.",
        "Compare a few boxes with the image; choose the reader's option for the origin.",
        tails=("origin", "anchor"),
    ),
    Entry(
        "suspicious.unit", "warning", "Pixels look like fractions",
        "No coordinate is above 1, as if widths were fractions of the image taken for pixels: every object is a dot.",
        "Choose the reader's option for the unit, or the format that has fractions.",
        tails=("units", "unit", "relative"),
    ),
    Entry(
        "write.failed", "error", "The target format cannot write an image's labels",
        "It is missing from the output.",
        "The message says what stands in the way.",
        tails=("write",),
    ),
    Entry(
        "csv.formula", "info", "A name looks like a formula",
        "It begins with =, +, - or @. Training tools do not mind, but a spreadsheet program that opens the table may run it.",
        "Do not open the table in a spreadsheet program if you do not trust where the names come from.",
    ),
    Entry(
        "fix.changed", "warning", "A fix cannot be taken back",
        "The object has changed since, or the format it went through does not keep the order of objects.",
        "Take fixes back from the dataset they were made on.",
    ),
    Entry(
        "worker.died", "error", "A record killed the process that read it",
        "It was set aside so that the rest could go on: a damaged image that takes all memory, or a fault in a library.",
        "Look at the record alone, and report it.",
    ),
    Entry(
        "record.other", "warning", "Something else is odd",
        "The format's reader met something that has no entry of its own here.",
        "The message says what and where.",
    ),
)  # fmt: skip

BY_CODE = {entry.code: entry for entry in CATALOGUE}
OTHER = BY_CODE["record.other"]
_BY_TAIL = {tail: entry for entry in CATALOGUE for tail in entry.tails}


@lru_cache(maxsize=4096)
def entry_of(code: str) -> Entry:
    """The entry for a code of the catalogue, or for one that a reader uses: ``coco.category`` is ``class.undeclared``.

    Looked up by what stands behind the format's name, then by its last word.
    """
    if code in BY_CODE:
        return BY_CODE[code]
    tail = code.partition(".")[2] or code
    found = _BY_TAIL.get(tail) or _BY_TAIL.get(re.split(r"[-_.]", tail)[-1])
    return found or OTHER


def fits(code: str, wanted: str) -> bool:
    """Whether a code is the one wanted or lies below it: ``box.empty`` fits ``box``."""
    return code == wanted or code.startswith(wanted + ".")
