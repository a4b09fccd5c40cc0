"""XML without entities, DTDs or network; and the few helpers that every XML format needs."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import BinaryIO, NamedTuple

from lxml import etree

from labelglot.errors import SourceError, UnsafeInput

Element = etree._Element

XML_TEXT = r"(?!\s)[^\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]*(?<!\s)"
"""Names that survive as the text of an element: no control characters, no blanks at either end."""


_SPECIAL = re.compile("[&<>\"\x00-\x1f\ud800-\udfff\ufffe\uffff]")
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@lru_cache(maxsize=2)
def _parser(blanks: bool) -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True,
        remove_pis=True, remove_blank_text=not blanks,
    )  # fmt: skip


def parse(data: bytes, place: str, *, blanks: bool = True, first: int = 1) -> Element:
    """The root element. Raises :class:`SourceError` with line and column, :class:`UnsafeInput` for entities.

    ``blanks=False`` leaves out the blanks between elements, which reads a third faster. ``first``: number of the first
    line, where ``data`` is cut out of a document (see :func:`cut`).
    """
    try:
        root = etree.fromstring(data, _parser(blanks))
    except (etree.XMLSyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        where = f"{place}:{line + first - 1}" if line else f"{place}:{first}" if first > 1 else place
        raise SourceError(f"not valid XML: {getattr(error, 'msg', None) or error}", where) from error
    if root is None:
        raise SourceError("not valid XML: no element in it", place)
    dtd = root.getroottree().docinfo.internalDTD
    if isinstance(dtd, etree.DTD) and any(True for _ in dtd.iterentities()):  # type: ignore[attr-defined]
        raise UnsafeInput("it declares entities, which are never expanded", place)
    return root


class Cut(NamedTuple):
    """A stretch of a document: one whole element, or (``tag`` is ``None``) what stands before, between or behind them.

    ``line``: number of its first line in the document.
    """

    tag: str | None
    line: int
    data: bytes


BLOCK = 1 << 22
HEAD = 1 << 10
"""Bytes in which a declaration must end."""
_DECLARATION = re.compile(rb"\s*<\?xml\b[^>]*?\?>")
_ENCODING = re.compile(rb"""encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_HIDDEN = re.compile(rb"<!--(?P<comment>.*?)-->|<!\[CDATA\[(?P<text>.*?)\]\]>", re.DOTALL)
_UNFINISHED = re.compile(rb"<!--|<!\[CDATA\[")
_REST_OF_TAG = re.compile(rb"""(?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+>""")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"), (b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"),
)  # fmt: skip


def cut(stream: BinaryIO, tags: Sequence[str], place: str) -> Iterator[Cut]:
    """Cut a document that is one long row of elements into these, without parsing it and without holding it.

    The elements are those called one of ``tags``, which must not be nested in each other. Joined together the stretches are
    the document in UTF-8, without its declaration and comments. An element that never ends reaches to the next one, so
    that a damaged one does not take its neighbours along; :func:`parse` tells the good from the bad.
    """
    names = b"|".join(re.escape(tag.encode()) for tag in tags)
    opening = re.compile(rb"<(" + names + rb")(?=[\s/>])")
    closing = {tag.encode(): re.compile(rb"</" + re.escape(tag.encode()) + rb"\s*>") for tag in tags}
    blocks = _visible(stream, place)
    buffer, line, finished = b"", 1, False
    while not finished:
        parts, size = [buffer], 0
        while size <= len(buffer) and not finished:
            block = next(blocks, None)
            finished = block is None
            parts.append(block or b"")
            size += len(block or b"")
        buffer, at = b"".join(parts), 0
        while found := opening.search(buffer, at):
            end = _end(buffer, found, opening, closing[found[1]], finished)
            if end is None:
                break
            start = found.start()
            if start > at:
                yield Cut(None, line, buffer[at:start])
                line += buffer.count(b"\n", at, start)
            yield Cut(found[1].decode(), line, buffer[start:end])
            line += buffer.count(b"\n", start, end)
            at = end
        buffer = buffer[at:]
    if buffer:
        yield Cut(None, line, buffer)


def _end(
    buffer: bytes, found: re.Match[bytes], opening: re.Pattern[bytes], closing: re.Pattern[bytes], finished: bool
) -> int | None:
    """Where the element that starts at ``found`` ends; ``None`` if that is still to come."""
    tag = _REST_OF_TAG.match(buffer, found.end())
    inside = found.end() if tag is None else tag.end()
    if tag is not None and buffer[inside - 2 : inside] == b"/>":
        return inside
    close = closing.search(buffer, inside)
    following = opening.search(buffer, inside, len(buffer) if close is None else close.start())
    if following is not None:
        return following.start()
    if close is not None:
        return close.end()
    return len(buffer) if finished else None


