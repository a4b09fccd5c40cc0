"""The distributions in ``third_party`` are tested where they are installed: see ``test_third_party``."""

import pytest

collect_ignore = ["third_party"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Heavy tests run only if they are asked for: ``-m heavy``."""
    if "heavy" in (config.getoption("-m") or ""):
        return
    for item in items:
        if item.get_closest_marker("heavy"):
            item.add_marker(pytest.mark.skip(reason="run it with -m heavy"))
