"""The comparison: how a listed delete and a row of its record are related, and what is recovered.

Each case is one record of an object of its own, on one day. One comparison judges all of them.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from local import comparison, emulators, event_files, warehouse
from local.comparison import Target, checked, listed, record_id, restored, told
from local.event_files import delete

from delete_sync.src.model import Compared
from delete_sync.src.report import Report
from delete_sync.src.warehouse.session import SQL

DAY = datetime(2026, 2, 10)
NEXT = DAY + timedelta(days=1)


def at(clock: str, day: datetime = DAY) -> datetime:
    """A time of the day, for example 10:00 or 10:00:00.001."""
    parts = datetime.strptime(clock, "%H:%M" if len(clock) == 5 else "%H:%M:%S.%f")
    return day + timedelta(
        hours=parts.hour,
        minutes=parts.minute,
        seconds=parts.second,
        microseconds=parts.microsecond,
    )


@dataclass
class Case:
    """One record.

    Attributes:
        rows: when events say that it was deleted. A text, or a row of ``told`` with more.
        lists: for each answer, the times that it lists.
        restores: when it was restored.
        recovered: the deletes that must be recovered.
        verdict: that of the day.
        reason: why the day is not proven.
        windows: for each answer, its window and when it was asked. Else it has the whole day.
        by: who lists the entries.
    """

    rows: list[Any]
    lists: dict[str, list[str]]
    recovered: list[str]
    verdict: str
    reason: str | None = None
    restores: list[str] = field(default_factory=list)
    windows: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    by: dict[str, str] = field(default_factory=dict)
    short_id: bool = False
    erased: bool = False
    wildcard: bool = False


def odd(clock: str, received: str, day: datetime = DAY) -> dict[str, Any]:
    """A row whose date is not the event's own plain value."""
    return {"when": at(clock), "ingested_at": at(received, day), "dated_from": "no_zone"}


