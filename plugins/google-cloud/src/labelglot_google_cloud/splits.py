"""What an image is used for (``ML_USE``), however it is spelled, as the name of a split."""

from __future__ import annotations

from labelglot.plugin import split_role

SPLITS = frozenset({"train", "val", "test"})
NONE = ("", "unassigned")
_MORE = {"validate": "val"}


def is_use(word: str) -> bool:
    """Whether a word says what an image is used for."""
    word = word.strip().lower()
    return word in NONE or use_of(word) is not None


def use_of(word: str) -> str | None:
    """``train``, ``val`` or ``test`` for any spelling; ``None`` for no use."""
    word = word.strip().lower()
    return _MORE.get(word) or split_role(word)
