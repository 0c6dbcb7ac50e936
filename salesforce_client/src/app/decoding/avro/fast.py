"""Reads Avro binary with ``fastavro``. That package is optional."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any


def suits(schema: Any, inside: frozenset[str] = frozenset()) -> bool:
    """Whether ``fastavro`` reads data of this schema as the reference does.

    A schema that refers to itself does not suit: deeply nested data could end the process, because
    C code has no recursion limit. A schema with a boolean does not suit either: ``fastavro`` reads
    bytes other than 0 and 1 as true.

    Args:
        schema: parsed JSON.
        inside: the names of the types around this part of the schema, without namespaces.
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
    """Make a function that reads a value, as ``reader`` in this folder describes it.

    Raises:
        ImportError: ``fastavro`` is not installed.
    """
    from fastavro import parse_schema, schemaless_reader  # noqa: PLC0415  (may be absent)

    parsed = parse_schema(schema)

    def read(payload: bytes) -> tuple[Any, int]:
        stream = io.BytesIO(payload)
        return schemaless_reader(stream, parsed, None), stream.tell()

    return read
