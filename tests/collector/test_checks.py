"""The checks of a poll, with a scripted org and a store in memory.

Each test runs ``Checks`` as a poll does after its drains, and looks at the rows that it uploads, at
the questions that it asks, and at what it stores for the next poll.
"""

from __future__ import annotations

import gc
import random
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from local.scripted_org import OWNER, USER, Record, ScriptedOrg, failing, record_id

from salesforce_client.src.app.checks.all_objects import Checks, Rules
from salesforce_client.src.app.checks.listing import Listing
from salesforce_client.src.app.checks.poll import Poll
from salesforce_client.src.app.errors import (
    CheckFailedError,
    CheckRefusedError,
    CheckUnavailableError,
    ListTooLongError,
    ListTrimmedError,
    StorageRefusedError,
    StorageUnavailableError,
)
from salesforce_client.src.app.model.checks import (
    Entry,
    KeptEntries,
    Member,
    Progress,
    StoredProgress,
)
from salesforce_client.src.app.model.times import moment_of, timestamp
from salesforce_client.src.app.report import Report, TopicReport
from salesforce_client.src.app.storage.event_file import EventFile

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
BEGAN = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
ACCOUNT, CHANNEL, EVENT = "/data/AccountChangeEvent", "/data/My__chn", "/event/Delete_Event__e"
ORG_ID = "00D5f000004rDelEAE"


