"""What becomes of Salesforce's answers about deleted records: the rules of ``listing.py``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from salesforce_client.src.app.checks.listing import Listing
from salesforce_client.src.app.completeness import DAY, Window
from salesforce_client.src.app.model.checks import Deletion, Entry, Found
from salesforce_client.src.app.model.ids import with_checksum
from salesforce_client.src.app.model.rows import ListedDelete, Restore, Row
from salesforce_client.src.app.model.times import timestamp

START = datetime(2026, 11, 10, tzinfo=timezone.utc)
WINDOW = Window(START, START + DAY, START + DAY, main=True, ends_day=True)
ONE, TWO, USER, OWNER, WINNER = (
    with_checksum(f"{prefix}5f000000000{number}")
    for number, prefix in enumerate(("001", "001", "005", "005", "001"))
)
OTHER = with_checksum("0055f0000000009")
ASKED = "2026-11-20T12:00:00.000Z"


def at(hours: float) -> str:
    """A time, in hours after the window's start."""
    return timestamp(START + timedelta(hours=hours))


def found(
    record_id: str, modified: float, modstamp: float | None = None, *, deleted: bool = True
) -> Found:
    stamp = at(modified if modstamp is None else modstamp)
    fields = {"Id": record_id, "LastModifiedDate": at(modified)}
    return Found(record_id, deleted, stamp, at(modified), USER, OWNER, WINNER, fields)


def listing(
    *entries: tuple[str, float], kept: Iterable[tuple[str, float]] = (), sees_all: bool = True
) -> Listing:
    return Listing(
        "Account",
        "check",
        WINDOW,
        [Entry(one, at(hours)) for one, hours in entries],
        frozenset(Entry(one, at(hours)) for one, hours in kept),
        sees_all=sees_all,
    )


def deletes(rows: Iterable[Row]) -> list[tuple[str, str, str, str]]:
    """Record, date, listed_by and state of the listed deletes."""
    return sorted(
        (row.record_id, row.deleted_date, row.listed_by, row.state)
        for row in rows
        if isinstance(row, ListedDelete)
    )


def restores(rows: Iterable[Row]) -> list[Restore]:
    return [row for row in rows if isinstance(row, Restore)]


def payload(row: Row) -> Any:
    assert isinstance(row, ListedDelete)
    return json.loads(row.payload)


# -- dates


def test_a_record_of_both_lists_has_all_that_is_known() -> None:
    """GetDeleted tells the record and the date, queryAll tells who, owner and winner."""
    told = listing((ONE, 1))
    (row,) = told.found([found(ONE, 1)])
    assert isinstance(row, ListedDelete)
    assert row == ListedDelete(
        "check", "Account", ONE, at(1), USER, OWNER, WINNER, "both", "bin", row.payload
    )
    assert payload(row) == {
        "getDeleted": {"deletedDate": at(1)},
        "queryAll": {"Id": ONE, "LastModifiedDate": at(1)},
    }
    assert (told.listed, told.questions(), told.rest()) == (1, [], [])


def test_a_record_that_only_query_all_lists_is_a_listed_delete() -> None:
    """Salesforce may have trimmed its list of deletes."""
    told = listing()
    (row,) = told.found([found(TWO, 3)])
    assert deletes([row]) == [(TWO, at(3), "queryAll", "bin")]
    assert "_tracker" not in payload(row)


def test_a_delete_whose_systemmodstamp_moved_is_dated_by_its_last_modified_date() -> None:
    """GetDeleted's date comes from SystemModstamp, which background jobs move in the bin."""
    told = listing((ONE, 20))
    (row,) = told.found([found(ONE, 1, modstamp=20)])
    assert deletes([row]) == [(ONE, at(1), "both", "bin")]
    assert "_tracker" not in payload(row)


def test_a_moved_entry_is_dated_by_its_record_also_if_it_was_deleted_on_another_day() -> None:
    """QueryAll does not list it in this window, so it is asked for by id."""
    told = listing((ONE, 20))
    assert told.found([]) == []
    assert told.questions() == [ONE]
    rows = told.answered([ONE], [found(ONE, -100, modstamp=20)], ASKED)
    assert deletes(rows) == [(ONE, at(-100), "both", "bin")]


def test_an_entry_that_nobody_can_date_keeps_the_date_of_get_deleted_and_says_so() -> None:
    """A purged record has no LastModifiedDate any more."""
    told = listing((ONE, 20))
    (row,) = told.answered(told.questions(), [], ASKED)
    assert deletes([row]) == [(ONE, at(20), "getDeleted", "purged")]
    assert payload(row)["_tracker"] == {"deleted_date_from": "getDeleted"}


