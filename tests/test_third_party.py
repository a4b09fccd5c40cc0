"""Plugins of other people: two that live in no workspace, installed like any package and tested where they are installed.

Each environment is built from the folders, as an author would: the core with its tests, a few families, the plugins.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from labelglot.testing import conformance

ROOT = Path(__file__).parents[1]
PLUGINS = ("labelglot-gantry-xml", "labelglot-punchcard")
FORMATS = ("gantry-xml", "punchcard", "coco", "yolo", "voc", "labelglot")
CORE = f"{ROOT / 'core'}[testing]"
NAMES = ("coco", "yolo", "voc", "labelglot")
FAMILIES = tuple(str(ROOT / "plugins" / name) for name in NAMES)
FRESH = [word for name in ("core", *NAMES) for word in ("--refresh-package", f"labelglot-{name}")]
"""Otherwise uv takes what it built of these folders before, while only their pyproject.toml is as it was."""
EXAMPLES = {"LABELGLOT_EXAMPLES": "10"}
CHECKS = sum(name.startswith("test_") for name in vars(conformance("labelglot")))
"""Tests in the generated suite of one format."""


def uv() -> list[str] | None:
    if os.environ.get("UV"):
        return [os.environ["UV"]]
    if importlib.util.find_spec("uv"):
        return [sys.executable, "-m", "uv"]
    found = shutil.which("uv")
    return [found] if found else None


def run(*command: object, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A command that knows nothing of the environment these tests run in."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LABELGLOT_", "PYTEST_", "PYTHON", "VIRTUAL_ENV", "UV_PROJECT"))}
    return subprocess.run(
        [str(word) for word in command], cwd=cwd, env={**kept, **(env or {})}, capture_output=True, text=True, timeout=600,
        check=False,
    )  # fmt: skip


class Environment:
    """A fresh environment in a folder, without anything of the one these tests run in."""

    def __init__(self, where: Path) -> None:
        self.where, self.tool = where, uv()
        self.bin = where / "env" / ("Scripts" if os.name == "nt" else "bin")
        self.python = self.bin / ("python.exe" if os.name == "nt" else "python")
        make = [*self.tool, "venv", "-q", "--python", sys.executable] if self.tool else [sys.executable, "-m", "venv"]
        done = run(*make, where / "env", cwd=where)
        assert done.returncode == 0, done.stderr

    def install(self, *packages: object) -> None:
        done = self._install(*packages)
        if done.returncode:
            offline = self._install("pytest", "--dry-run").returncode != 0
            if offline:
                pytest.skip(f"no environment can be built, the package registry does not answer:\n{done.stderr[-400:]}")
            pytest.fail(f"installing {packages} fails:\n{done.stdout}{done.stderr}")

    def _install(self, *words: object) -> subprocess.CompletedProcess[str]:
        if self.tool:
            return run(*self.tool, "pip", "install", "-q", "--python", self.python, *FRESH, *words, cwd=self.where)
        return run(self.python, "-m", "pip", "install", "-q", *words, cwd=self.where)

    def pytest(self, *words: str, cwd: Path) -> int:
        """The number of tests that passed; all of them must."""
        done = run(self.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words, cwd=cwd, env=EXAMPLES)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr
        last = done.stdout.strip().splitlines()[-1]
        counts = re.fullmatch(r"(\d+) passed(?:, \d+ warnings?)? in .*", last)
        assert counts, last
        return int(counts[1])


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The core, a few families, and both plugins; their folders are copied, so that the tests leave nothing in the tree."""
    where = tmp_path_factory.mktemp("third-party")
    for name in PLUGINS:
        ignored = shutil.ignore_patterns(".*", "__pycache__", "dist", "*.egg-info")
        shutil.copytree(ROOT / "tests" / "third_party" / name, where / name, ignore=ignored)
    found = Environment(where)
    found.install(CORE, *FAMILIES, *(where / name for name in PLUGINS))
    return found


@pytest.mark.parametrize("name", PLUGINS)
def test_own_tests_of_a_plugin(installed: Environment, name: str) -> None:
    own = sum(
        len(re.findall(r"^def test_", path.read_text(), re.MULTILINE))
        for path in (installed.where / name / "tests").glob("test_*.py")
    )
    assert own > 1
    assert installed.pytest(cwd=installed.where / name) == CHECKS + own


def test_pairs_with_other_formats(installed: Environment) -> None:
    listed = "import labelglot as lg; print(*(f.id for f in lg.Registry.installed().formats() if f.reads and f.writes))"
    ids = run(installed.python, "-c", listed, cwd=installed.where).stdout.split()
    assert set(FORMATS) < set(ids)
    passed = installed.pytest("--labelglot", "--labelglot-only", ",".join(FORMATS), cwd=installed.where)
    each_pair_and_that_all_load = len(ids) + 1
    assert passed == CHECKS * len(FORMATS) + each_pair_and_that_all_load


def test_only_what_is_installed_can_be_chosen(installed: Environment) -> None:
    done = run(installed.python, "-m", "pytest", "--labelglot-only", "gantry-xml,createml", cwd=installed.where)
    assert done.returncode == 4 and "not installed: createml" in done.stderr


def test_a_new_plugin_in_an_environment_with_the_core_alone(tmp_path: Path) -> None:
    alone = Environment(tmp_path)
    alone.install(CORE)
    made = run(alone.bin / "labelglot", "new", "acme-xml", "--shape", "per-image", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    folder = tmp_path / "labelglot-acme-xml"
    alone.install("-e", f"{folder}[test]")
    assert alone.pytest(cwd=folder) == CHECKS + 1
