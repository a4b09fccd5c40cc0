"""Where data comes from and goes to, and the gate every name from data passes."""

from labelglot.storage.access import Access, Packed, packing, random_access
from labelglot.storage.archive import tar_members
from labelglot.storage.folder import FolderSource
from labelglot.storage.location import is_url, open_source
from labelglot.storage.paths import (
    FOLDER,
    clean_foreign,
    folder_name,
    from_folder_name,
    portable_problem,
    safe_join,
    safe_relative,
)
from labelglot.storage.source import MemorySource, Source
from labelglot.storage.target import LocalTarget, MemoryTarget, Target, open_target

__all__ = [
    "FOLDER", "Access", "FolderSource", "LocalTarget", "MemorySource", "MemoryTarget", "Packed", "Source", "Target", "clean_foreign",
    "folder_name", "from_folder_name", "is_url",
    "open_source", "open_target", "packing", "portable_problem", "random_access", "safe_join", "safe_relative",
    "tar_members",
]  # fmt: skip