DIFFER = "dates differ"
CASES = {
    # -- within ten minutes
    "ten minutes after": Case(["10:00"], {"a": ["10:10"]}, [], "proven"),
    "ten minutes before": Case(["10:10"], {"a": ["10:00"]}, [], "proven"),
    "a millisecond more": Case(["10:00"], {"a": ["10:10:00.001"]}, [], "unproven", DIFFER),
    "a day apart": Case(["01:00"], {"a": ["23:00"]}, [], "unproven", DIFFER),
    "a restore within ten minutes of the delete": Case(
        ["10:00"], {"a": ["10:05"]}, [], "proven", restores=["10:02"]
    ),
    # -- a restore between
    "a restore between": Case(
        ["09:00"], {"a": ["10:00"]}, ["10:00"], "repaired", restores=["09:30"]
    ),
    "a restore between, and the row is the later one": Case(
        ["10:00"], {"a": ["09:00"], "b": ["10:00"]}, ["09:00"], "repaired", restores=["09:30"]
    ),
    "a restore at the time of the row": Case(
        ["09:00"], {"a": ["10:00"]}, [], "unproven", DIFFER, restores=["09:00"]
    ),
    "a restore at the listed time": Case(
        ["09:00"], {"a": ["10:00"]}, [], "unproven", DIFFER, restores=["10:00"]
    ),
    "a restore after both": Case(
        ["09:00"], {"a": ["10:00"]}, [], "unproven", DIFFER, restores=["11:00"]
    ),
    # -- a row after the first list
    "a row after the first list": Case(
        ["11:00"],
        {"a": ["09:00"], "b": ["11:00"]},
        ["09:00"],
        "repaired",
        windows={"a": ("00:00", "09:30", "10:00"), "b": ("09:30", "24:00", "24:40")},
    ),
    "a row at the time of the first list": Case(
        ["10:00"],
        {"a": ["09:00"], "b": ["10:00"]},
        [],
        "unproven",
        DIFFER,
        windows={"a": ("00:00", "09:30", "10:00"), "b": ("09:30", "24:00", "24:40")},
    ),
    "a row after a later list": Case(
        ["11:00"],
        {"a": ["09:00"], "b": ["09:00"], "c": ["11:00"]},
        ["09:00"],
        "repaired",
        windows={
            "a": ("00:00", "09:30", "10:00"),
            "b": ("00:00", "09:30", "23:00"),
            "c": ("09:30", "24:00", "24:40"),
        },
    ),
    # -- another entry of the same answer
    "another entry of the answer": Case(
        ["11:00"], {"a": ["09:00", "11:00"]}, ["09:00"], "repaired"
    ),
    "another entry within ten minutes of the row": Case(
        ["11:00"], {"a": ["09:00", "11:10"]}, ["09:00"], "repaired"
    ),
    "another entry of another answer": Case(
        ["11:00"], {"a": ["09:00"], "b": ["11:00"]}, [], "unproven", DIFFER
    ),
    "another entry that only queryAll lists": Case(
        ["11:00"], {"a": ["09:00", "11:00"]}, [], "unproven", DIFFER, by={"11:00": "queryAll"}
    ),
    "an entry that only queryAll lists": Case(
        ["11:00"], {"a": ["09:00", "11:00"]}, [], "unproven", DIFFER, by={"09:00": "queryAll"}
    ),
    # -- no row
    "no row": Case([], {"a": ["10:00"]}, ["10:00"], "repaired"),
    "no row, and queryAll lists it": Case(
        [], {"a": ["10:00"]}, ["10:00"], "repaired", by={"10:00": "queryAll"}
    ),
    "no row, and two lists": Case([], {"a": ["10:00"], "b": ["10:00"]}, ["10:00"], "repaired"),
    "only a wildcard": Case(["10:00"], {"a": ["10:00"]}, ["10:00"], "repaired", wildcard=True),
    # -- record ids
    "a row with 15 characters": Case(["10:00"], {"a": ["10:00"]}, [], "proven", short_id=True),
    "a record that was erased": Case(["10:00"], {"a": ["11:00"]}, [], "proven", erased=True),
    # -- a date that is not plain
    "a date that is hours off": Case([odd("03:00", "10:05")], {"a": ["10:00"]}, [], "proven"),
    "a date that is hours off, and an earlier entry of the answer": Case(
        [odd("03:00", "10:05")], {"a": ["08:00", "10:00"]}, [], "unproven", DIFFER
    ),
    "a date that is hours off, and an entry of another answer": Case(
        [odd("03:00", "10:05")], {"a": ["08:00"], "b": ["10:00"]}, [], "unproven", DIFFER
    ),
    "a date that is hours off, and a later entry of the answer": Case(
        [odd("03:00", "10:05")], {"a": ["10:00", "11:00"]}, ["11:00"], "repaired"
    ),
    "a date that is hours off, and a restore between": Case(
        [odd("03:00", "10:05")],
        {"a": ["08:00"], "b": ["10:00"]},
        [],
        "unproven",
        DIFFER,
        restores=["09:00"],
    ),
    "a date that is hours off, and a restore before it arrived": Case(
        [odd("03:00", "10:05")], {"a": ["10:00"]}, [], "unproven", DIFFER, restores=["09:00"]
    ),
    "a date that is hours off, and a restore after it arrived": Case(
        [odd("03:00", "10:05")], {"a": ["10:00"]}, [], "proven", restores=["11:00"]
    ),
    "a row that arrived before the entry": Case(
        [odd("03:00", "09:00")], {"a": ["10:00"]}, [], "unproven", DIFFER
    ),
    "a row that arrived when no list covers": Case(
        [odd("03:00", "00:20", NEXT)], {"a": ["10:00"]}, [], "unproven", DIFFER
    ),
    "a row that arrived after the first list": Case(
        [odd("03:00", "11:00")],
        {"a": ["09:00"], "b": []},
        [],
        "unproven",
        DIFFER,
        windows={"a": ("00:00", "09:30", "10:00"), "b": ("09:30", "24:00", "25:00")},
    ),
    "a row that arrived over four days after the first list": Case(
        [odd("03:00", "10:30:00.001", DAY + timedelta(days=4))],
        {"a": ["10:00"], "b": []},
        ["10:00"],
        "unproven",
        "tracked but not listed",
        windows={"a": ("00:00", "10:20", "10:30"), "b": ("10:20", "24:00", "25:00")},
    ),
    "a row that arrived four days after the first list": Case(
        [odd("03:00", "10:30", DAY + timedelta(days=4))],
        {"a": ["10:00"], "b": []},
        [],
        "unproven",
        DIFFER,
        windows={"a": ("00:00", "10:20", "10:30"), "b": ("10:20", "24:00", "25:00")},
    ),
    # -- two listed deletes
    "two entries within ten minutes": Case([], {"a": ["10:00", "10:10"]}, ["10:00"], "repaired"),
    "two entries of one answer": Case(
        [], {"a": ["09:00", "10:00"]}, ["09:00", "10:00"], "repaired"
    ),
    "two entries of two answers": Case(
        [], {"a": ["09:00"], "b": ["10:00"]}, ["09:00"], "unproven", DIFFER
    ),
    "two entries and a restore between": Case(
        [], {"a": ["09:00"], "b": ["10:00"]}, ["09:00", "10:00"], "repaired", restores=["09:30"]
    ),
    "the later entry was listed first": Case(
        [],
        {"a": ["09:00"], "b": ["10:00"]},
        ["10:00"],
        "unproven",
        DIFFER,
        windows={"a": ("00:00", "24:00", "26:00"), "b": ("00:00", "24:00", "25:00")},
    ),
    "three entries, each ten minutes after the last": Case(
        [], {"a": ["10:00"], "b": ["10:10"], "c": ["10:20"]}, ["10:00"], "unproven", DIFFER
    ),
    # -- tracked deletes
    "a row that is not listed": Case(
        ["10:00"], {"a": []}, [], "unproven", "tracked but not listed"
    ),
    "a row that is not listed and was restored": Case(
        ["10:00"], {"a": []}, [], "proven", restores=["10:00"]
    ),
    "a row that is not listed and was restored before": Case(
        ["10:00"], {"a": []}, [], "unproven", "tracked but not listed", restores=["09:59"]
    ),
    "two rows and one is listed": Case(
        ["10:00", "12:00"], {"a": ["12:00"]}, [], "unproven", "tracked but not listed"
    ),
    "nothing": Case([], {"a": []}, [], "proven"),
}


