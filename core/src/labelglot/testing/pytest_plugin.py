"""Pytest plugin installed with the core. Reports which formats the generated suites see."""

from __future__ import annotations

from typing import Any


def pytest_report_header(config: Any) -> str:
    """Name the number of formats installed, so that a missing plugin is noticed."""
    from labelglot.formats.registry import default_registry

    return f"labelglot: {len(default_registry().ids())} formats"
