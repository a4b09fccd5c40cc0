"""What observers of a conversion are told."""

from __future__ import annotations

import uuid

from labelglot.engine.executor import Executor, Watched
from labelglot.formats.registry import Registry
from labelglot.report import Report


class Events:
    """Tells observers what happens, as plain values with a running number."""

    def __init__(self, registry: Registry, conversion: str) -> None:
        self.hook, self.conversion = registry.hook, f"{conversion}#{uuid.uuid4().hex[:8]}"
        self.sequence = 0

    def started(self, source: str, target: str, source_format: str, target_format: str, total: int) -> None:
        event = {"source": source, "target": target, "from": source_format, "to": target_format, "total": total}
        self.hook.conversion_started(conversion=self.conversion, event=event)

    def watch(self, executor: Executor, phase: str) -> Watched:
        """The executor, telling observers how far it is."""
        return Watched(executor, lambda done, total: self.progress(phase, done, total))

    def progress(self, phase: str, done: int, total: int) -> None:
        self.sequence += 1
        event = {"phase": phase, "done": done, "total": total, "sequence": self.sequence}
        self.hook.progress(conversion=self.conversion, event=event)

    def finished(self, report: Report) -> None:
        for count, problem in report.first_problems():
            self.hook.problem(conversion=self.conversion, problem=problem, count=count)
        for count, loss in report.first_losses():
            self.hook.loss(conversion=self.conversion, loss=loss, count=count)
        self.hook.conversion_finished(conversion=self.conversion, event={"status": "done", "report": report.to_dict()})
