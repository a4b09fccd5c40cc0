"""Coverage-guided fuzzing of one format with Atheris: where a byte leads to new code in the readers, more is tried there.

usage: UV_PROJECT_ENVIRONMENT=.venv-fuzz uv run --group fuzz python tests/coverage_fuzz.py FORMAT [SECONDS]. It starts from what
the format writes and from its inputs in the corpus. What does harm - anything but data, problems or a LabelglotError, or more than 10
seconds - is added to tests/corpus and tried on every run from then on.
"""

import base64
import contextlib
import hashlib
import json
import sys
import tempfile
import warnings
from importlib.metadata import entry_points
from pathlib import Path

import atheris

warnings.simplefilter("ignore")
PACKAGES = ["labelglot", *{entry.module.partition(".")[0] for entry in entry_points(group="labelglot")}]
with atheris.instrument_imports(include=PACKAGES):
    # Much of it is imported when it is used: one turn makes sure that it is instrumented.
    import labelglot as lg
    from test_fuzz import CORPUS, seed, try_reading

    FORMAT = lg.registry.get(sys.argv[1])
    USUAL = seed(FORMAT)
    try_reading(FORMAT, USUAL)

LARGEST = 1 << 14
SEPARATOR = b"\xfe\xff\xfe"


def pack(files):
    """The files as one input: the whole dataset is mutated, names included."""
    return SEPARATOR.join(name.encode() + b"\x01" + data for name, data in files.items())


def unpack(data, usual):
    """An input as files: documents from it, images as they were."""
    files = {name: content for name, content in usual.items() if name.endswith(".png")}
    for part in data.split(SEPARATOR)[:20]:
        name, _, content = part.partition(b"\x01")
        with contextlib.suppress(UnicodeDecodeError):
            files[name.decode() or "x"] = content
    return files


def keep(format, files):
    text = json.dumps({"format": format.id, "files": {n: base64.b64encode(d).decode() for n, d in sorted(files.items())}}, indent=1)
    place = CORPUS / f"{format.id}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
    place.write_text(text + "\n")
    return place


def main():
    format, usual = FORMAT, USUAL
    seconds = sys.argv[2] if len(sys.argv) > 2 else "60"

    def one(data):
        files = unpack(data, usual)
        try:
            try_reading(format, files)
        except Exception:
            print("kept as", keep(format, files), file=sys.stderr)
            raise

    with tempfile.TemporaryDirectory() as starts:
        documents = {name: data for name, data in usual.items() if not name.endswith(".png")}
        Path(starts, "usual").write_bytes(pack(documents))
        for number, name in enumerate(documents):
            Path(starts, str(number)).write_bytes(pack({name: documents[name]}))
        for place in CORPUS.glob(f"{format.id}-*.json"):
            kept = json.loads(place.read_text())
            Path(starts, place.stem).write_bytes(pack({n: base64.b64decode(d) for n, d in kept["files"].items()}))
        atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", f"-max_len={LARGEST}", f"-artifact_prefix={starts}/", "-print_final_stats=1", starts], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
