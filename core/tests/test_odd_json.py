"""Readers of JSON, on their examples with something replaced by what is not expected there."""

import json
from pathlib import Path
from zlib import crc32

import pytest
from labelglot.formats.registry import default_registry
from labelglot.testing.odd_json import odd_documents, survives

PLUGINS = Path(__file__).parents[2] / "plugins"
TIMES = 6
"""Documents made of each file."""
MOST = 3
"""Files of an example that are tried: those that come first, by name."""


def examples():
    """A folder for each format that has one, as (format id, folder)."""
    registry = default_registry()
    for folder in sorted(PLUGINS.glob("*/tests/data/*")):
        if folder.is_dir() and folder.name in registry.ids():
            yield folder.name, folder


def parsed(path):
    """The document in a file and whether it is one of lines; ``None`` if it is no JSON."""
    try:
        return json.loads(path.read_bytes()), False
    except ValueError:
        pass
    try:
        rows = [json.loads(line) for line in path.read_bytes().splitlines() if line.strip()]
    except ValueError:
        return None
    return (rows, True) if rows else None


def encoded(document, lines):
    if not lines:
        return json.dumps(document).encode()
    return "\n".join(map(json.dumps, document)).encode()


@pytest.mark.parametrize(("id_", "folder"), [pytest.param(*found, id=found[0]) for found in examples()])
def test_odd_values_anywhere_are_no_exceptions(id_, folder):
    format = default_registry().get(id_)
    if not (format.reads and format.writes):
        pytest.skip("it is not both read and written")
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    documents = {name: found for name, path in files.items() if (found := parsed(path)) is not None}
    if not documents:
        pytest.skip("no JSON in its example")
    content = {name: path.read_bytes() for name, path in files.items()}
    for name, (document, lines) in list(documents.items())[:MOST]:
        for odd in odd_documents(document, TIMES, seed=crc32(name.encode())):
            survives(format, {**content, name: encoded(odd, lines)})
