"""``labelglot doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from labelglot.cli.options import Json
from labelglot.cli.session import DONE, FAILED, Session

if TYPE_CHECKING:
    from labelglot.formats.registry import Registry


def command(context: typer.Context, json: Json = False) -> None:
    """Check the installation and every plugin.

    Shows versions, entry points, and the traceback of a plugin that does not load. Exits with 1 if something is broken.
    """
    session: Session = context.obj
    screen = session.speak(json)
    facts = examine(session.registry)
    code = FAILED if facts["broken"] or facts["conflicts"] or facts["unknown_hooks"] else DONE
    if json:
        session.data({"exit_code": code, **facts})
    for name, version in facts["versions"].items():
        screen.line(f"{name} {version}")
    screen.line(f"hook API {facts['hook_api']}")
    rows = [(p["name"], p["package"], p["version"], p["entry_point"], p["state"]) for p in facts["plugins"]]
    screen.table(("plugin", "package", "version", "entry point", "state"), rows)
    for broken in facts["broken"]:
        screen.line(f'broken: "{broken["name"]}" ({broken["package"] or "file"}): {broken["cause"]}')
        for line in broken["traceback"].splitlines():
            screen.line(line, 1)
    for conflict in facts["conflicts"]:
        screen.line(f"conflict: {conflict}")
    for hook in facts["unknown_hooks"]:
        screen.line(f"unknown hook, never called: {hook}")
    screen.line("something is broken" if code else "all is well")
    raise typer.Exit(code)


CORE = ("labelglot-core", "pydantic", "msgspec", "lxml", "numpy", "pillow", "fsspec", "pluggy", "typer", "rich")
"""Distributions whose versions matter for a bug report."""


def examine(registry: Registry) -> dict[str, Any]:
    """The state of an installation as plain values. Imports every plugin."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    from labelglot.hooks import HOOK_API

    _ = registry.hook
    formats = registry.formats()
    broken = registry.broken()
    versions = {"Python": platform.python_version(), "system": platform.platform()}
    for name in CORE:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    plugins = [
        {
            "name": entry.name,
            "package": entry.package,
            "version": entry.version,
            "entry_point": entry.point.value,
            "kind": "hooks" if entry.is_module else "format",
            "state": "broken" if entry.name in broken else "ok",
        }
        for entry in registry.entries()
    ]
    listed = {plugin["name"] for plugin in plugins}
    plugins += [
        {
            "name": each.id,
            "package": registry.origin(each.id)[0],
            "version": registry.origin(each.id)[1],
            "entry_point": f"{type(each).__module__}:{type(each).__qualname__}",
            "kind": "format",
            "state": "ok",
        }
        for each in formats
        if each.id not in listed
    ]
    return {
        "versions": versions,
        "hook_api": HOOK_API,
        "formats": len(formats),
        "plugins": plugins,
        "broken": [
            {"name": b.name, "package": b.package, "version": b.version, "cause": str(b.cause), "traceback": b.traceback}
            for b in broken.values()
        ],
        "conflicts": list(registry.conflicts()),
        "unknown_hooks": list(registry.unknown_hooks()),
    }
