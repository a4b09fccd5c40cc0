"""Turn a difference after a round trip into a sentence that says where to look in the plugin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from labelglot.comparison import Change
from labelglot.formats.base import Format
from labelglot.geometry import to_xywh
from labelglot.schema import Dataset, dumps
from labelglot.tolerance import close

SHOWN = 6
FILE_LIMIT = 1500


def explain(
    title: str, changes: Iterable[Change], format: Format, dataset: Dataset | None = None,
    files: Mapping[str, bytes] | None = None,
) -> str:  # fmt: skip
    """The message of a failed check: each difference with a hint, the dataset that shows it, the files written."""
    found = list(changes)
    lines = [f"{format.id}: {title}"]
    lines += [f"  - {sentence(change, format)}" for change in found[:SHOWN]]
    if len(found) > SHOWN:
        lines.append(f"  - and {len(found) - SHOWN} more")
    if dataset is not None:
        lines.append("the dataset that shows it:")
        lines += [f"  label  {dumps(label).decode()}" for label in dataset.labels]
        lines += [f"  sample {dumps(sample).decode()}" for sample in dataset]
    if files is not None:
        lines.append("what was written:")
        for name, data in sorted(files.items()):
            lines.append(f"  {name} ({len(data)} bytes)")
            if _is_text(data):
                lines += [f"    {line}" for line in data[:FILE_LIMIT].decode("utf-8", "replace").splitlines()]
    return "\n".join(lines)


def sentence(change: Change, format: Format) -> str:
    """One difference in words, with a guess at the cause."""
    where = f"{change.key or 'the dataset'}" + (f", object {change.object}" if change.object is not None else "")
    return f"{where}: {_what(change, format)}"


def _what(change: Change, format: Format) -> str:
    aspect, before, after = change.aspect, change.before, change.after
    if aspect == "sample":
        if after is None:
            return (
                "the image was gone after the round trip. Did a second image of the same base name overwrite its "
                "file? State `naming` (folders, unique) in `holds`, and use `sample.path` as it is given"
            )
        return f"the reader returned an image nobody wrote ({after.path}). Does it take another file for an image?"
    if aspect == "annotation":
        if after is None:
            return f"the object was gone: {_short(before)}. Does `encode` write every object it is handed?"
        return f"the reader returned an object nobody wrote: {_short(after)}"
    if aspect == "annotations":
        return (
            f"{_short(before)} became {_short(after)}. None (nobody looked) and () (reviewed and empty) differ; "
            "state `unlabelled` in `holds` only if the format tells them apart"
        )
    if aspect == "box" and isinstance(before, tuple) and isinstance(after, tuple):
        return f"box {before} came back as {after}. {box_hint(before, after)}"
    if after in (None, (), {}) and before not in (None, (), {}):
        return f"`holds` declares `{aspect}`, but {_short(before)} was gone: does `encode` write it and `decode` read it?"
    if before in (None, (), {}) and after not in (None, (), {}):
        return f"`{aspect}` came back as {_short(after)} though nothing was written: does `decode` invent a value?"
    return f"`{aspect}` was {_short(before)} and came back as {_short(after)}"


def box_hint(before: tuple[float, ...], after: tuple[float, ...]) -> str:
    """What kind of mistake turns one box into the other."""
    x, y, w, h = to_xywh(before)  # type: ignore[arg-type]
    u, v, p, q = to_xywh(after)  # type: ignore[arg-type]
    if close(w, q) and close(h, p) and not close(w, h):
        return "Width and height are swapped"
    if close(x, v) and close(y, u) and not close(x, y):
        return "x and y are swapped"
    shifts = [b - a for a, b in zip(before, after, strict=True)]
    if all(close(abs(s), 1) or close(s, 0) for s in shifts):
        return (
            "It is off by one pixel: state `first` (number of the first pixel) and `inclusive` in a `Convention` "
            "instead of adding and subtracting"
        )
    if close(u, x + w / 2) or close(x, u + p / 2):
        return "One side takes the centre for the corner: state `form` in a `Convention`"
    if all(close(a, float(round(b))) for a, b in zip(after, before, strict=True)):
        return "It was rounded: declare that as precision (`boxes=Convention(integer=True)`) or write all digits"
    return "State the format's `Convention` in `holds.boxes` and use it in `encode` and `decode`"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 160 else text[:159] + "…"


def _is_text(data: bytes) -> bool:
    head = data[:FILE_LIMIT]
    return b"\0" not in head


__all__ = ["box_hint", "explain", "sentence"]
