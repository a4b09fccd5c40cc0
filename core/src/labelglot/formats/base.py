"""What a format is: identity, declaration, and three things it can do - detect, read, write.

Writing is split in two so that it can run in parallel: :meth:`Format.encode` turns one projected sample into files
and pieces of documents without keeping any state, :meth:`Format.assemble` builds the documents around the pieces, in
source order. A writer never decides what to drop: it is handed only what its ``holds`` declares.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar
from urllib.parse import urlsplit

from labelglot.errors import LabelglotError, UnsafePath
from labelglot.geometry import is_rotated_box
from labelglot.holds import Holds, meant_by
from labelglot.images import ImageHandle, ImageIndex, SourceImage
from labelglot.projection.naming import stem
from labelglot.report import Problem, Report
from labelglot.schema import Annotation, Dataset, Info, Label, Mask, Polygon, RotatedBox, Sample, split_role
from labelglot.storage import Source, clean_foreign, folder_name, safe_relative
from pydantic import BaseModel, ConfigDict, Field

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")


A = TypeVar("A")
T = TypeVar("T")


class Options(BaseModel):
    """Options of a reader or writer. Each field becomes ``-o name=value``; its description is the help text."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class AddressOptions(Options):
    """Options of writers where addresses stand in place of paths (``Holds.uri="location"``)."""

    prefix: str = Field(
        default="",
        title="Prefix",
        description='put in front of the path of every image, as in "s3://bucket/images/", instead of the address it had',
    )

    def narrowed(self, holds: Holds) -> Holds:
        """What is left of a declaration: with a prefix, addresses are not kept."""
        return holds.replace(uri=False) if self.prefix else holds

    def address(self, sample: Sample) -> str:
        """How an image is named."""
        return sample.uri or self.prefix + sample.path


class AddressReadOptions(Options):
    """Options of readers where addresses stand in place of paths."""

    prefix: str = Field(
        default="",
        title="Prefix",
        description='what stands before the path of an image, as in "s3://bucket/images/"; by default the server alone',
    )


class Match(NamedTuple):
    """How sure a format is that a source is its own: 0..1, and the evidence in words.

    Convention: 0.95 a signature nothing else has, 0.8 the right structure, 0.5 plausible, 0.2 cannot be excluded.
    """

    confidence: float
    reason: str


class File(NamedTuple):
    """A whole file of the output, path relative to the target's root."""

    path: str
    data: bytes | Iterable[bytes]


class Piece(NamedTuple):
    """A part of a document. Pieces of one slot reach ``assemble`` in source order.

    ``slot`` is free text chosen by the format, usually ``"<document path>#<list>"``.
    """

    slot: str
    data: bytes


class Pieces:
    """What ``assemble`` gets: slots in order of first appearance, and the stream of bytes of each.

    ``Format.separator`` already stands between the pieces; empty pieces are left out.
    """

    def __init__(self, streams: Mapping[str, Iterable[bytes]]) -> None:
        self._streams = streams

    def slots(self) -> list[str]:
        return list(self._streams)

    def __contains__(self, slot: str) -> bool:
        return slot in self._streams

    def stream(self, slot: str) -> Iterator[bytes]:
        """The bytes of a slot; nothing if the slot is unknown. Can be read again."""
        return iter(self._streams.get(slot, ()))


C = TypeVar("C")


def _once(context: C, make: Callable[[C], T]) -> T:
    known = context.__dict__.setdefault("_once", {})
    if make not in known:
        known[make] = make(context)
    found: T = known[make]
    return found


