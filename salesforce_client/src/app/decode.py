"""Avro payload bytes and a schema into plain values, with the reference decoder, the ``avro`` package. Pure."""

from __future__ import annotations

import io
import json
from typing import Any

import avro.io
import avro.schema

from .errors import DecodeError


class Decoder:
    """Decodes payloads of one schema.

    Args:
        schema_json: the schema as Salesforce hands it out.

    Raises:
        DecodeError: the text is not an Avro schema.
    """

    def __init__(self, schema_json: str) -> None:
        try:
            # Without logical types a value stays what is on the wire: milliseconds an integer, decimals bytes.
            schema = avro.schema.make_avsc_object(_without_logical_types(json.loads(schema_json)), avro.name.Names())
            self._reader = avro.io.DatumReader(schema)
        except Exception as error:  # noqa: BLE001  (the library raises its own, KeyError, TypeError … for bad schemas)
            raise DecodeError(f"not an Avro schema: {type(error).__name__}: {error}") from None

    def decode(self, payload: bytes) -> dict[str, Any]:
        """The record in ``payload``: fields in schema order, ``bytes`` for bytes and fixed, ``int`` for int and long.

        Raises:
            DecodeError: the bytes do not fit the schema, or are not used up by it, which is how a wrong schema shows.
        """
        stream = io.BytesIO(payload)
        try:
            value = self._reader.read(avro.io.BinaryDecoder(stream))
        except Exception as error:  # noqa: BLE001  (any exception here means that these bytes cannot be read)
            raise DecodeError(f"the payload does not fit its schema: {type(error).__name__}: {error}") from None
        left = len(payload) - stream.tell()
        if left:
            raise DecodeError(f"the payload does not fit its schema: {left} of {len(payload)} bytes are left over")
        if not isinstance(value, dict):
            raise DecodeError(f"the schema describes a {type(value).__name__}, not a record")
        return value


def _without_logical_types(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _without_logical_types(value) for key, value in schema.items() if key != "logicalType"}
    if isinstance(schema, list):
        return [_without_logical_types(item) for item in schema]
    return schema
