"""Keypoints of formats that name each point: they come in any order, and those that are not labelled are left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from labelglot.schema import Keypoints


def place_keypoints(names: Sequence[str], found: Iterable[tuple[str, float, float, int | float]]) -> Keypoints:
    """The points ``found`` (name, x, y, visibility) in the order of ``names``.

    A name without point is not labelled; points of no known name, or of one that is taken, come behind.
    """
    order = list(names)
    ring = [0.0] * (2 * len(order))
    seen: list[int | float] = [0] * len(order)
    taken: set[int] = set()
    for name, x, y, visibility in found:
        at = next((i for i, known in enumerate(order) if known == name and i not in taken), len(order))
        if at == len(order):
            order.append(name)
            ring += [0.0, 0.0]
            seen.append(0)
        taken.add(at)
        ring[2 * at : 2 * at + 2] = x, y
        seen[at] = visibility
    return Keypoints(points=tuple(ring), visibility=tuple(seen))


__all__ = ["place_keypoints"]
