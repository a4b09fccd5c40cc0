"""The ``meta`` element: facts about the task or project. What is not understood is kept as a tree and written back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from labelglot.plugin import Info
from labelglot.wire.xml import Element, escape

OWNER = "cvat"
"""Both flavours are one tool's: their extras have one owner and travel between them."""

KINDS = ("task", "project", "job")

WRITTEN = ("name", "labels", "size", "subsets")
"""Fields that follow from the dataset."""

OF_FRAMES = ("start_frame", "stop_frame", "frame_filter", "original_size")
"""Fields that follow from the frames of a video."""

Tree = str | list[list[Any]]
"""The text of an element, or its children as [tag, tree]."""

_NAME = re.compile(r"[A-Za-z_][\w.-]*")


class Meta(NamedTuple):
    """``kind``: what was exported. ``subset``: that of a single task. ``size``: of all frames, where stated; ``frames``:
    their numbers, as first, last and step, ``source``: the video.
    """

    info: Info
    kind: str = "task"
    subset: str | None = None
    size: tuple[int, int] | None = None
    frames: tuple[int, int, int] | None = None
    source: str | None = None


def is_name(text: str) -> bool:
    """Whether a text can be the name of an element or attribute."""
    return _NAME.fullmatch(text) is not None


def text_of(element: Element | None) -> str:
    """Text of an element that has no children; blanks alone are no text."""
    text = "" if element is None else element.text or ""
    return text if "\n" not in text and text.strip() else text.strip()


def tree_of(element: Element) -> Tree:
    """An element as plain values."""
    return [[child.tag, tree_of(child)] for child in element] if len(element) else text_of(element)


def render(tag: Any, tree: Any, depth: int) -> Iterator[str]:
    """Lines of an element. What cannot be the name of an element is left out."""
    blanks = "  " * depth
    if not isinstance(tag, str) or not is_name(tag):
        return
    if _is_tree(tree):
        yield f"{blanks}<{tag}>"
        for child, inner in tree:
            yield from render(child, inner, depth + 1)
        yield f"{blanks}</{tag}>"
    else:
        yield f"{blanks}<{tag}>{escape(tree)}</{tag}>"


def read_meta(meta: Element | None, usual: Mapping[str, Tree]) -> Meta:
    """The facts of a document; ``None``: it has no ``meta``. ``usual``: what the writer says of any task."""
    if meta is None or not len(meta):
        return Meta(Info())
    task = next((child for child in meta if child.tag in KINDS), None)
    if task is None:
        return Meta(Info(extra={OWNER: {"meta": tree_of(meta)}}))
    name = text_of(task.find("name"))
    trees: list[list[Any]] = []
    for child in meta:
        if child is task:
            inside = [[field.tag, tree_of(field)] for field in child if field.tag not in WRITTEN]
            trees.append([child.tag, [[key, tree] for key, tree in inside if usual.get(str(key)) != tree]])
        else:
            trees.append([child.tag, tree_of(child)])
    info = Info(name=name or None, extra={OWNER: {"meta": trees}} if trees != [[task.tag, []]] else {})
    step = re.search(r"step\s*=\s*(\d+)", text_of(task.find("frame_filter")))
    return Meta(
        info,
        task.tag,
        None if task.tag == "project" else text_of(task.find("subset")) or None,
        _size(task.find("original_size")),
        _frames(task, int(step[1][:9]) or 1 if step else 1),
        text_of(meta.find("source")) or None,
    )


def _frames(task: Element, step: int) -> tuple[int, int, int] | None:
    """First and last number of the frames, and the step between them: as stated, else counted from 0."""
    start, stop, size = (_whole(text_of(task.find(tag))) for tag in ("start_frame", "stop_frame", "size"))
    if stop is None:
        stop = None if size is None else (start or 0) + (size - 1) * step
    return None if stop is None else (start or 0, stop, step)


def without_frames(info: Info) -> Info:
    """The facts of a document without those that follow from its frames."""
    bag = info.extra.get(OWNER)
    kept: Any = bag.get("meta") if isinstance(bag, dict) else None
    if not _is_tree(kept) or not isinstance(bag, dict):
        return info
    trees = [
        [tag, [pair for pair in tree if pair[0] not in OF_FRAMES] if tag in KINDS and _is_tree(tree) else tree]
        for tag, tree in kept
    ]
    rest = {**bag, "meta": trees}
    if trees in ([["task", []]], []):
        del rest["meta"]
    return info.replace(extra={**{k: v for k, v in info.extra.items() if k != OWNER}, **({OWNER: rest} if rest else {})})


def _size(element: Element | None) -> tuple[int, int] | None:
    if element is None:
        return None
    width, height = (_whole(text_of(element.find(tag))) for tag in ("width", "height"))
    return (width, height) if width and height else None


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def write_meta(
    info: Info, labels: Sequence[str], splits: Sequence[str | None], usual: Mapping[str, Tree], total: int
) -> Iterator[str]:
    """Lines of ``meta``. ``labels``: lines of the class table; ``usual``: fields of a task that say nothing else."""
    named = [split for split in splits if split is not None]
    bag = info.extra.get(OWNER)
    kept = bag.get("meta") if isinstance(bag, dict) else None
    trees = [list(pair) for pair in kept or ()] if _is_tree(kept) else []
    if not any(tag in KINDS for tag, _ in trees):
        trees.insert(0, ["project" if named else "task", []])
    yield "  <meta>"
    for tag, tree in trees:
        if tag not in KINDS:
            yield from render(tag, tree, 2)
            continue
        fields: dict[str, Any] = {} if tag == "project" else dict(usual)
        fields.update((key, value) for key, value in (tree if _is_tree(tree) else ()) if key not in WRITTEN)
        if tag == "project":
            fields["subsets"] = "\n".join(named)
        else:
            fields["size"] = str(total)
            if fields.get("subset") and [fields["subset"]] != list(splits):
                del fields["subset"]
        yield f"    <{tag}>"
        yield from render("name", info.name or "", 3)
        for key, value in fields.items():
            yield from render(key, value, 3)
        yield from labels
        yield f"    </{tag}>"
    yield "  </meta>"


def _is_tree(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(
        isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str) for pair in value
    )
