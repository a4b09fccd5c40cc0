"""What went wrong while reading, and what was lost on the way to the target - counted exactly, shown by example.

Reports of chunks merge; the result is the same for any number of workers because chunks are merged in source order
and examples are capped by arrival.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from labelglot.schema.base import Frozen

EXAMPLES = 5

Severity = Literal["info", "warning", "error"]


class Problem(NamedTuple):
    """Something wrong with a record of the input, and what was done about it."""

    code: str
    message: str
    severity: Severity = "warning"
    place: str | None = None
    key: str | None = None
    object: int | str | None = None
    raw: str | None = None
    action: str = "kept"


class Loss(NamedTuple):
    """Something of one object that the target cannot hold.

    ``aspect`` is the part of the schema that changes (``"box"``, ``"attributes.crowd"``, ``"labels.id"``), ``object``
    the position of the annotation in its sample (``None``: the sample, or the dataset when ``key`` is ``None``).
    """

    code: str
    aspect: str
    key: str | None = None
    object: int | str | None = None
    detail: str = ""
    severity: Severity = "warning"


class Fix(NamedTuple):
    """Something of one object that was set right, and how to take it back.

    ``object``: position of the annotation when it was changed. ``before``/``after``: its fields that changed, as plain
    values; ``after`` is ``None`` if the object was removed, and ``before`` then the whole of it.
    """

    code: str
    message: str
    key: str
    object: int
    before: dict[str, Any]
    after: dict[str, Any] | None


class Line(Frozen):
    """All problems or losses of one code: the exact count and the first examples."""

    code: str
    count: int
    severity: Severity
    sentence: str
    examples: tuple[dict[str, Any], ...] = ()


def _limit(text: str | None, length: int = 200) -> str | None:
    return text if text is None or len(text) <= length else text[: length - 1] + "…"


class ReportState(NamedTuple):
    """A report as plain values, to be stored and read back by :meth:`Report.to_state` and :meth:`Report.from_state`."""

    problems: dict[str, tuple[int, list[Problem]]]
    losses: dict[str, tuple[int, list[Loss]]]
    counts: dict[str, int]
    renamed: dict[str, str]
    fixes: list[Fix]
    skipped: int


class Report:
    """Collects problems, losses and counts. Picklable and mergeable.

    ``examples``: of each code how many are kept. ``fixes``: what was set right on the way, each one, in order.
    """

    def __init__(self, examples: int = EXAMPLES) -> None:
        self.examples = examples
        self.fixes: list[Fix] = []
        self._problems: dict[str, tuple[int, list[Problem]]] = {}
        self._losses: dict[str, tuple[int, list[Loss]]] = {}
        self.counts: dict[str, int] = {}
        self.renamed: dict[str, str] = {}
        self.skipped = 0

    def problem(
        self,
        code: str,
        message: str,
        place: str | None = None,
        *,
        severity: Severity = "warning",
        key: str | None = None,
        object: int | str | None = None,
        raw: object = None,
        action: str = "kept",
    ) -> None:
        """Note a problem. ``action`` says what was done: kept, skipped, fixed...; skipped records are counted."""
        shown = None if raw is None else _limit(raw if isinstance(raw, str) else repr(raw))
        self.add_problem(Problem(code, message, severity, place, key, object, shown, action))

    def add_problem(self, problem: Problem) -> None:
        count, examples = self._problems.get(problem.code, (0, []))
        if len(examples) < self.examples:
            examples.append(problem)
        self._problems[problem.code] = (count + 1, examples)
        if problem.action.startswith("skipped"):
            self.skipped += 1

    def fix(self, fix: Fix) -> None:
        """Note something that was set right, as a problem that is none any more."""
        self.fixes.append(fix)
        self.add_problem(Problem(fix.code, fix.message, "info", None, fix.key, fix.object, None, "fixed"))

    def lose(self, loss: Loss) -> None:
        """Note a loss."""
        count, examples = self._losses.get(loss.code, (0, []))
        if len(examples) < EXAMPLES:
            examples.append(loss)
        self._losses[loss.code] = (count + 1, examples)

    def recount_loss(self, code: str, count: int) -> None:
        """Set the exact number of losses of a code, where only the first examples were noted one by one."""
        self._losses[code] = (count, self._losses[code][1])

    def count(self, name: str, number: int = 1) -> None:
        """Add to a named counter (``samples``, ``annotations``, ``images.copied``...)."""
        self.counts[name] = self.counts.get(name, 0) + number

    def merge(self, other: Report) -> None:
        """Add what a later chunk reported."""
        for code, (count, problems) in other._problems.items():
            mine = self._problems.get(code, (0, []))
            self._problems[code] = (mine[0] + count, (mine[1] + problems)[: self.examples])
        for code, (count, losses) in other._losses.items():
            own = self._losses.get(code, (0, []))
            self._losses[code] = (own[0] + count, (own[1] + losses)[:EXAMPLES])
        for name, number in other.counts.items():
            self.count(name, number)
        self.renamed.update(other.renamed)
        self.fixes.extend(other.fixes)
        self.skipped += other.skipped

    def to_state(self) -> ReportState:
        """All of it as plain values."""
        return ReportState(self._problems, self._losses, self.counts, self.renamed, self.fixes, self.skipped)

    @classmethod
    def from_state(cls, state: ReportState) -> Report:
        """The report that :meth:`to_state` was called on."""
        self = cls()
        self._problems, self._losses, self.counts, self.renamed, self.fixes, self.skipped = state
        return self

    def number(self, code: str) -> int:
        """How many problems of a code there are."""
        return self._problems.get(code, (0, []))[0]

    def problems(self) -> tuple[Line, ...]:
        """Problems, one line per code."""
        return tuple(
            Line(
                code=code,
                count=count,
                severity=examples[0].severity,
                sentence=_problem_sentence(count, examples[0]),
                examples=tuple(_plain(example) for example in examples),
            )
            for code, (count, examples) in self._problems.items()
        )

    def losses(self) -> tuple[Line, ...]:
        """Losses, one line per code."""
        return tuple(
            Line(
                code=code,
                count=count,
                severity=examples[0].severity,
                sentence=loss_sentence(count, examples[0]),
                examples=tuple(_plain(example) for example in examples),
            )
            for code, (count, examples) in self._losses.items()
        )

    def first_problems(self) -> Iterator[tuple[int, Problem]]:
        """Count and first example of each kind of problem."""
        yield from ((count, examples[0]) for count, examples in self._problems.values())

    def first_losses(self) -> Iterator[tuple[int, Loss]]:
        """Count and first example of each kind of loss."""
        yield from ((count, examples[0]) for count, examples in self._losses.values())

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "counts": dict(sorted(self.counts.items())),
            "skipped": self.skipped,
            "problems": [line.model_dump() for line in self.problems()],
            "losses": [line.model_dump() for line in self.losses()],
            "renamed": dict(sorted(self.renamed.items())),
            "fixes": [fix._asdict() for fix in self.fixes],
        }

    def __iter__(self) -> Iterator[Line]:
        yield from self.problems()
        yield from self.losses()


def _plain(item: Problem | Loss) -> dict[str, Any]:
    return {name: value for name, value in item._asdict().items() if value not in (None, "") and name != "severity"}


def _where(key: str | None, object: int | str | None) -> str:
    if key is None:
        return "" if object is None else f" ({object})"
    return f" ({key})" if object is None else f" ({key}, object {object})"


def _problem_sentence(count: int, first: Problem) -> str:
    place = f"{first.place}: " if first.place else ""
    more = f", {count} in all" if count > 1 else ""
    return f"{place}{first.message}{'' if first.place else _where(first.key, first.object)}; {first.action}{more}"


_THINGS = {"sample": "images", "labels": "classes", "info": "facts about the dataset", "extra": "records"}
_ONE = {"classes": "class", "facts about the dataset": "fact about the dataset"}


def loss_sentence(count: int, first: Loss) -> str:
    """One human sentence for a loss: what, how often, what became of it, the first place."""
    what = first.aspect.removeprefix("attributes.")
    if first.aspect.startswith("attributes."):
        what = f'attribute "{what}"'
    elif first.code.startswith("shape."):
        what = first.code.split(".", 1)[1].replace("_", " ")
    thing = _THINGS.get(first.aspect.split(".", 1)[0])
    if thing is None:
        thing = "images" if first.object is None else "objects"
    if count == 1:
        thing = _ONE.get(thing, thing.removesuffix("s"))
    outcome = first.detail or "not kept"
    return f"{what} of {count:,} {thing}: {outcome}{_where(first.key, first.object)}"
