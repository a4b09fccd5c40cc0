"""Hook specifications. A plugin implements any of them with ``@labelglot.hookimpl``.

A module with implementations is installed by an entry point of the group ``labelglot`` that names the module
(``studio = "labelglot_studio"``), a format by one that names its class.
The version of this interface is ``HOOK_API``. A format states the version it was built for as a class attribute
``LABELGLOT_HOOK_API``, a module as a constant of that name; one that says nothing was built for version 1. A plugin for a
version that this labelglot does not serve is refused with a clear word (docs/stability.md says what counts as a change).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pluggy

from labelglot.errors import PluginError

if TYPE_CHECKING:
    from labelglot.formats.base import Format
    from labelglot.report import Loss, Problem
    from labelglot.storage import Source, Target

HOOK_API = 1
"""The version of the hooks, of ``labelglot.plugin`` and of :class:`~labelglot.formats.base.Format`."""

OLDEST_HOOK_API = 1
"""The oldest version that plugins may be built for."""


def check_hook_api(plugin: object) -> None:
    """Raise :class:`~labelglot.errors.PluginError` if a plugin (class or module) is built for a version not served."""
    built = getattr(plugin, "LABELGLOT_HOOK_API", 1)
    if isinstance(built, int) and OLDEST_HOOK_API <= built <= HOOK_API:
        return
    served = f"{OLDEST_HOOK_API} to {HOOK_API}" if OLDEST_HOOK_API < HOOK_API else f"{HOOK_API}"
    newer = isinstance(built, int) and built > HOOK_API
    raise PluginError(
        f"it is built for hook API {built}, this labelglot serves {served}",
        hint=f"install a newer {'labelglot-core' if newer else 'release of the plugin'}",
    )


hookspec = pluggy.HookspecMarker("labelglot")
hookimpl = pluggy.HookimplMarker("labelglot")


@hookspec
def labelglot_formats() -> Iterable[Format]:  # type: ignore[empty-body]
    """Formats this plugin brings."""


@hookspec
def labelglot_commands(app: Any) -> None:
    """Add commands to the typer application ``app``."""


@hookspec
def labelglot_steps() -> Iterable[Any]:  # type: ignore[empty-body]
    """Transforms this plugin brings. Reserved: core defines no step yet."""


@hookspec
def labelglot_checks() -> Iterable[Any]:  # type: ignore[empty-body]
    """Checks this plugin brings: visitors for ``scan`` (see ``labelglot.engine.scan``)."""


@hookspec(firstresult=True)
def labelglot_executor(name: str, workers: int) -> Any:
    """The executor called ``name``, or ``None``."""


@hookspec(firstresult=True)
def resolve_source(where: str) -> Source | None:
    """A source for a string that is not a plain path (``mydb://set``), asked before path handling."""


@hookspec(firstresult=True)
def resolve_target(where: str, overwrite: bool) -> Target | None:
    """A target for a string that is not a plain path, asked before path handling."""


@hookspec
def conversion_started(conversion: str, event: dict[str, Any]) -> None:
    """A conversion began. ``event`` is JSON-able: source, target, formats, totals."""


@hookspec
def progress(conversion: str, event: dict[str, Any]) -> None:
    """Some work is done. ``event``: phase, done, total, sequence."""


@hookspec
def loss(conversion: str, loss: Loss, count: int) -> None:
    """A kind of loss was found ``count`` times; ``loss`` is the first example."""


@hookspec
def problem(conversion: str, problem: Problem, count: int) -> None:
    """A kind of problem was found ``count`` times; ``problem`` is the first example."""


@hookspec
def conversion_finished(conversion: str, event: dict[str, Any]) -> None:
    """A conversion ended. ``event``: status and the report as plain values."""
