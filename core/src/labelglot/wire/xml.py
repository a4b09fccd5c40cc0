"""XML without entities, DTDs or network; and the few helpers that every XML format needs."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import BinaryIO
from xml.sax.saxutils import escape as _escape

from lxml import etree

from labelglot.errors import SourceError, UnsafeInput

Element = etree._Element

XML_TEXT = r"(?!\s)[^\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]*(?<!\s)"
"""Names that survive as the text of an element: no control characters, no blanks at either end."""


_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@lru_cache(maxsize=2)
def _parser(blanks: bool) -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True,
        remove_pis=True, remove_blank_text=not blanks,
    )  # fmt: skip


def parse(data: bytes, place: str, *, blanks: bool = True) -> Element:
    """The root element. Raises :class:`SourceError` with line and column, :class:`UnsafeInput` for entities.

    ``blanks=False`` leaves out the blanks between elements, which reads a third faster.
    """
    try:
        root = etree.fromstring(data, _parser(blanks))
    except (etree.XMLSyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise SourceError(f"not valid XML: {error}", f"{place}:{line}" if line else place) from error
    if root is None:
        raise SourceError("not valid XML: no element in it", place)
    dtd = root.getroottree().docinfo.internalDTD
    if isinstance(dtd, etree.DTD) and any(True for _ in dtd.iterentities()):  # type: ignore[attr-defined]
        raise UnsafeInput("it declares entities, which are never expanded", place)
    return root


def root_tag(head: bytes) -> str | None:
    """Name of the root element, from the first bytes of a file; ``None`` if it is no XML."""
    parser = etree.XMLPullParser(events=("start",), resolve_entities=False, no_network=True, load_dtd=False)
    try:
        parser.feed(head)
    except etree.XMLSyntaxError:
        pass  # the head of a file ends anywhere; what was seen before counts
    return next((str(element.tag) for _, element in parser.read_events() if isinstance(element, etree._Element)), None)


def child_text(element: Element, path: str, default: str | None = None) -> str | None:
    """Text of a child without blanks at its ends; ``default`` if there is no such child."""
    found = element.find(path)
    return default if found is None else (found.text or "").strip()


def child_float(element: Element, path: str) -> float | None:
    """Number in a child, ``None`` if there is no such child. Raises :class:`SourceError` if it is no number."""
    text = child_text(element, path)
    if text is None:
        return None
    try:
        return float(text)
    except ValueError as error:
        raise SourceError(f"<{path}> is {text!r}, not a number", line(element)) from error


def line(element: Element) -> str:
    """``line 12`` of an element, for the place of a problem."""
    return f"line {element.sourceline}"


def escape(text: object) -> str:
    """Text fit for an element. Characters that XML cannot hold at all become U+FFFD."""
    escaped = _escape(str(text))
    if "\r" in escaped:
        escaped = escaped.replace("\r", "&#13;")
    return _NOT_XML.sub("\ufffd", escaped) if _NOT_XML.search(escaped) else escaped


def quote(text: object) -> str:
    """Text fit for an attribute, with its quotation marks."""
    escaped = _escape(str(text), {'"': "&quot;", "\n": "&#10;", "\t": "&#9;", "\r": "&#13;"})
    return '"' + _NOT_XML.sub("\ufffd", escaped) + '"'


def outer(element: Element) -> str:
    """An element with all that is in it as XML text, without what follows it."""
    text: str = etree.tostring(element, encoding="unicode", with_tail=False)
    return text


def read_stream(stream: BinaryIO, limit: int = 1 << 16) -> bytes:
    """The first bytes of a stream, for :func:`root_tag`."""
    return stream.read(limit)
