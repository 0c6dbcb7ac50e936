"""Checks Salesforce metadata files against the types of the Metadata API.

Salesforce publishes these types in the npm package ``@salesforce/types``.
"""

from __future__ import annotations

import functools
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from . import node

NAMESPACE = "{http://soap.sforce.com/2006/04/metadata}"
GIVEN_BY_THE_FILE = {"fullName", "content"}


@functools.cache
def _published() -> tuple[dict[str, dict[str, str]], dict[str, set[str]]]:
    """Return the fields of each type, and the values of each enumeration.

    A ``?`` before the kind of a field means that the field is optional.
    """
    text = (node.node_modules(node.CHECKERS) / "@salesforce/types/lib/metadata.d.ts").read_text()
    values = {
        name: set(re.findall(r"'([^']*)'", listed))
        for name, listed in re.findall(r"^export type (\w+) = ('[^;]*);", text, re.M)
    }
    declared = {}
    for name, base, body in re.findall(
        r"^export type (\w+) = (?:(\w+) & )?\{\n(.*?)^\};", text, re.M | re.S
    ):
        fields = re.findall(r"^ {4}(\w+)(\??): ([^;]+);", body, re.M)
        declared[name] = (
            base,
            {field: optional + kind.replace(" | null", "") for field, optional, kind in fields},
        )
    return {
        name: {**declared.get(base, ("", {}))[1], **own} for name, (base, own) in declared.items()
    }, values


def problems(path: Path) -> list[str]:
    """Return the problems of a ``…-meta.xml`` file, or an empty list.

    It checks elements and values, and that repeated elements follow each other.
    """
    try:
        root = ET.parse(path).getroot()
    except ET.ParseError as error:
        return [f"{path.name}: {error}"]
    kind = root.tag.removeprefix(NAMESPACE) if root.tag.startswith(NAMESPACE) else ""
    if kind not in _published()[0]:
        return [f"{path.name}: {root.tag} is not a metadata type"]
    return [f"{path.name}: {problem}" for problem in _of_element(root, kind)]


def _of_element(element: ET.Element, kind: str) -> Iterator[str]:
    fields = _published()[0][kind]
    names = [child.tag.removeprefix(NAMESPACE) for child in element]
    for child, name in zip(element, names):
        if name not in fields:
            yield f"{kind} has no {name}"
            continue
        wanted = fields[name].removeprefix("?")
        if names.count(name) > 1 and not wanted.endswith("[]"):
            yield f"{kind} has more than one {name}"
        yield from _of_value(child, name, wanted.removesuffix("[]"))
    if [
        name
        for place, name in enumerate(names)
        if place and name != names[place - 1] and name in names[:place]
    ]:
        yield f"{kind}: elements of one name do not follow each other"
    for name, wanted in fields.items():
        if (
            not wanted.startswith("?")
            and not wanted.endswith("[]")
            and name not in GIVEN_BY_THE_FILE
            and name not in names
        ):
            yield f"{kind} lacks {name}"


def _of_value(element: ET.Element, name: str, wanted: str) -> Iterator[str]:
    fields, values = _published()
    text = (element.text or "").strip()
    if wanted in fields:
        yield from _of_element(element, wanted)
    elif len(element):
        yield f"{name} takes no elements"
    elif wanted in values and text not in values[wanted]:
        yield f"{name} is {text!r}, not one of {', '.join(sorted(values[wanted]))}"
    elif wanted == "boolean" and text not in ("true", "false"):
        yield f"{name} is {text!r}, neither true nor false"
    elif wanted == "number" and not re.fullmatch(r"-?\d+(\.\d+)?", text):
        yield f"{name} is {text!r}, not a number"
