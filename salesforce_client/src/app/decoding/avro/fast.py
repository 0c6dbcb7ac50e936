"""Reads Avro binary with ``fastavro``, which need not be installed."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any


def suits(schema: Any, inside: frozenset[str] = frozenset()) -> bool:
    """Whether ``fastavro`` reads this schema as the reference does.

    Not if it refers to itself: nested data could end the process, as C code has no limit of recursion.
    Not if it has a boolean: bytes that are none would count as true.

    Args:
        schema: parsed JSON.
        inside: the names of the types that it is a part of, without namespaces.
    """
    if isinstance(schema, str):
        return schema != "boolean" and schema.rpartition(".")[2] not in inside
    if isinstance(schema, list):
        return all(suits(one, inside) for one in schema)
    if name := schema.get("name"):
        inside = inside | {name.rpartition(".")[2]}
    parts = [schema["type"], schema.get("items", []), schema.get("values", [])]
    parts += [field["type"] for field in schema.get("fields", ())]
    return all(suits(part, inside) for part in parts)


def fast_reader(schema: Any) -> Callable[[bytes], tuple[Any, int]]:
    """A function that reads a value, as ``reader`` in this folder describes it.

    Raises:
        ImportError: it is not installed.
    """
    from fastavro import parse_schema, schemaless_reader  # noqa: PLC0415  (may be absent)

    parsed = parse_schema(schema)

    def read(payload: bytes) -> tuple[Any, int]:
        stream = io.BytesIO(payload)
        return schemaless_reader(stream, parsed, None), stream.tell()

    return read
