"""``data.yaml``: what the dataset is called by those who train on it - classes, splits, keypoints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from typing import Any, NamedTuple

from labelglot.errors import SourceError
from labelglot.plugin import Info, Report, split_role
from labelglot.wire import yaml

OWNER = "yolo"
"""Key of the extras that all Ultralytics formats share: what else stands in ``data.yaml``."""

SPLITS = ("train", "val", "test", "minival", "valid", "validation")
NEEDED = ("train", "val")
"""Splits without which Ultralytics does not load a dataset."""

OWN = "labelglot"
"""Our block in the YAML; trainers pass over it. ``stand_in`` lists the keys that are there for the loader only."""

UNSPLIT = "unsplit"
"""Folder and key for images of no split, in a dataset that has splits besides."""

_KNOWN = frozenset([*SPLITS, "path", "names", "nc", "kpt_shape", "kpt_names", "flip_idx", "license", "url", OWN])
_WORDS = ("download", "channels", "roboflow", "task", "is_coco", "images", "labels")

SPLIT_KEYS = rf"(?!(?:{'|'.join(sorted({*_KNOWN, *_WORDS, UNSPLIT} - set(SPLITS)))})$)\w(?:[\w .+()-]*[\w+()-])?"
"""Names of splits that can be a key of the YAML and a folder."""


class Card(NamedTuple):
    """The content of a ``data.yaml``.

    ``root``: its ``path``. ``names``: class names by number. ``splits``: values of each split key; ``maybe``: other
    keys that may be splits; ``stand_in``: those that are none. ``points``: (K, D) of ``kpt_shape``. ``point_names`` and
    ``flips`` (``None``: it has none) by class number; ``flip``: for all others.
    """

    place: str
    root: str
    names: Mapping[int, str] | None
    splits: Mapping[str, tuple[str, ...]]
    maybe: Mapping[str, tuple[str, ...]]
    stand_in: frozenset[str]
    points: tuple[int, int] | None
    point_names: Mapping[int, tuple[str, ...]]
    flip: tuple[int, ...] | None
    flips: Mapping[int, tuple[int, ...] | None]
    info: Info


def parse(data: bytes, place: str, format: str, report: Report) -> Card:
    """A ``data.yaml`` taken apart. Raises :class:`SourceError` if it is none."""
    typed, texts = yaml.load(data, place), yaml.load_texts(data, place)
    if not isinstance(typed, dict) or not isinstance(texts, dict):
        raise SourceError("not what this format looks like: a YAML with keys was expected", place)
    same_keys = len(texts) == len(typed)
    named = dict(zip(texts, typed.values(), strict=True)) if same_keys else texts
    splits = {key: found for key in SPLITS if (found := tuple(_paths(texts.get(key))))}
    maybe = {
        str(key): found
        for key, value in texts.items()
        if key not in _KNOWN and key not in _WORDS and (found := tuple(_paths(value)))
    }
    block = texts.get(OWN)
    own: dict[Any, Any] = block if isinstance(block, dict) else {}
    stood = own.get("stand_in")
    root = texts.get("path")
    return Card(
        place,
        root if isinstance(root, str) else "",
        _names(texts, place, format, report),
        splits,
        maybe,
        frozenset(key for key, value in stood.items() if tuple(_paths(value)) == tuple(_paths(texts.get(key))))
        if isinstance(stood, dict)
        else frozenset(),
        point_shape(texts.get("kpt_shape"), place, format, report),
        {number: tuple(map(str, names)) for number, names in _by_number(texts.get("kpt_names")) if isinstance(names, list)},
        _whole(texts.get("flip_idx")),
        {number: _whole(flip) for number, flip in _by_number(own.get("flip_idx"))},
        _info(named, texts),
    )


def _paths(value: Any) -> Iterator[str]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, str) and item.strip() and item != "~":
            yield item


def _by_number(value: Any) -> Iterator[tuple[int, Any]]:
    if isinstance(value, dict):
        value = value.items()
    elif isinstance(value, list):
        value = enumerate(value)
    else:
        return
    for key, item in value:
        number = whole(key)
        if number is not None:
            yield number, item


def whole(value: Any) -> int | None:
    """A whole number not below zero of its text."""
    try:
        number = int(value)
    except (ValueError, TypeError):
        return None
    return number if 0 <= number < 1 << 31 else None


def _whole(value: Any) -> tuple[int, ...] | None:
    found = tuple(whole(item) for item in value) if isinstance(value, list) else (None,)
    return None if None in found else found  # type: ignore[return-value]


MOST_CLASSES = 100_000


def _names(texts: Mapping[str, Any], place: str, format: str, report: Report) -> dict[int, str] | None:
    """Class names by number. Without ``names``, ``nc`` gives as many placeholders as Ultralytics makes."""
    given, count = texts.get("names"), whole(texts.get("nc"))
    found: dict[int, str] = {}
    for number, name in _by_number(given):
        if not isinstance(name, str):
            report.problem(
                f"{format}.name", f"the name of class {number} is no text", f"{place}#names", raw=name, action="a placeholder"
            )
        found[number] = name if isinstance(name, str) else placeholder(number)
    if isinstance(given, dict) and len(found) < len(given):
        report.problem(
            f"{format}.name", "a class has no whole number", f"{place}#names", raw=list(given), severity="error",
            action="skipped",
        )  # fmt: skip
    if given is None or not isinstance(given, dict | list):
        return None if count is None else {i: placeholder(i) for i in range(min(count, MOST_CLASSES))}
    if count is not None and count != len(found):
        report.problem(f"{format}.nc", f"nc is {count}, but there are {len(found)} names", f"{place}#nc", action="names kept")
    return dict(sorted(found.items()))


def placeholder(number: int) -> str:
    """Name of a class without one."""
    return f"class_{number}"


def point_shape(value: Any, place: str, format: str, report: Report | None) -> tuple[int, int] | None:
    """(K, D) of ``kpt_shape``: K points of D = 2 or 3 numbers each."""
    if value is None:
        return None
    found = _whole(value)
    if found is not None and len(found) == 2 and found[0] > 0 and found[1] in (2, 3):
        return found[0], found[1]
    if report is not None:
        message = "kpt_shape is not [K, 2] or [K, 3]"
        report.problem(f"{format}.kpt_shape", message, f"{place}#kpt_shape", raw=value, action="not used")
    return None


def _info(typed: Mapping[str, Any], texts: Mapping[str, Any]) -> Info:
    """Licence and URL, and whatever else stands there, to be written back."""
    rest = {str(key): _plain(value, texts[key]) for key, value in typed.items() if key not in _KNOWN}
    roboflow = rest.get("roboflow")
    block = roboflow if isinstance(roboflow, dict) else {}
    given = texts["roboflow"] if block else {}
    found: dict[str, Any] = {}
    licences = tuple(_texts(texts.get("license"))) or tuple(_texts(given.get("license")))
    url = next(iter(_texts(texts.get("url"))), None) or next(iter(_texts(given.get("url"))), None)
    if block:
        rest["roboflow"] = {key: value for key, value in block.items() if key not in ("license", "url")}
    if licences:
        found["licenses"] = licences
    if url is not None:
        found["url"] = url
    return Info(**found, extra={OWNER: rest} if rest else {})


def _texts(value: Any) -> Iterator[str]:
    yield from (item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str))


def _plain(value: Any, text: Any) -> Any:
    """A value as JSON could hold it; what it cannot (dates, huge numbers) as text."""
    if isinstance(value, dict) and isinstance(text, dict) and len(value) == len(text):
        return {str(k): _plain(v, t) for k, (v, t) in zip(text, zip(value.values(), text.values(), strict=True), strict=True)}
    if isinstance(value, list) and isinstance(text, list):
        return [_plain(v, t) for v, t in zip(value, text, strict=False)]
    if value is None or isinstance(value, bool | str) or (isinstance(value, int) and abs(value) < 1 << 53):
        return value
    if isinstance(value, float) and value - value == 0:
        return value
    return str(text)


def borrowed(key: str, splits: Sequence[str | None]) -> list[str | None]:
    """The splits that stand in for a split a loader demands and a dataset has not: those of the same role, else the
    training images, else all but validation and test, else all.
    """
    for role in (split_role(key), "train"):
        same = [split for split in splits if split_role(split) == role]
        if same:
            return same
    return [split for split in splits if split_role(split) not in ("val", "test")] or list(splits)


def write(
    folders: Mapping[str | None, str], names: Sequence[str], info: Info, more: Mapping[str, Any], own: Mapping[str, Any]
) -> bytes:
    """A ``data.yaml``. ``folders``: image folder of each split. ``more``: keys of the task, ``own``: for our block.

    ``path`` is empty: Ultralytics then takes the folder of the YAML, while ``.`` would be the working folder.
    """
    splits = list(folders) or [None]
    keys: dict[str, str | list[str]] = {}
    stand_in: dict[str, str | list[str]] = {}
    for key in NEEDED:
        if key not in folders:
            places = [folders.get(split, "images") for split in borrowed(key, splits)]
            stand_in[key] = places[0] if len(places) == 1 else places
    for key in sorted({*NEEDED, *(s for s in splits if s is not None)}, key=_rank):
        keys[key] = copy(stand_in[key]) if key in stand_in else folders[key]
    if None in folders and len(folders) > 1:
        keys[UNSPLIT] = stand_in[UNSPLIT] = folders[None]
    data: dict[str, Any] = {"path": "", **keys, "nc": len(names), "names": dict(enumerate(names)), **more}
    rest = dict(info.extra.get(OWNER, {})) if isinstance(info.extra.get(OWNER), Mapping) else {}
    about: dict[str, Any] = {}
    if info.licenses:
        about["license"] = info.licenses[0] if len(info.licenses) == 1 else list(info.licenses)
    if info.url is not None:
        about["url"] = info.url
    if isinstance(rest.get("roboflow"), Mapping):
        rest["roboflow"] = {**rest["roboflow"], **about}
    else:
        data |= about
    data |= {key: value for key, value in rest.items() if key not in data and key != OWN}
    block = {**({"stand_in": stand_in} if stand_in else {}), **own}
    if block:
        data[OWN] = block
    return b"".join(yaml.dump({key: value}, block=_is_flat(value)) for key, value in data.items())


def _is_flat(value: Any) -> bool:
    """Whether a value is no list and holds none: it then stands on lines of its own."""
    inner = value.values() if isinstance(value, Mapping) else [value]
    return not any(isinstance(item, list | tuple | Mapping) for item in inner)


def _rank(key: str) -> tuple[int, str]:
    return (SPLITS.index(key), "") if key in SPLITS else (len(SPLITS), key)


def table(names: Mapping[int, str]) -> Iterable[tuple[int, str]]:
    """Classes in order of their numbers."""
    return sorted(names.items())
