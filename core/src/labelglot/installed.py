"""What is installed, told from entry-point metadata alone: no plugin is imported, nor anything heavy.

An entry point of the group ``labelglot`` names either a format class (``coco = "labelglot_coco:Coco"``; the name is the
format's id; imported when that format is asked for) or a module with hook implementations
(``studio = "labelglot_studio"``; imported when hooks are first called).
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

GROUP = "labelglot"


class Entry:
    """An entry point and who ships it. Reading the package's name costs time, so it waits until someone asks."""

    def __init__(self, point: EntryPoint) -> None:
        self.point = point

    @property
    def name(self) -> str:
        return self.point.name

    @property
    def package(self) -> str:
        return self.point.dist.name if self.point.dist else ""

    @property
    def version(self) -> str:
        return self.point.dist.version if self.point.dist else ""

    @property
    def is_module(self) -> bool:
        """Whether it names a module, that is a hook plugin, and not an object in one."""
        return not self.point.attr


def entries() -> list[Entry]:
    """All plugins of the environment, by name."""
    return sorted((Entry(point) for point in entry_points(group=GROUP)), key=lambda entry: entry.name)
