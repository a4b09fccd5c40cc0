"""ImageNet localisation (ILSVRC CLS-LOC): VOC files in the challenge's tree, solutions as CSV, WordNet ids as classes.

- ``Annotations/CLS-LOC/SPLIT/[CLASS/]ID.xml`` with ``Data/CLS-LOC/SPLIT/[CLASS/]ID.JPEG``; the folder CLASS is a class of
  the whole image and no part of its path.
- ``LOC_synset_mapping.txt`` = classes: code and description. ``LOC_SPLIT_solution.csv`` = the same boxes, for images
  without XML.
- A code that is no WordNet id is a class without id: its name, percent-encoded where a code cannot hold it.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

from labelglot.images import SourceImage
from labelglot.plugin import (
    Annotation,
    Dataset,
    File,
    Holds,
    IndexEntry,
    Label,
    LabelHolds,
    Match,
    Naming,
    Pair,
    PerImage,
    Piece,
    Pieces,
    ReadContext,
    Records,
    Report,
    Sample,
    Source,
    Tag,
    TagHolds,
    WriteContext,
    make_labels,
    split_role,
    under,
    with_suffix,
)
from labelglot.schema.dataset import Decoder
from labelglot.wire.text import spell
from labelglot.wire.xml import XML_TEXT

from labelglot_voc import quick
from labelglot_voc.annotation import CONVENTIONS, Reading, escaped, write_file, write_object
from labelglot_voc.voc import (
    PATH,
    VOC_DEFAULTS,
    VOC_FLAGS,
    Index,
    OriginOptions,
    VocWriteOptions,
    bag_of,
    checked_size,
    glanced,
    is_stored,
    read_file,
    with_origin,
    with_suffix_of,
    with_whole_numbers,
    written_origin,
)

WNID = re.compile(r"n\d{8}")
SUFFIX = ".JPEG"
MAPPING = "LOC_synset_mapping.txt"
HEADER = ["ImageId", "PredictionString"]
DATABASE = {"database": "ILSVRC_2012"}
_TREE = re.compile(r"(?:.*/)?(?:Annotations?|Data)/(?:CLS-LOC|DET)/(.+)")
_UNSAFE = re.compile(r'[\s%/\\:*?"<>|\x00-\x1f]|^\.+$')


class Place(NamedTuple):
    """What the tree says of an image: the folder of its class, and its row of a solution with the row's place."""

    folder: str | None = None
    row: str | None = None
    line: str = ""