def test_a_date_a_little_after_the_record_s_own_is_the_same_delete() -> None:
    """Otherwise one delete would be two. The date that is kept says where it comes from."""
    told = listing((ONE, 1.1))
    (row,) = told.found([found(ONE, 1, modstamp=5)])
    assert deletes([row]) == [(ONE, at(1.1), "both", "bin")]
    assert payload(row)["_tracker"] == {"deleted_date_from": "getDeleted"}


@pytest.mark.parametrize(("minutes", "same"), [(-0.1, False), (0, True), (10, True), (10.1, False)])
def test_a_date_up_to_ten_minutes_after_the_record_s_own_is_the_same_delete(
    minutes: float, same: bool
) -> None:
    """The sync takes two dates for one delete by the same rule."""
    told = listing((ONE, 1 + minutes / 60))
    rows = told.found([found(ONE, 1, modstamp=5)])
    assert {(row[2], row[3]) for row in deletes(rows)} == (
        {("both", "bin")} if same else {("getDeleted", "unknown"), ("queryAll", "bin")}
    )


@pytest.mark.parametrize(
    ("minutes", "who"),
    [(0, OTHER), (10, OTHER), (-10, OTHER), (10.1, None), (-10.1, None)],
)
def test_delete_event_names_who_deleted_within_ten_minutes(minutes: float, who: str | None) -> None:
    """It has only the latest delete of a record. An earlier entry is another delete."""
    told = listing((ONE, 5))
    before = told.lacks_who
    told.deleted_by([Deletion(ONE, OTHER, at(5 + minutes / 60))])
    assert (before, told.lacks_who) == (True, False)
    (row,) = told.rest()
    assert isinstance(row, ListedDelete)
    assert (row.deleted_by, row.state) == (who, "unknown")
    assert ("DeleteEvent" in payload(row)) is (who is not None)


def test_last_modified_by_id_counts_before_delete_event() -> None:
    """The payload has only what was used."""
    told = listing((ONE, 5))
    told.deleted_by([Deletion(ONE, OTHER, at(5))])
    (row,) = told.found([found(ONE, 5)])
    assert isinstance(row, ListedDelete)
    assert row.deleted_by == USER
    assert "DeleteEvent" not in payload(row)


# -- several deletes of one record


def test_two_entries_of_one_record_are_two_deletes_and_only_the_latest_is_confirmed() -> None:
    """Between them the record was restored, and no event told of it."""
    told = listing((ONE, 1), (ONE, 9))
    rows = told.found([found(ONE, 9)])
    assert deletes(rows) == [(ONE, at(1), "getDeleted", "unknown"), (ONE, at(9), "both", "bin")]
    assert told.listed == 2


def test_an_earlier_delete_is_not_confirmed_by_a_later_one() -> None:
    """The list still has the first delete, and the record was deleted again on a later day."""
    told = listing((ONE, 1))
    rows = told.answered(told.questions(), [found(ONE, 30)], ASKED)
    assert deletes(rows) == [(ONE, at(1), "getDeleted", "unknown")]


def test_a_record_in_the_bin_is_listed_under_its_own_date_beside_an_earlier_entry() -> None:
    """GetDeleted has only the first of two deletes of this day."""
    told = listing((ONE, 1))
    rows = told.found([found(ONE, 9)])
    assert deletes(rows) == [
        (ONE, at(1), "getDeleted", "unknown"),
        (ONE, at(9), "queryAll", "bin"),
    ]


def test_of_two_deletes_of_a_purged_record_only_the_latest_is_confirmed() -> None:
    """The record is not found, and the list has both deletes."""
    told = listing((ONE, 1), (ONE, 9))
    rows = told.answered(told.questions(), [], ASKED)
    assert deletes(rows) == [
        (ONE, at(1), "getDeleted", "unknown"),
        (ONE, at(9), "getDeleted", "purged"),
    ]


# -- restores and purges


def test_a_listed_record_that_lives_is_a_restore_and_not_confirmed() -> None:
    """The list may keep the entry of a restored record, so only the record's state counts."""
    told = listing((ONE, 1), (ONE, 3))
    rows = told.answered(told.questions(), [found(ONE, 50, deleted=False)], ASKED)
    assert deletes(rows) == [
        (ONE, at(1), "getDeleted", "unknown"),
        (ONE, at(3), "getDeleted", "unknown"),
    ]
    (restore,) = restores(rows)
    assert restore == Restore(
        restore_id=f"check:{ONE}:{at(3)}",
        topic="check",
        object_name="Account",
        record_id=ONE,
        restored_by=None,
        restored_date=ASKED,
        found_by="check",
        ingested_at=ASKED,
    )
    assert told.restored == 1


