"""The operator's commands replay, reprocess and check, and the objects in the status."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from azure.storage.blob import ContainerClient
from local.command_line import Done, command

from salesforce_client.src.app.commands.status import object_of
from salesforce_client.src.app.mock_salesforce import DEFAULT_TOPICS, MockSalesforce
from salesforce_client.src.app.model import Progress

EVENT, ACCOUNT, _ = DEFAULT_TOPICS
Settings = dict[str, str]


def settings_of(mock: MockSalesforce, blob_settings: Mapping[str, str], **more: str) -> Settings:
    return {**blob_settings, **mock.settings, "SALESFORCE_TOPICS": EVENT, **more}


def polled(settings: Mapping[str, str]) -> Done:
    done = command(settings, "poll", "--yes", "--json")
    assert done.code in (0, 1), done.text
    return done


def cursor(cursors: ContainerClient) -> dict[str, str]:
    (name,) = cursors.list_blob_names()
    stored: dict[str, str] = json.loads(cursors.download_blob(name).readall())
    return stored


def test_a_replay_tells_its_cost_and_lets_the_next_poll_read_everything(
    mock: MockSalesforce, blob_settings: Mapping[str, str], cursors: ContainerClient
) -> None:
    """The cost is what polls have read in the last 72 hours. No gap is recorded."""
    settings = settings_of(mock, blob_settings)
    first = polled(settings).json["topics"][0]["received"]
    assert polled(settings).json["topics"][0]["received"] == 0
    call = command(settings, "replay", EVENT, "--yes", "--json")
    assert call.code == 0, call.text
    assert call.json["cost"] == first > 10
    assert call.json["left"] > first
    assert cursor(cursors)["replay_id"] is None
    again = polled(settings).json["topics"][0]
    assert (again["received"], again["gaps"]) == (first, 0)


def test_a_replay_from_an_event_file_reads_what_came_behind_it(
    mock: MockSalesforce, blob_settings: Mapping[str, str], events: ContainerClient, tmp_path: Path
) -> None:
    """The last replay id of a file may go on in the next one, so the one before it counts."""
    now = datetime.now(timezone.utc)
    mock.org.now = lambda: now - timedelta(hours=12)
    settings = settings_of(mock, blob_settings)
    (file,) = polled(settings).json["files"]
    mock.org.now = lambda: now
    later = polled(settings).json["topics"][0]["received"]
    assert later > 0
    call = command(settings, "replay", EVENT, "--from", file, "--yes")
    assert call.code == 0, call.text
    assert f"the next poll reads {EVENT} from {file}" in call.out
    assert polled(settings).json["topics"][0]["received"] == later + 1


def test_a_replay_without_consent_changes_nothing(
    mock: MockSalesforce, blob_settings: Mapping[str, str], cursors: ContainerClient
) -> None:
    """The cost is told before the question."""
    settings = settings_of(mock, blob_settings)
    polled(settings)
    before = cursor(cursors)
    call = command(settings, "replay", EVENT)
    assert call.code == 2
    assert f"events of {EVENT} will be delivered again" in call.out
    assert f"Let the next poll read {EVENT} from EARLIEST? Nothing was changed" in call.err
    assert cursor(cursors) == before


def test_a_replay_that_the_allocation_cannot_pay_is_refused(
    blob_settings: Mapping[str, str], cursors: ContainerClient
) -> None:
    """The exit code says to try again: more is left as the 24 hours go on."""
    with MockSalesforce(3600, faults="limits_used=100", keepalive_seconds=0.2) as mock:
        settings = settings_of(mock, blob_settings)
        polled(settings)
        before = cursor(cursors)
        call = command(settings, "replay", EVENT, "--yes")
    assert call.code == 3
    assert "but only 0 are left. Nothing was changed" in call.err
    assert cursor(cursors) == before


def test_a_replay_whose_limit_is_not_known_says_so(blob_settings: Mapping[str, str]) -> None:
    """The person decides then."""
    with MockSalesforce(3600, faults="no_view_setup", keepalive_seconds=0.2) as mock:
        settings = settings_of(mock, blob_settings)
        polled(settings)
        call = command(settings, "replay", EVENT, "--yes", "--json")
    assert call.code == 0
    assert call.json["left"] is None
    assert "what is left of the allocation is not known: " in call.err


@pytest.mark.parametrize("case", ["topic", "file", "old", "positions", "never read"])
def test_a_replay_that_is_not_possible_names_the_reason(
    mock: MockSalesforce, blob_settings: Mapping[str, str], events: ContainerClient, case: str
) -> None:
    """It is an error of usage."""
    settings = settings_of(mock, blob_settings)
    if case != "never read":
        polled(settings)
    topic, start = EVENT, "EARLIEST"
    if case == "topic":
        topic = "/event/Other__e"
    elif case == "file":
        start = "events_20200101T000000Z.db"
    elif case == "old":
        start = "events_20200101T000000Z.db"
        (name,) = events.list_blob_names()
        events.upload_blob(start, events.download_blob(name).readall())
    elif case == "positions":
        (start,) = polled(settings).json["files"]
    call = command(settings, "replay", topic, "--from", start, "--yes")
    says = {
        "topic": f"/event/Other__e is not in SALESFORCE_TOPICS, which has {EVENT}",
        "file": f"{start} is not an event file in container {events.container_name}",
        "old": f"{start} is older than 72 hours",
        "positions": f"{start} has fewer than two events of {EVENT}",
        "never read": f"{EVENT} has no cursor yet",
    }
    assert call.code == 2, call.text
    assert says[case] in call.err


@pytest.fixture
def rejects(blob_settings: Mapping[str, str]) -> Settings:
    """Settings with which a poll has rejected every event, although the events are good."""
    with MockSalesforce(3600, faults="schema_missing", keepalive_seconds=0.2) as mock:
        polled_ = command(settings_of(mock, blob_settings), "poll", "--yes")
    assert "AllUndecodableError" in polled_.text
    return dict(blob_settings)


@pytest.mark.parametrize("wanted", ["the name", "all"])
def test_rejected_events_are_decoded_again(
    rejects: Settings, mock: MockSalesforce, events: ContainerClient, tmp_path: Path, wanted: str
) -> None:
    """They become deletes in a new file. With ``all``, nothing is left to do then."""
    settings = settings_of(mock, rejects)
    (name,) = events.list_blob_names()
    call = command(
        settings, "reprocess", name if wanted == "the name" else wanted, "--yes", "--json"
    )
    assert call.code == 0, call.text
    assert call.json["became"]["delete"] > 10
    assert call.json["still_rejected"] == 0
    ((new,),) = [it["uploaded"] for it in call.json["files"]]
    (tmp_path / "new.db").write_bytes(events.download_blob(new).readall())
    with closing(sqlite3.connect(tmp_path / "new.db")) as file:
        assert file.execute("SELECT COUNT(*) FROM events").fetchone() == (
            call.json["became"]["delete"],
        )
    again = command(settings, "reprocess", "all", "--yes")
    assert again.code == 0
    assert again.out == "no event file has rejected events that were not decoded since\n"


def test_events_that_are_still_rejected_are_findings(
    rejects: Settings, events: ContainerClient
) -> None:
    """The reason is told once for all of them, and no file is uploaded."""
    before = list(events.list_blob_names())
    with MockSalesforce(3600, faults="schema_missing", keepalive_seconds=0.2) as mock:
        call = command(settings_of(mock, rejects), "reprocess", "all", "--yes")
    assert call.code == 1
    assert "event(s) still rejected: " in call.out
    assert list(events.list_blob_names()) == before


def test_nothing_is_decoded_again_without_consent(
    rejects: Settings, mock: MockSalesforce, events: ContainerClient
) -> None:
    """The question says how many files it is about."""
    before = list(events.list_blob_names())
    call = command(settings_of(mock, rejects), "reprocess", "all")
    assert call.code == 2
    assert "Decode the rejected events of 1 file(s) again" in call.err
    assert list(events.list_blob_names()) == before


def test_a_file_on_this_machine_is_decoded_too_and_a_missing_one_is_named(
    rejects: Settings, mock: MockSalesforce, events: ContainerClient, tmp_path: Path
) -> None:
    """A path has a slash, and a name in the container has none."""
    settings = settings_of(mock, rejects)
    (name,) = events.list_blob_names()
    (tmp_path / "copy.db").write_bytes(events.download_blob(name).readall())
    call = command(settings, "reprocess", str(tmp_path / "copy.db"), "--yes", "--json")
    assert call.code == 0, call.text
    missing = command(settings, "reprocess", "events_20200101T000000Z.db", "--yes")
    assert missing.code == 4
    assert "events_20200101T000000Z.db: the container" in missing.err


def checked_settings(mock: MockSalesforce, blob_settings: Mapping[str, str]) -> Settings:
    more = {"SALESFORCE_TOPICS": ACCOUNT, "CHECK_OBJECTS": "Account", "MAX_RUN_SECONDS": "60"}
    return settings_of(mock, blob_settings, **more)


def test_a_check_runs_now_although_it_is_not_due(
    mock: MockSalesforce, blob_settings: Mapping[str, str]
) -> None:
    """A poll would check again only after CHECK_HOURS."""
    settings = checked_settings(mock, blob_settings)
    first = command(settings, "check", "--yes", "--json")
    assert first.code == 0, first.text
    assert polled(settings).json["checks"] == []
    again = command(settings, "check", "--yes")
    assert again.code == 0, again.text
    (row,) = [line.split() for line in again.out.splitlines() if line.startswith("Account ")]
    assert row[-2:] == ["listed", "-"]
    status = command(settings, "status", "--json")
    (checked,) = status.json["objects"]
    assert checked["object"] == "Account"
    assert checked["last_check_at"] > first.json["began_at"]
    assert (status.code, checked["note"]) == (0, "")


def test_a_check_that_proves_nothing_is_a_finding(blob_settings: Mapping[str, str]) -> None:
    """The outcome and its reason are in the table."""
    with MockSalesforce(3600, faults="no_view_all", keepalive_seconds=0.2) as mock:
        call = command(checked_settings(mock, blob_settings), "check", "--yes")
    assert call.code == 1, call.text
    assert "sight_unknown" in call.out


def test_a_check_needs_consent_and_objects(
    mock: MockSalesforce, blob_settings: Mapping[str, str], events: ContainerClient
) -> None:
    """Nothing is read without consent."""
    settings = checked_settings(mock, blob_settings)
    asked = command(settings, "check")
    assert asked.code == 2
    assert "Then each object is checked, with at most 500 REST calls in 24 hours." in asked.err
    none = command({**settings, "CHECK_OBJECTS": "none"}, "check", "--yes")
    assert none.code == 2
    assert "CHECK_OBJECTS is none: name the objects to check" in none.err
    assert not events.exists()


def test_the_status_names_objects_that_were_never_checked_or_failed() -> None:
    """The error of the last check is told."""
    assert object_of("A", None).note == "never checked"
    failed = Progress("A", "2026-01-01T00:00:00.000Z", error="x", outcome="failed")
    assert object_of("A", failed) == ("A", None, None, "failed", "x", "never checked")
    at = "2026-01-02T00:00:00.000Z"
    once = Progress("A", at, window_to=at, succeeded_at=at, error="x", outcome="failed")
    assert object_of("A", once) == ("A", at, at, "failed", "x", "the last check failed")


@pytest.mark.parametrize(
    ("outcome", "note"),
    [
        ("listed", ""),
        ("sight_unknown", "the last check does not prove everything: sight_unknown"),
        ("", ""),
    ],
)
def test_the_status_names_objects_of_which_not_everything_is_proven(
    outcome: str, note: str
) -> None:
    """The progress of an older version has no outcome."""
    at = "2026-01-02T00:00:00.000Z"
    progress = Progress("A", at, window_to=at, succeeded_at=at, outcome=outcome)
    assert object_of("A", progress) == ("A", at, at, outcome or None, None, note)


def test_the_status_names_topics_whose_objects_are_not_known(
    mock: MockSalesforce, blob_settings: Mapping[str, str]
) -> None:
    """A poll says so, too. Nothing is checked if CHECK_OBJECTS is none."""
    settings = settings_of(mock, blob_settings, CHECK_OBJECTS="")
    assert command(settings, "poll", "--yes").code == 1
    call = command(settings, "status", "--json")
    (topic,) = call.json["topics"]
    assert topic["note"] == "nothing of it is proven: name its objects in CHECK_OBJECTS"
    assert call.code == 1
    for objects in ("none", "Account"):
        (topic,) = command({**settings, "CHECK_OBJECTS": objects}, "status", "--json").json[
            "topics"
        ]
        assert topic["note"] == ""


def test_a_check_that_could_not_ask_everything_is_a_finding(
    blob_settings: Mapping[str, str],
) -> None:
    """The outcome is listed, and the reason tells what was not asked."""
    with MockSalesforce(
        3600, faults="rest_error=INVALID_FIELD:always@queryAll", keepalive_seconds=0.2
    ) as mock:
        call = command(checked_settings(mock, blob_settings), "check", "--yes", "--json")
    (row,) = call.json["checks"]
    assert row["outcome"] == "listed"
    assert "INVALID_FIELD" in row["reason"]
    assert call.code == call.json["exit_code"] == 1
