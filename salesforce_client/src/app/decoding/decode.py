"""Decodes Avro payload bytes with a schema into plain values."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import avro.constants
import avro.name
import avro.schema

from ..errors import DecodeError
from .avro import Read, reader
from .values import as_json, as_json_without_doubles

ANY_CHANGE_EVENT = Path(__file__).with_name("any_change_event.avsc")
RECORD_ID = re.compile(r"[A-Za-z0-9]{15}([A-Za-z0-9]{3})?|[A-Za-z0-9]{3,18}\*")
# The beginnings of the years 2000 and 2100, in milliseconds since 1970.
EARLIEST_COMMIT, LATEST_COMMIT = (946_684_800_000, 4_102_444_800_000)


Fields = tuple[tuple[str, tuple[str, ...]], ...]


# A decoded event in two forms. This is a plain tuple, because creating an object of a class would
# add a tenth to the time of decoding.
# 1. The fields by name, with ``bytes`` for bytes and fixed, and ``int`` for int and long. Null
#    fields of a change event may be missing. A change event that reports no delete has only its
#    header.
# 2. The payload as JSON: an object with all fields, also the null ones. If only the header could be
#    read, the object has only the header. None for a change event that reports no delete.
Decoded = tuple[Mapping[str, Any], Optional[str]]

TELLS_OF_DELETES = frozenset(("DELETE", "GAP_DELETE", "GAP_OVERFLOW"))


class Decoder:
    """Decodes payloads of one schema.

    The header of a change event is read first. If the header reports no delete, the body is not
    read. In most deletes, all fields of the body are null, and the body is one zero byte for each.

    Args:
        schema_json: the schema as Salesforce delivers it.

    Attributes:
        fields: the names of the schema's fields in their order, each with the names of the fields
            inside it.
        is_change: whether the schema is that of a change event.

    Raises:
        DecodeError: the text is not an Avro schema.
    """

    def __init__(self, schema_json: str) -> None:
        try:
            # Without logical types a value stays as it was sent: a time is a number of
            # milliseconds, and a decimal is bytes.
            schema = _without_logical_types(json.loads(schema_json))
            self._read = reader(schema)
            self.fields = _fields(avro.schema.make_avsc_object(schema, avro.name.Names()))
            self.is_change = "changeType" in dict(self.fields).get("ChangeEventHeader", ())
            self._json = _writer(schema)
            self._header = _header_of(schema)
            self._header_json = _writer(schema["fields"][:1])
            self._body = _Body(schema["fields"][1:]) if self._header else None
        except Exception as error:  # noqa: BLE001  (a bad schema raises many kinds)
            raise DecodeError(f"not an Avro schema: {type(error).__name__}: {error}") from None

    def decode(self, payload: bytes) -> Decoded:
        """Decode the event in ``payload``.

        Raises:
            DecodeError: the bytes do not fit the schema, or bytes are left over. A wrong schema can
                cause both.
        """
        try:
            if self._header and self._body:
                header, used = self._header(payload)
                if header["ChangeEventHeader"]["changeType"] not in TELLS_OF_DELETES:
                    return header, None
                found = self._body.read(payload, used)
                if found is not None:
                    value, rest = found
                    beginning = self._header_json(header)[:-1]
                    return {**header, **value} if value else header, beginning + rest
            value, used = self._read(payload)
        except Exception as error:  # noqa: BLE001  (any error: unreadable bytes)
            raise _does_not_fit(error) from None
        if used != len(payload):
            raise DecodeError("the payload does not fit its schema: bytes are left over")
        return value, self._json(value)


class _Body:
    """Reads the fields of a change event after its header. Most of them are null."""

    def __init__(self, fields: Sequence[Mapping[str, Any]]) -> None:
        self._names = [field["name"] for field in fields]
        self._read = [_reader_where_simple(field["type"]) for field in fields]
        self._nullable = all(
            isinstance(field["type"], list) and field["type"][0] == "null" for field in fields
        )
        self._nulls = [f",{as_json(name)}:null" for name in self._names]
        self._zeros = bytes(len(fields))
        self._all_null: tuple[dict[str, Any], str] = ({}, "".join([*self._nulls, "}"]))

    def read(self, payload: bytes, at: int) -> tuple[dict[str, Any], str] | None:
        """Read the body, which begins at ``at``.

        Returns the fields that are not null, and the JSON text of all fields of the body. Returns
        None if the bytes do not fit, or if a field that is not null has no primitive type.
        """
        if not self._nullable:
            return None
        if len(payload) - at == len(self._zeros) and payload.endswith(self._zeros):
            return self._all_null
        body = payload[at:]
        found: dict[str, Any] = {}
        texts = list(self._nulls)
        place = 0
        while body:
            rest = body.lstrip(b"\0")
            place += len(body) - len(rest)
            if not rest:
                break
            read = self._read[place] if place < len(self._read) else None
            if read is None:
                return None
            try:
                value, used = read(rest)
            except Exception:  # noqa: BLE001  (the caller reads the whole payload again)
                return None
            found[self._names[place]] = value
            texts[place] = f",{as_json(self._names[place])}:{as_json(value)}"
            body = rest[used:]
            place += 1
        return (found, "".join([*texts, "}"])) if place == len(self._names) else None


def _writer(schema: Any) -> Callable[[Any], str]:
    """The function that writes values of a schema as JSON."""
    text = json.dumps(schema)
    return as_json if '"double"' in text or '"float"' in text else as_json_without_doubles


def _reader_where_simple(kind: Any) -> Read | None:
    """A reader for a field of primitive types.

    None for other types, because they may refer to a type that an earlier field defines.
    """
    simple = isinstance(kind, list) and all(
        isinstance(one, str) and one in avro.constants.PRIMITIVE_TYPES for one in kind
    )
    return _reader_of(tuple(kind)) if simple else None


@functools.cache
def _reader_of(kinds: tuple[str, ...]) -> Read:
    return reader([*kinds])


def _header_of(schema: Any) -> Read | None:
    """A reader for the header of a change event alone. None for other schemas."""
    for first in schema["fields"][:1]:
        inside = first["type"].get("fields", ()) if isinstance(first["type"], dict) else ()
        if first["name"] == "ChangeEventHeader" and "changeType" in [
            field["name"] for field in inside
        ]:
            return reader({**schema, "fields": [first]})
    return None


@functools.cache
def _header_alone() -> Read:
    return reader(json.loads(ANY_CHANGE_EVENT.read_text(encoding="utf-8")))


def _does_not_fit(error: Exception) -> DecodeError:
    # The same cause gives the same text, so that an operator can count rejects by cause. The text
    # has no details, because the bytes are kept.
    return DecodeError(f"the payload does not fit its schema: {type(error).__name__}")


def decode_header(payload: bytes) -> Decoded:
    """Decode only the header of a change event. This does not need the event's schema.

    It works because the first field is the same header for every object. Source: Salesforce
    "Change Data Capture Developer Guide", page "Change Event Header Fields". Other bytes may look
    like a header by chance, so the function checks that the values are plausible.

    Raises:
        DecodeError: the payload does not begin with a plausible header.
    """
    try:
        value, _ = _header_alone()(payload)
    except Exception as error:  # noqa: BLE001  (any error: unreadable bytes)
        raise _does_not_fit(error) from None
    header = value["ChangeEventHeader"]
    plausible = (
        re.fullmatch(r"[A-Za-z]\w{0,79}", header["entityName"], re.ASCII)
        and all(RECORD_ID.fullmatch(record_id) for record_id in header["recordIds"])
        and RECORD_ID.fullmatch(header["commitUser"])
        and EARLIEST_COMMIT <= header["commitTimestamp"] < LATEST_COMMIT
    )
    if not plausible:
        raise DecodeError("the payload does not begin with the header of a change event")
    return value, as_json(value)


def _fields(schema: Any) -> Fields:
    """The fields of a record schema in their order, each with the fields of a record inside it."""
    fields = []
    for field in getattr(schema, "fields", ()):
        kinds = getattr(field.type, "schemas", [field.type])
        nested = next((kind.fields for kind in kinds if kind.type == "record"), ())
        fields.append((str(field.name), tuple(str(inner.name) for inner in nested)))
    return tuple(fields)


def _without_logical_types(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            key: _without_logical_types(value)
            for key, value in schema.items()
            if key != "logicalType"
        }
    if isinstance(schema, list):
        return [_without_logical_types(item) for item in schema]
    return schema
