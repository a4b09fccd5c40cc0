"""Plugins of other times are refused with a clear word, and never fatally."""

import labelglot as lg
import pytest
from labelglot import errors, hooks
from worker_formats import Lines


class FromTheFuture(Lines):
    id = "future"
    LABELGLOT_HOOK_API = hooks.HOOK_API + 1


class FromThePast(Lines):
    id = "past"
    LABELGLOT_HOOK_API = hooks.OLDEST_HOOK_API - 1


class Odd(Lines):
    id = "odd"
    LABELGLOT_HOOK_API = "one"


@pytest.mark.parametrize(
    ("plugin", "advice"),
    [(FromTheFuture, "install a newer labelglot-core"), (FromThePast, "newer release of the plugin"), (Odd, "hook API one")],
)
def test_another_version_is_refused(plugin, advice):
    registry = lg.Registry()
    for part in (plugin, plugin()):
        with pytest.raises(errors.PluginError, match=advice):
            registry.register(part)
    assert registry.formats() == ()


def test_the_versions_served_are_taken(monkeypatch):
    monkeypatch.setattr(hooks, "HOOK_API", 3)
    registry = lg.Registry()
    registry.register(FromTheFuture)
    assert registry.ids() == ("future",)
    with pytest.raises(errors.PluginError, match="serves 1 to 3"):
        hooks.check_hook_api(FromThePast)


def test_the_file_of_another_time_is_shown_and_skipped(tmp_path, monkeypatch):
    file = tmp_path / "plugin.py"
    file.write_text(
        "from worker_formats import Lines\n\nclass Later(Lines):\n    id = 'later'\n    LABELGLOT_HOOK_API = 99\n"
    )
    monkeypatch.setenv("LABELGLOT_PLUGINS", str(file))
    registry = lg.Registry.installed()
    assert "later" not in registry.ids()
    assert "hook API 99" in str(registry.broken()["plugin.py"])