@dataclass
class Memory:
    """Keeps everything in memory. Event files are real ones.

    Attributes:
        rows: the rows of all uploaded files, by table.
        fail_at: the name of a method that fails once.
        refused: the methods, or a method and an object, that Storage refuses always, or a method
            and ``once``.
    """

    folder: Path
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    progress: dict[str, tuple[Progress, str]] = field(default_factory=dict)
    kept: dict[tuple[str, str], tuple[bytes, str]] = field(default_factory=dict)
    members: tuple[Sequence[Member] | None, str | None] = (None, None)
    calls: tuple[Mapping[str, int], str | None] = field(default_factory=lambda: ({}, None))
    fail_at: str = ""
    refused: set[str] = field(default_factory=set)
    steps: list[str] = field(default_factory=list)
    versions: int = 0

    def new_file(self, begun_at: datetime) -> EventFile:
        """Create a real event file."""
        return EventFile(self.folder / f"{self._version()}.db", begun_at)

    def upload(self, path: Path, begun_at: datetime, *, briefly: bool) -> str:
        """Read the rows of the file."""
        self._step("upload")
        connection = sqlite3.connect(path)
        connection.row_factory = sqlite3.Row
        for table in ("checks", "listed_deletes", "restores", "polls"):
            found = connection.execute(f"SELECT * FROM {table}").fetchall()
            self.rows.setdefault(table, []).extend(map(dict, found))
        connection.close()
        return path.name

    def load_progress(self, org_id: str, object_name: str) -> StoredProgress:
        """Return what is stored."""
        self._step("load_progress", object_name)
        return StoredProgress(*self.progress.get(object_name, (None, None)))

    def save_progress(self, org_id: str, progress: Progress, etag: str | None) -> str | None:
        """Replace the version."""
        self._step("save_progress", progress.object_name)
        if self.progress.get(progress.object_name, (None, None))[1] != etag:
            return None
        version = self._version()
        self.progress[progress.object_name] = progress, version
        return version

    def load_kept(self, org_id: str, object_name: str, day: str) -> KeptEntries:
        """Return what is stored."""
        self._step("load_kept", object_name)
        raw, etag = self.kept.get((object_name, day), (b"[]", None))
        import json

        return KeptEntries(frozenset(Entry(*one) for one in json.loads(raw)), etag)

    def save_kept(
        self, org_id: str, object_name: str, day: str, raw: bytes, etag: str | None
    ) -> str | None:
        """Replace the version."""
        self._step("save_kept", object_name)
        if self.kept.get((object_name, day), (b"", None))[1] != etag:
            return None
        version = self._version()
        self.kept[object_name, day] = raw, version
        return version

    def forget(self, org_id: str, object_name: str, before: str) -> None:
        """Remove old days."""
        for name, day in list(self.kept):
            if name == object_name and day < before:
                del self.kept[name, day]

    def load_calls(self, org_id: str) -> tuple[Mapping[str, int], str | None]:
        """Return what is stored."""
        self._step("load_calls")
        return self.calls

    def save_calls(self, org_id: str, calls: Mapping[str, int], etag: str | None) -> str | None:
        """Replace the version."""
        self._step("save_calls")
        if self.calls[1] != etag:
            return None
        self.calls = dict(calls), f"after {etag}"
        return self.calls[1]

    def load_members(self, org_id: str) -> tuple[Sequence[Member] | None, str | None]:
        """Return what is stored."""
        self._step("load_members")
        return self.members

    def save_members(self, org_id: str, members: Sequence[Member] | None, asked_at: str) -> None:
        """Store them."""
        self.members = members, asked_at

    def table(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of a table."""
        return self.rows.get(name, [])

    def _version(self) -> str:
        self.versions += 1
        return str(self.versions)

    def _step(self, name: str, object_name: str = "") -> None:
        if f"{name} once" in self.refused:
            self.refused = set()
            raise StorageRefusedError(f"{name} is refused")
        if self.fail_at == name:
            self.fail_at = ""
            raise StorageUnavailableError(f"{name} fails")
        if self.refused & {name, f"{name} {object_name}"}:
            raise StorageRefusedError(f"{name} is refused")
        self.steps.append(name)


@pytest.fixture
def store(tmp_path: Path) -> Memory:
    return Memory(tmp_path)


@pytest.fixture
def org() -> ScriptedOrg:
    return ScriptedOrg(BEGAN)


def checks_of(
    org: ScriptedOrg,
    store: Memory,
    topics: Sequence[str] = (ACCOUNT,),
    objects: Sequence[str] | None = None,
    hours: float = 24,
    calls: int = 500,
    file_rows: int = 250_000,
) -> Checks:
    org.new_poll()
    org.allow(0, lambda _: None)  # as a new client of the REST API
    poll = Poll(ORG_ID, "v67.0", org.now, hours, lambda: org.now)
    return Checks(org, store, store, topics, Rules(objects, calls, file_rows), poll)


def check(
    org: ScriptedOrg,
    store: Memory,
    topics: Sequence[str] = (ACCOUNT,),
    *,
    ended: str = "caught_up",
    gaps: int = 0,
    seen: Iterable[str] = (),
    error: Exception | None = None,
    **more: Any,
) -> Report:
    """Run the checks of one poll. All topics have ended in the same way."""
    with checks_of(org, store, topics, **more) as checks:
        reports = {
            topic: TopicReport(topic, ended=ended, gaps=gaps, objects=set(seen)) for topic in topics
        }
        report = Report(ORG_ID, reports, timestamp(org.now), objects=checks.objects_of)
        report.error = error
        checks.run(report)
        return report


def outcomes(store: Memory) -> set[str]:
    return {row["outcome"] for row in store.table("checks")}


def deletes(store: Memory) -> set[tuple[str, str, str, str]]:
    return {
        (row["record_id"], row["deleted_date"], row["listed_by"], row["state"])
        for row in store.table("listed_deletes")
    }


def reached(store: Memory, name: str = "Account") -> str | None:
    """How far the stored progress of an object is."""
    return store.progress[name][0].window_to if name in store.progress else None


def lines(report: Report) -> list[str]:
    return [line for line in report.lines() if line.startswith("check ")]


ONE, TWO = record_id(1), record_id(2)


# -- a check


def test_a_check_lists_what_salesforce_lists_and_proves_it(org: ScriptedOrg, store: Memory) -> None:
    """The first check lists 15 days. Its file has the checks and the listed deletes."""
    deleted, purged = BEGAN - 3 * DAY, BEGAN - 2 * DAY
    org.records["Account"] = {ONE: Record([deleted]), TWO: Record([purged], purged=purged + HOUR)}
    report = check(org, store)
    assert outcomes(store) == {"listed"}
    assert deletes(store) == {
        (ONE, timestamp(deleted), "both", "bin"),
        (TWO, timestamp(purged), "getDeleted", "purged"),
    }
    (row,) = [row for row in store.table("listed_deletes") if row["record_id"] == ONE]
    assert (row["deleted_by"], row["owner_id"]) == (USER, OWNER)
    windows = sorted((row["window_from"], row["window_to"]) for row in store.table("checks"))
    assert windows[0][0] == "2026-11-05T13:01:00.000Z"
    assert windows[-1][1] == "2026-11-20T11:30:00.000Z"
    assert all(one[1] == following[0] for one, following in zip(windows, windows[1:]))
    assert all(
        (row["org_id"], row["sight"], row["api_version"], row["error"])
        == (ORG_ID, "view_all", "v67.0", None)
        for row in store.table("checks")
    )
    assert sum(row["listed"] for row in store.table("checks")) == 2
    assert store.table("polls") == []
    assert len(report.files) == 1
    assert lines(report) == [
        f"check object=Account windows={len(windows)} listed=2 restored=0 "
        f"calls={len(org.asked)} outcome=listed"
    ]
    report.raise_if_failed()


def test_the_next_check_comes_after_check_hours_and_lists_only_what_is_new(
    org: ScriptedOrg, store: Memory
) -> None:
    """Until then, no question is asked."""
    check(org, store)
    org.now = BEGAN + DAY - MINUTE
    assert check(org, store).checks == []
    assert org.asked == []
    org.now = BEGAN + DAY
    with checks_of(org, store) as checks:
        assert checks.awaited == {ACCOUNT}
    check(org, store)
    first = min(start for _, start, _ in org.kinds("deleted") if start > BEGAN - 3 * DAY)
    assert first == BEGAN - 90 * MINUTE


def test_nothing_is_checked_if_the_setting_says_none(org: ScriptedOrg, store: Memory) -> None:
    """No question, no file, no stored progress."""
    with checks_of(org, store, objects=()) as checks:
        assert checks.awaited == frozenset()
    assert check(org, store, (EVENT,), objects=()).unknown == ()
    assert (org.asked, store.steps) == ([], [])


# -- evidence


def test_without_evidence_of_sight_nothing_is_proven_but_deletes_are_listed(
    org: ScriptedOrg, store: Memory
) -> None:
    """Describe and a full answer are no evidence. A record that is not found may be hidden."""
    org.sees_all = False
    purged = BEGAN - 2 * DAY
    org.records["Account"] = {ONE: Record([purged], purged=purged + HOUR)}
    check(org, store)
    assert outcomes(store) == {"sight_unknown"}
    assert {row["sight"] for row in store.table("checks")} == {"unknown"}
    assert all("View All" in row["error"] for row in store.table("checks"))
    assert deletes(store) == {(ONE, timestamp(purged), "getDeleted", "unknown")}


def test_as_soon_as_the_user_sees_all_the_whole_reach_is_listed_again(
    org: ScriptedOrg, store: Memory
) -> None:
    """What was listed before was not proven."""
    org.sees_all = False
    check(org, store)
    org.sees_all, org.now = True, BEGAN + DAY
    check(org, store)
    proven = [row["window_from"] for row in store.table("checks") if row["outcome"] == "listed"]
    assert min(proven) == "2026-11-06T13:01:00.000Z"
    org.now = BEGAN + 2 * DAY
    check(org, store)
    assert len(org.kinds("deleted")) < 6, "the third check lists only what is new, and old days"


def test_rights_that_cannot_be_read_are_no_sight(org: ScriptedOrg, store: Memory) -> None:
    """The user lacks View Setup and Configuration."""
    org.fail = failing("rights", CheckRefusedError("rights", no_rights=True))
    check(org, store).raise_if_failed()
    assert outcomes(store) == {"sight_unknown"}


def test_an_object_without_a_list_is_not_replicateable(org: ScriptedOrg, store: Memory) -> None:
    """GetDeleted is not asked. The window is one row."""
    org.replicateable = False
    check(org, store)
    (row,) = store.table("checks")
    assert row["outcome"] == "not_replicateable"
    assert (row["window_from"], row["window_to"]) == (
        "2026-11-05T13:01:00.000Z",
        "2026-11-20T11:30:00.000Z",
    )
    assert org.kinds("deleted") == []


@pytest.mark.parametrize("ahead", [-6 * MINUTE, 6 * MINUTE])
def test_with_a_wrong_clock_nothing_is_asked_and_nothing_is_proven(
    ahead: timedelta, org: ScriptedOrg, store: Memory
) -> None:
    """The windows would be those of another time. The next window begins where this one did."""
    org.ahead = ahead
    check(org, store)
    assert outcomes(store) == {"clock"}
    assert org.kinds("deleted") == []
    assert store.progress["Account"][0].window_to is None
    assert "differ by" in store.table("checks")[0]["error"]


@pytest.mark.parametrize("by", [-HOUR, HOUR])
def test_a_clock_that_steps_during_a_check_proves_nothing_from_then_on(
    by: timedelta, org: ScriptedOrg, store: Memory
) -> None:
    """The times of later answers would be wrong. Another poll lists those windows again."""
    org.records["Account"] = {ONE: Record([BEGAN - 3 * HOUR])}
    days = iter(range(100))

    def step(question: tuple[Any, ...]) -> None:
        if question[0] == "deleted" and next(days) == 13:
            org.ahead = by

    org.fail = step
    check(org, store)
    good, rest = (
        [row for row in store.table("checks") if (row["outcome"] == "listed") == is_good]
        for is_good in (True, False)
    )
    progress = store.progress["Account"][0]
    assert len(good) == 13
    assert [(row["outcome"], row["window_to"]) for row in rest] == [
        ("clock", timestamp(BEGAN - HOUR / 2))
    ]
    assert rest[0]["window_from"] < str(progress.window_to)
    assert progress.succeeded_at is None
    assert store.table("listed_deletes") == []
    org.ahead = timedelta(0)
    org.now = BEGAN + HOUR
    check(org, store)
    assert [row["record_id"] for row in store.table("listed_deletes")] == [ONE]


def test_a_clock_that_salesforce_does_not_tell_proves_nothing(
    org: ScriptedOrg, store: Memory
) -> None:
    """A proxy may remove the header Date. Then nobody knows that this machine's clock is right."""
    org.ahead = None
    check(org, store)
    (row,) = store.table("checks")
    assert (row["outcome"], row["error"]) == (
        "clock",
        "Account: Salesforce's answer does not tell its time, so the clocks cannot be compared;"
        " check whether a proxy removes the header Date",
    )
    assert org.kinds("deleted") == []


def test_a_filter_on_the_channel_leaves_the_object_out(org: ScriptedOrg, store: Memory) -> None:
    """Somebody wants only some of its deletes. CHECK_OBJECTS says that all are wanted."""
    org.channel = [Member("ChangeEvents", "Account", True)]
    check(org, store)
    assert outcomes(store) == {"filtered"}
    assert org.kinds("deleted") == []
    org.now = BEGAN + DAY
    check(org, store, objects=["Account"])
    assert outcomes(store) == {"filtered", "listed"}
    assert org.kinds("members") == []


def test_a_list_that_begins_later_covers_only_what_follows(org: ScriptedOrg, store: Memory) -> None:
    """``earliestDateAvailable`` says so."""
    org.earliest = BEGAN - 2 * DAY
    check(org, store)
    proven = [row["window_from"] for row in store.table("checks") if row["outcome"] == "listed"]
    assert sorted(proven) == ["2026-11-19T00:00:00.000Z", "2026-11-20T00:00:00.000Z"]
    assert outcomes(store) == {"listed", "not_covered"}
    assert store.progress["Account"][0].succeeded_at == timestamp(BEGAN)


@pytest.mark.parametrize("hours", [0, 3, 9, 11.9, 12.1, 17, 23])
def test_a_list_that_salesforce_has_trimmed_is_an_outcome_and_the_start_advances(
    org: ScriptedOrg, store: Memory, hours: float
) -> None:
    """The part before is trimmed. The part behind is listed, to half an hour."""
    begins = BEGAN - 2 * DAY + timedelta(hours=hours)

    def fail(question: tuple[Any, ...]) -> None:
        if question[0] == "deleted" and question[2] < begins:
            raise ListTrimmedError("INVALID_REPLICATION_DATE")

    org.fail = fail
    report = check(org, store)
    proven = [row["window_from"] for row in store.table("checks") if row["outcome"] == "listed"]
    assert begins <= moment_of(min(proven)) <= begins + HOUR / 2 + MINUTE
    windows = sorted((row["window_from"], row["window_to"]) for row in store.table("checks"))
    assert all(one[1] == following[0] for one, following in zip(windows, windows[1:]))
    assert outcomes(store) == {"listed", "trimmed"}
    assert report.checks[0].outcome == "trimmed"
    report.raise_if_failed()


def test_what_is_before_a_trimmed_list_is_asked_for_in_the_recycle_bin(
    org: ScriptedOrg, store: Memory
) -> None:
    """The outcome stays ``trimmed``, because the bin may have lost other records."""
    begins, deleted = BEGAN - 2 * DAY, BEGAN - 4 * DAY

    def fail(question: tuple[Any, ...]) -> None:
        if question[0] == "deleted" and question[2] < begins:
            raise ListTrimmedError("INVALID_REPLICATION_DATE")

    org.fail = fail
    org.records["Account"] = {ONE: Record([deleted]), TWO: Record([BEGAN - DAY])}
    check(org, store)
    assert deletes(store) == {
        (ONE, timestamp(deleted), "queryAll", "bin"),
        (TWO, timestamp(BEGAN - DAY), "both", "bin"),
    }
    (outcome,) = {
        row["outcome"]
        for row in store.table("checks")
        if row["window_from"] <= timestamp(deleted) < row["window_to"]
    }
    assert outcome == "trimmed"


def test_entries_that_the_list_has_lost_are_listed_by_query_all(
    org: ScriptedOrg, store: Memory
) -> None:
    """Salesforce may trim its list without an error."""
    org.records["Account"] = {ONE: Record([BEGAN - DAY], trimmed=True)}
    check(org, store)
    assert deletes(store) == {(ONE, timestamp(BEGAN - DAY), "queryAll", "bin")}


def test_a_window_ends_before_a_transaction_that_is_still_open(
    org: ScriptedOrg, store: Memory
) -> None:
    """The next window begins an hour before that end, so nothing is skipped."""
    org.covered = BEGAN - HOUR
    check(org, store)
    end = max(row["window_to"] for row in store.table("checks"))
    assert end == timestamp(BEGAN - 90 * MINUTE)
    assert store.progress["Account"][0].window_to == end
    org.now, org.covered = BEGAN + DAY, None
    check(org, store)
    assert min(s for _, s, _ in org.kinds("deleted") if s > BEGAN - 2 * DAY) == BEGAN - 150 * MINUTE


def test_what_salesforce_does_not_cover_yet_waits(org: ScriptedOrg, store: Memory) -> None:
    """No later window is listed. A window of which nothing is covered is an outcome."""
    org.covered = BEGAN - 2 * DAY
    check(org, store)
    end = max(row["window_to"] for row in store.table("checks"))
    assert end == timestamp(org.covered - 30 * MINUTE)
    assert store.progress["Account"][0].window_to == end
    assert len(org.kinds("deleted")) == 14
    org.now, org.covered = BEGAN + DAY, BEGAN - 3 * DAY
    check(org, store)
    assert outcomes(store) == {"listed", "not_covered"}
    assert store.progress["Account"][0].window_to == end


@pytest.mark.parametrize("known", ["latest", "earliest"])
def test_a_check_whose_window_is_not_covered_at_all_has_failed(
    known: str, org: ScriptedOrg, store: Memory
) -> None:
    """It is tried again in an hour, and fails the poll if it stays so. Old days count for nothing:
    they are listed again meanwhile.
    """
    check(org, store)

    def fail(question: tuple[Any, ...]) -> None:
        org.covered = org.earliest = None
        if question[0] == "deleted" and question[3] > BEGAN:
            if known == "latest":
                org.covered = BEGAN - DAY
            else:
                org.earliest = org.now

    org.fail = fail
    for hours in (24, 25, 49, 72):
        org.now = BEGAN + hours * HOUR
        report = check(org, store)
        report.raise_if_failed()
        assert report.checks[0].outcome == "not_covered"
        progress = store.progress["Account"][0]
        assert (progress.succeeded_at, progress.outcome) == (timestamp(BEGAN), "not_covered")
    org.now = BEGAN + 73 * HOUR
    says = {"latest": "Salesforce covers only what", "earliest": "Salesforce's list begins at"}
    with pytest.raises(CheckFailedError, match=f"Account: {says[known]}"):
        check(org, store).raise_if_failed()
    org.fail, org.covered, org.earliest = lambda _: None, None, None
    org.now += HOUR
    check(org, store).raise_if_failed()
    progress = store.progress["Account"][0]
    assert (progress.error, progress.outcome) == ("", "listed")


# -- restores, found again


@pytest.mark.parametrize("listing", ["state", "log", "entries"])
def test_a_restore_that_no_event_told_of_is_found(
    listing: str, org: ScriptedOrg, store: Memory
) -> None:
    """Whether the record stays on the list or not: its state is asked for by id."""
    deleted = BEGAN - 40 * MINUTE
    org.listing = listing
    org.records["Account"] = {ONE: Record([deleted], [BEGAN + HOUR])}
    check(org, store)
    assert store.table("restores") == []
    org.now = BEGAN + DAY
    check(org, store)
    (restore,) = store.table("restores")
    assert restore["restore_id"] == f"check:{ONE}:{timestamp(deleted)}"
    assert (restore["topic"], restore["found_by"]) == ("check", "check")
    assert BEGAN + HOUR < moment_of(restore["restored_date"]) <= org.now


def test_a_restore_after_days_is_found_when_the_day_is_listed_again(
    org: ScriptedOrg, store: Memory
) -> None:
    """Each day is listed again after seven days."""
    deleted = BEGAN - 3 * HOUR
    org.records["Account"] = {ONE: Record([deleted], [BEGAN + 3 * DAY])}
    for number in range(10):
        org.now = BEGAN + number * DAY
        check(org, store)
        assert len(store.table("restores")) == (number >= 8)


def test_the_time_of_a_restore_is_on_salesforces_clock(org: ScriptedOrg, store: Memory) -> None:
    """It is compared with the times of deletes."""
    org.ahead, org.listing = -2 * MINUTE, "log"
    org.records["Account"] = {ONE: Record([BEGAN - DAY], [BEGAN - HOUR])}
    check(org, store)
    assert store.table("restores")[0]["restored_date"] == timestamp(BEGAN - 2 * MINUTE)


def test_a_hidden_restore_is_not_taken_for_one_long_delete(org: ScriptedOrg, store: Memory) -> None:
    """A record is deleted, restored and deleted again. Each delete is listed under its own date,
    and only the last one is confirmed after it.
    """
    first, second = BEGAN - 3 * HOUR, BEGAN + 5 * HOUR
    org.listing = "entries"
    org.records["Account"] = {ONE: Record([first, second], [BEGAN + HOUR])}
    for number in range(10):
        org.now = BEGAN + number * DAY
        check(org, store)
    rows = store.table("listed_deletes")
    times = {row["check_id"]: row["checked_at"] for row in store.table("checks")}
    confirmed = {
        (row["deleted_date"], times[row["check_id"]])
        for row in rows
        if row["state"] in ("bin", "purged")
    }
    assert {date for date, _ in confirmed} == {timestamp(first), timestamp(second)}
    assert not [at for date, at in confirmed if date == timestamp(first) and at > timestamp(BEGAN)]
    assert {row["deleted_date"] for row in rows} == {timestamp(first), timestamp(second)}


def test_a_moved_systemmodstamp_changes_no_date(org: ScriptedOrg, store: Memory) -> None:
    """The list moves the delete to another day. Its date stays that of the delete."""
    deleted = BEGAN - 4 * HOUR
    org.records["Account"] = {ONE: Record([deleted], moved=BEGAN + 30 * HOUR)}
    for number in range(4):
        org.now = BEGAN + number * DAY
        check(org, store)
    assert {date for _, date, _, _ in deletes(store)} == {timestamp(deleted)}
    assert {state for *_, state in deletes(store)} == {"bin"}
    assert store.table("restores") == []


# -- long lists, errors


@pytest.mark.parametrize("kind", ["deleted", "queryAll"])
def test_a_list_that_is_too_long_is_asked_for_in_halves(
    kind: str, org: ScriptedOrg, store: Memory
) -> None:
    """EXCEEDED_ID_LIMIT, QUERY_TIMEOUT and an answer that needs too much memory."""
    org.records["Account"] = {
        record_id(number): Record([BEGAN - 5 * HOUR + number * 7 * MINUTE]) for number in range(9)
    }

    def fail(question: tuple[Any, ...]) -> None:
        if question[0] == kind and question[3] - question[2] > 2 * HOUR:
            raise ListTooLongError(kind)

    org.fail = fail
    check(org, store, calls=3000)
    assert outcomes(store) == {"listed"}
    windows = sorted((row["window_from"], row["window_to"]) for row in store.table("checks"))
    assert all(one[1] == following[0] for one, following in zip(windows, windows[1:]))
    assert {(one, how, state) for one, _, how, state in deletes(store)} == {
        (one, "both", "bin") for one in org.records["Account"]
    }
    assert store.progress["Account"][0].listed_again.keys() >= {"2026-11-10", "2026-11-19"}


def test_a_list_that_stays_too_long_is_a_failure(org: ScriptedOrg, store: Memory) -> None:
    """A window of two minutes cannot be halved."""
    org.fail = failing("deleted", ListTooLongError("EXCEEDED_ID_LIMIT"))
    check(org, store)
    assert outcomes(store) == {"failed"}


def test_a_failure_keeps_what_was_listed_before_and_is_tried_again_after_an_hour(
    org: ScriptedOrg, store: Memory
) -> None:
    """The next window begins where the last good one ended."""
    error = CheckUnavailableError("getDeleted of Account: down")

    def fail(question: tuple[Any, ...]) -> None:
        if question[0] == "deleted" and question[2] >= BEGAN - 2 * DAY:
            raise error

    org.fail = fail
    report = check(org, store)
    report.raise_if_failed()
    assert report.checks[0].outcome == "failed"
    assert outcomes(store) == {"listed", "failed"}
    (failed,) = [row for row in store.table("checks") if row["outcome"] == "failed"]
    assert (failed["window_to"], failed["error"]) == ("2026-11-20T11:30:00.000Z", error.text)
    assert store.progress["Account"][0].window_to == "2026-11-19T00:00:00.000Z"
    org.fail = lambda _: None
    org.now = BEGAN + 30 * MINUTE
    assert check(org, store).checks == []
    org.now = BEGAN + HOUR
    check(org, store)
    assert org.kinds("deleted")[0][1] == datetime(2026, 11, 18, 23, tzinfo=timezone.utc)


def test_missing_rights_are_an_outcome_and_wait_for_check_hours(
    org: ScriptedOrg, store: Memory
) -> None:
    """A person must act, so the topics need not wait again in an hour."""
    org.fail = failing("describe", CheckRefusedError("describe of Account", no_rights=True))
    check(org, store)
    assert outcomes(store) == {"no_rights"}
    org.now = BEGAN + 23 * HOUR
    assert check(org, store).checks == []
    org.now = BEGAN + 24 * HOUR
    assert len(check(org, store).checks) == 1


def test_listed_does_not_need_query_all(org: ScriptedOrg, store: Memory) -> None:
    """If queryAll fails, nobody is told to have deleted the record, and the state is unknown."""
    org.fail = failing("queryAll", CheckRefusedError("queryAll of Account"))
    org.records["Account"] = {ONE: Record([BEGAN - DAY])}
    report = check(org, store)
    assert outcomes(store) == {"listed"}
    assert deletes(store) == {(ONE, timestamp(BEGAN - DAY), "getDeleted", "unknown")}
    assert lines(report)[0].endswith("outcome=listed reason=queryAll of Account")


def test_delete_event_is_asked_only_for_entries_without_who(
    org: ScriptedOrg, store: Memory
) -> None:
    """QueryAll names who deleted ONE. It does not list TWO any more."""
    org.records["Account"] = {
        ONE: Record([BEGAN - DAY]),
        TWO: Record([BEGAN - 3 * DAY], purged=BEGAN - 2 * DAY),
    }
    check(org, store)
    assert [start for _, start, _ in org.kinds("DeleteEvent")] == [
        datetime(2026, 11, 17, tzinfo=timezone.utc)
    ]
    assert {row["record_id"]: row["deleted_by"] for row in store.table("listed_deletes")} == {
        ONE: USER,
        TWO: None,
    }


def test_an_object_without_last_modified_by_has_who_from_delete_event(
    org: ScriptedOrg, store: Memory
) -> None:
    """It is asked for before queryAll, whose rows are written at once. All pages are read."""
    org.fields = frozenset({"Id"})
    org.records["Account"] = {record_id(it): Record([BEGAN - it * HOUR]) for it in range(1, 9)}
    check(org, store)
    rows = store.table("listed_deletes")
    assert len(rows) == 8
    assert {(row["deleted_by"], row["listed_by"], row["state"]) for row in rows} == {
        (USER, "both", "bin")
    }


def test_questions_by_id_come_before_delete_event_if_calls_are_few(
    org: ScriptedOrg, store: Memory
) -> None:
    """A question by id confirms a delete, and who deleted confirms nothing."""
    org.records["Account"] = {TWO: Record([BEGAN - HOUR], purged=BEGAN - MINUTE)}
    check(org, store, objects=["Account"])
    asked = [question[0] for question in org.asked]
    assert asked[-3:] == ["queryAll", "DeleteEvent", "byId"]
    store.rows.clear()
    store.progress.clear()
    store.kept.clear()
    store.calls = {}, None
    report = check(org, store, objects=["Account"], calls=len(asked) - 1)
    why = "MAX_CHECK_CALLS leaves no call to ask DeleteEvent who deleted"
    assert (report.checks[0].outcome, report.checks[0].reason) == ("listed", why)
    assert (org.kinds("DeleteEvent"), len(org.kinds("byId"))) == ([], 1)
    assert deletes(store) == {(TWO, timestamp(BEGAN - HOUR), "getDeleted", "purged")}


def test_a_name_that_salesforce_writes_in_another_way_is_refused(
    org: ScriptedOrg, store: Memory
) -> None:
    """The deletes of the other name would be compared with nothing, and look complete."""
    org.spelled, org.records["account"] = "Account", {}
    check(org, store, objects=["account"])
    (row,) = store.table("checks")
    assert (row["outcome"], row["error"]) == (
        "failed",
        "account: Salesforce writes the name of this object as Account; write it so in"
        " CHECK_OBJECTS",
    )
    assert org.kinds("deleted") == []


def test_an_old_day_whose_first_half_is_not_covered_is_listed_again_later(
    org: ScriptedOrg, store: Memory
) -> None:
    """Its second half alone does not make the day one that was listed."""
    day = datetime(2026, 11, 12, tzinfo=timezone.utc)
    check(org, store)
    store.progress["Account"] = (
        store.progress["Account"][0]._replace(listed_again={}),
        store.progress["Account"][1],
    )

    def fail(question: tuple[Any, ...]) -> None:
        org.covered = None
        if question[0] == "deleted" and question[2] == day:
            if question[3] - question[2] == DAY:
                raise ListTooLongError("EXCEEDED_ID_LIMIT")
            org.covered = day + HOUR

    org.fail, org.now = fail, BEGAN + DAY
    check(org, store)
    assert "2026-11-12" not in store.progress["Account"][0].listed_again
    assert "2026-11-11" in store.progress["Account"][0].listed_again


# -- several objects, and MAX_CHECK_CALLS


def test_the_object_that_waited_longest_comes_first_and_lists_before_who(
    org: ScriptedOrg, store: Memory
) -> None:
    """With few calls, getDeleted of all objects comes before queryAll of any."""
    org.records["Contact"] = {}
    check(org, store, objects=["Account", "Contact"], calls=37)
    assert [len(org.kinds(kind)) for kind in ("describe", "rights", "deleted")] == [2, 2, 32]
    assert [name for name, *_ in org.kinds("queryAll")] in ([], ["Contact"])
    org.now = BEGAN + 3 * DAY
    check(org, store, objects=["Account"])
    org.now = BEGAN + 5 * DAY
    check(org, store, objects=["Account", "Contact"])
    assert org.kinds("describe") == [("Contact",), ("Account",)]


def test_the_order_of_objects_that_waited_as_long_changes_from_day_to_day(
    org: ScriptedOrg, store: Memory
) -> None:
    """Otherwise MAX_CHECK_CALLS would leave out who deleted for the same objects every day."""
    objects = ["Account", "Contact", "Lead", "Case", "Asset"]
    org.records.update({name: {} for name in objects})
    first, last = set(), set()
    for day in range(8):
        org.now = BEGAN + day * DAY
        check(org, store, objects=objects)
        described = [name for (name,) in org.kinds("describe")]
        assert sorted(described) == sorted(objects)
        first.add(described[0])
        last.add(described[-1])
    assert len(first) > 1
    assert len(last) > 1


def test_calls_of_the_last_day_count_and_what_is_left_waits(
    org: ScriptedOrg, store: Memory
) -> None:
    """The window continues in the next poll that may ask."""
    report = check(org, store, calls=10)
    assert len(org.asked) == 10
    assert report.checks[0].outcome == "waits"
    assert "raise MAX_CHECK_CALLS" in report.checks[0].reason
    reached = store.progress["Account"][0].window_to
    assert reached == "2026-11-12T00:00:00.000Z", "members, describe, rights, and 7 windows"
    org.now = BEGAN + 2 * HOUR
    check(org, store, calls=10)
    assert org.asked == []
    org.now = BEGAN + 25 * HOUR
    check(org, store, calls=12)
    starts = [start for _, start, _ in org.kinds("deleted")]
    assert datetime(2026, 11, 11, 23, tzinfo=timezone.utc) in starts


def test_the_calls_of_a_poll_that_crashed_count(org: ScriptedOrg, store: Memory) -> None:
    """They are stored before they are made: never less, and at most 25 more."""

    def crash(question: tuple[Any, ...]) -> None:
        made = len(org.asked)
        ((began, stored),) = store.calls[0].items()
        assert (began, made <= stored < made + 25) == (timestamp(BEGAN), True)
        if made == 30:
            raise SystemExit

    org.fail = crash
    with pytest.raises(SystemExit):
        check(org, store)
    assert store.calls[0] == {timestamp(BEGAN): 50}
    org.fail, org.now = lambda _: None, BEGAN + 2 * HOUR
    check(org, store, calls=60)
    assert len(org.asked) == 10
    assert store.calls[0] == {timestamp(BEGAN): 50, timestamp(org.now): 10}
    org.now = BEGAN + 24 * HOUR
    check(org, store, calls=60)
    assert store.calls[0].keys() == {timestamp(BEGAN + 2 * HOUR), timestamp(org.now)}


def test_the_calls_of_two_polls_at_once_are_added(org: ScriptedOrg, store: Memory) -> None:
    """None of them overwrites what the other one has stored."""
    other = {timestamp(BEGAN - MINUTE): 7}

    def other_poll(question: tuple[Any, ...]) -> None:
        if len(org.asked) == 27:
            store.calls = {**store.calls[0], **other}, "other"

    org.fail = other_poll
    check(org, store)
    assert store.calls[0] == {**other, timestamp(BEGAN): len(org.asked)}


def test_without_spare_calls_entries_are_listed_with_an_unknown_state(
    org: ScriptedOrg, store: Memory
) -> None:
    """And an entry that is gone is kept, so that a later check asks for it."""
    org.records["Account"] = {ONE: Record([BEGAN - 40 * MINUTE])}
    check(org, store, calls=1 + 2 + 17)
    assert (ONE, timestamp(BEGAN - 40 * MINUTE), "getDeleted", "unknown") in deletes(store)
    assert outcomes(store) == {"listed"}


# -- topics


@pytest.mark.parametrize("ended", ["idle", "deadline", "failed"])
def test_a_topic_that_is_not_caught_up_delays_only_the_checks_of_its_objects(
    ended: str, org: ScriptedOrg, store: Memory
) -> None:
    """An event that was not read yet would look like a hidden delete."""
    org.records["Contact"] = {}
    contact = "/data/ContactChangeEvent"
    with checks_of(org, store, (ACCOUNT, contact)) as checks:
        assert checks.awaited == {ACCOUNT, contact}
        reports = {
            ACCOUNT: TopicReport(ACCOUNT, ended=ended),
            contact: TopicReport(contact, ended="caught_up"),
        }
        report = Report(ORG_ID, reports, timestamp(BEGAN))
        checks.run(report)
    assert lines(report)[0] == (
        f"check object=Account windows=0 listed=0 restored=0 calls=0 outcome=waits"
        f" reason={ACCOUNT} ended as {ended}, and a check needs caught_up"
    )
    assert {row["object_name"] for row in store.table("checks")} == {"Contact"}
    assert store.progress["Account"][0].outcome == "waits"
    org.now = BEGAN + MINUTE
    assert [one.object_name for one in check(org, store).checks] == ["Account"]


def test_a_topic_with_unknown_objects_delays_no_check_and_is_reported(
    org: ScriptedOrg, store: Memory
) -> None:
    """Nothing about its deletes is proven. The log of each poll says so."""
    with checks_of(org, store, (ACCOUNT, EVENT)) as checks:
        assert checks.awaited == {ACCOUNT}
        reports = {
            ACCOUNT: TopicReport(ACCOUNT, ended="caught_up"),
            EVENT: TopicReport(EVENT, ended="idle"),
        }
        report = Report(ORG_ID, reports, timestamp(BEGAN))
        checks.run(report)
    assert outcomes(store) == {"listed"}
    assert f"topic={EVENT} objects=unknown reason=name them in CHECK_OBJECTS" in report.lines()


def test_a_topic_whose_rows_name_the_object_delays_its_check(
    org: ScriptedOrg, store: Memory
) -> None:
    """Every object that a topic's rows carry is an object of it."""
    report = check(org, store, (EVENT,), objects=["Account"], ended="idle", seen=["Account"])
    assert report.checks[0].outcome == "waits"
    assert org.kinds("deleted") == []


def test_check_objects_are_the_objects_of_topics_that_name_none(
    org: ScriptedOrg, store: Memory
) -> None:
    """So the topics are awaited, and their rows of ``polls`` name the objects."""
    with checks_of(org, store, (EVENT, ACCOUNT), objects=["Account", "Contact"]) as checks:
        assert checks.awaited == {EVENT, ACCOUNT}
        assert checks.objects_of(EVENT) == ["Account", "Contact"]
        assert checks.objects_of(ACCOUNT) == ["Account"]


def test_the_members_of_a_channel_are_its_objects(org: ScriptedOrg, store: Memory) -> None:
    """They are asked for once in CHECK_HOURS. The first poll already checks them."""
    org.channel = [Member("My__chn", "Account", False), Member("Other__chn", "Contact", False)]
    report = check(org, store, (CHANNEL,))
    assert list(report.objects(CHANNEL) or ()) == ["Account"]
    assert {row["object_name"] for row in store.table("checks")} == {"Account"}
    org.now = BEGAN + 23 * HOUR
    report = check(org, store, (CHANNEL,))
    assert (list(report.objects(CHANNEL) or ()), org.asked) == (["Account"], [])


@pytest.mark.parametrize(
    "channel", [[], [Member("My__chn", None, False), Member("My__chn", "Account", False)]]
)
def test_a_channel_without_known_members_has_unknown_objects(
    channel: list[Member], org: ScriptedOrg, store: Memory
) -> None:
    """The user may not read them, or one of them is a platform event."""
    org.channel = channel
    report = check(org, store, (CHANNEL,))
    assert (report.objects(CHANNEL), report.unknown) == (None, [CHANNEL])
    assert store.table("checks") == []


def test_members_that_may_not_be_read_are_not_asked_for_in_every_poll(
    org: ScriptedOrg, store: Memory
) -> None:
    """A person must act first."""
    org.fail = failing("members", CheckRefusedError("members", no_rights=True))
    check(org, store, (CHANNEL,)).raise_if_failed()
    org.now = BEGAN + HOUR
    check(org, store, (CHANNEL,))
    assert org.asked == []


def test_after_a_gap_the_whole_reach_is_listed_again(org: ScriptedOrg, store: Memory) -> None:
    """Also if the poll that found the gap checked nothing."""
    check(org, store)
    org.now = BEGAN + HOUR
    assert check(org, store, gaps=1).checks == []
    org.now = BEGAN + DAY
    check(org, store)
    assert org.kinds("deleted")[0][1] == BEGAN - 14 * DAY + HOUR + MINUTE
    org.now = BEGAN + 2 * DAY
    check(org, store)
    assert len(org.kinds("deleted")) < 6


# -- steps, crashes, two polls


def test_the_file_is_uploaded_before_entries_and_progress(org: ScriptedOrg, store: Memory) -> None:
    """The progress is last, so that a crash before it repeats the check. A new object has its own
    before all questions, which says since when it is wanted.
    """
    org.records["Account"] = {ONE: Record([BEGAN - HOUR])}
    check(org, store)
    steps = [step for step in store.steps if step in ("upload", "save_kept", "save_progress")]
    assert steps[:3] == ["save_progress", "upload", "save_kept"]
    assert steps[-1] == "save_progress"
    assert steps.count("save_progress") == 2
    store.steps.clear()
    org.now = BEGAN + DAY
    check(org, store)
    steps = [step for step in store.steps if step in ("upload", "save_kept", "save_progress")]
    assert (steps[0], steps[-1], steps.count("save_progress")) == ("upload", "save_progress", 1)


@pytest.mark.parametrize("step", ["upload", "save_kept", "save_progress"])
def test_a_crash_between_two_steps_repeats_the_check_and_changes_nothing(
    step: str, org: ScriptedOrg, store: Memory
) -> None:
    """The rows of both checks say the same, under the keys of two checks."""
    org.records["Account"] = {ONE: Record([BEGAN - HOUR]), TWO: Record([BEGAN - DAY], [BEGAN])}
    org.listing = "log"
    store.fail_at = step
    report = check(org, store)
    report.raise_if_failed()
    assert f"{step} fails" in lines(report)[-1]
    assert reached(store) is None
    once = deletes(store)
    org.now = BEGAN + MINUTE
    check(org, store)
    assert once <= deletes(store)
    assert len(deletes(store)) == 2
    assert {row["restore_id"] for row in store.table("restores")} == {
        f"check:{TWO}:{timestamp(BEGAN - DAY)}"
    }
    assert store.progress["Account"][0].window_to == "2026-11-20T11:31:00.000Z"


def test_of_two_polls_at_once_one_drops_its_progress(org: ScriptedOrg, store: Memory) -> None:
    """The rows of both are stored, which is harmless."""
    org.records["Account"] = {ONE: Record([BEGAN - HOUR])}
    with checks_of(org, store) as slow:
        check(org, store)
        first = store.progress["Account"]
        report = Report(ORG_ID, {ACCOUNT: TopicReport(ACCOUNT, ended="caught_up")}, "2026")
        org.new_poll()
        slow.run(report)
    report.raise_if_failed()
    assert store.progress["Account"] == first
    assert len(store.table("checks")) == 32
    assert deletes(store) == {(ONE, timestamp(BEGAN - HOUR), "both", "bin")}


def test_progress_does_not_move_if_another_poll_has_changed_the_entries_of_a_day(
    org: ScriptedOrg, store: Memory
) -> None:
    """The entries of this poll are not stored, so a later check must list the day again."""
    org.records["Account"] = {ONE: Record([BEGAN - HOUR])}

    def fail(question: tuple[Any, ...]) -> None:
        if question[0] == "queryAll" and question[2] > BEGAN - DAY:
            store.kept["Account", "2026-11-20"] = b"[]", "another"

    org.fail = fail
    check(org, store).raise_if_failed()
    assert reached(store) is None
    assert store.kept["Account", "2026-11-20"] == (b"[]", "another")


def test_a_full_file_is_uploaded_and_the_check_continues_in_another_one(
    org: ScriptedOrg, store: Memory
) -> None:
    """The memory and the file stay bounded, whatever Salesforce lists."""
    org.records["Account"] = {
        record_id(number): Record([BEGAN - HOUR - number * 5 * HOUR]) for number in range(40)
    }
    report = check(org, store, file_rows=10)
    assert len(report.files) > 2
    assert {one for one, *_ in deletes(store)} == set(org.records["Account"])
    assert store.progress["Account"][0].window_to == "2026-11-20T11:30:00.000Z"
    kept = sum(len(store.load_kept("", *key).entries) for key in store.kept)
    assert kept == 40


def test_a_file_is_full_early_and_the_lists_are_gone_during_its_upload(
    org: ScriptedOrg, store: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file takes whole windows, and during its upload it is in memory. The lists must not be."""
    lists: list[int] = []
    upload = store.upload

    def noting(path: Path, begun_at: datetime, *, briefly: bool) -> str:
        lists.append(sum(isinstance(one, Listing) for one in gc.get_objects()))
        return upload(path, begun_at, briefly=briefly)

    monkeypatch.setattr(store, "upload", noting)
    day = BEGAN - 3 * DAY
    org.records["Account"] = {
        record_id(number): Record([day + timedelta(seconds=number)]) for number in range(25_000)
    }
    report = check(org, store)
    assert len(report.files) == 2
    assert len(deletes(store)) == 25_000
    assert lists == [0, 0]


def test_entries_of_days_out_of_reach_are_removed(org: ScriptedOrg, store: Memory) -> None:
    """One blob for each object and day within the reach."""
    for number in range(3):
        org.now = BEGAN + number * DAY
        check(org, store)
    assert min(day for _, day in store.kept) == "2026-11-07"
    assert min(store.progress["Account"][0].listed_again) == "2026-11-07"


# -- what fails a poll


def test_a_check_that_fails_for_too_long_fails_the_poll(org: ScriptedOrg, store: Memory) -> None:
    """The error names the object, what is not proven, and what to do."""
    check(org, store)
    org.fail = failing("describe", CheckRefusedError("describe of Account: no", no_rights=True))
    for hours in range(12, 73, 12):
        org.now = BEGAN + hours * HOUR
        check(org, store).raise_if_failed()
    org.now = BEGAN + 73 * HOUR
    with pytest.raises(CheckFailedError) as raised:
        check(org, store).raise_if_failed()
    assert str(raised.value) == (
        "1 object(s) were not checked for 3 times CHECK_HOURS, or their last check is not known."
        " All events are stored, but deletes that no event told of may be missing, and nothing"
        " since the last check is proven. Do what the reason says, or leave the object out of"
        " CHECK_OBJECTS. See 'CheckFailedError' in docs/operations.md:\n  - Account: last check"
        " 2026-11-20T12:00:00.000Z; describe of Account: no"
    )
    assert all(
        "describe" not in str(row["error"]) or row["outcome"] == "no_rights"
        for row in store.table("checks")
    )


def test_a_topic_that_is_never_caught_up_fails_the_poll_after_a_time(
    org: ScriptedOrg, store: Memory
) -> None:
    """It was never checked, so the time counts from when a poll first wanted to."""
    check(org, store, ended="deadline").raise_if_failed()
    org.now = BEGAN + 72 * HOUR
    check(org, store, ended="deadline").raise_if_failed()
    org.now = BEGAN + 73 * HOUR
    with pytest.raises(CheckFailedError, match=r"last check never; Account: .* ended as deadline"):
        check(org, store, ended="deadline").raise_if_failed()


def test_outcomes_that_prove_nothing_do_not_fail_the_poll(org: ScriptedOrg, store: Memory) -> None:
    """They have a reason that the views show. The check took place."""
    org.sees_all = False
    for number in range(6):
        org.now = BEGAN + number * DAY
        check(org, store).raise_if_failed()


def test_after_a_poll_that_failed_as_a_whole_nothing_is_checked(
    org: ScriptedOrg, store: Memory
) -> None:
    """Its events are not safe yet."""
    report = check(org, store, error=StorageUnavailableError("no"))
    assert org.kinds("describe") == []
    assert report.checks == []


def test_an_unexpected_error_fails_only_the_check_of_its_object(
    org: ScriptedOrg, store: Memory
) -> None:
    """Its text may quote data, so only its kind is reported. If it stays, the poll fails."""
    org.records["Contact"] = {}

    def fail(question: tuple[Any, ...]) -> None:
        if question[:2] == ("deleted", "Account"):
            raise KeyError("data")

    org.fail = fail
    report = check(org, store, objects=["Account", "Contact"])
    report.raise_if_failed()
    assert {one.object_name: (one.outcome, one.reason) for one in report.checks} == {
        "Account": ("failed", "KeyError"),
        "Contact": ("listed", ""),
    }
    assert store.progress["Account"][0].error == "KeyError"
    org.now = BEGAN + 73 * HOUR
    with pytest.raises(CheckFailedError, match=r"Account: last check never; KeyError$"):
        check(org, store, objects=["Account", "Contact"]).raise_if_failed()


# -- blobs that Storage refuses


def test_members_that_cannot_be_loaded_are_asked_for(org: ScriptedOrg, store: Memory) -> None:
    """The report says so, and everything else goes on."""
    org.channel = [Member("My__chn", "Account", False)]
    store.refused = {"load_members"}
    report = check(org, store, (CHANNEL,))
    assert reached(store) == "2026-11-20T11:30:00.000Z"
    assert {one.object_name: (one.outcome, one.reason) for one in report.checks} == {
        "Account": ("listed", ""),
        "*": ("failed", "StorageRefusedError: load_members is refused"),
    }


def test_members_are_not_loaded_if_check_objects_names_the_objects(
    org: ScriptedOrg, store: Memory
) -> None:
    """Nobody needs them."""
    store.refused = {"load_members"}
    assert [one.outcome for one in check(org, store, objects=["Account"]).checks] == ["listed"]


@pytest.mark.parametrize("step", ["load_calls", "save_calls"])
def test_without_the_number_of_calls_nothing_is_asked_and_the_poll_fails_after_a_time(
    step: str, org: ScriptedOrg, store: Memory
) -> None:
    """MAX_CHECK_CALLS could not hold. The gap is noted, and the whole reach is listed later."""
    check(org, store)
    store.refused, org.now = {step}, BEGAN + DAY
    report = check(org, store, gaps=1)
    report.raise_if_failed()
    assert org.asked == []
    (told,) = [one for one in report.checks if one.object_name == "Account"]
    assert (told.outcome, f"{step} is refused" in told.reason) == ("failed", True)
    assert store.progress["Account"][0].whole
    org.now = BEGAN + 73 * HOUR
    with pytest.raises(CheckFailedError, match=rf"last check {timestamp(BEGAN)}; .*{step} is ref"):
        check(org, store).raise_if_failed()
    store.refused = set()
    org.now += HOUR
    check(org, store).raise_if_failed()
    assert org.kinds("deleted")[0][1] == org.now - 15 * DAY + HOUR + MINUTE


@pytest.mark.parametrize("step", ["load_calls", "save_calls", "save_kept"])
def test_an_object_that_was_never_checked_fails_the_poll_after_a_time_too(
    step: str, org: ScriptedOrg, store: Memory
) -> None:
    """Since when it is wanted is stored before all that may fail."""
    store.refused = {step}
    check(org, store).raise_if_failed()
    org.now = BEGAN + 73 * HOUR
    with pytest.raises(CheckFailedError, match=f"last check never; .*{step} is refused"):
        check(org, store).raise_if_failed()


def test_progress_that_cannot_be_loaded_fails_the_poll_and_stops_no_other_object(
    org: ScriptedOrg, store: Memory
) -> None:
    """Nobody knows then when the object was last checked."""
    org.records["Contact"] = {}
    store.refused = {"load_progress Account"}
    report = check(org, store, objects=["Account", "Contact"])
    assert {one.object_name: (one.outcome, one.reason) for one in report.checks} == {
        "Account": ("failed", "StorageRefusedError: load_progress is refused"),
        "Contact": ("listed", ""),
    }
    with pytest.raises(
        CheckFailedError,
        match=r"1 obj[^\n]*\n  - Account: last check not known; load_progress is r",
    ):
        report.raise_if_failed()


def test_progress_is_loaded_again_after_the_drains(org: ScriptedOrg, store: Memory) -> None:
    """Storage was down only for a moment."""
    store.fail_at = "load_progress"
    report = check(org, store)
    report.raise_if_failed()
    assert [one.outcome for one in report.checks] == ["listed"]


def test_if_storage_is_down_the_progress_of_one_object_is_tried(
    org: ScriptedOrg, store: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try takes long, and the drains wait for it."""
    tried = []

    def load(org_id: str, object_name: str) -> StoredProgress:
        tried.append(object_name)
        raise StorageUnavailableError("down")

    monkeypatch.setattr(store, "load_progress", load)
    report = check(org, store, objects=["Account", "Contact"])
    assert tried == ["Account", "Account"]
    with pytest.raises(CheckFailedError, match=r"Account: last check not known; down\n.*Contact: "):
        report.raise_if_failed()


@pytest.mark.parametrize("step", ["load_kept", "save_kept", "save_progress"])
def test_a_blob_of_one_object_that_is_refused_stops_no_other_object(
    step: str, org: ScriptedOrg, store: Memory
) -> None:
    """The check is repeated, and if the blob stays so, the poll fails."""
    org.records["Contact"] = {}
    both = ["Account", "Contact"]
    check(org, store, objects=both)
    store.refused, org.now = {f"{step} Account"}, BEGAN + 73 * HOUR
    report = check(org, store, objects=both)
    assert reached(store) == "2026-11-20T11:30:00.000Z"
    assert reached(store, "Contact") == "2026-11-23T12:30:00.000Z"
    assert [one for one in report.checks if f"{step} is refused" in one.reason]
    with pytest.raises(CheckFailedError, match=f"Account: last check {timestamp(BEGAN)}; .*{step}"):
        report.raise_if_failed()


def test_if_storage_is_down_no_further_object_is_asked(org: ScriptedOrg, store: Memory) -> None:
    """Each try takes long, and the host ends a poll that takes too long."""
    org.records["Contact"] = {}
    store.fail_at = "load_kept"
    check(org, store, objects=["Account", "Contact"]).raise_if_failed()
    assert len(org.kinds("describe")) == 1
    assert (reached(store), reached(store, "Contact")) == (None, None)


def test_after_a_file_that_is_not_uploaded_no_progress_moves(
    org: ScriptedOrg, store: Memory
) -> None:
    """Its rows are lost, whatever object they are of. The poll fails if it stays so."""
    org.records["Contact"] = {}
    org.records["Account"] = {
        record_id(number): Record([BEGAN - HOUR - number * 5 * HOUR]) for number in range(40)
    }
    store.refused = {"upload once"}
    report = check(org, store, objects=["Account", "Contact"], file_rows=10)
    report.raise_if_failed()
    assert (reached(store), reached(store, "Contact"), store.kept) == (None, None, {})
    assert "upload is refused" in lines(report)[-1]
    store.refused, org.now = {"upload"}, BEGAN + 73 * HOUR
    with pytest.raises(
        CheckFailedError, match=r"2 obj[^\n]*\n.*last check never; .*upload is refused"
    ):
        check(org, store, objects=["Account", "Contact"]).raise_if_failed()


# -- random histories


@pytest.mark.parametrize("listing", ["state", "log", "entries"])
@pytest.mark.parametrize("drift", [False, True])
def test_random_histories(listing: str, drift: bool, tmp_path: Path) -> None:
    """A check a day for 18 days. Whatever happens to the records:

    - each delete that Salesforce listed in a proven window has a row, under the date of the delete
    - a record that is confirmed was deleted then, and in the bin for its latest delete
    - a restore was found only of a record that lived
    """
    draw = random.Random(f"{listing} {drift}")
    for history in range(6):
        store, org = Memory(tmp_path / str(history)), ScriptedOrg(BEGAN, listing)
        store.folder.mkdir(parents=True, exist_ok=True)
        for number in range(12):
            org.records["Account"][record_id(number)] = _random_record(draw, drift=drift)
        for day in range(18):
            org.now = BEGAN + day * (DAY + 3 * MINUTE)
            check(org, store)
        _verify(org, store, drift=drift)


def _random_record(draw: random.Random, *, drift: bool) -> Record:
    moment = BEGAN - 2 * DAY + draw.randrange(0, 16 * 1440) * MINUTE
    deletes, restores = [], []
    for _ in range(draw.choice([1, 1, 2, 3])):
        deletes.append(moment)
        moment += draw.choice([1, 15, 45, 300, 1500, 5000]) * MINUTE
        restores.append(moment)
        moment += draw.choice([1, 15, 45, 300, 1500]) * MINUTE
    if draw.random() < 0.7:
        restores.pop()
    record = Record(deletes, restores)
    if len(restores) < len(deletes):
        if drift and draw.random() < 0.5:
            record.moved = deletes[-1] + draw.randrange(11, 6000) * MINUTE
        elif draw.random() < 0.3:
            record.purged = deletes[-1] + draw.randrange(1, 4000) * MINUTE
    record.trimmed = draw.random() < 0.1
    return record


def _verify(org: ScriptedOrg, store: Memory, *, drift: bool) -> None:
    checks = {row["check_id"]: row for row in store.table("checks")}
    listed = {
        (row["record_id"], row["deleted_date"], row["state"], row["check_id"])
        for row in store.table("listed_deletes")
    }
    for one, date, state, check_id in listed:
        record, asked = org.records["Account"][one], moment_of(checks[check_id]["checked_at"])
        if state == "purged":
            assert record.state(asked) == "gone"
        if state == "bin":
            assert record.state(asked) == "bin"
            assert moment_of(date) == record.last(asked)
        if not record.moved:
            assert moment_of(date) in record.deletes
    for row in store.table("restores"):
        record = org.records["Account"][row["record_id"]]
        assert record.state(moment_of(row["restored_date"])) == "live"
    rows = {(one, date) for one, date, *_ in listed}
    for one, record in org.records["Account"].items():
        last = record.last(org.now - HOUR)
        if last and record.state(org.now) == "bin" and last > BEGAN - 14 * DAY:
            assert (one, timestamp(last)) in rows