class WriteContext:
    """What a writer may know besides the sample. Picklable, the same in every worker.

    ``splits``: names of the splits in use, in order of first appearance (``None`` for samples without one).
    ``images``: whether image files are written to the target. ``total``: number of samples.
    ``attributes``: for each label key the attribute names its objects use, with the kinds of values seen;
    ``keypoints``: the most keypoints one of its objects has; ``sample_attributes``: the same as ``attributes`` for images.
    These need a full survey (see ``Format.survey``).
    """

    def __init__(
        self,
        labels: Sequence[Label],
        info: Info,
        options: Any,
        splits: Sequence[str | None] = (None,),
        images: bool = True,
        total: int = 0,
        single: str | None = None,
        attributes: Mapping[str, Mapping[str, Sequence[str]]] | None = None,
        keypoints: Mapping[str, int] | None = None,
        sample_attributes: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.labels = tuple(labels)
        self.info = info
        self.options = options
        self.splits = tuple(splits)
        self.images = images
        self.total = total
        self.single = single
        self.attributes = attributes or {}
        self.keypoints = keypoints or {}
        self.sample_attributes = sample_attributes or {}

    @cached_property
    def by_key(self) -> dict[str, Label]:
        return {label.key: label for label in self.labels}

    @cached_property
    def index(self) -> dict[str, int]:
        """Position of each label key in the table."""
        return {label.key: i for i, label in enumerate(self.labels)}

    def name(self, key: str | None, missing: str = "") -> str:
        """Name of a label; ``missing`` for no label."""
        return missing if key is None else self.by_key[key].name if key in self.by_key else key

    def once(self, make: Callable[[WriteContext], T]) -> T:
        """``make(context)``, worked out once: for tables that follow from the classes and do not change by sample."""
        return _once(self, make)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_once"}

    def document(self, path: str, per_split: bool = False) -> str:
        """Path of a document in the target: the file the user named if there is only one, else ``path``.

        ``per_split``: the format writes one document for each split.
        """
        alone = self.single is not None and not (per_split and len(self.splits) > 1)
        return self.single if alone and self.single is not None else path


ALWAYS_FITS = 32 << 20
"""Bytes of documents that are held without asking how much memory there is."""

GROWTH = 4
"""How many times the size of a document its records take at the most, with all that is made of them."""

UNREAD = Polygon(parts=(((),),))
"""A polygon that was there, and was not read because the target has no use for it (see ``ReadContext.wanted``)."""


COMPARED = 2000
"""Up to so many samples the output of a conversion is read again and compared with what was read, unless told otherwise."""


class Place(NamedTuple):
    """What an annotation file means by the name of an image.

    ``path``: its identity; ``uri``: the name as written if it is no path inside the source; ``image``: the file.
    """

    path: str
    uri: str | None = None
    image: SourceImage | None = None


class ReadContext:
    """What a reader works with: the source, its options, the images beside it, and the report. Picklable.

    ``wanted``: what the target of a conversion can hold, ``None`` if everything may be asked for. A reader may spare
    itself what nothing there can use, as long as it still says that it was there: :data:`UNREAD` in place of a polygon.
    ``memory``: bytes a reader may take, ``None`` for what the machine has; see :meth:`fits`. ``processes``: how many it
    may use; see :meth:`spread`. ``takes_encoded``: formats whose polygons the target writes as they are encoded there (see
    :attr:`Format.takes_encoded`).
    """

    def __init__(
        self, source: Source, options: Any, report: Report, wanted: Holds | None = None, memory: int | None = None,
        processes: int = 1, takes_encoded: frozenset[str] = frozenset(),
    ) -> None:  # fmt: skip
        self.source, self.options, self.report, self.wanted, self.memory = source, options, report, wanted, memory
        self.processes, self.takes_encoded = processes, takes_encoded
        self._refused: set[tuple[str, ...]] = set()
        self._addresses: dict[str, str] | None = None
        self._root: str | None = None
        self._prefix = ""

    @cached_property
    def images(self) -> ImageIndex:
        return ImageIndex(self.source)

    def __getstate__(self) -> dict[str, Any]:
        kept = ("source", "options", "wanted", "memory", "processes", "takes_encoded", "_refused", "_addresses", "_root", "_prefix")
        return {**{name: self.__dict__[name] for name in kept}, "report": Report()}

    def wants_outlines(self) -> bool:
        """Whether the target can use the outline of an object that has a box."""
        return self.wanted is None or not self.wanted.kinds <= {"box", "keypoints"}

    def keeps_encoded(self, owner: str, samples: int) -> bool:
        """Whether polygons may stay encoded: :data:`UNREAD` as shape, ``extra[owner]["segmentation"]`` as they were.

        Not for so few ``samples`` that what is written is read again and compared.
        """
        return owner in self.takes_encoded and samples > COMPARED

    def wants_extra(self, owner: str) -> bool:
        """Whether the target writes back what only ``owner`` knows."""
        return self.wanted is None or self.wanted.extra == "any" or owner in self.wanted.extra

    def fits(self, size: int) -> bool:
        """Whether documents of so many bytes can be held with all their records; a reader that has a way to do with less
        memory takes it if not.
        """
        if size < ALWAYS_FITS and self.memory is None:
            return True
        from labelglot.memory import available_memory

        memory = available_memory() if self.memory is None else self.memory
        return memory is None or size * GROWTH <= memory

    def spread(
        self, function: Callable[[A], T], pieces: Sequence[A], meanwhile: Callable[[], object] | None = None
    ) -> list[T]:
        """``function`` of each piece, in several processes where that is possible; for long work on opening a dataset.

        The pieces and the function are inherited, the results are pickled. ``meanwhile``: what to do in this process.
        """
        from labelglot.engine.executor import forked

        return forked(function, pieces, self.processes, meanwhile)

    def once(self, make: Callable[[ReadContext], T]) -> T:
        """``make(context)``, worked out once in each process: for a table of classes that lies in a file of its own."""
        return _once(self, make)

    def reserve(
        self,
        names: Iterable[tuple[str, str] | tuple[str, str, Sequence[str]]],
        folders: Sequence[str] = (),
        addresses: Holds | None = None,
    ) -> None:
        """Announce all images that are listed, as (folder of the document, name), before :meth:`place` is asked for one.

        ``folders``: where else the images may be; names that differ in this bring their own as third. A file that one
        of them names exactly, or that several mean loosely (by suffix or stem), is then not taken for the image of
        another.

        ``addresses``: declaration of a format where addresses (``s3://bucket/a.jpg``) stand in place of paths: if no
        file is found, the path of such an image does not depend on the document's folder, and two servers give two.
        """
        if addresses is not None and addresses.uri == "location":
            self._prefix = getattr(self.options, "prefix", "")
            names = [("", rest, (f[0],)) if (rest := self._behind_prefix(f[1])) else f for f in names]
            self._root = addresses.uri_root
            self._addresses = _apart(names, self._root)
        if not self.images.paths:
            return
        exact: set[str] = set()
        foreign: dict[str, set[tuple[str, ...]]] = {}
        loose: dict[str, set[tuple[str, ...]]] = {}
        for folder, name, *own in names:
            around = tuple(own[0]) if own else tuple(folders)
            seen = next((s for f in (folder, *around) if (s := seen_from(f, name)) and s in self.images), None)
            if seen is not None:
                exact.add(seen)
                continue
            claim = (folder, name, *(around if own else ()))
            found = self._seen_foreign(name, (folder, *around))
            if found is not None:
                foreign.setdefault(found, set()).add(claim)
                continue
            found = self.images.find(name, (folder, *around))
            if found is not None:
                loose.setdefault(found, set()).add(claim)
        for path, claims in foreign.items():
            if path in exact or len(claims) > 1:
                self._refused |= claims
        for path, claims in loose.items():
            if path in exact or path in foreign or len(claims) > 1:
                self._refused |= claims

    def _seen_foreign(self, name: str, folders: Sequence[str]) -> str | None:
        """The file a foreign name leads to: exactly at the end of its path, in one of the folders or at the top."""
        if seen_from("", name) is not None:
            return None
        candidates = (under(f, end) for end in clean_foreign(name) for f in (*folders, ""))
        return next((path for path in candidates if path in self.images), None)

    def image(self, name: str, folders: Sequence[str] = ()) -> SourceImage | None:
        """The image an annotation file means by ``name``: full path, then suffix, then stem; ``None`` if not there."""
        found = self.images.find(name, folders)
        return None if found is None else SourceImage(self.source, found)

    def place(self, name: str, folder: str = "", folders: Sequence[str] = ()) -> Place:
        """Identity and file of the image that a document in ``folder`` calls ``name``; ``folders``: where else it may be.

        A relative name is seen from the document's folder (``../images/a.jpg`` works); an absolute, Windows or URL name
        is kept as ``uri`` and its path is that of the file found, or its own without what is foreign. Raises
        :class:`LabelglotError` for a name that names nothing.
        """
        rest = self._behind_prefix(name)
        if rest:
            where = self._place(rest, "", (folder,))
            return where._replace(uri=name) if "://" in name else where
        return self._place(name, folder, folders)

    def _behind_prefix(self, name: str) -> str:
        """The path that an address has behind the prefix the user gave; empty if it is another address."""
        return name[len(self._prefix) :] if self._prefix and name.startswith(self._prefix) else ""

    def _place(self, name: str, folder: str, folders: Sequence[str]) -> Place:
        seen = seen_from(folder, name)
        if seen is not None and seen in self.images:
            return Place(seen, None, SourceImage(self.source, seen))
        refused = self._refused and ((folder, name) in self._refused or (folder, name, *folders) in self._refused)
        image = None if refused else self.image(name, (folder, *folders))
        if seen is not None:
            return Place(image.path if image is not None and folder else seen, None, image)
        if image is not None:
            return Place(image.path, name, image)
        for foreign in clean_foreign(name):
            if self._addresses is not None and "://" in name:
                return Place(self._addresses.get(name) or next(iter(meant_by(name, self._root)), foreign), name)
            return Place(under(folder, foreign), name)
        raise LabelglotError(f"{name!r} names no image")


def _apart(names: Iterable[tuple[str, str] | tuple[str, str, Sequence[str]]], root: str | None) -> dict[str, str]:
    """Paths of the addresses whose own path another name has already: led by the server."""
    taken: dict[str, str] = {}
    found: dict[str, str] = {}
    for folder, name, *_ in names:
        path = seen_from(folder, name) or next(iter(meant_by(name, root)), "")
        if taken.setdefault(path, name) != name and "://" in name:
            server = urlsplit(name).netloc.replace(":", "_")
            found[name] = under(server or "other", path)
    return found


class Format:
    """Base of all formats. Subclasses state ``id``, ``name``, ``holds`` and implement what they can.

    ``reads``/``writes``: set to false where only one direction makes sense. ``documents``: suffixes of the one file
    this format writes if the user names a file as target. ``survey``: whether writing needs a full pass over the
    annotations first (``"full"``) or only the list of images (``"index"``). ``embeds_images``: image bytes are written
    into the documents. ``separator``: what stands between two pieces of a slot. ``geometry_bound_extra``: (owner, key) of
    extras that are wrong once the geometry changed; ``computed_extra``: of extras the writer computes where they are
    missing (COCO's ``area``), so that they may come back though nobody wrote them. ``takes_encoded``: owners of extras in
    which the writer takes a polygon as it was encoded there (see :meth:`ReadContext.keeps_encoded`). ``takes_columns``: the
    writer knows :class:`~labelglot.schema.columns.Columns` as annotations. ``taken_for``: formats whose files are the same,
    so that nothing is lost if a source of this one is recognised as one of them.
    """

    id: ClassVar[str]
    name: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    url: ClassVar[str] = ""
    holds: ClassVar[Holds] = Holds()
    reads: ClassVar[bool] = True
    writes: ClassVar[bool] = True
    documents: ClassVar[tuple[str, ...]] = ()
    survey: ClassVar[Literal["index", "full"]] = "index"
    embeds_images: ClassVar[bool] = False
    separator: ClassVar[bytes] = b""
    geometry_bound_extra: ClassVar[frozenset[tuple[str, str]]] = frozenset()
    computed_extra: ClassVar[frozenset[tuple[str, str]]] = frozenset()
    takes_encoded: ClassVar[frozenset[str]] = frozenset()
    takes_columns: ClassVar[bool] = False
    taken_for: ClassVar[frozenset[str]] = frozenset()

    class ReadOptions(Options):
        """Options of the reader."""

    class WriteOptions(Options):
        """Options of the writer."""

    def __str__(self) -> str:
        return self.id

    def holds_with(self, options: Any) -> Holds:
        """The declaration under these write options; override where an option changes what can be held."""
        return self.holds

    def holds_alone(self, holds: Holds) -> Holds:
        """What of ``holds`` is left where the user names one file as the target, so that nothing can stand beside it."""
        return holds

    def detect(self, source: Source) -> Match | None:
        """Whether the source looks like this format; cheap (names, the first KB). Must not raise."""
        return None

    def read(self, context: ReadContext) -> Dataset:
        """The dataset, lazily. A bad record is a problem in ``context.report``; the rest goes on.

        Raises LabelglotError only if nothing at all can be read.
        """
        raise NotImplementedError(f"{self.id} cannot be read")

    def encode(self, sample: Sample, context: WriteContext, ordinal: int) -> Iterable[File | Piece | Problem]:
        """Bytes of one sample, and warnings of what a consumer will refuse. Pure; runs in any process."""
        raise NotImplementedError(f"{self.id} cannot be written")

    def encode_many(self, samples: Sequence[Sample], context: WriteContext) -> Iterable[Piece] | None:
        """What :meth:`encode` makes of consecutive samples, the pieces of each slot joined, where that is faster together and
        nothing but pieces comes of it; ``None``: encode each by itself.
        """
        return None

    def assemble(self, context: WriteContext, pieces: Pieces) -> Iterable[File]:
        """The documents around the pieces, and files that belong to the dataset as a whole."""
        return ()

    def image_path(self, sample: Sample, context: WriteContext) -> str | None:
        """Where the image file goes in the target, ``None`` if images are not stored as files."""
        return sample.path


def set_apart(name: str, taken: set[str]) -> str:
    """The identity of an image in a document that may call several by one name: the name, or with a number before it.

    ``taken``: those of the images before it; the result is added.
    """
    found, number = name, 1
    folder, _, last = name.rpartition("/")
    while found in taken:
        number += 1
        found = under(folder, f"{number}_{last}")
    taken.add(found)
    return found


def skewed_boxes(sample: Sample, owner: str) -> Iterator[Problem]:
    """What to say of a sample in pixels whose rotated boxes are written as polygons where their corners form no rectangle."""
    for position, a in enumerate(sample.annotations or ()):
        if isinstance(a.shape, RotatedBox) and not is_rotated_box(a.shape.corners, SKEWED):
            yield Problem(
                f"{owner}.corners", "its corners form no rectangle", key=sample.key, object=position,
                action="written as a polygon",
            )  # fmt: skip


SKEWED = 1e-3
"""Pixels by which the corners of a rotated box may miss a rectangle."""


def sequence_folder(sequence: str) -> str:
    """The folder of a sequence (:func:`from_folder_name` turns it back); none that would be taken for a split."""
    name = folder_name(sequence)
    return name if split_role(name) is None else f"%{ord(name[0]):02X}{name[1:]}"


LOOKED_AT = 20
"""Documents that detection looks at, so that it stays cheap in a folder of thousands."""


def best_match(matches: Iterable[Match | None]) -> Match | None:
    """The surest of what was seen; the first among equals, ``None`` if nothing was."""
    return max((match for match in matches if match is not None), key=lambda match: match.confidence, default=None)


def seen_from(folder: str, name: str) -> str | None:
    """A relative name as path from the root, ``None`` if it leaves the root or is not relative."""
    if "\\" in name or _SCHEME.match(name):
        return None
    joined = posixpath.normpath(under(folder, name))
    try:
        return joined if not name.startswith("/") and safe_relative(joined) == joined else None
    except UnsafePath:
        return None


def under(folder: str, path: str) -> str:
    """``folder/path``, or just the path if the folder is empty."""
    return f"{folder}/{path}" if folder else path


def with_suffix(path: str, suffix: str) -> str:
    """``path`` with its last suffix replaced (names may hold further dots)."""
    return stem(path) + suffix


def split_of_path(path: str, starts: Sequence[str] = (), ends: Sequence[str] = ()) -> str | None:
    """The split a document stands for: its file name without ``starts``, ``ends`` and suffix, else its folder; ``None``
    if neither is some kind of train, val or test.
    """
    folder, _, name = path.rpartition("/")
    name = stem(name)
    name = next((name[len(start) :] for start in starts if name.startswith(start)), name)
    name = next((name[: -len(end)] for end in ends if name.endswith(end)), name)
    parent = folder.rpartition("/")[2]
    return next((word for word in (name, parent) if split_role(word) is not None), None)


def in_pixels(sample: Sample) -> Sample:
    """A sample whose fractions are turned into pixels, with the image's own size, if the image is at hand.

    Without image the fractions stay as they are, at full precision, and pixels get the size that a mask states, which
    covers the whole image. A sample with a size is returned unchanged.
    """
    if sample.size is not None:
        return sample
    if sample.image is None:
        masks = (a.shape for a in sample.annotations or () if isinstance(a.shape, Mask)) if sample.units == "pixels" else ()
        first = next(iter(masks), None)
        return sample if first is None else sample.replace(size=(first.width, first.height))
    size = image_size(sample.image)
    if size is None:
        return sample
    if sample.units == "pixels":
        return sample.replace(size=size)
    annotations = sample.annotations and tuple([_scaled(a, *size) for a in sample.annotations])
    return sample.replace(size=size, units="pixels", annotations=annotations)


def _scaled(a: Annotation, width: int, height: int) -> Annotation:
    """An object in fractions of an image of this size, in pixels."""
    box = a.box and (a.box[0] * width, a.box[1] * height, a.box[2] * width, a.box[3] * height)
    if a.shape is None and a.keypoints is None:
        return a.replace(box=box)
    from labelglot.projection.coordinates import map_points

    shape, keypoints = (None if value is None else map_points(value, width, height) for value in (a.shape, a.keypoints))
    return a.replace(box=box, shape=shape, keypoints=keypoints)


def image_size(image: ImageHandle) -> tuple[int, int] | None:
    """Displayed (width, height) from the header, ``None`` if the file is not an image that can be read."""
    try:
        info = image.info()
    except (LabelglotError, OSError):
        return None
    return (info.width, info.height) if info.width > 0 and info.height > 0 else None
