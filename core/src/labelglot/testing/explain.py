"""Turn a difference after a round trip into a sentence that says where to look in the plugin."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import zip_longest
from typing import Any

from labelglot.comparison import Change
from labelglot.formats.base import Format
from labelglot.geometry import to_xywh
from labelglot.schema import Dataset, dumps
from labelglot.schema.record import Record
from labelglot.tolerance import close, close_numbers

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
    if isinstance(before, Record) and type(before) is type(after):
        return _field(aspect, before, after)
    if after in (None, (), {}) and before not in (None, (), {}):
        return f"`holds` declares `{aspect}`, but {_short(before)} was gone: does `encode` write it and `decode` read it?"
    if before in (None, (), {}) and after not in (None, (), {}):
        return f"`{aspect}` came back as {_short(after)} though nothing was written: does `decode` invent a value?"
    return f"`{aspect}` was {_short(before)} and came back as {_short(after)}"


def _field(aspect: str, before: Record, after: Record) -> str:
    """The field of a shape (or of keypoints) that differs, and why that may be."""
    names = [name for name in before.__struct_fields__ if not _same(getattr(before, name), getattr(after, name))]
    if not names:
        return f"`{aspect}` was {_short(before)} and came back as {_short(after)}"
    name = names[0]
    was, became = getattr(before, name), getattr(after, name)
    said = f"`{aspect}.{name}` was {_short(was)} and came back as {_short(became)}"
    if name == "angle" and was is None:
        return f"{said}. Nobody stated one: leave it out in `decode`, or declare `rotated_angle`"
    if name in ("corners", "points") and len(was) == len(became):
        return f"{said}{_ring_hint(was, became)}"
    return said


def _same(a: Any, b: Any) -> bool:
    numbers = isinstance(a, tuple) and isinstance(b, tuple) and all(isinstance(v, int | float) for v in (*a, *b))
    return close_numbers(a, b) if numbers else a == b


def _ring_hint(before: tuple[float, ...], after: tuple[float, ...]) -> str:
    was, became = list(zip(before[::2], before[1::2], strict=True)), list(zip(after[::2], after[1::2], strict=True))

    def alike(points: list[tuple[float, float]], others: list[tuple[float, float]]) -> bool:
        return all(close_numbers(a, b) for a, b in zip(points, others, strict=True))

    if any(alike([*was[i:], *was[:i]], order) for i in range(len(was)) for order in (became, became[::-1])):
        return ". These are the same points in another order, which matters: the first edge says where the top is"
    if alike([(y, x) for x, y in was], became):
        return ". x and y are swapped"
    shifts = [b - a for a, b in zip(before, after, strict=True)]
    if all(close(abs(s), 1) or close(s, 0) for s in shifts):
        return ". It is off by one pixel: state `first` in a `Convention`"
    if all(close(x, u) for (x, _), (u, _) in zip(was, became, strict=True)):
        return ". Only y is wrong: does one side count it from the lower edge, or turn the other way?"
    if all(close(a, float(round(b))) for a, b in zip(after, before, strict=True)):
        return ". It was rounded: declare that as precision (`points=Convention(integer=True)`) or write all digits"
    return ""


def other_bytes(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> str:
    """The first line that two sets of files do not share, and a guess where it comes from."""
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old is None or new is None:
            return f"{name} is only there {'the first' if new is None else 'the second'} time"
        if old != new and _is_text(old):
            one, other = (data.decode("utf-8", "replace").splitlines() for data in (old, new))
            pairs = ((i, a, b) for i, (a, b) in enumerate(zip_longest(one, other, fillvalue=""), 1) if a != b)
            number, a, b = next(pairs, (0, "", ""))
            hint = ". It differs in the last digits only: arithmetic leaves noise there. Round what is written, as"
            hint += " `Convention` does, or with `decimals=9` in a `Rotation`"
            return f"{name}:{number} is {_short(a)}, then {_short(b)}{hint if _noise(a, b) else ''}"
    return "no text"


def _noise(a: str, b: str) -> bool:
    number = r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
    numbers = [tuple(map(float, re.findall(number, text))) for text in (a, b)]
    return re.sub(number, "", a) == re.sub(number, "", b) and close_numbers(*numbers)


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


__all__ = ["box_hint", "explain", "other_bytes", "sentence"]
