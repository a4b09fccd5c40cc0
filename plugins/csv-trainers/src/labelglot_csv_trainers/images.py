"""Images that a table names with or without their suffix."""

from __future__ import annotations

from labelglot.formats.base import Place
from labelglot.images import is_image
from labelglot.plugin import ReadContext

FOLDERS = ("images",)


def file_of(name: str, folder: str, context: ReadContext) -> Place:
    """The image a table in ``folder`` calls ``name``. One named without suffix is given that of its file."""
    place = context.place(name, folder, FOLDERS)
    if place.image is None or is_image(place.path):
        return place
    found = place.image.path
    return place._replace(path=place.path + found[found.rfind(".") :])