def test_an_entry_that_is_gone_from_the_list_is_asked_for() -> None:
    """An earlier listing had it. A hidden restore would otherwise look like one long delete."""
    told = listing(kept=[(ONE, 1), (TWO, 2)])
    assert told.found([]) == []
    assert told.questions() == [ONE, TWO]
    rows = told.answered([ONE, TWO], [found(ONE, 50, deleted=False)], ASKED)
    assert [(row.record_id, row.restore_id) for row in restores(rows)] == [
        (ONE, f"check:{ONE}:{at(1)}")
    ]
    assert deletes(rows) == [], "this answer does not list them"
    assert told.kept() == frozenset()


def test_a_record_that_is_not_found_was_purged_only_if_the_user_sees_all() -> None:
    """Without View All, the record may be hidden."""
    for sees_all, state in ((True, "purged"), (False, "unknown")):
        told = listing((ONE, 1), sees_all=sees_all)
        rows = told.answered(told.questions(), [], ASKED)
        assert deletes(rows) == [(ONE, at(1), "getDeleted", state)]


def test_nothing_is_confirmed_by_the_list_alone() -> None:
    """If nobody can be asked, the state is unknown, and nobody is told to have deleted it."""
    told = listing((ONE, 1), (TWO, 2))
    rows = told.rest()
    assert deletes(rows) == [
        (ONE, at(1), "getDeleted", "unknown"),
        (TWO, at(2), "getDeleted", "unknown"),
    ]
    assert all(isinstance(row, ListedDelete) and row.deleted_by is None for row in rows)


# -- windows and repeats


def test_what_is_outside_of_the_window_is_left_out() -> None:
    """GetDeleted lists dates after the end, and both ends. Other windows have them."""
    told = listing((ONE, -0.01), (ONE, 24), (TWO, 0), kept=[(ONE, -3)])
    told.found([found(ONE, 24), found(ONE, -1)])
    assert told.questions() == [TWO]
    assert told.kept() == {Entry(TWO, at(0)), Entry(ONE, at(-3))}


def test_a_live_record_in_query_all_is_no_listed_delete() -> None:
    """The condition IsDeleted should leave it out."""
    told = listing()
    assert told.found([found(ONE, 1, deleted=False)]) == []


def test_records_that_come_twice_are_listed_once() -> None:
    """A query that begins again repeats its first pages."""
    told = listing((ONE, 1), (TWO, 2))
    rows = [*told.found([found(ONE, 1)]), *told.found([found(ONE, 1), found(TWO, 2)])]
    assert deletes(rows) == [(ONE, at(1), "both", "bin"), (TWO, at(2), "both", "bin")]
    assert told.listed == 2


def test_the_entries_of_both_lists_are_kept_under_both_dates() -> None:
    """A later listing of the day compares with them."""
    told = listing((ONE, 20))
    told.found([found(ONE, 1, modstamp=20), found(TWO, 3)])
    assert told.kept() == {Entry(ONE, at(20)), Entry(ONE, at(1)), Entry(TWO, at(3))}


def test_a_gone_entry_is_kept_until_somebody_has_asked() -> None:
    """MAX_CHECK_CALLS may leave no call now."""
    told = listing(kept=[(ONE, 1)])
    told.found([])
    assert told.kept() == {Entry(ONE, at(1))}
    told.answered([ONE], [], ASKED)
    assert told.kept() == frozenset()


def test_a_gone_entry_is_kept_if_its_record_is_not_found_and_may_be_hidden() -> None:
    """It is asked for again as soon as the user sees all. A record that is found is an answer."""
    told = listing(kept=[(ONE, 1), (ONE, 2), (TWO, 3)], sees_all=False)
    told.found([])
    assert told.answered([ONE], [], ASKED) == []
    told.answered([TWO], [found(TWO, 50, deleted=False)], ASKED)
    assert told.kept() == {Entry(ONE, at(1)), Entry(ONE, at(2))}


def test_a_gone_entry_of_a_record_in_the_bin_needs_no_question() -> None:
    """QueryAll has told that the record is deleted now."""
    told = listing(kept=[(ONE, 1)])
    told.found([found(ONE, 9)])
    assert told.questions() == []
    assert told.kept() == {Entry(ONE, at(9))}


def test_a_listing_keeps_data_of_records_out_of_texts() -> None:
    """A log may show the values that pass."""
    assert "Id" not in repr(found(ONE, 1)).replace("record_id", "")