def time_of(clock: str) -> datetime:
    """As ``at``, but the hours may be those of the next day."""
    hours, _, minutes = clock.partition(":")
    return DAY + timedelta(hours=int(hours), minutes=int(minutes))


def object_of(name: str) -> str:
    return f"Case{list(CASES).index(name)}__c"


def record_of(name: str) -> str:
    return record_id(list(CASES).index(name))


def fill(target: Target) -> None:
    """Insert the rows of all cases."""
    rows, restores, checks, entries = [], [], [], []
    for name, case in CASES.items():
        object_name, record = object_of(name), record_of(name)
        spelled = f"{record[:3]}*" if case.wildcard else record[:15] if case.short_id else record
        for row in case.rows:
            more: dict[str, Any] = dict(row) if isinstance(row, dict) else {"when": at(row)}
            rows.append(told(object_name, spelled, more.pop("when"), **more))
        restores += [restored(record, at(clock)) for clock in case.restores]
        for answer, clocks in case.lists.items():
            check_id = f"{object_name}-{answer}"
            begin, end, asked = case.windows.get(answer, ("00:00", "24:00", "25:00"))
            checks.append(
                checked(check_id, object_name, time_of(begin), time_of(end), time_of(asked))
            )
            entries += [
                listed(check_id, object_name, record, at(clock), listed_by=by)
                for clock in clocks
                for by in (case.by.get(clock, "both"),)
            ]
    target.add("", rows)
    target.add("restores", restores)
    target.add("checks", checks)
    target.add("listed", entries)
    target.add(
        "erased",
        [
            {"record_sha256": hashlib.sha256(record_of(name).encode()).hexdigest()}
            for name, case in CASES.items()
            if case.erased
        ],
    )


@pytest.fixture(scope="module")
def target(snowflake: emulators.Server) -> Iterator[Target]:
    """All cases, compared once."""
    with comparison.target(snowflake.settings) as made:
        made.create_views()
        fill(made)
        made.first = made.compare()
        yield made


@pytest.fixture(scope="module")
def recovered(target: Target) -> Mapping[str, list[datetime]]:
    """The dates of the recovered deletes of each object."""
    found: dict[str, list[datetime]] = {}
    for object_name, date in target.query(
        "SELECT object_name, deleted_date FROM delete_tracker WHERE topic = 'check' ORDER BY 1, 2"
    ):
        found.setdefault(object_name, []).append(date)
    return found


@pytest.fixture(scope="module")
def verdicts(target: Target) -> Mapping[str, tuple[str, str | None]]:
    """The verdict of the day and its reason, for each object."""
    return {
        object_name: (verdict, reason)
        for object_name, verdict, reason in target.query(
            "SELECT object_name, verdict, reason FROM delete_tracker_completeness "
            f"WHERE day = '{DAY:%Y-%m-%d}'::DATE"
        )
    }


@pytest.mark.parametrize("name", CASES)
def test_a_listed_delete_without_the_same_or_an_unclear_row_is_recovered(
    recovered: Mapping[str, list[datetime]], name: str
) -> None:
    """Any other listed delete adds nothing."""
    assert recovered.get(object_of(name), []) == [at(clock) for clock in CASES[name].recovered]


@pytest.mark.parametrize("name", CASES)
def test_the_day_of_a_case_has_its_verdict(
    verdicts: Mapping[str, tuple[str, str | None]], name: str
) -> None:
    """Only a day without an unclear delete, and without one that is not listed, is proven."""
    assert verdicts[object_of(name)] == (CASES[name].verdict, CASES[name].reason)


