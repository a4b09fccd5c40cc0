"""What the commands of one run share: the registry, how to speak, how to end."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from labelglot.cli.screen import Screen, as_json

if TYPE_CHECKING:
    from labelglot.engine.executor import Cancel
    from labelglot.errors import LabelglotError
    from labelglot.formats.base import Format
    from labelglot.formats.registry import Registry

DONE, FAILED, USAGE, LOSSY, SKIPPED, GATE = 0, 1, 2, 3, 4, 6
"""Exit codes. 5 (conflict) is reserved; 6: something is wrong with what was checked."""
INTERRUPTED = 130
"""What shells expect after Ctrl-C."""


class Session:
    """Commands get it as ``context.obj``; those of plugins may use it too."""

    def __init__(self, registry: Registry | None = None) -> None:
        self._registry = registry
        self.screen = Screen()
        self.json = False

    @cached_property
    def registry(self) -> Registry:
        """The formats and hooks of this run."""
        if self._registry is not None:
            return self._registry
        from labelglot.formats.registry import default_registry

        return default_registry()

    def may_have_plugin_commands(self) -> bool:
        """Whether some plugin may bring commands; told without importing anything if none can."""
        if self._registry is not None or os.environ.get("LABELGLOT_PLUGINS"):
            return True
        from labelglot.installed import entries

        return any(entry.is_module for entry in entries())

    @cached_property
    def cancel(self) -> Cancel:
        """Set by Ctrl-C; long work looks at it between two chunks."""
        from labelglot.engine.executor import Cancel

        return Cancel()

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let Ctrl-C set the token as well: an exception alone can get lost where Python may not raise one."""
        usual = signal.getsignal(signal.SIGINT)
        if usual is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
            yield
            return

        def interrupt(number: int, frame: object) -> NoReturn:
            if "cancel" in self.__dict__:
                self.cancel.set()
            raise KeyboardInterrupt

        def lost(event: sys.UnraisableHookArgs) -> None:
            if not isinstance(event.exc_value, KeyboardInterrupt):
                usual_lost(event)

        usual_lost, sys.unraisablehook = sys.unraisablehook, lost
        signal.signal(signal.SIGINT, interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, usual)
            sys.unraisablehook = usual_lost

    @contextmanager
    def observing(self, observer: Any) -> Iterator[None]:
        """Let ``observer`` hear what the engine says, for a while."""
        self.registry.register(observer)
        try:
            yield
        finally:
            self.registry.unregister(observer)

    def speak(self, json: bool = False, quiet: bool = False) -> Screen:
        """Say how this command speaks: for people, or JSON on stdout."""
        self.json = json
        self.screen = Screen(quiet or json)
        return self.screen

    def data(self, value: Any) -> None:
        """JSON on stdout."""
        sys.stdout.write(as_json(value) + "\n")

    def format(self, id: str) -> Format:
        """The format the user named; a name that does not exist is a wrong command line."""
        from labelglot.errors import FormatUnknown

        try:
            return self.registry.get(id)
        except FormatUnknown as error:
            self.fail(error, USAGE)

    def pairs(self, texts: list[str] | None) -> dict[str, str]:
        """``key=value`` texts as a mapping."""
        if not texts:
            return {}
        from labelglot.options import pairs

        return pairs(texts)

    def code(self, error: LabelglotError) -> int:
        """The exit code that an error deserves."""
        from labelglot.errors import Cancelled, LossRefused, OptionError

        for kind, code in ((LossRefused, LOSSY), (OptionError, USAGE), (Cancelled, INTERRUPTED)):
            if isinstance(error, kind):
                return code
        return FAILED

    def fail(self, error: LabelglotError, code: int | None = None, **more: Any) -> NoReturn:
        """End with an error: its sentence and what to do next."""
        raise typer.Exit(self.tell(error, code, **more))

    def tell(self, error: LabelglotError, code: int | None = None, **more: Any) -> int:
        """Show an error and return its exit code. ``more`` is added to what ``--json`` prints."""
        code = self.code(error) if code is None else code
        self._trace(error)
        self.screen.error(f"error: {error.place}: {error.message}" if error.place else f"error: {error.message}")
        if error.hint:
            self.screen.error(f"hint: {error.hint}")
        if self.json:
            self.data(failure(error, code, **more))
        return code

    def crash(self, error: Exception) -> int:
        """Show an error nobody foresaw: one line, and whom to tell."""
        from labelglot.errors import LabelglotError

        self._trace(error)
        owner, place = blame(error)
        told = LabelglotError(
            f"unexpected {type(error).__name__}: {error}",
            place,
            f"this is a bug in {owner}; please report it to its authors with what LABELGLOT_DEBUG=1 shows and what "
            "labelglot doctor says",
        )
        told.code = "internal"
        return self.tell(told, FAILED)

    def _trace(self, error: BaseException) -> None:
        if os.environ.get("LABELGLOT_DEBUG") and error.__traceback__ is not None:
            import traceback

            for line in "".join(traceback.format_exception(error)).splitlines():
                self.screen.error(line)


def failure(error: LabelglotError, code: int, **more: Any) -> dict[str, Any]:
    """An error as data."""
    facts = {"code": error.code, "message": error.message, "place": error.place, "hint": error.hint}
    return {"status": "failed", "exit_code": code, "error": facts, **more}


def blame(error: BaseException) -> tuple[str, str]:
    """The distribution whose code failed, and where. Other people's code counts for the plugin that called it."""
    import traceback

    from labelglot.installed import entries

    packages = {entry.point.module.partition(".")[0]: entry for entry in entries()}
    owner, place = "labelglot", "unknown place"
    for frame, line in traceback.walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__", ""))
        top = module.partition(".")[0]
        if top == "labelglot":
            owner, place = "labelglot", f"{module}:{line}"
        elif top in packages:
            owner, place = f"{packages[top].package} {packages[top].version}", f"{module}:{line}"
        elif top.startswith("labelglot_file_"):
            owner = place = f"{top.removeprefix('labelglot_file_')}.py:{line}"
    return owner, place
