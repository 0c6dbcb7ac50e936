"""The Avro engines and the short cuts of decoding, compared with the reference decoder.

The tests generate schemas and values.
"""

from __future__ import annotations

import io
import json
import math
import sys
import time
from typing import Any

import avro.io
import avro.name
import avro.schema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salesforce_client.src.app.decoding.avro import reader
from salesforce_client.src.app.decoding.avro.compiled import compiled
from salesforce_client.src.app.decoding.avro.fast import fast_reader, suits
from salesforce_client.src.app.decoding.avro.reference import reference_reader
from salesforce_client.src.app.decoding.change_events import from_change_event
from salesforce_client.src.app.decoding.decode import TELLS_OF_DELETES, Decoder
from salesforce_client.src.app.decoding.rows import Origin
from salesforce_client.src.app.decoding.values import ENCODER, as_json
from salesforce_client.src.app.errors import DecodeError
from salesforce_client.src.app.mock_salesforce import schemas
from salesforce_client.src.app.mock_salesforce.events import encode
from salesforce_client.src.app.model.events import Event
from salesforce_client.src.app.model.rows import Delete

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SYMBOLS = [f"S{number}" for number in range(70)]  # the compiled engine knows the first 64 of them
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(),
    "float": st.floats(width=32),
    "bytes": st.binary(max_size=12),
    "string": TEXT,
}


@st.composite
def fields(draw: st.DrawFn, depth: int = 2) -> tuple[Any, st.SearchStrategy[Any]]:
    """A field's type, and the strategy for its values."""
    kind = draw(
        st.sampled_from(
            [
                *VALUES,
                "nullable",
                "union",
                "enum",
                "fixed",
                "array",
                "map",
                *(["record"] if depth else []),
            ]
        )
    )
    name = f"T{draw(st.uuids()).hex}"
    if kind in VALUES:
        return kind, VALUES[kind]
    if kind == "record":
        return draw(records(depth=depth - 1))
    inner, value = draw(
        fields(depth=depth - 1 if depth else 0).filter(lambda field: not isinstance(field[0], list))
    )
    composed: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
        "enum": ({"type": "enum", "name": name, "symbols": SYMBOLS}, st.sampled_from(SYMBOLS)),
        "union": (["string", "null", "long"], TEXT | st.none() | VALUES["long"]),
        "fixed": ({"type": "fixed", "name": name, "size": 4}, st.binary(min_size=4, max_size=4)),
        "nullable": (["null", inner], st.none() | value),
        "array": ({"type": "array", "items": inner}, st.lists(value, max_size=3)),
        "map": ({"type": "map", "values": inner}, st.dictionaries(TEXT, value, max_size=3)),
    }
    return composed[kind]


@st.composite
def records(draw: st.DrawFn, depth: int = 2) -> tuple[Any, st.SearchStrategy[Any]]:
    """A record's schema, and the strategy for its values."""
    drawn = [draw(fields(depth=depth)) for _ in range(draw(st.integers(1, 5)))]
    listed = [{"name": f"f{place}", "type": kind} for place, (kind, _) in enumerate(drawn)]
    values = st.fixed_dictionaries({f"f{place}": value for place, (_, value) in enumerate(drawn)})
    return {"type": "record", "name": f"R{draw(st.uuids()).hex}", "fields": listed}, values


def written(schema: Any, value: Any) -> bytes:
    """The value as the reference encodes it."""
    out = io.BytesIO()
    parsed = avro.schema.make_avsc_object(schema, avro.name.Names())
    avro.io.DatumWriter(parsed).write(value, avro.io.BinaryEncoder(out))
    return out.getvalue()


def alike(value: Any) -> str:
    """A text that is equal if values and types are equal, NaN included."""
    return repr(value)


@settings(max_examples=150, deadline=None)
@given(st.data(), records(), st.binary(max_size=4))
def test_all_engines_read_the_same_value(
    data: st.DataObject, record: tuple[Any, st.SearchStrategy[Any]], behind: bytes
) -> None:
    """The types and the number of bytes read are the same too."""
    schema, values = record
    payload = written(schema, data.draw(values)) + behind
    reference = reference_reader(schema)(payload)
    assert alike(fast_reader(schema)(payload)) == alike(reference)
    assert alike(reader(schema)(payload)) == alike(reference)
    assert reference[1] == len(payload) - len(behind)


