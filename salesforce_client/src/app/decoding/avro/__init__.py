"""Reads Avro binary. ``reader`` chooses between three engines.

The first engine is Python code that is generated for the schema. It reads what events usually
contain. The second engine reads the rest: ``fastavro``, if it is installed and suits the schema.
Otherwise the ``avro`` package reads the rest. It is the reference.

All engines give the same values. ``fastavro`` accepts a few damaged bytes that the others refuse:
negative indexes of enums and unions, and numbers of more than ten bytes. Avro has no checksum, so
no engine can notice all damage.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from .compiled import compiled
from .fast import fast_reader, suits
from .reference import reference_reader

Read = Callable[[bytes], tuple[Any, int]]


def reader(schema: Any) -> Read:
    """Make a function that reads a value from the beginning of some bytes.

    The function returns the value and the number of bytes that it used. If the bytes do not fit the
    schema, it raises an exception of any kind.

    Args:
        schema: parsed JSON, without logical types, so that a value stays as it was sent.

    Raises:
        Exception: of any kind, if ``schema`` is not an Avro schema.
    """
    complete = reference_reader(schema)
    # fastavro may be missing, or refuse a schema that the reference accepts.
    with contextlib.suppress(Exception):
        if suits(schema):
            complete = fast_reader(schema)
    try:
        return compiled(schema, complete)
    except Exception:  # noqa: BLE001  (no code can be generated for the schema)
        return complete
