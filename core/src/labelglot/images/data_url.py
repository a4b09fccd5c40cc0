"""Files inside of text: ``data:image/png;base64,...``."""

from __future__ import annotations

import base64
import binascii

from labelglot.errors import LabelglotError


def is_data_url(text: object) -> bool:
    """Whether a text holds a file rather than its address."""
    return isinstance(text, str) and text[:5].lower() == "data:"


def to_data_url(data: bytes, mime: str = "image/png") -> str:
    """A file as text."""
    return f"data:{mime};base64,{base64.b64encode(data).decode('ascii')}"


def from_data_url(text: str) -> bytes:
    """The file in a text. Raises :class:`LabelglotError` if it is not base64."""
    head, comma, body = text.partition(",")
    if not is_data_url(text) or not comma or ";base64" not in head.lower():
        raise LabelglotError(f"{text[:40]!r} holds no file in base64")
    try:
        return base64.b64decode(body, validate=False)
    except (binascii.Error, ValueError) as error:
        raise LabelglotError(f"the embedded file is not base64: {error}") from error
