"""Which split a file stands for, by its name or folder, and how a file is named for a split."""

from __future__ import annotations

import re

from labelglot.plugin import split_role

SHARD = re.compile(r"-(\d{5,})-of-(\d{5,})")
"""``-00003-of-00010``, before or after the suffix."""

SPLIT_NAMES = r"(?!.*-\d{5,}-of-\d{5,}$)(?!.*\.(?:tfrecord|tfrecords|record)$)\w(?:[\w .+()-]*[\w+()-])?"
"""Names of splits that no file name takes for the number of a shard, or for a suffix."""

_PREFIX = "split_"
_TOKEN = re.compile(r"[^A-Za-z0-9]+")


def split_of(folder: str, stem: str) -> str | None:
    """The split of a file. ``stem``: its name without suffix, shard number and what all files of the format have.

    A name that is a split (``train``, ``valid``, ``split_anything``) counts first, then the folder it is in, then one
    word in the name (``coco_train2017``).
    """
    if stem.startswith(_PREFIX) and len(stem) > len(_PREFIX):
        return stem[len(_PREFIX) :]
    if split_role(stem) is not None:
        return stem
    parent = folder.rpartition("/")[2]
    if split_role(parent) is not None:
        return parent
    words = [word for word in _TOKEN.split(stem) if split_role(word) is not None]
    return words[0] if len(words) == 1 else None


def stem_for(split: str | None, missing: str) -> str:
    """The name that :func:`split_of` takes for this split; ``missing`` for images without split."""
    if split is None:
        return missing
    plain = split_role(split) is not None and not split.startswith(_PREFIX)
    return split if plain else _PREFIX + split
