"""Reads Avro binary: ``reader`` is the one door to three engines.

Code made for the schema reads what events have as a rule. It leaves the rest to ``fastavro``, if
that is installed and suits the schema, else to the reference, the ``avro`` package. All give the
same values. Of damaged bytes ``fastavro`` takes a few more for values (negative indexes of enums
and unions, numbers of more than ten bytes). Avro has no checksum: no engine can know all damage.
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
    """A function that reads a value at the beginning of some bytes, and says how many of them it takes up.

    Args:
        schema: parsed JSON, without logical types, so that a value stays what is on the wire.

    Raises:
        Exception: of any kind, here for what is not a schema, and by the function for bytes that do not fit it.
    """
    complete = reference_reader(schema)
    with contextlib.suppress(
        Exception
    ):  # it is not installed, or does not like a schema that the reference has taken
        if suits(schema):
            complete = fast_reader(schema)
    try:
        return compiled(schema, complete)
    except Exception:  # noqa: BLE001  (no code can be made for it)
        return complete