def test_the_views_leave_out_a_record_whose_row_stays_in_the_table(target: Target) -> None:
    """For example, because somebody else has erased it."""
    record = record_of("a record that was erased")
    for table, rows in (("", 1), ("_listed", 1), ("_deletes", 0), ("_listed_once", 0)):
        ((count,),) = target.query(
            f"SELECT COUNT(*) FROM delete_tracker{table} WHERE record_id = '{record}'"
        )
        assert count == rows


def test_a_comparison_counts_what_it_did(target: Target) -> None:
    """All checks are compared, and none waits."""
    assert target.first == Compared(
        sum(len(case.lists) for case in CASES.values()),
        sum(len(case.recovered) for case in CASES.values()),
        0,
    )


def test_a_recovered_delete_is_a_row_made_of_the_list(target: Target) -> None:
    """Its key is made of the record and the date, and ``ingested_at`` is when it was listed."""
    name = "no row, and two lists"
    ((event_id, topic, record, payload, ingested_at),) = target.query(
        "SELECT event_id, topic, record_id, payload:check::VARCHAR, ingested_at "
        f"FROM delete_tracker WHERE object_name = '{object_of(name)}'"
    )
    assert event_id == f"check:{record_of(name)}:2026-02-10T10:00:00.000Z"
    assert (topic, record, payload) == ("check", record_of(name), f"{object_of(name)}-a")
    assert ingested_at == DAY + timedelta(hours=25)


def test_a_second_comparison_changes_nothing(target: Target) -> None:
    """Also one that looks at all checks again."""
    before = target.query("SELECT * FROM delete_tracker ORDER BY event_id")
    assert target.compare().checks == 0
    target.query("UPDATE delete_tracker_checks SET compared_at = NULL")
    assert target.compare().recovered == 0
    assert target.query("SELECT * FROM delete_tracker ORDER BY event_id") == before


def test_a_sweep_recovers_what_only_a_list_tells(
    put: Callable[..., str], sweep: Callable[..., Report], query: Callable[[str], Any]
) -> None:
    """The checks have an event file of their own. The comparison is the last step of the sweep."""
    put(delete("e1", record_id=record_id(1)))
    put(
        event_files.check(listed=2),
        event_files.listed(record_id=record_id(1)),
        event_files.listed(record_id=record_id(2)),
    )
    report = sweep()
    assert (report.compared, report.recovered, report.waiting) == (1, 1, 0)
    rows = "SELECT event_id FROM delete_tracker ORDER BY event_id"
    recovered = f"check:{record_id(2)}:2026-02-01T00:00:00.123Z"
    assert query(rows) == [(recovered,), ("e1",)]
    report = sweep()
    assert (report.compared, report.recovered, report.waiting) == (0, 0, 0)


def test_a_recovered_delete_gets_a_number_in_a_table_without_autoincrement(
    snowflake: emulators.Server,
) -> None:
    """As the rows of events do."""
    schema = {**snowflake.settings, "SNOWFLAKE_SCHEMA": f"s_{uuid.uuid4().hex[:12]}"}
    with warehouse.connect(schema) as connection:
        columns = warehouse.COLUMNS.format(id="INTEGER PRIMARY KEY")
        warehouse.query(connection, f"CREATE TABLE delete_tracker {columns}")
        made = Target(schema, connection)
        made.add("", [{**told("A__c", record_id(1), DAY), "id": 41}])
        made.add("checks", [checked("c", "A__c", DAY, NEXT, NEXT)])
        entries = [listed("c", "A__c", record_id(number), DAY) for number in (2, 3)]
        made.add("listed", entries)
        assert made.compare().recovered == 2
        assert made.query("SELECT id FROM delete_tracker ORDER BY id") == [(41,), (42,), (43,)]
        made.loader.close()


def test_the_views_have_the_text_of_the_sync() -> None:
    """They judge a listed delete as the sync does. The sync does not need them."""
    names = {
        "table": "delete_tracker",
        **{part: f"delete_tracker_{part}" for part in ("listed", "checks", "erased", "restores")},
    }
    texts = {
        "matches": SQL["relations"].format(
            **names, comparable="c.compared_at IS NOT NULL", scope=""
        ),
        "compared": SQL["statuses"].format(relations="delete_tracker_matches"),
        "listed_once": SQL["listed_once"].format(**names),
    }
    views = comparison.view_statements()
    for name, text in texts.items():
        assert f"CREATE OR REPLACE VIEW delete_tracker_{name} AS\n{text}" in views
