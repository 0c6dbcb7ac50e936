"""Checks Bicep files against Bicep's grammar and Azure's resource types.

This needs no compiler; ``bicep_compiler.py`` uses it if it is on PATH. The grammar comes from the
PyPI package ``pycep-parser``. The types are Bicep's own, for the newest version of each resource.
They come from the npm package ``@azure/mcp``, which needs no network for that.
"""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycep import BicepParser

from . import node

# The package knows only the names of these types.
WITHOUT_BODY = {
    "Microsoft.Insights/scheduledQueryRules",
    "Microsoft.Insights/actionGroups",
    "Microsoft.Network/privateDnsZones",
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks",
}
OF_THE_LANGUAGE = {"name", "parent", "scope", "depends_on", "dependsOn"}
SIMPLE = {"string": str, "bool": bool, "int": int}


def parse(path: Path) -> dict[str, Any]:
    """Return the file's parameters, variables, resources, modules and outputs.

    Raises:
        ValueError: the file is not Bicep. The message says where.
    """
    try:
        return dict(BicepParser().parse(text=path.read_text()))
    except Exception as error:
        raise ValueError(f"{path.name}: {str(error).splitlines()[0]}") from error


def problems(path: Path) -> list[str]:
    """Return the problems of a file, or an empty list."""
    try:
        parsed = parse(path)
    except ValueError as error:
        return [str(error)]
    found = [*_unused(path, parsed), *_modules(path, parsed)]
    names = (
        set(parsed.get("parameters", {}))
        | set(parsed.get("variables", {}))
        | set(re.findall(r"\bfor \(?(\w+)", path.read_text()))
    )
    for name, resource in parsed.get("resources", {}).items():
        if resource["existing"] or resource["type"] in WITHOUT_BODY:
            continue
        try:
            types = _types(resource["type"])
        except LookupError as error:
            found.append(f"{name}: {error}")
            continue
        checker = _Body(types, names)
        found += [
            f"{name}: {problem}"
            for problem in checker.problems(body(resource["config"]), types[""], top=True)
        ]
    return [f"{path.name}: {problem}" for problem in found]


def _unused(path: Path, parsed: Mapping[str, Any]) -> Iterator[str]:
    """Find parameters and variables that are never used."""
    code = re.sub(r"//.*", "", path.read_text())
    for name in [*parsed.get("parameters", {}), *parsed.get("variables", {})]:
        if len(re.findall(rf"\b{name}\b", code)) < 2:
            yield f"{name} is never used"


def _modules(path: Path, parsed: Mapping[str, Any]) -> Iterator[str]:
    """Find parameters that a module does not have, and required ones that are missing."""
    for name, module in parsed.get("modules", {}).items():
        given = body(module["config"]).get("params", {})
        taken = parse(
            path.parent / module["detail"]["path"]
            if "detail" in module
            else path.parent / module["path"]
        )["parameters"]
        yield from (
            f"module {name} has no parameter {unknown}"
            for unknown in sorted(set(given) - set(taken))
        )
        required = {
            parameter for parameter, declared in taken.items() if declared["default"] is None
        }
        yield from (f"module {name} lacks {missing}" for missing in sorted(required - set(given)))


def body(config: Any) -> dict[str, Any]:
    """Return the properties of a resource or module, without its loop or condition."""
    inner: dict[str, Any] = config
    while "config" in inner and ("loop_type" in inner or "condition" in inner):
        inner = inner["config"]
    return inner


@functools.cache
def _types(resource: str) -> dict[str, Any]:
    """Return the types of a resource by name. The empty name is the resource itself.

    Raises:
        LookupError: there is no such resource type.
    """
    checkers = node.node_modules(node.CHECKERS)
    command = [
        node.node(),
        str(checkers / "@azure/mcp/index.js"),
        "bicepschema",
        "get",
        "--resource-type",
        resource,
    ]
    quiet = {**os.environ, "AZURE_MCP_COLLECT_TELEMETRY": "false"}
    asked = subprocess.run(command, check=False, capture_output=True, text=True, env=quiet)
    start = asked.stdout.find("{")
    answer = json.loads(asked.stdout[start:]) if start >= 0 else {}
    listed = answer.get("results", {}).get("BicepSchemaResult")
    if not listed:
        raise LookupError(f"no resource type {resource}")
    (own,) = [
        one
        for one in listed
        if one["$type"] == "Resource" and one["name"].partition("@")[0].lower() == resource.lower()
    ]
    return {
        "": own["bodyType"],
        **{one["name"]: one for one in listed if one["$type"].endswith("Object")},
    }


@dataclass(frozen=True)
class _Body:
    """Compares a resource's properties with its types.

    ``names`` are the names that the file declares. pycep returns them as text, like any string.
    """

    types: Mapping[str, Any]
    names: set[str]

    def problems(
        self, body: Mapping[str, Any], declared: Mapping[str, Any], *, top: bool = False
    ) -> Iterator[str]:
        """Find the problems of an object of this type."""
        if declared["$type"] != "Object" or not declared.get("properties"):
            return  # a union of types; a value selects one of them
        what = declared.get("name", "the resource")
        fields = {field["name"]: field for field in declared["properties"]}
        given = {
            name: value for name, value in body.items() if not (top and name in OF_THE_LANGUAGE)
        }
        for name, value in given.items():
            if name in fields:
                yield from self._of_value(name, value, fields[name]["type"])
            elif not declared.get("additionalPropertiesType"):
                yield f"{what} has no property {name}"
        for name, field in fields.items():
            flags = field.get("flags", "")
            if "ReadOnly" in flags and name in given:
                yield f"{name} is read-only"
            if "Required" in flags and name not in body and name not in OF_THE_LANGUAGE:
                yield f"{what} lacks {name}"

    def _of_value(self, name: str, value: Any, kind: str) -> Iterator[str]:
        computed = isinstance(value, dict) and {"operator", "function"} & set(value)
        if computed or (isinstance(value, str) and (value in self.names or "${" in value)):
            return
        if kind.endswith("[]"):
            for item in value if isinstance(value, list) else ():
                yield from self._of_value(name, item, kind[:-2])
        elif kind in self.types and isinstance(value, dict):
            yield from self.problems(value, self.types[kind])
        elif kind in SIMPLE and not isinstance(value, SIMPLE[kind]):
            yield f"{name} is {value!r}, not a {kind}"
        elif (
            " | " in kind
            and not kind.endswith("| string")
            and isinstance(value, str)
            and value not in kind.split(" | ")
        ):
            yield f"{name} is {value!r}, not one of {kind}"