def nothing_else(_: bytes) -> tuple[Any, int]:
    raise LookupError("left to another engine")


@settings(max_examples=300, deadline=None)
@given(st.data(), records(), st.binary(max_size=4))
def test_the_compiled_engine_reads_the_same_value_as_the_reference_or_none(
    data: st.DataObject, record: tuple[Any, st.SearchStrategy[Any]], behind: bytes
) -> None:
    """Bytes may be changed or missing.

    The engine may leave such bytes to another engine, but must not misread them.
    """
    schema, values = record
    try:
        read = compiled(schema, nothing_else)
    except (KeyError, SyntaxError):  # a type that the engine does not read, or too much nesting
        return
    payload = bytearray(written(schema, data.draw(values)) + behind)
    changes = st.dictionaries(
        st.integers(0, max(len(payload) - 1, 0)), st.integers(0, 255), max_size=3
    )
    for place, byte in data.draw(changes).items():
        payload[place : place + 1] = bytes([byte])
    raw = bytes(payload[: data.draw(st.integers(0, len(payload)))])
    try:
        found = read(raw)
    except LookupError:
        return
    assert alike(found) == alike(reference_reader(schema)(raw))


@pytest.mark.parametrize("length", [b"\1", b"\x7f", b"\x81\1", b"\xff\x7f", b"\x80\x80\1"])
@pytest.mark.parametrize("kind", ["string", "bytes", {"type": "array", "items": "int"}], ids=str)
def test_the_compiled_engine_leaves_unusual_lengths_to_another_engine(
    kind: Any, length: bytes
) -> None:
    """A length is unusual if it is negative or has more than two bytes.

    Enough bytes follow, so an engine that misreads the length returns a wrong value.
    """
    with pytest.raises(LookupError):
        compiled(
            {"type": "record", "name": "R", "fields": [{"name": "f", "type": kind}]}, nothing_else
        )(length + bytes(20_000))


NUMBER = {"type": "record", "name": "R", "fields": [{"name": "f", "type": "long"}]}


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        (b"\xfe" + b"\xff" * 8 + b"\x01", 2**63 - 1),
        (b"\xff" * 9 + b"\x01", -(2**63)),
        (b"\xff" * 9 + b"\x02", None),  # 65 bits
        (b"\x80" * 9 + b"\x00", 0),
        (b"\x80" * 3 + b"\x01", 2**20),
        (b"\x80" * 4 + b"\x01", 2**27),
        (b"\x80" * 5 + b"\x01", 2**34),
    ],
)
def test_the_compiled_engine_reads_numbers_of_64_bits(raw: bytes, number: int | None) -> None:
    """It leaves larger ones to the other engine."""
    read = compiled(NUMBER, lambda _: ({"f": None}, 0))
    assert read(raw) == ({"f": number}, 0 if number is None else len(raw))


def test_the_compiled_engine_gives_up_an_endless_number_at_once() -> None:
    """With a wrong schema a long text may look like such a number."""
    left_over = compiled(NUMBER, lambda _: ("left", 0))
    began = time.perf_counter()
    assert left_over(b"\xff" * 10_000_000) == ("left", 0)
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize("schema_json", schemas.BY_ID.values())
def test_the_compiled_engine_reads_usual_events_by_itself(
    schema_json: str,
) -> None:
    """No part of a platform event or of a change event's header is left to another engine."""
    schema = json.loads(schema_json)
    first = schema["fields"][0]
    value: dict[str, Any] = {"CreatedDate": 1767225600123, "CreatedById": "005AA000000ExmpAAA"}
    if first["name"] == "ChangeEventHeader":
        schema["fields"] = [first]
        value = {
            "ChangeEventHeader": {
                **HEADER,
                "changeType": "DELETE",
                "recordIds": ["001AA000001ExmpAAA"] * 70,
            }
        }
    payload = encode(json.dumps(schema), value)
    assert compiled(schema, nothing_else)(payload) == reference_reader(schema)(payload)


