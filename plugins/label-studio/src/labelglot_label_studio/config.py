"""The labelling configuration of a Label Studio project: which classes there are, which data key is the image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from labelglot.plugin import Label, LabelglotError, Source
from labelglot.wire.xml import parse, quote

OWNER = "label-studio"
FILE = "label_config.xml"
MADE = "<!-- made by labelglot of what is in use -->"
"""Marks a configuration that nobody wrote by hand, so that it need not be kept."""
IMAGE, CHOICE, CAPTION, TEXT = "image", "choice", "caption", "transcription"
CONTROLS: Mapping[str, tuple[str, str]] = {
    "rectangle": ("RectangleLabels", "label"),
    "polygon": ("PolygonLabels", "polygon"),
    "ellipse": ("EllipseLabels", "ellipse"),
    "keypoint": ("KeyPointLabels", "keypoint"),
    "brush": ("BrushLabels", "brush"),
}
"""Tag, and the name it gets here, of what draws each kind of region."""


class Config(NamedTuple):
    """``labels``: classes in order. ``images``: keys of task data that hold images. ``text``: the document itself."""

    labels: tuple[Label, ...]
    images: tuple[str, ...]
    text: str


def find_config(source: Source, folder: str) -> Config | None:
    """The configuration in a folder, if there is exactly one XML file that is one."""
    found = []
    for name in source.match("*.xml"):
        if name.rpartition("/")[0] == folder and b"<View" in source.head(name, 1 << 12):
            try:
                found.append(read_config(source.read(name), name))
            except (LabelglotError, OSError):
                continue
    return found[0] if len(found) == 1 else None


def read_config(data: bytes, place: str) -> Config:
    """The classes of all controls that name some, each once."""
    labels: dict[str, Label] = {}
    images: list[str] = []
    for element in parse(data, place).iter():
        if not isinstance(element.tag, str):
            continue
        parent = element.getparent()
        of_region = parent is not None and (parent.get("perRegion") or "").lower() == "true"
        value = element.get("value") or ""
        if element.tag == "Image":
            images += [key.lstrip("$") for key in (value, element.get("valueList") or "") if key]
        elif value and (element.tag == "Label" or (element.tag == "Choice" and not of_region)):
            alias = element.get("alias")
            extra = {OWNER: {"alias": alias}} if alias else {}
            labels.setdefault(value, Label(key=value, name=value, color=element.get("background"), extra=extra))
    return Config(tuple(labels.values()), tuple(images), data.decode("utf-8", "replace"))


def write_config(
    labels: Sequence[Label], kinds: Iterable[str], tags: bool, captions: bool, fields: Mapping[str, str]
) -> str:
    """A configuration with the controls that are in use. ``fields``: type of result of each attribute of regions."""
    lines = ["<View>", f"  {MADE}", f'  <Image name="{IMAGE}" value="${IMAGE}"/>']

    def listed(tag: str, item: str, name: str, more: str = "") -> None:
        lines.append(f'  <{tag} name="{name}" toName="{IMAGE}"{more}>')
        for label in labels:
            color = f" background={quote(label.color)}" if label.color is not None and item == "Label" else ""
            alias = label.extra.get(OWNER, {}).get("alias")
            alias = f" alias={quote(alias)}" if isinstance(alias, str) else ""
            lines.append(f"    <{item} value={quote(label.name)}{alias}{color}/>")
        lines.append(f"  </{tag}>")

    for kind in [kind for kind in CONTROLS if kind in set(kinds)] or ["rectangle"]:
        listed(CONTROLS[kind][0], "Label", CONTROLS[kind][1])
    if tags:
        listed("Choices", "Choice", CHOICE, ' choice="multiple"')
    if captions:
        lines.append(f'  <TextArea name="{CAPTION}" toName="{IMAGE}"/>')
    for name, kind in sorted(fields.items()):
        head = f'name={quote(name)} toName="{IMAGE}" perRegion="true"'
        if kind == "choices":
            lines += [
                f"  <Choices {head}>",
                '    <Choice value="true"/>',
                '    <Choice value="false"/>',
                "  </Choices>",
            ]
        else:
            lines.append(f"  <{_FIELDS.get(kind, 'TextArea')} {head}/>")
    return "\n".join([*lines, "</View>", ""])


_FIELDS = {"number": "Number", "rating": "Rating", "taxonomy": "Taxonomy"}
