"""Which format a source is in: all candidates with their reasons, as data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from labelglot.errors import FormatAmbiguous, FormatUnknown
from labelglot.formats.base import Format
from labelglot.formats.registry import Registry
from labelglot.storage import Source

MARGIN = 0.1
"""Two candidates closer than this are a tie that the user decides."""


class Candidate(NamedTuple):
    """A format that may fit, how well (0..1), and why."""

    format: Format
    confidence: float
    reason: str


def candidates(source: Source, registry: Registry) -> list[Candidate]:
    """Every format that recognises the source, best first. Never raises: a detector that fails is left out."""
    found = []
    for format in registry.formats():
        if not format.reads:
            continue
        try:
            match = format.detect(source)
        except Exception as error:
            found.append(Candidate(format, 0.0, f"its detector failed: {error!r}"))
            continue
        if match is not None and match.confidence > 0:
            found.append(Candidate(format, match.confidence, match.reason))
    return sorted(found, key=lambda c: (-c.confidence, c.format.id))


def detect(source: Source, registry: Registry) -> Format:
    """The one format of a source. Raises with the candidates if there are several, with what was seen if none."""
    return choose(candidates(source, registry), source)


def choose(found: Sequence[Candidate], source: Source) -> Format:
    """The best of all candidates; see :func:`detect`."""
    able = [c for c in found if c.confidence > 0]
    if not able:
        names = source.files()
        shown = ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")
        failed = "".join(f"; {c.format.id}: {c.reason}" for c in found)
        raise FormatUnknown(
            f"no format recognises it (files: {shown or 'none'}{failed})",
            source.where,
            "name the format with --from; all formats: labelglot formats",
        )
    best = [c for c in able if c.confidence > able[0].confidence - MARGIN]
    if len(best) > 1:
        listed = "; ".join(f"{c.format.id} ({c.reason})" for c in best)
        raise FormatAmbiguous(f"{len(best)} formats match: {listed}", source.where, "choose with --from")
    return best[0].format