class ImagenetLoc(PerImage):
    """ILSVRC CLS-LOC annotations as distributed for the challenge."""

    id = "imagenet-loc"
    name = "ImageNet localisation (ILSVRC CLS-LOC)"
    aliases = ("ilsvrc-loc", "imagenet-det")
    url = "https://www.image-net.org/challenges/LSVRC/"
    holds = Holds(
        geometry=(frozenset({"box"}),),
        required=frozenset({"box"}),
        labels=LabelHolds(names=XML_TEXT, ids="str", duplicates=True),
        flags={name: kinds - {"str"} if name != "pose" else kinds for name, kinds in VOC_FLAGS.items()},
        defaults=VOC_DEFAULTS,
        tags=TagHolds(labels="one"),
        splits="any",
        split_required="train",
        unlabelled=True,
        naming=Naming(unique="stem", scope="split", pattern=PATH),
        extra=frozenset({"imagenet-loc"}),
    )

    class ReadOptions(OriginOptions):
        """Options of the reader."""

    class WriteOptions(VocWriteOptions):
        """Options of the writer."""

    def holds_with(self, options: Any) -> Holds:
        return with_whole_numbers(self.holds, options.integers)

    def detect(self, source: Source) -> Match | None:
        for path in source.match("LOC_*_solution.csv"):
            if source.head(path, 64).lstrip(b"\xef\xbb\xbf").startswith(b"ImageId,PredictionString"):
                return Match(0.95, f"{path} has the header ImageId,PredictionString")
        if source.match(MAPPING):
            return Match(0.9, f"there is {MAPPING}")
        files = source.match("*.xml")
        for path in files[:: max(1, len(files) // 4)][:4]:
            head = source.head(path, 1 << 13)
            wordnet = re.search(rb"<name>n\d{8}</name>", head)
            if b"<database>ILSVRC_" in head and b"<trackid>" not in head and (wordnet or b"<object>" not in head):
                return Match(0.9 if wordnet else 0.6, f"{path} is of a database ILSVRC")
        return None

    def read(self, context: ReadContext) -> Dataset:
        context, info = with_origin(context, None, self.id)
        codes = read_mapping(context.source)
        labels = make_labels(codes.values())
        keys = {code: label.key for code, label in zip(codes, labels, strict=True)}
        pairs = _pairs(context, keys, self.id)
        decoder = Coded(self.decoder(context), keys)
        return Dataset(
            Records(pairs, decoder, _Index(context.source, pairs, decoder)), labels, info, labels_complete=False
        )

    def pairs(self, context: ReadContext) -> Sequence[Pair]:
        return _pairs(context, read_mapping(context.source), self.id)

    def decode(self, data: bytes | None, pair: Pair, context: ReadContext, report: Report) -> Sample | None:
        place: Place = pair.more
        folder = place.folder
        fields: dict[str, Any] = {"path": _identify(pair, None, None)[0], "splits": pair.splits}
        if pair.image is not None:
            fields["image"] = SourceImage(context.source, pair.image)
        how = Reading(self.id, pair.annotation or place.line, report, CONVENTIONS[context.options.origin])
        if data is not None:
            read = quick.read(data, how.boxes) or read_file(data, how)
            if read is None:
                return None
            extra = read.contents.extra
            if extra.pop("folder", None) in pair.splits:
                folder = None
            if extra.get("source") == DATABASE:
                del extra["source"]
            if folder is None and place.folder is not None:
                pair = pair._replace(path=f"{place.folder}/{pair.path}")
            fields["path"], other = _identify(pair, read.contents.filename, read.contents.uri)
            if other is not None:
                extra["filename"] = other
            size = read.contents.size
            if pair.image is not None:
                size = checked_size(size, read.annotations, fields["image"], how, always=True)
            fields.update(size=size, annotations=read.annotations, extra={self.id: extra} if extra else {})
        elif place.row is not None:
            code, fields["annotations"] = _solution(place.row, how)
            folder = folder or code
        return Sample(**fields, tags=() if folder is None else (Tag(label=folder),))

    def annotation_path(self, sample: Sample, context: WriteContext) -> str:
        return f"ILSVRC/Annotations/CLS-LOC/{with_suffix(self._place(sample, context), '.xml')}"

    def image_path(self, sample: Sample, context: WriteContext) -> str | None:
        return f"ILSVRC/Data/CLS-LOC/{self._place(sample, context)}"

    def _place(self, sample: Sample, context: WriteContext) -> str:
        code = _code_of_image(sample, context)
        return under(sample.split or "", under(code or "", sample.path))

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece]:
        split, id_ = sample.split or "train", with_suffix(sample.path, "")
        top = sample.path.partition("/")[0] if "/" in sample.path else ""
        misread = not sample.tags and (WNID.fullmatch(top) or top in context.once(codes_of))
        if sample.annotations is not None or not is_stored(sample, context) or misread:
            yield File(self.annotation_path(sample, context), self.encode_file(sample, context))
        listed = with_suffix(self._place(sample, context), "").partition("/")[2]
        line = f"{listed}\n".encode()
        yield Piece(f"ILSVRC/ImageSets/CLS-LOC/{'train_cls' if split == 'train' else split}.txt", line)
        if sample.annotations is None:
            return
        if split == "train":
            yield Piece("ILSVRC/ImageSets/CLS-LOC/train_loc.txt", line)
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow((id_, _prediction(sample, context, self.id)))
        yield Piece(f"LOC_{split}_solution.csv", text.getvalue().encode())

    def encode_file(self, sample: Sample, context: WriteContext) -> bytes:
        boxes = CONVENTIONS[written_origin(context, self.id)]
        codes = context.once(codes_of)
        bag = bag_of(sample.extra, self.id)
        objects = [
            write_object(a, escaped(codes.get(a.label or "", "")), boxes, bag_of(a.extra, self.id))
            for a in sample.annotations or ()
        ]
        name = sample.path.rpartition("/")[2]
        stem = with_suffix(name, "")
        plain = is_stored(sample, context) or name == stem + SUFFIX
        filename = str(bag.get("filename", stem if plain else name))
        folder = _code_of_image(sample, context) or sample.split or ""
        exact = sample.replace(uri=sample.path) if not plain and name == stem else sample
        return write_file(exact, filename, "".join(objects).encode(), {"source": DATABASE, **bag, "folder": folder})

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        mapping = (_mapping_line(code, context.by_key[key]) for key, code in context.once(codes_of).items())
        yield File(MAPPING, "".join(mapping).encode())
        for slot in pieces.slots():
            if slot.endswith(".csv"):
                yield File(slot, _headed(pieces.stream(slot)))
            else:
                yield File(slot, _numbered(pieces.stream(slot)))


class Coded:
    """A decoder whose samples refer to classes by code, made to refer to them by key."""

    def __init__(self, inner: Decoder, keys: Mapping[str, str]) -> None:
        self.inner, self.keys = inner, keys

    def __call__(self, record: Pair, ordinal: int, report: Report) -> Sample | None:
        sample = self.inner(record, ordinal, report)
        if sample is None:
            return None
        annotations = sample.annotations and tuple(
            a if a.label is None else a.replace(label=self.key(a.label)) for a in sample.annotations
        )
        tags = tuple(tag.replace(label=self.key(tag.label or "")) for tag in sample.tags)
        return sample.replace(annotations=annotations, tags=tags)

    def key(self, code: str) -> str:
        """Key of the class of a code."""
        found = self.keys.get(code)
        return unquote(code).strip() if found is None else found


class _Index(Index):
    def __init__(self, source: Source, pairs: Sequence[Pair], decoder: Coded) -> None:
        super().__init__(source, pairs, decoder)
        self.key = decoder.key

    def entry(self, pair: Pair, data: bytes | None) -> IndexEntry | None:
        place: Place = pair.more
        seen = quick.Glance(None, {}) if data is None else quick.glance(data)
        if seen is None or place.row is not None or (data is not None and b"<path>" in data):
            return None
        folder = place.folder
        if data is not None and folder is not None:
            stated = re.search(r"<folder>([^<>]*)</folder>", data.decode())
            if stated is not None and stated[1].strip() in pair.splits:
                pair, folder = pair._replace(path=f"{folder}/{pair.path}"), None
        path = _identify(pair, seen.filename, None)[0]
        classes = {None if name is None else self.key(name): number for name, number in seen.classes.items()}
        entry = glanced(path, pair.splits, classes)
        return entry if folder is None else entry._replace(labels={self.key(folder): 0, **(entry.labels or {})})


def _pairs(context: ReadContext, codes: Iterable[str], format: str) -> list[Pair]:
    """All images in order of their place in the tree: with XML, with a file, with a row of a solution."""
    known = frozenset(codes)
    files: dict[str, list[str | None]] = {}
    for path in context.source.match("*.xml"):
        files.setdefault(with_suffix(_below(path), ""), [None, None])[0] = path
    for path in context.images.paths:
        place = with_suffix(_below(path), "")
        if context.source.focus is None or place in files:
            files.setdefault(place, [None, None])[1] = path
    found: dict[tuple[str | None, str], tuple[str | None, str | None, str | None]] = {}
    for place, (annotation, image) in files.items():
        split, folder, id_ = _taken_apart(place, bool(_TREE.fullmatch(annotation or image or "")), known)
        found[split, id_ if folder is None else f"{folder}/{id_}"] = (folder, annotation, image)
    by_name = {(split, id_.rpartition("/")[2]): (split, id_) for split, id_ in found}
    by_name |= {(split, id_.removeprefix(f"{folder}/")): (split, id_) for (split, id_), (folder, _, _) in found.items()}
    rows: dict[tuple[str | None, str], tuple[str, str]] = {}
    for split, id_, row, line in _rows(context, format):
        wordnet = WNID.match(id_)
        key = (split, id_)
        if key not in found:
            key = by_name.get(key, (split, f"{wordnet[0]}/{id_}" if wordnet else id_))
        found.setdefault(key, (wordnet[0] if wordnet else None, None, None))
        rows[key] = (row, line)
    result = []
    for (split, id_), (folder, annotation, image) in sorted(found.items(), key=lambda item: (item[0][0] or "", item[0][1])):
        short = id_ if folder is None else id_.removeprefix(f"{folder}/")
        path = short if image is None else short + image[len(with_suffix(image, "")) :]
        more = Place(folder, *rows.get((split, id_), (None, "")))
        result.append(Pair(annotation, image, () if split is None else (split,), path, more))
    return result


def _below(path: str) -> str:
    """A path below ``Annotations/CLS-LOC`` or ``Data/CLS-LOC``."""
    found = _TREE.fullmatch(path)
    return path if found is None else found[1]


def _taken_apart(place: str, in_tree: bool, codes: frozenset[str]) -> tuple[str | None, str | None, str]:
    """Split, class folder and id of a place."""
    folders = place.split("/")
    split = folders.pop(0) if len(folders) > 1 and (in_tree or split_role(folders[0])) else None
    folder = folders.pop(0) if len(folders) > 1 and (WNID.fullmatch(folders[0]) or folders[0] in codes) else None
    return split, folder, "/".join(folders)


def _identify(pair: Pair, filename: str | None, path: str | None) -> tuple[str, str | None]:
    """The path of the image, and the name in the file where it says something else.

    Names have no suffix, because all images of the challenge have the same.
    """
    id_ = pair.path or ""
    if path is not None and path == id_:
        return id_, None
    short = id_.rpartition("/")[2]
    if pair.image is not None:
        same = filename is None or {filename, filename.strip()} & {short, with_suffix(short, "")}
        return id_, None if same else filename
    if filename is None or short in (filename, filename.strip()):
        return id_ + SUFFIX, None
    for name in (filename, filename.strip()):
        full = with_suffix_of(id_, name)
        if full.rpartition("/")[2] == name:
            return (full if full != id_ else id_ + SUFFIX), None
    return id_ + SUFFIX, filename


def read_mapping(source: Source) -> dict[str, Label]:
    """The class of each code, in order. A class whose code is but its name in other letters has no id."""
    found: dict[str, Label] = {}
    for path in source.match(MAPPING):
        for line in source.read(path).decode("utf-8-sig", "replace").splitlines():
            code, _, text = line.strip().partition(" ")
            if not code:
                continue
            id_, name = unquote(code).strip(), text.strip()
            label = Label(key=name or id_, name=name or id_, id=None if name == id_ else id_)
            found.setdefault(code, label)
    return found


def codes_of(context: WriteContext) -> dict[str, str]:
    """The code of each class by its key: its id, else its name; one of its own for each."""
    codes: dict[str, str] = {}
    taken: set[str] = set()
    for label in context.labels:
        code = _UNSAFE.sub(_percent, label.name if label.id is None else str(label.id)) or "%20"
        while code.casefold() in taken:
            code += "%20"
        taken.add(code.casefold())
        codes[label.key] = code
    return codes


def _percent(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode())


def _mapping_line(code: str, label: Label) -> str:
    return f"{code}\n" if label.id is not None and str(label.id) == label.name else f"{code} {label.name}\n"


def _code_of_image(sample: Sample, context: WriteContext) -> str | None:
    """The code of the class that the image as a whole has, which is its folder."""
    label = sample.tags[0].label if sample.tags else None
    return None if label is None else context.once(codes_of).get(label)


def _prediction(sample: Sample, context: WriteContext, format: str) -> str:
    """The boxes of an image in a row of a solution."""
    boxes, codes = CONVENTIONS[written_origin(context, format)], context.once(codes_of)
    groups = (
        f"{codes.get(a.label or '', '')} {' '.join(map(spell, boxes.write_box(a.box, None)))}"
        for a in sample.annotations or ()
        if a.box is not None
    )
    return " ".join(groups)


def _rows(context: ReadContext, format: str) -> Iterator[tuple[str | None, str, str, str]]:
    """Split, image, prediction and place of each row of the solutions."""
    for path in context.source.match("LOC_*_solution.csv"):
        split = path.rpartition("/")[2][len("LOC_") : -len("_solution.csv")]
        text = context.source.read(path).decode("utf-8-sig", "replace")
        reader = csv.reader(io.StringIO(text, newline=""))
        try:
            for cells in reader:
                line = f"{path}:{reader.line_num}"
                if len(cells) == 2 and cells != HEADER:
                    yield split, cells[0], cells[1], line
                elif cells and cells != HEADER:
                    message = f"a row has {len(cells)} cells, not 2"
                    context.report.problem(f"{format}.row", message, line, raw=",".join(cells), action="skipped")
        except csv.Error as error:
            place = f"{path}:{reader.line_num}"
            context.report.problem(f"{format}.csv", str(error), place, severity="error", action="skipped the rest")


def _solution(row: str, how: Reading) -> tuple[str | None, tuple[Annotation, ...] | None]:
    """The class of an image (only if the row says nothing else) and its boxes."""
    words = row.split()
    if not words:
        return None, ()
    if len(words) == 1:
        return words[0], None
    if len(words) % 5:
        code = words[0] if WNID.fullmatch(words[0]) else None
        action = "skipped" if code is None else "skipped the boxes, kept the class"
        message = f"a prediction has {len(words)} words, not groups of five"
        how.problem("prediction", message, severity="error", raw=row, action=action)
        return code, None
    found = []
    for at in range(0, len(words), 5):
        try:
            numbers = tuple(float(word) for word in words[at + 1 : at + 5])
            if not all(map(math.isfinite, numbers)):
                raise ValueError("a number is not finite")
        except ValueError as error:
            how.problem("number", str(error), severity="error", raw=" ".join(words[at : at + 5]), action="skipped")
            continue
        found.append(Annotation(label=words[at], box=how.boxes.read_box(numbers, None)))
    return None, tuple(found)


def _headed(rows: Iterable[bytes]) -> Iterator[bytes]:
    yield (",".join(HEADER) + "\n").encode()
    yield from rows


def _numbered(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Lines with their number behind, counted from 1."""
    number, rest = 0, b""
    for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            number += 1
            yield b"%s %d\n" % (line, number)
