"""A progress bar for work that turns out to be long."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import Any, Self

from labelglot.hooks import hookimpl

PATIENCE = 0.5
"""Seconds before a bar appears: most conversions are done by then."""
INTERVAL = 0.1
"""Seconds between two drawings."""

PHASES = {"survey": "looking", "samples": "converting", "reading": "reading"}


class Bar:
    """Follows a conversion as an observer, or is told directly. Draws only on a terminal."""

    def __init__(self, quiet: bool = False) -> None:
        self.wanted = not quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._began = self._drawn = time.monotonic()
        self._progress: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    @hookimpl
    def progress(self, conversion: str, event: dict[str, Any]) -> None:
        """Hook: some samples are done."""
        self.tell(event["phase"], event["done"], event["total"])

    def tell(self, phase: str, done: int, total: int) -> None:
        """``done`` of ``total`` samples went through a phase."""
        now = time.monotonic()
        if not self.wanted or now - self._began < PATIENCE or now - self._drawn < INTERVAL:
            return
        self._drawn = now
        if self._progress is None:
            self._start()
        self._progress.update(
            self._task, description=PHASES.get(phase, phase), completed=done, total=total, refresh=True
        )

    def _start(self) -> None:
        """Draw on demand: a thread that refreshes would keep the engine from forking its workers."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            auto_refresh=False,
        )
        self._progress.start()
        self._task = self._progress.add_task("")
