"""Pytest plugin installed with the core: hypothesis profiles, and which formats the generated suites see."""

from __future__ import annotations

import os
from typing import Any


def pytest_configure(config: Any) -> None:
    """Register the profiles ``labelglot`` (few examples, no deadline) and ``thorough``; pick one by environment."""
    from hypothesis import HealthCheck, settings

    settings.register_profile("labelglot", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile(
        "thorough", deadline=None, max_examples=1000, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile(os.environ.get("LABELGLOT_PROFILE", "labelglot"))


def pytest_report_header(config: Any) -> str:
    """Name the number of formats installed, so that a missing plugin is noticed."""
    from labelglot.formats.registry import default_registry

    return f"labelglot: {len(default_registry().ids())} formats"
