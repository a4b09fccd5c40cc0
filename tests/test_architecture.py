"""The rules that hold the repository together."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))


def load(path):
    return tomllib.loads((path / "pyproject.toml").read_text())


def test_the_root_depends_on_every_member():
    root = load(ROOT)
    names = {load(path)["project"]["name"] for path in [ROOT / "core", ROOT / "core" / "native", *PLUGINS]}
    wanted = {text.split(">")[0] for text in root["project"]["dependencies"]}
    assert wanted == names
    assert set(root["tool"]["uv"]["sources"]) == names


def test_core_imports_no_plugin_and_plugins_do_not_import_each_other():
    packages = {path.name: next((path / "src").iterdir()).name for path in PLUGINS}
    for folder in [ROOT / "core", *PLUGINS]:
        for file in folder.glob("src/**/*.py"):
            text = file.read_text()
            for name, package in packages.items():
                if folder.name != name:
                    assert f"import {package}" not in text and f"from {package}" not in text, file