@pytest.mark.parametrize("depth", [25, 250])
def test_a_schema_that_cannot_be_compiled_is_read_by_another_engine(depth: int) -> None:
    """Python allows no more than twenty nested loops, and no more than a thousand nested calls."""
    kind: Any = "int"
    value: Any = 7
    for _ in range(depth):
        kind, value = {"type": "array", "items": kind}, [value]
    schema = {"type": "record", "name": "Deep", "fields": [{"name": "f", "type": kind}]}
    with pytest.raises((SyntaxError, RecursionError)):
        compiled(schema, nothing_else)
    payload = b"\2" * depth + b"\x0e" + bytes(depth)
    assert reader(schema)(payload) == ({"f": value}, len(payload))


@settings(max_examples=150, deadline=None)
@given(st.data(), records())
def test_all_engines_refuse_a_payload_that_is_cut_off(
    data: st.DataObject, record: tuple[Any, st.SearchStrategy[Any]]
) -> None:
    """No engine returns a shorter value."""
    schema, values = record
    payload = written(schema, data.draw(values))
    if not payload:
        return
    cut = payload[: data.draw(st.integers(0, len(payload) - 1))]
    for read in (reference_reader(schema), fast_reader(schema), reader(schema)):
        with pytest.raises(Exception):  # noqa: B017, PT011  (each engine has its own errors)
            read(cut)


