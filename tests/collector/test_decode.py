"""How payload bytes and a schema become values."""

from __future__ import annotations

import json

import pytest

from salesforce_client.src.app.decoding.decode import Decoder
from salesforce_client.src.app.errors import DecodeError
from salesforce_client.src.app.mock_salesforce import schemas
from salesforce_client.src.app.mock_salesforce.events import encode

EVENT = {
    "CreatedDate": 1767225600000,
    "CreatedById": "005AA000000ExmpAAA",
    "Record_Id__c": "001AA000001ExmpAAA",
}
PAYLOAD = encode(schemas.DELETE_EVENT, EVENT)


def test_a_decoded_payload_has_its_fields_in_the_order_of_the_schema() -> None:
    """Fields that were not set are null, not absent."""
    decoded, _ = Decoder(schemas.DELETE_EVENT).decode(PAYLOAD)
    assert list(decoded) == [field["name"] for field in json.loads(schemas.DELETE_EVENT)["fields"]]
    assert {name: value for name, value in decoded.items() if value is not None} == EVENT


@pytest.mark.parametrize("cut", range(1, len(PAYLOAD)))
def test_a_payload_that_is_cut_off_anywhere_is_an_error(cut: int) -> None:
    """A payload that is cut off never becomes a shorter event."""
    with pytest.raises(DecodeError, match="does not fit its schema"):
        Decoder(schemas.DELETE_EVENT).decode(PAYLOAD[:cut])


def test_bytes_that_are_left_over_are_an_error() -> None:
    """A wrong schema can decode without an error and give wrong values.

    The bytes that are left over reveal it.
    """
    with pytest.raises(
        DecodeError, match=r"^the payload does not fit its schema: bytes are left over$"
    ):
        Decoder(schemas.DELETE_EVENT).decode(PAYLOAD + b"\0")


def test_a_schema_may_define_a_type_once_and_use_it_twice() -> None:
    """The Account schema defines ``Address`` at its first use."""
    value = {"BillingAddress": {"City": "Köln"}, "ShippingAddress": {"City": "Bonn"}, "Name": "A"}
    header = {
        "entityName": "Account",
        "recordIds": ["1"],
        "changeType": "DELETE",
        "changeOrigin": "",
        "transactionKey": "",
        "sequenceNumber": 1,
        "commitTimestamp": 2**62,
        "commitNumber": 2**63 - 1,
        "commitUser": "",
        "nulledFields": [],
        "diffFields": [],
        "changedFields": [],
    }
    decoded, _ = Decoder(schemas.ACCOUNT).decode(
        encode(schemas.ACCOUNT, {"ChangeEventHeader": header, **value})
    )
    assert decoded["ShippingAddress"]["City"] == "Bonn"
    assert decoded["ChangeEventHeader"] == header


def test_a_logical_type_does_not_change_the_decoded_value() -> None:
    """A timestamp in milliseconds stays an integer."""
    schema = (
        '{"type":"record","name":"E","fields":'
        '[{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}}]}'
    )
    assert Decoder(schema).decode(b"\x02")[0] == {"at": 1}


@pytest.mark.parametrize(
    "kind",
    [
        '"string"',
        '["null","string"]',
        '{"type":"record","name":"H","fields":[{"name":"x","type":"string"}]}',
    ],
)
def test_a_field_that_only_has_the_name_of_the_header_is_decoded_like_any_other(kind: str) -> None:
    """Anybody may name a field ``ChangeEventHeader``."""
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
    """The error concerns the event, not the run."""
    with pytest.raises(DecodeError):
        Decoder(schema).decode(b"")
