"""The one gate for names that come from data: no path built here leaves its root."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from labelglot.errors import UnsafePath

_DRIVE = re.compile(r"^[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_RESERVED = frozenset(
    ["con", "prn", "aux", "nul", *(f"com{i}" for i in range(1, 10)), *(f"lpt{i}" for i in range(1, 10))]
)


FOLDER = (
    r"(?!(?i:con|prn|aux|nul|com\d|lpt\d)(?:\.|$))(?![.\s])"
    r'[^/\\:*?"<>|\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,60}(?<![.\s])'
)
"""Names that are a folder on any system, as a regular expression."""


_PLAIN = re.compile(r"[\w-](?:[\w .()+-]*[\w-])?(?:/[\w-](?:[\w .()+-]*[\w-])?)*")
"""Paths as nearly all are: nothing in them that any check would look at."""


def safe_relative(name: str) -> str:
    """``name`` as a posix relative path. Raises :class:`UnsafePath` if it is absolute, has a drive, ``..``, control
    characters, or nothing in it. Backslashes are separators (files written on Windows), ``./`` is removed.
    """
    if _PLAIN.fullmatch(name):
        return name
    text = name.replace("\\", "/")
    if not text or _CONTROL.search(text):
        raise UnsafePath(f"{name!r} is no usable file name")
    if text.startswith("/") or _DRIVE.match(text):
        raise UnsafePath(f"{name!r} is absolute; names must be relative to the dataset")
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in parts or not parts:
        raise UnsafePath(f"{name!r} leaves the dataset's folder")
    return "/".join(parts)


_ALL_PLAIN = re.compile(rf"(?:{_PLAIN.pattern}\n)*")


def are_plain(names: Sequence[str]) -> bool:
    """Whether each of many names is a path that :func:`safe_relative` gives back as it is, seen at one look."""
    text = "\n".join([*names, ""])
    if text.count("\n") != len(names):
        return False
    return _are_simple(text) or _ALL_PLAIN.fullmatch(text) is not None


_SIMPLE = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./\n"
_DOUBTFUL = tuple(a + b for a in "./\n" for b in "./\n")
"""Points, slashes and ends of names side by side."""


def _are_simple(text: str) -> bool:
    """The same of most names, a tenth of the time: letters and digits, with single points and slashes between."""
    if not text.isascii() or text.encode().translate(None, _SIMPLE):
        return False
    text = "\n" + text
    return not any(pair in text for pair in _DOUBTFUL)


def safe_join(root: Path, name: str) -> Path:
    """``root/name``. Raises :class:`UnsafePath` also if a symbolic link on the way leads out of ``root``."""
    return Path(safe_text(os.fspath(root), name))


def safe_text(root: str, name: str) -> str:
    """:func:`safe_join` as text, for where files are opened by the hundred thousand."""
    place = root
    for part in safe_relative(name).split("/"):
        place = os.path.join(place, part)  # noqa: PTH118
        if os.path.islink(place) and not Path(place).resolve().is_relative_to(Path(root).resolve()):  # noqa: PTH114
            raise UnsafePath(f"{name!r} goes through a link out of {root}")
    return place


def portable_problem(name: str) -> str | None:
    """Why a name is no good on some system (Windows' reserved names, trailing dots, over 255 bytes), or ``None``."""
    for part in name.split("/"):
        if part.split(".")[0].lower() in _RESERVED:
            return f"{part!r} is reserved on Windows"
        if part != part.rstrip(". "):
            return f"{part!r} ends with a dot or blank, which Windows drops"
        if len(part.encode()) > 255:
            return f"{part[:20]!r}... is longer than 255 bytes"
    return None


def folder_name(text: str) -> str:
    """A text as name of a folder; different texts give different names. :func:`from_folder_name` turns it back."""
    return re.sub(r"[^\w .+()-]|^[ .]|[ .]$", lambda found: f"%{ord(found[0]):02X}", text) or "%"


def from_folder_name(folder: str) -> str:
    """The text of a folder's name."""
    return "" if folder == "%" else unquote(folder) if re.search("%[0-9A-F]{2}", folder) else folder


def clean_foreign(name: str) -> tuple[str, ...]:
    """Relative paths that a foreign name (absolute, Windows, ``file:`` or other URL) may mean here, best first:
    the whole path if it is safe, then each shorter suffix down to the bare name, then the same percent-decoded.
    """
    found: dict[str, None] = {}
    for text in (name, unquote(name)):
        parsed = urlsplit(text) if re.match(r"^[A-Za-z][A-Za-z0-9+.-]+:/", text) else None
        path = (parsed.path if parsed else text).replace("\\", "/")
        path = _CONTROL.sub("_", _DRIVE.sub("", path))
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if ".." in parts:
            parts = parts[len(parts) - parts[::-1].index("..") :]
        for i in range(len(parts)):
            found.setdefault("/".join(parts[i:]))
    return tuple(found)
