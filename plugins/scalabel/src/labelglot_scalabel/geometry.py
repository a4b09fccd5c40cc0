"""Outlines, masks and skeletons of one Scalabel label: JSON <-> canonical shapes.

An outline has a letter for each vertex: L, a corner, or C, a control point of a cubic curve. From the first C on, the
next vertex is the second control point and the one after it the end of the curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from labelglot.plugin import Keypoints, Label, LabelglotError, Polygon, Polyline, Ring, Shape, numbers

CURVE_POINTS = 16
"""Points that a curve becomes, its end included."""

VISIBLE, HIDDEN, NOT_LABELLED = "V", "N", "U"


class Outlines(NamedTuple):
    """The outlines of a label: closed ones together, open ones one by one. ``plain``: this writer would spell them so.

    ``short``: one has too few points to enclose or lead anything.
    """

    closed: Polygon | None
    open: tuple[Polyline, ...]
    plain: bool
    short: bool


def read_outlines(value: Any, closed: bool = True) -> Outlines:
    """``poly2d`` in any of its forms: objects with ``vertices``, one list of points, or lists of ``[x, y, letter]``.

    ``closed``: for those that do not say. Raises LabelglotError if it is none of them.
    """
    parts: list[tuple[Ring, ...]] = []
    open_: list[Polyline] = []
    plain, short = True, False
    for vertices, types, is_closed in _entries(value, closed):
        points = [numbers(vertex[:2], 2) for vertex in vertices]
        if len(types) != len(points) or "C" in types:
            plain = False
        ring = flatten(points, types, is_closed)
        if not ring:
            raise LabelglotError("an outline without points")
        short = short or len(ring) < (6 if is_closed else 4)
        if is_closed:
            parts.append((ring,))
        else:
            open_.append(Polyline(points=ring))
    polygon = Polygon(parts=tuple(parts)) if parts else None
    return Outlines(polygon, tuple(open_), plain, short)


def _entries(value: Any, closed: bool) -> list[tuple[list[Any], str, bool]]:
    if not isinstance(value, list):
        raise LabelglotError("poly2d is no list")
    if all(isinstance(each, dict) for each in value):
        found = []
        for each in value:
            vertices, types, is_closed = each.get("vertices"), each.get("types"), each.get("closed")
            found.append((_points(vertices), types if isinstance(types, str) else "", is_closed is not False))
        return found
    if all(isinstance(each, list) and each and isinstance(each[0], list) for each in value):
        return [entry for each in value for entry in _entries(each, closed)]
    points = _points(value)
    return [(points, "".join(str(p[2]) if len(p) > 2 else "L" for p in points), closed)]


def _points(value: Any) -> list[list[Any]]:
    if not isinstance(value, list) or not all(isinstance(p, list) and len(p) >= 2 for p in value):
        raise LabelglotError("the vertices are no list of points")
    return value


def flatten(points: Sequence[Sequence[float]], types: str, closed: bool) -> Ring:
    """The corners of an outline with its curves made of short lines; an end of a curve that closes is not repeated."""
    ring: list[float] = []
    place, total = 0, len(points)
    while place < total:
        curve = place < len(types) and types[place] == "C" and (closed or place + 2 < total) and total > 2
        if not curve:
            ring += points[place]
            place += 1
            continue
        start = points[place - 1] if place else points[-1]
        controls = [points[(place + i) % total] for i in range(3)]
        last = CURVE_POINTS + (place + 2 < total)
        ring += [v for i in range(1, last) for v in _on_curve(i / CURVE_POINTS, start, *controls)]
        place += 3
    return tuple(ring)


def _on_curve(t: float, p0: Sequence[float], p1: Sequence[float], p2: Sequence[float], p3: Sequence[float]) -> Ring:
    u = 1 - t
    a, b, c, d = u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t
    return (a * p0[0] + b * p1[0] + c * p2[0] + d * p3[0], a * p0[1] + b * p1[1] + c * p2[1] + d * p3[1])


def write_outlines(shape: Shape | None) -> list[dict[str, Any]] | None:
    """``poly2d`` of a polygon without holes or a polyline, ``None`` for anything else."""
    rings: list[Ring] = []
    if isinstance(shape, Polygon):
        rings = [part[0] for part in shape.parts]
    elif isinstance(shape, Polyline):
        rings = [shape.points]
    return [
        {
            "vertices": [[x, y] for x, y in zip(ring[::2], ring[1::2], strict=True)],
            "types": "L" * (len(ring) // 2),
            "closed": isinstance(shape, Polygon),
        }
        for ring in rings
    ] or None


def nodes_of(graph: Any) -> list[dict[str, Any]]:
    """The nodes of a graph. Raises LabelglotError if it has none that can be used."""
    nodes = graph.get("nodes") if isinstance(graph, dict) else None
    if not isinstance(nodes, list) or not all(isinstance(n, dict) and isinstance(n.get("location"), list) for n in nodes):
        raise LabelglotError("the nodes of a graph are no list of points")
    return nodes


def skeleton(graph: Any) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...]]:
    """Names of a graph's nodes, none if one has no name of its own, and its edges as pairs of positions."""
    nodes = nodes_of(graph)
    names = [node.get("category") for node in nodes]
    if not all(isinstance(name, str) and name for name in names) or len(set(names)) != len(names):
        return (), ()
    ids = [node.get("id") for node in nodes]
    place = {id_: i for i, id_ in enumerate(ids) if isinstance(id_, str)}
    edges = [e for e in graph.get("edges") or () if isinstance(e, dict)] if isinstance(graph.get("edges"), list) else []
    ends = [(e.get("source"), e.get("target")) for e in edges]
    known = ((a, b) for a, b in ends if isinstance(a, str) and isinstance(b, str) and a in place and b in place)
    return tuple(map(str, names)), tuple((place[a], place[b]) for a, b in known)


