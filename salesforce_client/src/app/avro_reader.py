"""Reads Avro binary: with code made for the schema and, what that leaves, with ``fastavro`` where it is installed, else with the
reference decoder, the ``avro`` package.

All give the same values. Of damaged bytes ``fastavro`` takes a few more for values (negative indexes of enums and unions,
numbers of more than ten bytes); none of them can know damage as such, because Avro has no checksum.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

import avro.io
import avro.name
import avro.schema

from .avro_compiled import compiled

Read = Callable[[bytes], tuple[Any, int]]


def reader(schema: Any) -> Read:
    """A function that reads a value at the beginning of some bytes, and says how many of them it takes up.

    Args:
        schema: parsed JSON, without logical types, so that a value stays what is on the wire.

    Raises:
        Exception: of any kind, here for what is no schema, and by the function for bytes that do not fit it.
    """
    complete = reference_reader(schema)
    with contextlib.suppress(Exception):  # not installed, or it does not like a schema that the reference has taken
        complete = fast_reader(schema)
    try:
        return compiled(schema, complete)
    except Exception:  # noqa: BLE001  (no code can be made for it)
        return complete


def reference_reader(schema: Any) -> Read:
    """Likewise, by the reference decoder."""
    datum_reader = avro.io.DatumReader(avro.schema.make_avsc_object(schema, avro.name.Names()))

    def read(payload: bytes) -> tuple[Any, int]:
        stream = io.BytesIO(payload)
        return datum_reader.read(avro.io.BinaryDecoder(stream)), stream.tell()

    return read


def fast_reader(schema: Any) -> Read:
    """Likewise, by ``fastavro``."""
    from fastavro import parse_schema, schemaless_reader  # noqa: PLC0415  (may be absent)

    parsed = parse_schema(schema)

    def read(payload: bytes) -> tuple[Any, int]:
        stream = io.BytesIO(payload)
        return schemaless_reader(stream, parsed, None), stream.tell()

    return read
