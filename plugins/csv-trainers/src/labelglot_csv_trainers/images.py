"""Images that a table names with or without their suffix."""

from __future__ import annotations

from collections.abc import Mapping

from labelglot.formats.base import Place
from labelglot.images import is_image
from labelglot.plugin import Dataset, Group, Options, ReadContext, Records, Table, split_of_path
from pydantic import Field

FOLDERS = ("images",)


def file_of(name: str, folder: str, context: ReadContext) -> Place:
    """The image a table in ``folder`` calls ``name``. One named without suffix is given that of its file."""
    place = context.place(name, folder, FOLDERS)
    if place.image is None or is_image(place.path):
        return place
    found = place.image.path
    return place._replace(path=place.path + found[found.rfind(".") :])


class Unlisted(Options):
    """Which images there are."""

    unlisted: bool = Field(
        default=False, title="Unlisted images", description="read images that no row names as reviewed and empty"
    )


def with_unlisted(
    dataset: Dataset, columns: Mapping[str, Mapping[str, int]], format: Table, context: ReadContext
) -> Dataset:
    """The dataset with the images that no table names, where that is asked for; those in the folder of another split are
    left out.
    """
    records = dataset.samples
    if not context.options.unlisted or not isinstance(records, Records) or not columns:
        return dataset
    taken = set()
    for group in records.records:
        found = context.place(group.image, group.table.rpartition("/")[0], format.folders(group.table)).image
        taken.add(None if found is None else found.path)
    further = []
    for path in context.images.paths:
        split = split_of_path(path)
        table = next((t for t in columns if split is None or format.split_of(t) in (split, None)), None)
        if path not in taken and table is not None:
            folder = table.rpartition("/")[0]
            inside = path.removeprefix(f"{folder}/") if folder else path
            around = next((f"{each}/" for each in format.folders(table) if inside.startswith(f"{each}/")), "")
            inside = inside.removeprefix(around)
            further.append(Group(table, inside, ()))
    return dataset.replace(samples=Records([*records.records, *further], records.decode))
