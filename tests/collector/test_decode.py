"""Payloads into values with the reference decoder."""

from __future__ import annotations

import json

import pytest

from salesforce_client.src.app.decoding.decode import Decoder
from salesforce_client.src.app.errors import DecodeError
from salesforce_client.src.app.mock_salesforce import schemas
from salesforce_client.src.app.mock_salesforce.org import encode

EVENT = {
    "CreatedDate": 1767225600000,
    "CreatedById": "005AA000000ExmpAAA",
    "Record_Id__c": "001AA000001ExmpAAA",
}
PAYLOAD = encode(schemas.DELETE_EVENT, EVENT)


def test_a_payload_becomes_its_fields_in_the_schemas_order() -> None:
    """Fields that were not set are null, not absent."""
    decoded, _ = Decoder(schemas.DELETE_EVENT).decode(PAYLOAD)
    assert list(decoded) == [field["name"] for field in json.loads(schemas.DELETE_EVENT)["fields"]]
    assert {name: value for name, value in decoded.items() if value is not None} == EVENT


@pytest.mark.parametrize("cut", range(1, len(PAYLOAD)))
def test_a_payload_cut_off_anywhere_is_an_error(cut: int) -> None:
    """Never a shorter event."""
    with pytest.raises(DecodeError, match="does not fit its schema"):
        Decoder(schemas.DELETE_EVENT).decode(PAYLOAD[:cut])


def test_bytes_left_over_are_an_error() -> None:
    """A wrong schema can decode without complaint and yield wrong values: what is left over gives it away."""
    with pytest.raises(
        DecodeError, match=r"^the payload does not fit its schema: bytes are left over$"
    ):
        Decoder(schemas.DELETE_EVENT).decode(PAYLOAD + b"\0")


def test_an_account_schema_with_types_that_are_named_once_and_used_twice_is_understood() -> None:
    """``Address`` is defined where it first stands."""
    value = {"BillingAddress": {"City": "Köln"}, "ShippingAddress": {"City": "Bonn"}, "Name": "A"}
    header = {
        "entityName": "Account", "recordIds": ["1"], "changeType": "DELETE", "changeOrigin": "", "transactionKey": "",
        "sequenceNumber": 1, "commitTimestamp": 2**62, "commitNumber": 2**63 - 1, "commitUser": "", "nulledFields": [],
        "diffFields": [], "changedFields": [],
    }  # fmt: skip
    decoded, _ = Decoder(schemas.ACCOUNT).decode(
        encode(schemas.ACCOUNT, {"ChangeEventHeader": header, **value})
    )
    assert decoded["ShippingAddress"]["City"] == "Bonn"
    assert decoded["ChangeEventHeader"] == header


def test_a_logical_type_does_not_change_what_is_on_the_wire() -> None:
    """Milliseconds stay an integer."""
    schema = '{"type":"record","name":"E","fields":[{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}}]}'
    assert Decoder(schema).decode(b"\x02")[0] == {"at": 1}


@pytest.mark.parametrize(
    "kind",
    [
        '"string"',
        '["null","string"]',
        '{"type":"record","name":"H","fields":[{"name":"x","type":"string"}]}',
    ],
)
def test_a_header_that_is_none_is_a_field_like_any_other(kind: str) -> None:
    """Whoever names a field so."""
    schema = json.loads(
        f'{{"type":"record","name":"E","fields":[{{"name":"ChangeEventHeader","type":{kind}}}]}}'
    )
    payload = b"\x02\x02a" if "null" in kind else b"\x02a"
    assert Decoder(json.dumps(schema)).decode(payload)[0]["ChangeEventHeader"] in ("a", {"x": "a"})


@pytest.mark.parametrize(
    "schema",
    [
        "",
        "{",
        '"string"',
        '{"type":"record"}',
        '{"type":"record","name":"X","fields":[{"name":"a"}]}',
        "[]",
    ],
)
def test_a_text_that_is_no_record_schema_is_an_error(schema: str) -> None:
    """Of the event, not of the run."""
    with pytest.raises(DecodeError):
        Decoder(schema).decode(b"")
