"""A poll with its check, from end to end: the mock's Pub/Sub API and REST API, and Azurite.

What the check lists is compared with what is true in the mock's org.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import ContainerClient
from local.emulators import Server, connection_string
from local.event_files import rows
from local.proxy import Request, proxy

from salesforce_client.src.app.completeness import REACH
from salesforce_client.src.app.errors import SettingsError
from salesforce_client.src.app.mock_salesforce import MockSalesforce
from salesforce_client.src.app.model.times import moment_of
from salesforce_client.src.app.report import Report
from salesforce_client.src.app.run import run

ACCOUNT, CHANNEL = "/data/AccountChangeEvent", "/data/ChangeEvents"
HOURLY = 3600.0
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
Poll = Callable[..., Report]


class Polled:
    """A poll, its mock, and the rows that it left."""

    def __init__(
        self, report: Report, mock: MockSalesforce, events: ContainerClient, folder: Path
    ) -> None:
        self.report, self.mock = report, mock
        self._events, self._folder = events, folder

    def table(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of a table of all event files."""
        return rows(self._events, self._folder, name)

    @property
    def outcomes(self) -> set[str]:
        """The outcomes of all checks."""
        return {row["outcome"] for row in self.table("checks")}

    @property
    def window(self) -> tuple[datetime, datetime]:
        """The time that the checks cover."""
        checks = self.table("checks")
        times = [(moment_of(row["window_from"]), moment_of(row["window_to"])) for row in checks]
        return min(start for start, _ in times), max(end for _, end in times)


@pytest.fixture
def polled(
    blob_settings: Mapping[str, str], events: ContainerClient, tmp_path: Path
) -> Iterator[Callable[..., Polled]]:
    """Run a poll that checks Account, or what the settings say, against a mock with faults."""
    with contextlib.ExitStack() as mocks:

        def once(faults: str = "", **settings: str) -> Polled:
            mock = mocks.enter_context(MockSalesforce(HOURLY, keepalive_seconds=0.2, faults=faults))
            changes = {"SALESFORCE_TOPICS": ACCOUNT, "CHECK_OBJECTS": "Account", **settings}
            report = run({**blob_settings, **mock.settings, **changes})
            return Polled(report, mock, events, tmp_path)

        yield once


def listed(found: Polled) -> dict[tuple[str, datetime], dict[str, Any]]:
    """The listed deletes, by record and date."""
    return {
        (row["record_id"], moment_of(row["deleted_date"])): row
        for row in found.table("listed_deletes")
    }


