"""Print the folders of plugins that use the compiled part of the core, directly or by taking columns."""

from pathlib import Path

PLUGINS = Path(__file__).parents[1] / "plugins"
MARKS = ("native", "Columns", "takes_columns", "labels_and_boxes")


def main() -> None:
    """One folder in each line."""
    for folder in sorted(PLUGINS.iterdir()):
        texts = [path.read_text(encoding="utf-8") for path in folder.glob("src/**/*.py")]
        if any(mark in text for text in texts for mark in MARKS):
            print(folder.relative_to(PLUGINS.parent).as_posix())


if __name__ == "__main__":
    main()
