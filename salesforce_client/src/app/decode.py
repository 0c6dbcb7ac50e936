"""Avro payload bytes and a schema into plain values, with the reference decoder, the ``avro`` package. Pure."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import avro.io
import avro.schema

from .errors import DecodeError

CHANGE_TYPES = "CREATE UPDATE DELETE UNDELETE GAP_CREATE GAP_UPDATE GAP_DELETE GAP_UNDELETE GAP_OVERFLOW SNAPSHOT"
HEADER_FIELDS = (
    "entityName:string recordIds:strings changeType:enum changeOrigin:string transactionKey:string sequenceNumber:int "
    "commitTimestamp:long commitNumber:long commitUser:string nulledFields:strings diffFields:strings changedFields:strings"
)
HEADER_TYPES = {
    "strings": {"type": "array", "items": "string"},
    "enum": {"type": "enum", "name": "ChangeType", "symbols": CHANGE_TYPES.split()},
}
HEADER = {
    "type": "record",
    "name": "ChangeEventHeader",
    "fields": [
        {"name": name, "type": HEADER_TYPES.get(kind, kind)}
        for name, _, kind in (field.partition(":") for field in HEADER_FIELDS.split())
    ],
}
HEADER_ALONE = json.dumps({"type": "record", "name": "AnyChangeEvent", "fields": [{"name": "ChangeEventHeader", "type": HEADER}]})
RECORD_ID = re.compile(r"[A-Za-z0-9]{15}([A-Za-z0-9]{3})?|[A-Za-z0-9]{3,18}\*")
EARLIEST_COMMIT, LATEST_COMMIT = 946_684_800_000, 4_102_444_800_000  # the years 2000 and 2100, in milliseconds


Fields = tuple[tuple[str, tuple[str, ...]], ...]


class Decoder:
    """Decodes payloads of one schema; ``fields`` names its fields by position, each with those nested in it.

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
            self.fields = _fields(schema)
        except Exception as error:  # noqa: BLE001  (the library raises its own, KeyError, TypeError … for bad schemas)
            raise DecodeError(f"not an Avro schema: {type(error).__name__}: {error}") from None

    def decode(self, payload: bytes) -> dict[str, Any]:
        """The record in ``payload``: fields in schema order, ``bytes`` for bytes and fixed, ``int`` for int and long.

        Raises:
            DecodeError: the bytes do not fit the schema, or are not used up by it, which is how a wrong schema shows.
        """
        value, left = self.decode_beginning(payload)
        if left:
            raise DecodeError(f"the payload does not fit its schema: {left} of {len(payload)} bytes are left over")
        return value

    def decode_beginning(self, payload: bytes) -> tuple[dict[str, Any], int]:
        """The record at the beginning of ``payload``, and how many bytes follow it.

        Raises:
            DecodeError: the bytes do not fit the schema.
        """
        stream = io.BytesIO(payload)
        try:
            value = self._reader.read(avro.io.BinaryDecoder(stream))
        except Exception as error:  # noqa: BLE001  (any exception here means that these bytes cannot be read)
            raise DecodeError(f"the payload does not fit its schema: {type(error).__name__}: {error}") from None
        if not isinstance(value, dict):
            raise DecodeError(f"the schema describes a {type(value).__name__}, not a record")
        return value, len(payload) - stream.tell()


def decode_header(payload: bytes) -> dict[str, Any]:
    """A change event without its body, which needs no schema: its first field is the same header for every object.

    Source: Salesforce "Change Data Capture Developer Guide", page "Change Event Header Fields". Other bytes may happen
    to decode, so the result is held against what a header can say.

    Raises:
        DecodeError: the payload does not begin with a plausible header.
    """
    value, _ = Decoder(HEADER_ALONE).decode_beginning(payload)
    header = value["ChangeEventHeader"]
    plausible = (
        re.fullmatch(r"[A-Za-z]\w{0,79}", header["entityName"], re.ASCII)
        and all(RECORD_ID.fullmatch(record_id) for record_id in header["recordIds"])
        and RECORD_ID.fullmatch(header["commitUser"])
        and EARLIEST_COMMIT <= header["commitTimestamp"] < LATEST_COMMIT
    )
    if not plausible:
        raise DecodeError("the payload does not begin with the header of a change event")
    return value


def _fields(schema: Any) -> Fields:
    """The fields of a record schema by position, each with the fields of the record that it may hold."""
    fields = []
    for field in getattr(schema, "fields", ()):
        kinds = getattr(field.type, "schemas", [field.type])
        nested = next((kind.fields for kind in kinds if kind.type == "record"), ())
        fields.append((str(field.name), tuple(str(inner.name) for inner in nested)))
    return tuple(fields)


def _without_logical_types(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _without_logical_types(value) for key, value in schema.items() if key != "logicalType"}
    if isinstance(schema, list):
        return [_without_logical_types(item) for item in schema]
    return schema