def whole(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def test_a_poll_lists_every_record_that_is_deleted_now(polled: Callable[..., Polled]) -> None:
    """Also those that no event tells of. The file of the check comes after that of the events."""
    found = polled("hide=update_delete:2+no_right:4")
    found.report.raise_if_failed()
    since, until = found.window
    mock, now = found.mock, datetime.now(timezone.utc)
    assert timedelta(0) <= since - (now - REACH) + MINUTE < 5 * MINUTE
    expected = {
        (change.record_id, whole(change.dated))
        for change in mock.org.changes(["Account"], since - DAY, now)
        if change.kind == "delete" and since <= whole(change.dated) < until
        if mock.org.history.last(change.record_id, now) == change
    }
    told = listed(found)
    assert told.keys() == expected
    assert len(expected) > 100
    hidden = {
        (it.change.record_id, whole(it.change.dated))
        for it in mock.org.hidden([ACCOUNT], since, until)
        if it.change.kind == "delete"
    }
    assert len(hidden & expected) > 10
    assert found.outcomes == {"listed"}
    assert {row["sight"] for row in found.table("checks")} == {"view_all"}
    for (record_id, date), row in told.items():
        last = mock.org.history.last(record_id, now)
        assert last
        assert (row["deleted_by"], whole(last.dated), row["state"]) == (last.by, date, "bin")
        assert row["owner_id"] == mock.org.history.owner(record_id)
        assert json.loads(row["payload"])["queryAll"]["Id"] == record_id
    events_file, check_file = found.report.files
    assert events_file < check_file
    assert sum(row["listed"] for row in found.table("checks")) == len(expected)
    (line,) = [line for line in found.report.lines() if line.startswith("check ")]
    assert f" listed={len(expected)} restored=0 calls=" in line


def test_a_merge_names_its_winner(polled: Callable[..., Polled]) -> None:
    """Only queryAll tells it."""
    found = polled("merge=bin")
    since, until = found.window
    merges = {
        (it.loser, whole(it.at)): it.winner
        for it in found.mock.org.merges(since, until)
        if it.object_name == "Account"
    }
    told = {key: row["merged_into"] for key, row in listed(found).items() if row["merged_into"]}
    assert merges
    assert told == {key: winner for key, winner in merges.items() if key in listed(found)}


@pytest.mark.parametrize("reading", ["one", "two", "log"])
def test_restores_are_found_by_the_state_of_the_record(
    reading: str, polled: Callable[..., Polled]
) -> None:
    """However getDeleted treats restored records: no record that lives is confirmed."""
    found = polled(f"redelete={reading},hide=restore:1")
    org, now = found.mock.org, datetime.now(timezone.utc)
    for row in found.table("listed_deletes"):
        if row["state"] == "bin":
            assert org.state(row["record_id"], now) == "bin"
    restores = {row["record_id"]: row for row in found.table("restores")}
    assert all(org.state(one, now) == "live" for one in restores)
    assert bool(restores) == (reading == "log")
    if reading == "log":
        live = {
            row["record_id"]
            for row in found.table("listed_deletes")
            if org.state(row["record_id"], now) == "live"
        }
        assert restores.keys() == live
        assert {row["found_by"] for row in restores.values()} == {"check"}


def test_purged_records_are_listed_and_confirmed(polled: Callable[..., Polled]) -> None:
    """The recycle bins are emptied, and queryAll returns purged records for six hours only."""
    found = polled("empty_bin=24:6")
    org, now = found.mock.org, datetime.now(timezone.utc)
    purged = {row["record_id"] for row in found.table("listed_deletes") if row["state"] == "purged"}
    assert len(purged) > 50
    assert {org.state(one, now) for one in purged} == {"gone"}
    assert found.outcomes == {"listed"}


def test_a_moved_systemmodstamp_does_not_move_a_delete(polled: Callable[..., Polled]) -> None:
    """GetDeleted has the later date, and the listed delete has that of the delete."""
    found = polled("modstamp_drift=2")
    org, now = found.mock.org, datetime.now(timezone.utc)
    moved = 0
    for (record_id, date), row in listed(found).items():
        last = org.history.last(record_id, now)
        assert last
        if row["state"] == "purged":  # after 15 days in the bin, nobody can read its date
            assert json.loads(row["payload"])["_tracker"] == {"deleted_date_from": "getDeleted"}
            continue
        assert (row["state"], date) == ("bin", whole(last.dated))
        told = json.loads(row["payload"]).get("getDeleted", {}).get("deletedDate")
        moved += bool(told) and moment_of(told) != date
    assert moved > 20


def test_pages_and_sessions_that_end_change_nothing(polled: Callable[..., Polled]) -> None:
    """A query has many pages, and the session ends on the way."""
    found = polled("rest_page=2,rest_session=7:4,rest_error=INVALID_QUERY_LOCATOR:1@page")
    assert found.outcomes == {"listed"}
    told = found.table("listed_deletes")
    assert len(told) > 100
    assert {row["listed_by"] for row in told} == {"both"}
    assert len(found.mock.tokens.issued) >= 5


@pytest.mark.parametrize(
    ("trim", "outcomes"),
    [
        ("error:48", {"listed", "trimmed"}),
        ("told:48", {"listed", "not_covered"}),
        ("silent:48", {"listed"}),
    ],
)
def test_a_trimmed_list_is_told_or_found_in_query_all(
    trim: str, outcomes: set[str], polled: Callable[..., Polled]
) -> None:
    """An error or ``earliestDateAvailable`` says which part is not covered. If nothing says it,
    queryAll still has what is in the recycle bin.
    """
    found = polled(f"rest_trim={trim}")
    assert found.outcomes == outcomes
    now = datetime.now(timezone.utc)
    proven = [row for row in found.table("checks") if row["outcome"] == "listed"]
    if trim != "silent:48":
        assert min(moment_of(row["window_from"]) for row in proven) >= now - 2 * DAY - MINUTE
    else:
        by = {row["listed_by"] for row in found.table("listed_deletes")}
        assert by == {"both", "queryAll"}
    found.report.raise_if_failed()


@pytest.mark.parametrize(
    ("faults", "outcome", "sight"),
    [
        ("no_view_all=2", "sight_unknown", "unknown"),
        ("no_view_all=2,view_all_data", "listed", "view_all"),
        ("no_view_setup=error", "sight_unknown", "unknown"),
        ("no_view_setup=type", "sight_unknown", "unknown"),
        ("no_view_setup=empty", "sight_unknown", "unknown"),
        ("not_replicateable=Account", "not_replicateable", "unknown"),
        ("clock_off=600", "clock", "unknown"),
        ("rest_error=API_DISABLED_FOR_ORG:always@describe", "no_rights", "unknown"),
        ("rest_error=INSUFFICIENT_ACCESS:always@deleted", "no_rights", "view_all"),
        ("rest_error=REQUEST_LIMIT_EXCEEDED:always@describe", "failed", "unknown"),
        ("rest_error=UNKNOWN_EXCEPTION:2@describe", "listed", "view_all"),
        ("rest_down=page", "failed", "unknown"),
    ],
)
def test_without_evidence_the_outcome_says_why_and_the_deletes_are_stored(
    faults: str, outcome: str, sight: str, polled: Callable[..., Polled]
) -> None:
    """No check fails the poll."""
    found = polled(faults)
    found.report.raise_if_failed()
    assert {(row["outcome"], row["sight"]) for row in found.table("checks")} == {(outcome, sight)}
    assert all(bool(row["error"]) == (outcome != "listed") for row in found.table("checks"))
    assert found.table("events")
    assert found.report.checks[0].outcome == outcome


def test_the_members_of_the_channel_are_checked_and_those_with_a_filter_are_not(
    polled: Callable[..., Polled],
) -> None:
    """The rows of ``polls`` name the objects, also in the first poll."""
    found = polled("filtered_channel=Account", SALESFORCE_TOPICS=CHANNEL, CHECK_OBJECTS="")
    assert {(row["object_name"], row["outcome"]) for row in found.table("checks")} == {
        ("Account", "filtered"),
        ("Contact", "listed"),
    }
    (poll,) = found.table("polls")
    assert json.loads(poll["objects"]) == ["Account", "Contact"]
    assert found.report.unknown == []


def test_a_channel_whose_members_cannot_be_read_is_reported(polled: Callable[..., Polled]) -> None:
    """Nothing about it is proven, and nothing is checked."""
    found = polled("no_view_setup", SALESFORCE_TOPICS=CHANNEL, CHECK_OBJECTS="")
    assert found.table("checks") == []
    assert [row["objects"] for row in found.table("polls")] == [None]
    assert f"topic={CHANNEL} objects=unknown reason=name them in CHECK_OBJECTS" in list(
        found.report.lines()
    )


def test_delete_event_says_who_deleted_if_query_all_does_not(
    polled: Callable[..., Polled],
) -> None:
    """It does not say what the records are now, so nothing is confirmed."""
    found = polled("rest_error=INVALID_FIELD:always@queryAll,empty_bin=240:6")
    now = datetime.now(timezone.utc)
    assert found.outcomes == {"listed"}
    told = 0
    for (record_id, _), row in listed(found).items():
        last = found.mock.org.history.last(record_id, now)
        assert last
        in_bin = found.mock.org.state(record_id, now) == "bin"
        assert row["deleted_by"] == (last.by if in_bin else None)
        assert ("DeleteEvent" in json.loads(row["payload"])) is in_bin
        assert (row["listed_by"], row["state"]) == ("getDeleted", "unknown")
        told += in_bin
    assert 50 < told < len(listed(found))


def test_a_delete_event_that_cannot_be_read_is_asked_for_once(
    polled: Callable[..., Polled],
) -> None:
    """It is no error of the check: only who deleted stays unknown."""
    found = polled("no_delete_event,rest_error=INVALID_FIELD:always@queryAll")
    found.report.raise_if_failed()
    assert found.outcomes == {"listed"}
    assert {row["deleted_by"] for row in found.table("listed_deletes")} == {None}
    windows = len(found.table("checks"))
    # Beside the lists: describe, two about rights, one DeleteEvent, and one for the org's limits.
    assert found.mock.calls.made == windows * 2 + 5


def test_with_few_calls_the_list_comes_before_who_deleted(polled: Callable[..., Polled]) -> None:
    """20 calls are enough for the list of 15 days."""
    found = polled(MAX_CHECK_CALLS="20")
    assert found.outcomes == {"listed"}
    assert found.mock.calls.made <= 20 + 1  # the question for the org's limits is no check
    states = {(row["listed_by"], row["state"]) for row in found.table("listed_deletes")}
    assert ("getDeleted", "unknown") in states


def test_a_topic_that_is_awaited_and_hears_nothing_delays_its_check_and_does_not_fail(
    blob_settings: Mapping[str, str], events: ContainerClient, tmp_path: Path
) -> None:
    """The second poll has a fresh cursor. It waits until its time is up, and the check waits on."""
    with MockSalesforce(HOURLY, keepalive_seconds=0.2) as mock:
        base = {**blob_settings, **mock.settings, "SALESFORCE_TOPICS": ACCOUNT}
        run(base).raise_if_failed()
    with MockSalesforce(HOURLY, keepalive_seconds=60) as mock:
        late = {**mock.settings, "MAX_RUN_SECONDS": "10", "IDLE_SECONDS": "1"}
        base = {**blob_settings, **late, "SALESFORCE_TOPICS": ACCOUNT, "CHECK_OBJECTS": "Account"}
        report = run(base)
        report.raise_if_failed()
        assert report.topics[ACCOUNT].ended == "deadline"
        assert report.checks[0].outcome == "waits"
        assert mock.calls.made == 1  # only what is left of the org's limits
        assert run({**base, "CHECK_OBJECTS": "none"}).topics[ACCOUNT].ended == "idle"
    assert rows(events, tmp_path, "checks") == []


@pytest.mark.parametrize("step", ["/check/Account/", "/check/Account.json"])
def test_a_poll_that_cannot_store_progress_is_repeated_and_changes_nothing(
    step: str,
    blob_settings: Mapping[str, str],
    azurite: Server,
    events: ContainerClient,
    cursors: ContainerClient,
    tmp_path: Path,
) -> None:
    """The file of the check is uploaded, and then Blob Storage refuses. The cursors have moved."""
    with MockSalesforce(HOURLY, keepalive_seconds=0.2) as mock, proxy(azurite.port) as through:
        settings = {
            **blob_settings,
            **mock.settings,
            "SALESFORCE_TOPICS": ACCOUNT,
            "CHECK_OBJECTS": "Account",
        }

        def refuse(request: Request) -> tuple[int, bytes] | None:
            return (403, b"") if request.method == "PUT" and step in request.path else None

        through.before = refuse
        report = run({**settings, "EVENTS_STORAGE": connection_string(through.port)})
        report.raise_if_failed()
        assert report.topics[ACCOUNT].cursor == "moved"
        assert len(report.files) == 2
        assert any(line.startswith("check object=* windows=0") for line in report.lines())
        once = listed_keys(events, tmp_path)
        assert once
        run(settings).raise_if_failed()
        assert listed_keys(events, tmp_path) == once
        stored = json.loads(
            cursors.download_blob(f"{mock.org.org_id}/check/Account.json").readall()
        )
        assert stored["window_to"] == max(
            row["window_to"] for row in rows(events, tmp_path, "checks")
        )
        assert run(settings).checks == []


def listed_keys(events: ContainerClient, folder: Path) -> set[tuple[str, str, str]]:
    return {
        (row["record_id"], row["deleted_date"], row["state"])
        for row in rows(events, folder, "listed_deletes")
    }


def test_with_a_fixed_time_of_the_mock_the_checks_live_in_its_time(
    blob_settings: Mapping[str, str], events: ContainerClient, tmp_path: Path
) -> None:
    """The windows end before MOCK_NOW, and the next check comes a day later."""
    settings = {
        **blob_settings,
        "MOCK_MODE": "true",
        "MOCK_INTERVAL_SECONDS": "3600",
        "SALESFORCE_TOPICS": ACCOUNT,
        "CHECK_OBJECTS": "Account",
    }
    for moment in ("2026-02-01T12:00:00Z", "2026-02-02T11:00:00Z", "2026-02-02T12:00:00Z"):
        run({**settings, "MOCK_NOW": moment}).raise_if_failed()
    checks = rows(events, tmp_path, "checks")
    assert {row["outcome"] for row in checks} == {"listed"}
    assert {row["checked_at"][:13] for row in checks} == {"2026-02-01T12", "2026-02-02T12"}
    assert max(row["window_to"] for row in checks) == "2026-02-02T11:30:00.000Z"


def test_a_poll_must_end_before_the_host_ends_it(blob_settings: Mapping[str, str]) -> None:
    """The time is that of ``functionTimeout``, which a setting may replace."""
    with MockSalesforce(HOURLY, keepalive_seconds=0.2) as mock:
        base = {**blob_settings, **mock.settings}
        with pytest.raises(SettingsError, match="MAX_RUN_SECONDS must be at most 580, not 581"):
            run({**base, "MAX_RUN_SECONDS": "581"})
        timeout = {"AzureFunctionsJobHost__functionTimeout": "00:01:00"}
        with pytest.raises(SettingsError, match="MAX_RUN_SECONDS must be at most 40, not 480"):
            run({**base, **timeout})
        wrong = {"AzureFunctionsJobHost__functionTimeout": "ten minutes"}
        with pytest.raises(SettingsError, match="must be hh:mm:ss, not ten minutes"):
            run({**base, **wrong})
        endless = {"AzureFunctionsJobHost__functionTimeout": "-1", "MAX_RUN_SECONDS": "900"}
        run({**base, **endless, "SALESFORCE_TOPICS": ACCOUNT}).raise_if_failed()