def test_fastavro_is_used_if_it_is_installed_else_the_reference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``requirements.txt`` installs ``fastavro``, but the collector also works without it."""
    schema = {
        "type": "record",
        "name": "R",
        "fields": [{"name": "left_to_others", "type": {"type": "map", "values": "int"}}],
    }
    assert "fast_reader" in reader(schema).__qualname__
    monkeypatch.setitem(sys.modules, "fastavro", None)
    assert "reference_reader" in reader(schema).__qualname__


def linked(depth: int) -> bytes:
    """A chain of ``depth`` records."""
    return b"\2" * depth + b"\0"


LINKED = {
    "type": "record",
    "namespace": "n",
    "name": "Linked",
    "fields": [{"name": "next", "type": ["null", "n.Linked"]}],
}


def test_a_schema_that_refers_to_itself_is_read_by_the_reference() -> None:
    """In ``fastavro``, which is written in C, deeply nested data would end the process.

    In Python it is an error of the event.
    """
    assert not suits(LINKED)
    assert reader(LINKED)(linked(2)) == ({"next": {"next": {"next": None}}}, 3)
    with pytest.raises(RecursionError):
        reader(LINKED)(linked(100_000))
    with pytest.raises(DecodeError, match="does not fit its schema: RecursionError"):
        Decoder(json.dumps(LINKED)).decode(linked(100_000))


@pytest.mark.parametrize(
    "kind",
    [
        ["null", "Other"],
        {"type": "array", "items": "Other"},
        {"type": "map", "values": ["null", "Other"]},
        {"type": "record", "name": "Inner", "fields": [{"name": "f", "type": "Other"}]},
    ],
    ids=str,
)
def test_a_type_that_refers_to_itself_is_recognized(kind: Any) -> None:
    """The reference may be in a union, array, map or record, with or without a namespace.

    A reference to another type does not count.
    """
    assert suits({"type": "record", "name": "x.Self", "fields": [{"name": "f", "type": kind}]})
    assert not suits({"type": "record", "name": "x.Other", "fields": [{"name": "f", "type": kind}]})


@pytest.mark.parametrize("byte", [2, 3, 127, 128, 255])
@pytest.mark.parametrize(
    "also",
    [[], [{"name": "left_to_others", "type": {"type": "map", "values": "int"}}]],
    ids=["alone", "map"],
)
@pytest.mark.parametrize("kind", ["boolean", ["null", "boolean"]], ids=str)
def test_a_boolean_is_the_byte_0_or_1(byte: int, also: list[Any], kind: Any) -> None:
    """Each engine refuses any other byte as damage."""
    schema = {"type": "record", "name": "R", "fields": [*also, {"name": "f", "type": kind}]}
    before = (b"\0" if also else b"") + (b"\2" if isinstance(kind, list) else b"")
    for value in (0, 1):
        assert reader(schema)(before + bytes([value]))[0]["f"] is bool(value)
    for read in (reader(schema), reference_reader(schema)):
        with pytest.raises(ValueError, match="not in tuple"):
            read(before + bytes([byte]))


EVENT = Event("e1", "s", b"", b"\1")
ORIGIN = Origin("00D", "/data/AccountChangeEvent", "2026-02-01T00:00:00.000Z")
HEADER = {
    "entityName": "Account",
    "recordIds": ["001AA000001ExmpAAA"],
    "changeOrigin": 'a "quoted" origin\n',
    "transactionKey": "t",
    "sequenceNumber": 1,
    "commitTimestamp": 1767225600123,
    "commitNumber": 2**62,
    "commitUser": "005AA000000ExmpAAA",
    "nulledFields": [],
    "diffFields": [],
    "changedFields": [],
}
BODY = st.dictionaries(
    st.sampled_from(["OwnerId", "Phone", "Description", "Type", "Industry"]),
    TEXT | st.just("null"),
    max_size=3,
).flatmap(
    lambda texts: st.fixed_dictionaries(
        {},
        optional={
            "AnnualRevenue": st.floats(),
            "NumberOfEmployees": VALUES["int"],
            "CreatedDate": VALUES["long"],
            "BillingAddress": st.fixed_dictionaries({}, optional={"City": TEXT}),
        },
    ).map(lambda others: {**texts, **others})
)


@settings(max_examples=200, deadline=None)
@given(BODY, st.sampled_from(sorted(TELLS_OF_DELETES - {"GAP_OVERFLOW"})))
def test_the_row_of_a_delete_is_the_same_as_with_the_reference_decoder(
    body: dict[str, Any], change_type: str
) -> None:
    """The body is all null, nearly all null, or full of any values."""
    row_is_that_of_the_reference(body, change_type)


def row_is_that_of_the_reference(body: dict[str, Any], change_type: str) -> None:
    body = {
        name: {field: value.get(field) for field in ADDRESS} if isinstance(value, dict) else value
        for name, value in body.items()
    }
    payload = encode(
        schemas.ACCOUNT, {"ChangeEventHeader": {**HEADER, "changeType": change_type}, **body}
    )
    decoder = Decoder(schemas.ACCOUNT)
    reference, _ = reference_reader(json.loads(schemas.ACCOUNT))(payload)
    (short,) = from_change_event(decoder.decode(payload), EVENT, ORIGIN)
    (whole,) = from_change_event((reference, as_json(reference)), EVENT, ORIGIN)
    assert isinstance(short, Delete)
    assert isinstance(whole, Delete)
    assert short._replace(payload="") == whole._replace(payload="")
    assert list(json.loads(short.payload)) == list(json.loads(whole.payload))
    assert alike(json.loads(short.payload)) == alike(json.loads(whole.payload))


ADDRESS = [field.partition(":")[0] for field in schemas.ADDRESS_FIELDS.split()]


def test_only_the_header_of_a_change_that_is_no_delete_is_read() -> None:
    """Nobody needs the body of such a change. Here a part of it is missing, and nothing fails."""
    payload = encode(schemas.ACCOUNT, {"ChangeEventHeader": {**HEADER, "changeType": "UPDATE"}})
    value, _ = Decoder(schemas.ACCOUNT).decode(payload[:-20])
    assert list(value) == ["ChangeEventHeader"]


@pytest.mark.parametrize(
    "wrong", [lambda raw: raw[:-1], lambda raw: raw + b"\0", lambda raw: raw[:-1] + b"\7"]
)
def test_a_delete_whose_body_does_not_fit_its_schema_is_an_error(wrong: Any) -> None:
    """The body has one null too few, one null too many, or a wrong byte in place of a null."""
    payload = encode(schemas.ACCOUNT, {"ChangeEventHeader": {**HEADER, "changeType": "DELETE"}})
    with pytest.raises(DecodeError, match="does not fit its schema"):
        Decoder(schemas.ACCOUNT).decode(wrong(payload))


JSON = st.recursive(
    st.none() | st.booleans() | VALUES["long"] | st.floats() | TEXT | st.just("null"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_json_has_the_same_meaning_as_that_of_the_standard_library(value: Any) -> None:
    """NaN and the infinities are written as their names."""

    def named(it: Any) -> Any:
        if isinstance(it, float) and not math.isfinite(it):
            return str(it)
        if isinstance(it, dict):
            return {key: named(inner) for key, inner in it.items()}
        return [named(inner) for inner in it] if isinstance(it, list) else it

    assert alike(json.loads(as_json(value))) == alike(json.loads(ENCODER.encode(named(value))))
    assert (
        as_json({"much": 2**70, "raw": b"\xff"}) == '{"much":1180591620717411303424,"raw":"/w=="}'
    )
