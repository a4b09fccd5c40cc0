"""What a document says about itself: ``info``, ``licenses``, and fields of the root that nobody knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from labelglot.plugin import Info
from labelglot.wire import json


def read_info(top: Mapping[str, msgspec.Raw], path: str, owner: str) -> Info:
    """What a document says about itself; what has no field of its own rides along."""
    info: Any = json.load(bytes(top["info"]), path) if "info" in top else {}
    licenses: Any = json.load(bytes(top["licenses"]), path) if "licenses" in top else []
    root = json.rest(top, ("info", "licenses", "images", "annotations", "categories"))
    said = info if isinstance(info, dict) else {}
    texts = {name: text for name in _INFO if isinstance(text := said.get(name), str) and text}
    listed = [x for x in licenses if isinstance(x, dict)] if isinstance(licenses, list) else []
    names = tuple(str(x["name"]) for x in listed if x.get("name"))
    bag: dict[str, Any] = {}
    rest = {name: value for name, value in said.items() if name not in texts}
    if rest or not isinstance(info, dict):
        bag["info"] = rest if isinstance(info, dict) else info
    if licenses != _plain_licenses(names):
        bag["licenses"] = licenses
    if root:
        bag["root"] = root
    return Info(**texts, licenses=names, extra={owner: bag} if bag else {})


_INFO = ("description", "version", "url")


def encode_head(info: Info, owner: str) -> dict[str, Any]:
    """Fields of a document besides the three lists."""
    bag = info.extra.get(owner, {})
    return {"info": _encode_info(info, bag), "licenses": _encode_licenses(info, bag), **bag.get("root", {})}


def _encode_info(info: Info, bag: Mapping[str, Any]) -> Any:
    stored = bag.get("info", {})
    said = {name: text for name in _INFO if (text := getattr(info, name)) is not None}
    return {**stored, **said} if isinstance(stored, dict) else said or stored


def _encode_licenses(info: Info, bag: Mapping[str, Any]) -> Any:
    stored = bag.get("licenses")
    listed = [x for x in stored if isinstance(x, dict) and x.get("name")] if isinstance(stored, list) else []
    unchanged = "licenses" in bag and tuple(str(x["name"]) for x in listed) == info.licenses
    return stored if unchanged else _plain_licenses(info.licenses)


def _plain_licenses(names: Sequence[str]) -> list[dict[str, Any]]:
    return [{"id": number, "name": name, "url": ""} for number, name in enumerate(names, 1)]
