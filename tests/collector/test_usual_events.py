"""Platform events that are read together become the rows that each of them becomes alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as some

from salesforce_client.src.app.decoding.platform_events import from_platform_event
from salesforce_client.src.app.decoding.rows import LONGEST_ID
from salesforce_client.src.app.decoding.usual_events import usual_deletes
from salesforce_client.src.app.decoding.values import as_json
from salesforce_client.src.app.errors import DecodeError
from salesforce_client.src.app.model.event_rules import Clause
from salesforce_client.src.app.model.events import Event
from salesforce_client.src.app.model.ids import have_checksums, with_checksum
from salesforce_client.src.app.model.rows import Row

from .test_platform_events import CREATED, ORIGIN, PLAN, VALUE, A, B

FIRST, LAST = 946_684_800_000, 4_102_444_799_999  # of the years 2000 to 2099
USUAL: tuple[dict[str, Any], ...] = (
    {"Record_Id__c": B},
    {"Object_Name__c": "é" * 255, "Deleted_By__c": "u" * 255, "Owner_Id__c": "o" * 255},
    {"Deleted_Date__c": FIRST},
    {"Deleted_Date__c": LAST},
    {"Note__c": "Größe 🌍", "Unknown__c": None},
)
UNUSUAL: tuple[dict[str, Any], ...] = (
    {"Object_Name__c": None},
    {"Object_Name__c": ""},
    {"Object_Name__c": "x" * 256},
    {"Object_Name__c": 7},
    {"Deleted_By__c": None},
    {"Owner_Id__c": 7},
    {"Owner_Id__c": "o" * 256},
    {"Record_Id__c": None},
    {"Record_Id__c": A[:15]},
    {"Record_Id__c": A[:15] + "AAA"},
    {"Record_Id__c": A.lower()},
    {"Record_Id__c": f"{A},{B}"},
    {"Record_Id__c": f"é{A[1:]}"},
    {"Record_Id__c": f"-{A[1:]}"},
    {"Record_Id__c": f"\ud800{A[1:]}"},
    {"Deleted_Date__c": None},
    {"Deleted_Date__c": True},
    {"Deleted_Date__c": str(CREATED)},
    {"Deleted_Date__c": float(CREATED)},
    {"Deleted_Date__c": FIRST - 1},
    {"Deleted_Date__c": LAST + 1},
    {"Note__c": "a \\ b"},
    {"Note__c": "a \0 b"},
)
Events = Sequence[tuple[Event, dict[str, Any]]]


def event(number: int = 0, event_id: Optional[str] = None, **changes: Any) -> Any:
    name = f"e{number}" if event_id is None else event_id
    return Event(name, "s1", b"payload %d" % number, b"%d" % number), {**VALUE, **changes}


def together(events: Events, plan: Any = PLAN) -> Optional[Sequence[Row]]:
    decoded = [(value, as_json(value)) for _, value in events]
    return usual_deletes(decoded, [one for one, _ in events], ORIGIN, plan)


def alone(events: Events, plan: Any = PLAN) -> Sequence[Row]:
    return [
        row
        for one, value in events
        for row in from_platform_event((value, as_json(value)), one, ORIGIN, plan)
    ]


def test_usual_events_become_the_rows_that_each_becomes_alone() -> None:
    """In their order, also with the longest texts and the first and the last times."""
    events = [event(number, **changes) for number, changes in enumerate(({}, *USUAL))]
    events.append(event(6, "i" * LONGEST_ID))
    rows = together(events)
    assert rows == alone(events)
    assert len(rows or ()) == 7


@pytest.mark.parametrize("changes", UNUSUAL, ids=str)
def test_one_unusual_event_is_noticed_among_usual_ones(changes: dict[str, Any]) -> None:
    assert together([event(1), event(2, **changes), event(3)]) is None


@pytest.mark.parametrize("event_id", ["", "a\0b", "i" * (LONGEST_ID + 1)])
def test_an_unusual_event_id_is_noticed(event_id: str) -> None:
    assert together([event(1), event(2, event_id)]) is None


def test_only_deletes_are_usual() -> None:
    """The filter decides for each event what it is."""
    deleted = Clause("delete", "Kind__c", frozenset(("d",)))
    restored = Clause("restore", "Kind__c", frozenset(("r",)))
    plan = replace(PLAN, clauses=(deleted, restored), otherwise="skip")
    events = [event(1, Kind__c="d"), event(2, Kind__c="d")]
    assert together(events, plan) == alone(events, plan) != []
    for kind in ("r", "x", None):
        assert together([*events, event(3, Kind__c=kind)], plan) is None
    assert together(events, replace(PLAN, otherwise="skip")) is None
    assert together(events, replace(PLAN, clauses=(restored,))) == alone(events)


def test_a_column_without_a_field_is_not_usual() -> None:
    assert together([event(1)], replace(PLAN, owner_id="")) is None


# JSON escapes a quote, a backslash and the control characters.
PLAIN_TEXT = some.text(
    some.characters(codec="utf-8", min_codepoint=32, exclude_characters='"\\'),
    min_size=1,
    max_size=255,
)
USUAL_EVENT = some.builds(
    event,
    some.integers(0, 9),
    event_id=some.text("eé-09", min_size=1, max_size=LONGEST_ID),
    Record_Id__c=some.sampled_from([A, B]),
    Object_Name__c=PLAIN_TEXT,
    Deleted_By__c=PLAIN_TEXT,
    Owner_Id__c=PLAIN_TEXT,
    Deleted_Date__c=some.integers(FIRST, LAST),
    Note__c=some.one_of(some.none(), PLAIN_TEXT),
)
# One value of it is anything.
ODD_EVENT = some.one_of(
    some.builds(event, event_id=some.text()),
    some.builds(event, Record_Id__c=some.one_of(some.none(), some.text("aA0\0é ,", max_size=40))),
    some.builds(event, Object_Name__c=some.one_of(some.none(), some.integers(), some.text())),
    some.builds(event, Deleted_By__c=some.one_of(some.none(), some.integers(), some.text())),
    some.builds(event, Owner_Id__c=some.one_of(some.none(), some.integers(), some.text())),
    some.builds(event, Deleted_Date__c=some.one_of(some.none(), some.integers(), some.text())),
    some.builds(event, Note__c=some.text()),
)


@given(some.lists(USUAL_EVENT, min_size=1, max_size=4))
def test_all_usual_events_are_read_together(events: Events) -> None:
    assert together(events) == alone(events)


@given(some.lists(USUAL_EVENT, max_size=2), ODD_EVENT, some.lists(USUAL_EVENT, max_size=2))
def test_rows_do_not_depend_on_the_way_in_which_events_are_read(
    before: Events, odd: tuple[Event, dict[str, Any]], after: Events
) -> None:
    events = [*before, odd, *after]
    rows = together(events)
    if rows is not None:
        try:
            assert rows == alone(events)
        except DecodeError as error:
            pytest.fail(f"it became a row: {error}")


@given(some.lists(some.text("aA0zZ9é- ", min_size=15, max_size=15)))
def test_checksums_are_checked_together_as_alone(short: Sequence[str]) -> None:
    plain = [one for one in short if one.isascii() and one.isalnum()]
    whole = [with_checksum(one) for one in plain]
    assert have_checksums([A, *whole])
    assert not have_checksums([A, *whole, A[:17] + "0"])
    assert not have_checksums([A, *whole, A[:17]])
    assert not have_checksums([A, *whole, f"\ud800{A[1:]}"])
    assert not have_checksums([])
    assert have_checksums([f"{one}AAA" for one in short]) == (
        bool(short) and plain == short and all(one.endswith("AAA") for one in whole)
    )
