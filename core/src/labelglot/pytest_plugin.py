"""Pytest plugin installed with the core: hypothesis profiles, and the generated suite for what is installed.

The suite is collected when ``--labelglot`` is given, or by plain ``pytest`` where the ini file says
``labelglot_suite = true``. ``--labelglot-only a,b`` runs it for these formats and the pairs they
are in, and nothing else but the paths that are given.
``LABELGLOT_EXAMPLES``: datasets per check, there and in ``conformance(...)``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

SUITE = Path(__file__).parent / "testing" / "suite.py"


def pytest_addoption(parser: Any) -> None:
    """Options and the ini setting that choose the generated suite."""
    group = parser.getgroup("labelglot")
    group.addoption("--labelglot", action="store_true", help="run the generated suite for all installed formats")
    group.addoption("--labelglot-only", metavar="IDS", help="run the generated suite for these formats and their pairs, and only what is named besides")
    parser.addini("labelglot_suite", "collect the generated suite when no path is given", type="bool", default=False)


def pytest_configure(config: Any) -> None:
    """Register the profiles ``labelglot`` (few examples, no deadline) and ``thorough``; add the suite if asked for."""
    from hypothesis import HealthCheck, settings

    examples = int(os.environ.get("LABELGLOT_EXAMPLES", "30"))
    calm = list(HealthCheck)
    settings.register_profile(
        "labelglot", deadline=None, max_examples=examples, suppress_health_check=calm, derandomize=True
    )
    settings.register_profile("search", deadline=None, max_examples=examples, suppress_health_check=calm)
    settings.register_profile("thorough", deadline=None, max_examples=1000, suppress_health_check=calm)
    settings.load_profile(os.environ.get("LABELGLOT_PROFILE", "labelglot"))
    _shrink_briefly()
    only = config.getoption("--labelglot-only")
    if only:
        _known(only.split(","))
        os.environ["LABELGLOT_ONLY"] = only
        given = config.args if config.args_source is config.ArgsSource.ARGS else []
        config.args[:] = [*given, str(SUITE)]
    elif _wanted(config) and str(SUITE) not in config.args:
        config.args.append(str(SUITE))


def _known(ids: list[str]) -> None:
    """A name that is not installed is an error: a suite of nothing would pass."""
    import pytest

    from labelglot.formats.registry import default_registry

    registry = default_registry()
    missing = [one for one in ids if one not in registry.ids() and one not in registry.broken()]
    if missing:
        raise pytest.UsageError(f"--labelglot-only: not installed: {', '.join(missing)} (see: labelglot doctor)")


def _shrink_briefly() -> None:
    """Look for a smaller example for 20 seconds instead of five minutes, where hypothesis lets itself be told."""
    from hypothesis.internal.conjecture import engine

    if hasattr(engine, "MAX_SHRINKING_SECONDS"):
        engine.MAX_SHRINKING_SECONDS = 20


def _wanted(config: Any) -> bool:
    no_path_given = config.args_source is not config.ArgsSource.ARGS
    return bool(config.getoption("--labelglot") or (config.getini("labelglot_suite") and no_path_given))


def pytest_report_header(config: Any) -> str:
    """Name the number of formats installed, so that a missing plugin is noticed."""
    from labelglot.formats.registry import default_registry

    return f"labelglot: {len(default_registry().ids())} formats"