_ATTRIBUTE = re.compile(rb"""\s([^\s=<>"'/]+)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')""")
_START = re.compile(rb"<[^\s<>/]+")


def start_tag(data: bytes) -> dict[str, str]:
    """Attributes of the element that ``data`` begins with (see :func:`cut`), without parsing what is in it.

    Empty if its start tag is damaged.
    """
    name = _START.match(data)
    tag = None if name is None else _REST_OF_TAG.match(data, name.end())
    if name is None or tag is None:
        return {}
    inside = data[name.end() : tag.end()]
    if b"&" in inside or b"\n" in inside:
        try:
            root = etree.fromstring(data[: tag.end()].rstrip(b"/>") + b"/>", _parser(True))
        except (etree.XMLSyntaxError, ValueError):
            return {}
        return {str(key): str(value) for key, value in root.attrib.items()}
    return {
        found[0].decode("utf-8", "replace"): (found[1] or found[2]).decode("utf-8", "replace")
        for found in _ATTRIBUTE.findall(inside)
    }


def _visible(stream: BinaryIO, place: str) -> Iterator[bytes]:
    """A document in blocks of UTF-8 that end with a whole tag, comments and declaration gone, CDATA as plain text."""
    first = True
    kept = b""
    decoder: codecs.IncrementalDecoder | None = None
    while True:
        block = stream.read(max(BLOCK, len(kept), HEAD if first else 0))
        if first:
            block, decoder = _decoder(block, place)
        ended = not block
        if decoder is not None:
            block = decoder.decode(block, ended).encode("utf-8", "replace")
        if first:
            block = _DECLARATION.sub(lambda found: b"\n" * found[0].count(b"\n"), block, count=1)
            first = False
        data = kept + block
        kept = b""
        last = data.rfind(b"<")
        if not ended and last >= 0 and data.find(b">", last) < 0:
            data, kept = data[:last], data[last:]
        if b"<!" in data:
            data = _HIDDEN.sub(_shown, data)
            unfinished = None if ended else _UNFINISHED.search(data)
            if unfinished is not None:
                data, kept = data[: unfinished.start()], data[unfinished.start() :] + kept
        yield data
        if ended:
            return


def _decoder(block: bytes, place: str) -> tuple[bytes, codecs.IncrementalDecoder | None]:
    """The first block without byte order mark, and how to decode the document (``None``: it is UTF-8 already)."""
    encoding = next((name for mark, name in _MARKS if block.startswith(mark)), None)
    if encoding is None:
        declared = _DECLARATION.match(block)
        named = None if declared is None else _ENCODING.search(declared[0])
        encoding = "utf-8" if named is None else named[1].decode()
    if encoding == "utf-8":
        return block.removeprefix(codecs.BOM_UTF8), None
    try:
        if codecs.lookup(encoding).name in ("utf-8", "ascii"):
            return block, None
        "".encode(encoding)
        return block, codecs.getincrementaldecoder(encoding)("replace")
    except LookupError as error:
        raise SourceError(f"not valid XML: its encoding {encoding!r} is unknown", place) from error


def _shown(found: re.Match[bytes]) -> bytes:
    text: bytes | None = found["text"]
    if text is None:
        return b"\n" * found[0].count(b"\n")
    return text.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")


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


def line_number(element: Element, first: int = 1) -> int:
    """Line of an element; ``first``: of the document's lines, the one at which it was cut out."""
    own = element.sourceline
    return first - 1 + (own if isinstance(own, int) else 1)


def escape(text: object) -> str:
    """Text fit for an element. Characters that XML cannot hold at all become U+FFFD."""
    plain = str(text)
    if not _SPECIAL.search(plain):
        return plain
    return _NOT_XML.sub("\ufffd", plain.translate(_IN_TEXT))


def quote(text: object) -> str:
    """Text fit for an attribute, with its quotation marks."""
    plain = str(text)
    if not _SPECIAL.search(plain):
        return f'"{plain}"'
    return '"' + _NOT_XML.sub("\ufffd", plain.translate(_IN_ATTRIBUTE)) + '"'


# The standard library's own escaping imports what it takes to open URLs.
_IN_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_IN_ATTRIBUTE = _IN_TEXT | str.maketrans({'"': "&quot;", "\n": "&#10;", "\t": "&#9;"})


def outer(element: Element) -> str:
    """An element with all that is in it as XML text, without what follows it."""
    text: str = etree.tostring(element, encoding="unicode", with_tail=False)
    return text


def read_stream(stream: BinaryIO, limit: int = 1 << 16) -> bytes:
    """The first bytes of a stream, for :func:`root_tag`."""
    return stream.read(limit)
