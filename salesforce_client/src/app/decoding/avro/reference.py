"""Reads Avro binary with the ``avro`` package. It is slow, but it knows all of Avro."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import avro.io
import avro.name
import avro.schema


class _Decoder(avro.io.BinaryDecoder):
    """Refuses booleans other than 0 and 1, as Avro's specification demands.

    The package reads any byte but 1 as False.
    """

    def read_boolean(self) -> bool:
        """Read one byte, 0 or 1."""
        return (b"\0", b"\1").index(self.read(1)) == 1


def reference_reader(schema: Any) -> Callable[[bytes], tuple[Any, int]]:
    """Make a function that reads a value, as ``reader`` in this folder describes it."""
    datum_reader = avro.io.DatumReader(avro.schema.make_avsc_object(schema, avro.name.Names()))

    def read(payload: bytes) -> tuple[Any, int]:
        stream = io.BytesIO(payload)
        return datum_reader.read(_Decoder(stream)), stream.tell()

    return read
