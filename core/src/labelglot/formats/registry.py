"""Which formats there are. Entry-point names are read from metadata; a plugin is imported when it is asked for."""

from __future__ import annotations

import difflib
import os
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pluggy
from labelglot import hooks
from labelglot.errors import FormatUnknown, PluginError
from labelglot.formats.base import Format
from labelglot.installed import Entry, entries


class BrokenPlugin(NamedTuple):
    """A plugin that could not be loaded: who ships it, why, and the traceback."""

    name: str
    package: str
    version: str
    cause: BaseException
    traceback: str

    def __str__(self) -> str:
        shipped = f" ({self.package} {self.version})" if self.package else ""
        return f'plugin "{self.name}"{shipped} could not be imported: {self.cause}'


class Registry:
    """A set of formats and hook implementations. Independent of any other registry.

    ``Registry()`` is empty; ``Registry.installed()`` knows what is installed, without importing it.
    """

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._formats: dict[str, Format] = {}
        self._aliases: dict[str, str] = {}
        self._broken: dict[str, BrokenPlugin] = {}
        self._conflicts: list[str] = []
        self._loaded: set[str] = set()
        self._shipped: dict[str, Entry] = {}
        self._manager = pluggy.PluginManager("labelglot")
        self._manager.add_hookspecs(hooks)

    @classmethod
    def installed(cls) -> Registry:
        """All plugins of the environment, by entry-point metadata, and the files named in ``LABELGLOT_PLUGINS``."""
        self = cls()
        self.refresh()
        return self

    def refresh(self) -> None:
        """Read the metadata again, e.g. after a package was installed."""
        for entry in entries():
            known = self._entries.get(entry.name)
            if known is not None and known.package != entry.package:
                self._conflicts.append(
                    f'"{entry.name}" comes from {known.package} and {entry.package}; {known.package} is used'
                )
                continue
            self._entries[entry.name] = entry
        for name in filter(None, os.environ.get("LABELGLOT_PLUGINS", "").split(os.pathsep)):
            self.load_file(Path(name))

    def load_file(self, path: Path) -> None:
        """Register what a single Python file defines: its formats and its hooks."""
        from labelglot.plugin_file import import_file

        try:
            module = import_file(path)
            self.register(module)
        except Exception as error:
            self._broken[path.name] = BrokenPlugin(path.name, "", "", error, traceback.format_exc())

    def register(self, part: Any) -> None:
        """Add a format (object or class), a module with formats or hooks, or an object with hook implementations."""
        hooks.check_hook_api(part)
        if isinstance(part, type) and issubclass(part, Format):
            part = part()
        if isinstance(part, Format):
            self._add(part)
            return
        self._manager.register(part)
        for found in self._manager.subset_hook_caller(
            "labelglot_formats", [p for p in self._manager.get_plugins() if p is not part]
        )():
            for each in found:
                self._add(each() if isinstance(each, type) else each)
        own = vars(part).values() if hasattr(part, "__file__") else ()
        for value in list(own):
            own_class = isinstance(value, type) and issubclass(value, Format) and value.__module__ == part.__name__
            if own_class and "id" in value.__dict__ and value.id not in self._formats:
                self._add(value())

    def unregister(self, part: Any) -> None:
        """Remove an object with hook implementations, e.g. an observer that has seen enough."""
        self._manager.unregister(part)

    def _add(self, format: Format) -> None:
        hooks.check_hook_api(format)
        if format.id in self._formats:
            raise PluginError(f'a format "{format.id}" is registered already', hint="give yours another id")
        self._formats[format.id] = format
        for alias in format.aliases:
            owner = self._aliases.setdefault(alias, format.id)
            if owner != format.id:
                self._conflicts.append(f'alias "{alias}" is claimed by {owner} and {format.id}; {owner} is used')

    def add_hookspecs(self, module: Any) -> None:
        """Let a family of plugins bring hooks of its own."""
        self._manager.add_hookspecs(module)

    @property
    def hook(self) -> Any:
        """Call hooks: ``registry.hook.progress(...)``. Imports the hook plugins, not the formats."""
        self._load_hook_plugins()
        return self._manager.hook

    def _load_hook_plugins(self) -> None:
        for name, entry in self._entries.items():
            if entry.is_module and name not in self._loaded:
                self._load(name)

    def entries(self) -> tuple[Entry, ...]:
        """The entry points this registry knows, by name."""
        return tuple(self._entries[name] for name in sorted(self._entries))

    def unknown_hooks(self) -> tuple[str, ...]:
        """Hook implementations of plugins loaded so far that no specification knows, so nobody will call them."""
        found = []
        for plugin in self._manager.get_plugins():
            owner = self._manager.get_canonical_name(plugin)
            for caller in self._manager.get_hookcallers(plugin) or ():
                if not caller.has_spec():
                    found.append(f"{owner}: {caller.name}")
        return tuple(sorted(found))

    def ids(self) -> tuple[str, ...]:
        """Ids of all formats, without importing them (hook plugins are imported: they may bring formats)."""
        self._load_hook_plugins()
        named = {name for name, entry in self._entries.items() if not entry.is_module}
        return tuple(sorted((named | set(self._formats)) - set(self._broken)))

    def get(self, id: str) -> Format:
        """The format with this id or alias. Imports that plugin alone (aliases of unloaded plugins load all).

        Raises :class:`FormatUnknown` with the nearest names, :class:`PluginError` if its plugin is broken.
        """
        found = self._load(id)
        if found is None and id not in self._entries:
            if id not in self._aliases:
                for name in list(self._entries):
                    self._load(name)
            found = self._load(self._aliases.get(id, id))
        if found is not None:
            return found
        if id in self._broken:
            raise PluginError(str(self._broken[id]), hint="labelglot doctor shows the traceback")
        near = difflib.get_close_matches(id, [*self.ids(), *self._aliases], n=3, cutoff=0.5)
        meant = f"; did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
        raise FormatUnknown(f'no format "{id}"{meant}', hint="all formats: labelglot formats")

    def _load(self, name: str) -> Format | None:
        if name in self._formats:
            return self._formats[name]
        entry = self._entries.get(name)
        if entry is None or name in self._loaded:
            return None
        self._loaded.add(name)
        before = set(self._formats)
        try:
            loaded = entry.point.load()
            hooks.check_hook_api(loaded)
            made = loaded() if isinstance(loaded, type) else loaded
            if isinstance(made, Format):
                if made.id != name:
                    raise PluginError(f'its entry point is called "{name}", but the id of its format is "{made.id}"')
                self._add(made)
            else:
                self.register(made)
        except Exception as error:
            self._broken[name] = BrokenPlugin(name, entry.package, entry.version, error, traceback.format_exc())
            return None
        finally:
            self._shipped.update(dict.fromkeys(self._formats.keys() - before, entry))
        return self._formats.get(name)

    def formats(self) -> tuple[Format, ...]:
        """All formats that could be loaded, by id. Imports every plugin."""
        for name in list(self._entries):
            self._load(name)
        return tuple(self._formats[name] for name in sorted(self._formats))

    def broken(self) -> dict[str, BrokenPlugin]:
        """Plugins that could not be loaded so far, with package and cause."""
        return dict(self._broken)

    def conflicts(self) -> tuple[str, ...]:
        """Names that two plugins claim, and which one is used. Aliases are only known of formats loaded so far."""
        shadowed = (
            f'alias "{alias}" of {owner} is the id of another format; the format "{alias}" is used'
            for alias, owner in sorted(self._aliases.items())
            if alias in self._formats and alias != owner
        )
        return (*self._conflicts, *shadowed)

    def origin(self, id: str) -> tuple[str, str]:
        """(package, version) that ships a format; empty strings for one registered by hand."""
        entry = self._shipped.get(id) or self._entries.get(id)
        return (entry.package, entry.version) if entry else ("", "")

    def __contains__(self, id: str) -> bool:
        return id in self._formats or id in self._entries or id in self._aliases

    def __iter__(self) -> Iterator[Format]:
        return iter(self.formats())


_default: list[Registry] = []


def default_registry() -> Registry:
    """The registry of installed plugins, made on first use. Pass your own registry to stay apart from it."""
    if not _default:
        _default.append(Registry.installed())
    return _default[0]
