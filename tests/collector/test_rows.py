"""What the rows of all kinds of events share, and how values become JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesforce_client.src.app.decoding.rows import (
    Origin,
    cursor_gap,
    fitting,
    noted,
    rejected,
    without_nul,
)
from salesforce_client.src.app.decoding.values import as_json
from salesforce_client.src.app.errors import DecodeError
from salesforce_client.src.app.model.events import Event
from salesforce_client.src.app.model.ids import identity
from salesforce_client.src.app.model.rows import RejectedEvent

EVENT = Event("e1", "s1", b"", b"\0\1")
ORIGIN = Origin("00D000000000001EAA", "/data/AccountChangeEvent", "2026-01-01T00:00:05.000Z")


def test_a_rejected_event_is_kept_with_all_that_was_received_and_the_error() -> None:
    """The bytes of a rejected event may be decoded later."""
    found = rejected(EVENT._replace(payload=b"\xff"), ORIGIN, DecodeError("it does not fit"))
    assert found == RejectedEvent(
        reject_id=found.reject_id,
        topic=ORIGIN.topic,
        event_id="e1",
        replay_id=b"\0\1",
        schema_id="s1",
        payload=b"\xff",
        error="it does not fit",
        received_at=ORIGIN.received_at,
    )


def test_a_rejected_event_has_the_same_key_at_each_delivery() -> None:
    """A redelivery has another replay id and another time.

    Another topic, event id or payload gives another key.
    """
    again = ORIGIN._replace(received_at="2026-01-02T00:00:00.000Z")
    first = rejected(EVENT, ORIGIN, DecodeError("x"))
    assert (
        rejected(EVENT._replace(replay_id=b"other"), again, DecodeError("y")).reject_id
        == first.reject_id
    )
    others = [EVENT._replace(payload=b"x"), EVENT._replace(event_id="e2")]
    elsewhere = rejected(EVENT, ORIGIN._replace(topic="/data/ChangeEvents"), DecodeError("x"))
    assert first.reject_id not in {
        elsewhere.reject_id,
        *(rejected(one, ORIGIN, DecodeError("x")).reject_id for one in others),
    }


def test_the_gap_of_a_topic_without_a_cursor_begins_with_the_first_try() -> None:
    """Its key is the same in each version of this app, so the same gap is one row."""
    first = "2026-01-20T00:00:00.000Z"
    gap = cursor_gap("not_readable", ORIGIN, None, first)
    key = identity(ORIGIN.org_id, ORIGIN.topic, b"", "not_readable", ORIGIN.received_at)
    assert (gap.gap_id, gap.from_replay_id, gap.from_time) == (key, None, first)


def test_each_poll_that_finds_a_cursor_unusable_makes_a_gap_of_its_own() -> None:
    """The first of them may be killed before it moves the cursor. The gap of the next one ends
    later, and it must not count as the same.
    """
    gaps = [
        cursor_gap(reason, origin, cursor, None)
        for reason in ("expired_cursor", "unreadable_cursor")
        for origin in (
            ORIGIN,
            ORIGIN._replace(received_at="2026-02-05T00:00:00.000Z"),
            ORIGIN._replace(org_id="00E"),
            ORIGIN._replace(topic="/data/ChangeEvents"),
        )
        for cursor in (b"old", b"")
    ]
    assert len({gap.gap_id for gap in gaps}) == len(gaps)
    assert {gap.to_time for gap in gaps} == {ORIGIN.received_at, "2026-02-05T00:00:00.000Z"}


def test_a_text_of_exactly_255_characters_with_a_nul_is_not_cut() -> None:
    """A longer one is."""
    notes: dict[str, Any] = {}
    assert fitting("\0" + "x" * 254, "object_name", notes) == "\ufffd" + "x" * 254
    assert notes == {}
    assert fitting("\0" + "x" * 255, "object_name", notes) == "\ufffd" + "x" * 254
    assert notes == {"cut": ["object_name"]}


@given(st.text(st.sampled_from("\0\ufffdab"), max_size=300))
def test_a_text_fits_into_its_column_and_the_notes_name_a_text_that_was_cut(text: str) -> None:
    """A text has at most 255 characters and no U+0000. An empty one is None."""
    notes: dict[str, Any] = {}
    found = fitting(text, "object_name", notes)
    assert (found or "") == text.replace("\0", "\ufffd")[:255]
    assert (found is None) == (text == "")
    assert notes == ({"cut": ["object_name"]} if len(text) > 255 else {})


def test_the_notes_are_a_field_of_the_payload() -> None:
    """The fields of the event stay as they are."""
    assert noted('{"a":1}', {"gap": True}) == '{"a":1,"_tracker":{"gap":true}}'


@pytest.mark.parametrize(
    ("payload", "plain"),
    [
        ('{"a":"\\u0000"}', '{"a":"\ufffd"}'),
        ('{"a":"x\\u0000y\\u0000"}', '{"a":"x\ufffdy\ufffd"}'),
        ('{"a":"\\\\\\u0000"}', '{"a":"\\\\\ufffd"}'),
    ],
)
def test_a_nul_in_a_payload_is_replaced(payload: str, plain: str) -> None:
    """An escaped backslash may stand before it."""
    assert without_nul(payload) == plain


@pytest.mark.parametrize(
    "payload", ['{"a":1}', '{"a":"\\n"}', '{"a":"\\\\u0000"}', '{"a":"\\u0001"}']
)
def test_a_payload_without_a_nul_stays_the_same_object(payload: str) -> None:
    """So the caller knows that there is nothing to note."""
    assert without_nul(payload) is payload


@given(st.text(st.sampled_from(["\0", "\\", "u", "0", '"', "\n", "\ufffd", "ü"])))
def test_any_text_is_read_back_with_its_nuls_replaced(text: str) -> None:
    """Nothing else in the text changes."""
    assert json.loads(without_nul(as_json({"a": text}))) == {"a": text.replace("\0", "\ufffd")}


def test_json_keeps_integers_exact_and_writes_bytes_as_base64() -> None:
    """NaN and the infinities are written as text, because JSON has no such numbers."""
    value = {
        "long": 2**63 - 1,
        "bytes": b"\0\xff",
        "nan": float("nan"),
        "inf": [float("inf")],
        "text": 'it\'s "x"\n\\ 🦊 $$ %s',
    }
    assert as_json(value) == (
        '{"long":9223372036854775807,"bytes":"AP8=","nan":"nan","inf":["inf"],'
        '"text":"it\'s \\"x\\"\\n\\\\ 🦊 $$ %s"}'
    )


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), JSON_VALUES))
def test_json_round_trips(value: dict[str, Any]) -> None:
    """A value that contains no bytes comes back unchanged."""
    assert json.loads(as_json(value)) == value


@given(st.lists(st.binary(), min_size=2, max_size=2), st.lists(st.binary(), min_size=2, max_size=2))
def test_identities_differ_if_any_part_differs(one: list[bytes], other: list[bytes]) -> None:
    """Two identities differ even if their joined parts are the same bytes."""
    assert (identity(*one) == identity(*other)) == (one == other)