def read_keypoints(graph: Any, names: Sequence[str]) -> Keypoints:
    """Points in the order of ``names``; nodes that are missing are not labelled. Raises LabelglotError."""
    nodes = nodes_of(graph)
    by_name = {node.get("category"): node for node in nodes if isinstance(node.get("category"), str)}
    named = bool(names) and by_name.keys() <= set(names)
    ordered = [by_name.get(name) for name in names] if named else list(nodes)
    points: list[float] = []
    seen: list[int] = []
    for node in ordered:
        points += (0.0, 0.0) if node is None else numbers(node["location"][:2], 2)
        letter = NOT_LABELLED if node is None else node.get("visibility")
        seen.append({VISIBLE: 2, None: 2, HIDDEN: 1}.get(letter if isinstance(letter, str) else None, 0))
    unsaid = all(node is not None and node.get("visibility") is None for node in ordered)
    return Keypoints(points=tuple(points), visibility=None if unsaid else tuple(seen))


def write_keypoints(keypoints: Keypoints, label: Label | None) -> dict[str, Any]:
    """``graph`` of keypoints, with the names and edges that the class has for them."""
    names = (label.keypoints if label is not None else None) or ()
    letters = {0: NOT_LABELLED, 1: HIDDEN, 2: VISIBLE}
    nodes: list[dict[str, Any]] = []
    for i in range(len(keypoints)):
        node: dict[str, Any] = {"id": str(i), "location": list(keypoints.points[2 * i : 2 * i + 2])}
        if i < len(names):
            node["category"] = names[i]
        if keypoints.visibility is not None:
            node["visibility"] = letters[int(keypoints.visibility[i])]
        nodes.append(node)
    edges = label.skeleton if label is not None else ()
    inside = [(a, b) for a, b in edges if a < len(nodes) and b < len(nodes)]
    return {"nodes": nodes, "edges": [{"source": str(a), "target": str(b), "type": ""} for a, b in inside], "type": ""}
