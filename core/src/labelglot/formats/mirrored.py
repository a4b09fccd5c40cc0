"""Base of formats whose images lie in one folder and their annotation files, of the same names, in another."""

from __future__ import annotations

import posixpath
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from labelglot.formats.base import ReadContext, WriteContext, under, with_suffix
from labelglot.formats.per_image import Pair, PerImage
from labelglot.images import SourceImage, is_image
from labelglot.report import Report
from labelglot.schema import Sample, split_role
from labelglot.storage import Source


class Mirrored(PerImage):
    """``images/DIR/a.jpg`` and ``labels/DIR/a.txt``. Subclasses state the folders and write ``parse`` and ``encode_file``.

    ``image_folder``, ``file_folder``: what is written; an empty ``file_folder`` means that annotation files lie where
    the folder of the images lies. ``image_folders``, ``file_folders``: names that are read besides, without regard to
    case, the best first. ``prefix``, ``suffix``: what an annotation file's name has around the stem of its image.

    The format declares ``splits="none"``: the engine writes one folder per split. Read are also trees in which such
    folders lie deeper; see :meth:`split_of`. Names of images survive without suffix where there is no image.
    """

    image_folder: ClassVar[str] = "images"
    file_folder: ClassVar[str] = "labels"
    image_folders: ClassVar[tuple[str, ...]] = ()
    file_folders: ClassVar[tuple[str, ...]] = ()
    prefix: ClassVar[str] = ""
    suffix: ClassVar[str] = ".txt"

    @abstractmethod
    def parse(self, data: bytes, pair: Pair, report: Report) -> Mapping[str, Any]:
        """Fields of the sample that the annotation file tells."""

    def is_annotation(self, source: Source, path: str) -> bool:
        """Whether a file outside of ``file_folders`` is an annotation file; asked where there is no such folder."""
        return True

    def split_of(self, folder: str) -> str | None:
        """The split that the name of the folder around images and annotations tells: some kind of train, val, test."""
        return folder if split_role(folder) is not None else None

    def annotation_files(self, source: Source) -> list[str]:
        """All annotation files: those in the folders for them; if there is no such folder, all that look like one."""
        found = [
            path
            for path in source.match(f"{self.prefix}*{self.suffix}")
            if path.rpartition("/")[2].lower().startswith(self.prefix.lower())
        ]
        inside = [path for path in found if _cut(path, self._file_folders)[2] >= 0] if self.file_folder else []
        return inside or [path for path in found if self.is_annotation(source, path)]

    def files_to_read(self, context: ReadContext) -> list[str]:
        """The annotation files that the reader takes; override where an option chooses among them."""
        return self.annotation_files(context.source)

    @property
    def _file_folders(self) -> tuple[str, ...]:
        return (self.file_folder.lower(), *map(str.lower, self.file_folders)) if self.file_folder else ()

    def pairs(self, context: ReadContext) -> Sequence[Pair]:
        folders = (self.image_folder.lower(), *map(str.lower, self.image_folders))
        cut_images = {path: _cut(path, folders) for path in context.images.paths}
        files = self.files_to_read(context)
        for path in files:
            cut_images.pop(path, None)
        if any(rank >= 0 for _, _, rank in cut_images.values()):
            cut_images = {path: cut for path, cut in cut_images.items() if cut[2] >= 0}
        heads = {head for head, _, _ in cut_images.values()}
        cut_files = {path: self._cut_file(path, heads) for path in files}
        images: dict[tuple[str, str], list[str]] = {}
        for path, (head, rest, _) in cut_images.items():
            images.setdefault((head, with_suffix(rest, "")), []).append(path)
        chosen: dict[tuple[str, str], str] = {}
        for path in sorted(files, key=lambda path: cut_files[path][2]):
            head, rest, _ = cut_files[path]
            first = chosen.setdefault((head, rest), path)
            if first != path:
                context.report.problem(
                    f"{self.id}.duplicate", f"{first} is about the same image", path, action="skipped"
                )
        found: list[tuple[str, str, Pair]] = []
        alone: list[tuple[str, str, str]] = []
        for (head, rest), path in chosen.items():
            same = images.pop((head, rest), None)
            if same is None:
                alone.append((head, rest, path))
            found += [(head, cut_images[image][1], Pair(path, image)) for image in same or ()]
        found += self._loose(alone, images, cut_images)
        if context.source.focus is None:
            found += [(cut_images[i][0], cut_images[i][1], Pair(None, i)) for same in images.values() for i in same]
        return self._identified(found)

    def _cut_file(self, path: str, heads: set[str]) -> tuple[str, str, int]:
        """What stands before the folder of annotations, the image's path without suffix behind it, and how good a
        name the folder has.
        """
        if self._file_folders:
            head, rest, rank = _cut(path, self._file_folders)
        else:
            around = path.rpartition("/")[0].split("/")
            known = [h for n in range(len(around) + 1) if (h := "/".join(around[:n])) in heads]
            head, rank = max(known, key=len, default=""), 0
            rest = path[len(head) + 1 :] if head else path
        folder, _, name = rest.rpartition("/")
        return head, under(folder, self.stem_of(name)), rank

    def stem_of(self, name: str) -> str:
        """The stem of the image that an annotation file of this name is about."""
        return name[len(self.prefix) : -len(self.suffix)]

    def _loose(
        self,
        alone: Sequence[tuple[str, str, str]],
        images: dict[tuple[str, str], list[str]],
        cuts: Mapping[str, tuple[str, str, int]],
    ) -> list[tuple[str, str, Pair]]:
        """Annotation files without image at the mirrored place: by the bare name where it is the only one, unless the
        image lies in the folder of other annotations.
        """
        by_name: dict[str, list[tuple[str, str]]] = {}
        for key in images:
            by_name.setdefault(key[1].rpartition("/")[2], []).append(key)
        wanted = [rest.rpartition("/")[2] for _, rest, _ in alone]
        found = []
        for (head, rest, path), name in zip(alone, wanted, strict=True):
            keys = [key for key in by_name.get(name, ()) if key[0] == head or cuts[images[key][0]][2] < 0]
            if len(keys) == 1 and wanted.count(name) == 1 and len(images[keys[0]]) == 1:
                (image,) = images.pop(keys[0])
                by_name[name].remove(keys[0])
                found.append((*cuts[image][:2], Pair(path, image)))
            else:
                found.append((head, rest, Pair(path)))
        return found

    def _identified(self, found: Sequence[tuple[str, str, Pair]]) -> list[Pair]:
        """Each image with its split, and its path below the part of the tree that all of them share."""
        heads: list[list[str]] = []
        splits: list[str | None] = []
        for head, _, _ in found:
            above, _, last = head.rpartition("/")
            split = self.split_of(last) if last else None
            splits.append(split)
            heads.append((above if split is not None else head).split("/"))
        shared = posixpath.commonprefix(heads)
        seen: set[tuple[str | None, str]] = set()
        result = []
        for (_, rest, pair), split, parts in zip(found, splits, heads, strict=True):
            path = "/".join([*(part for part in parts[len(shared) :] if part), rest])
            if (split, path) in seen:
                path = pair.image or pair.annotation or path
            seen.add((split, path))
            result.append(pair._replace(path=path, splits=(split,) if split is not None else ()))
        return sorted(result, key=lambda pair: (pair.splits, pair.path or ""))

    def decode(self, data: bytes | None, pair: Pair, context: ReadContext, report: Report) -> Sample | None:
        path = pair.path or ""
        fields = {} if data is None else self.parse(data, pair, report)
        image = None if pair.image is None else SourceImage(context.source, pair.image)
        return Sample(path=path, image=image, splits=pair.splits, **fields)

    def image_path(self, sample: Sample, context: WriteContext) -> str:
        return under(self.image_folder, sample.path)

    def annotation_path(self, sample: Sample, context: WriteContext) -> str:
        stored = context.images and sample.image is not None and is_image(sample.path)
        folder, _, name = (with_suffix(sample.path, "") if stored else sample.path).rpartition("/")
        return under(self.file_folder, under(folder, f"{self.prefix}{name}{self.suffix}"))


def _cut(path: str, folders: Sequence[str]) -> tuple[str, str, int]:
    """A path before and behind the first folder that has one of some names, and the place of this name; -1: none has."""
    parts = path.split("/")
    for i, part in enumerate(parts[:-1]):
        if part.lower() in folders:
            return "/".join(parts[:i]), "/".join(parts[i + 1 :]), folders.index(part.lower())
    return "", path, -1


__all__ = ["Mirrored"]
