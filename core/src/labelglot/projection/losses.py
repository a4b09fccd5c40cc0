"""Where losses go while a sample is reduced."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from labelglot.report import Loss, Severity


class Lost(NamedTuple):
    """A loss without its place: what the projection remembers for objects of the same outline."""

    code: str
    aspect: str
    detail: str
    severity: Severity


class LossSink:
    """Takes losses of one sample after the other. This one forgets them."""

    def __call__(self, code: str, aspect: str, position: int | None, detail: str, severity: Severity) -> None:
        """Note a loss of the annotation at ``position`` (``None``: of the sample)."""

    def replay(self, losses: tuple[Lost, ...], position: int) -> None:
        """Note the same losses again for another annotation. ``losses`` is the same object for the same outline."""
        for loss in losses:
            self(loss.code, loss.aspect, position, loss.detail, loss.severity)

    def replay_all(self, losses: tuple[Lost, ...], number: int) -> None:
        """Note the same losses for each of the first ``number`` annotations."""
        if losses:
            for position in range(number):
                self.replay(losses, position)


class LossList(LossSink):
    """Keeps the losses of one sample."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.losses: list[Loss] = []

    def __call__(self, code: str, aspect: str, position: int | None, detail: str, severity: Severity) -> None:
        self.losses.append(Loss(code, aspect, self.key, position, detail, severity))


class HeldLosses(LossSink):
    """Keeps the losses of one sample until it is known which of its objects stay."""

    def __init__(self) -> None:
        self.held: list[tuple[str, str, int | None, str, Severity]] = []

    def __call__(self, code: str, aspect: str, position: int | None, detail: str, severity: Severity) -> None:
        self.held.append((code, aspect, position, detail, severity))

    def release(self, lose: LossSink, kept: Collection[int]) -> None:
        """Pass them on; of objects that are not kept, only that they are gone. ``kept``: positions of the others."""
        for loss in self.held:
            if loss[1] == "annotation" or loss[2] is None or loss[2] in kept:
                lose(*loss)


__all__ = ["HeldLosses", "LossList", "LossSink", "Lost"]
