"""The collection of real samples beside the repository, as (format, folder or file); empty where it is not there."""

from pathlib import Path

import labelglot as lg

SAMPLES = Path(__file__).parents[2] / "shared" / "samples"
BROKEN = ("malformed", "wrong", "broken", "invalid")


def datasets() -> list[tuple[str, Path]]:
    """(format, folder or file) of every sample of an installed format, as its documents lie there."""
    found = []
    for id_ in lg.registry.ids():
        folder = SAMPLES / id_
        if not folder.is_dir():
            continue
        entries = [e for e in sorted(folder.iterdir()) if e.name != "SOURCE.md" and not e.name.startswith(BROKEN)]
        folders = [e for e in entries if e.is_dir()]
        names = {e.name.lower() for e in folders}
        layout = {"images", "annotations", "labels", "train", "val", "valid", "test", "jpegimages", "data"}
        files = [e for e in entries if e.is_file() and e.suffix.lower() not in (".txt", ".jpg", ".jpeg", ".png", ".md", ".pbtxt")]
        if names & layout:
            found.append((id_, folder))
        else:
            found += [(id_, each) for each in (*folders, *files)]
    return found


CASES = datasets() if SAMPLES.is_dir() else []
