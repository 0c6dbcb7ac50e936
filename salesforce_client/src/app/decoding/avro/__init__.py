"""Reads Avro binary. ``reader`` chooses between three engines.

Compiled code for the schema reads what events usually contain. It leaves the rest to ``fastavro``
if that is installed and suits the schema, else to the ``avro`` package, the reference. All engines
give the same values. ``fastavro`` accepts a few damaged bytes that the others refuse: negative
indexes of enums and unions, and numbers of more than ten bytes. Avro has no checksum, so no engine
can notice all damage.
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

    It returns the value and how many bytes it used. It raises an exception of any kind if the bytes
    do not fit the schema.

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
    except Exception:  # noqa: BLE001  (no code can be made for it)
        return complete
