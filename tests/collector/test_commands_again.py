"""The operator's commands replay, reprocess and check, and the objects in the status."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Optional

import pytest
from azure.storage.blob import ContainerClient
from local.command_line import Done, command
from local.emulators import free_port

from salesforce_client.src.app.commands.replay import moved_back
from salesforce_client.src.app.commands.state import object_of
from salesforce_client.src.app.console import StoppedError
from salesforce_client.src.app.mock_salesforce import DEFAULT_TOPICS, MockSalesforce
from salesforce_client.src.app.model.checks import Progress
from salesforce_client.src.app.model.positions import Cursor, Position, StoredCursor
from salesforce_client.src.app.model.times import timestamp

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


NOTHING_CHANGED = "so events may be lost. Nothing was changed: run a poll first"


def stored(position: Optional[Position], tried_at: Optional[str] = None) -> StoredCursor:
    return StoredCursor(Cursor("00D", EVENT, position, tried_at), "etag")


def hours_ago(hours: float) -> str:
    return timestamp(datetime.now(timezone.utc) - timedelta(hours=hours))


def test_a_replay_keeps_the_time_up_to_which_the_topic_was_read() -> None:
    """So a replay of a replay, or of a topic that was never read, hides nothing either."""
    at = hours_ago(100)
    for before in (stored(Position(b"1", at, "e")), stored(None, at)):
        assert moved_back(EVENT, before, None) == Cursor("00D", EVENT, None, tried_at=at)
    new = Position(b"0", hours_ago(70), "e")
    before = stored(Position(b"1", hours_ago(70), "e"))
    assert moved_back(EVENT, before, new) == Cursor("00D", EVENT, new)


@pytest.mark.parametrize(
    ("before", "from_a_file", "says"),
    [
        (
            StoredCursor(None, None),
            False,
            f"{EVENT} has no cursor yet, so no poll has read it: the first poll starts where"
            " SALESFORCE_REPLAY_PRESET says",
        ),
        (
            StoredCursor(None, "etag", unreadable=b"{"),
            False,
            f"{EVENT}: its cursor cannot be read, {NOTHING_CHANGED}. It starts from EARLIEST"
            " and records the gap",
        ),
        (
            stored(Position(b"1", None, "e")),
            False,
            f"{EVENT}: the time of its cursor is not known, {NOTHING_CHANGED}. It finds out,"
            " and records the gap if there is one",
        ),
        *(
            (
                stored(Position(b"1", hours_ago(-1), "e")),
                from_a_file,
                f"{EVENT}: the time of its cursor is in the future, so events may be lost. Nothing"
                " was changed: check this machine's clock, and run a poll first. It finds out, and"
                " records the gap if there is one",
            )
            for from_a_file in (True, False)
        ),
        (
            stored(None, hours_ago(1)),
            True,
            f"{EVENT}: its cursor has no position, or one that is over 71 hours old,"
            f" {NOTHING_CHANGED}. It records the gap, if any",
        ),
        (
            stored(Position(b"1", hours_ago(71.1), "e")),
            True,
            f"{EVENT}: its cursor has no position, or one that is over 71 hours old,"
            f" {NOTHING_CHANGED}. It records the gap, if any",
        ),
    ],
)
def test_a_replay_that_might_hide_a_gap_is_refused(
    before: StoredCursor, from_a_file: bool, says: str
) -> None:
    """Only a poll finds out what is lost. The message says so."""
    position = Position(b"0", hours_ago(1), "e") if from_a_file else None
    with pytest.raises(StoppedError) as raised:
        moved_back(EVENT, before, position)
    assert str(raised.value) == says
    assert raised.value.code == 2


def test_a_replay_of_a_topic_that_was_not_read_for_long_leaves_the_gap_to_the_next_poll(
    mock: MockSalesforce,
    blob_settings: Mapping[str, str],
    events: ContainerClient,
    cursors: ContainerClient,
    tmp_path: Path,
) -> None:
    """The gap begins at the time of the position that the replay has replaced."""
    settings = settings_of(mock, blob_settings)
    polled(settings)
    (name,) = cursors.list_blob_names()
    at = hours_ago(100)
    content = json.dumps({**cursor(cursors), "position_at": at})
    cursors.upload_blob(name, content, overwrite=True)
    call = command(settings, "replay", EVENT, "--yes")
    assert call.code == 0, call.text
    after = command(settings, "poll", "--yes", "--json")
    assert after.code == 4
    assert after.json["topics"][0]["gaps"] == 1
    (tmp_path / "gap.db").write_bytes(events.download_blob(after.json["files"][-1]).readall())
    with closing(sqlite3.connect(tmp_path / "gap.db")) as file:
        gaps = file.execute("SELECT reason, from_time FROM gaps").fetchall()
    assert gaps == [("not_readable", at)]


def test_an_unreadable_cursor_stays_until_a_poll_has_recorded_its_gap(
    mock: MockSalesforce, blob_settings: Mapping[str, str], cursors: ContainerClient
) -> None:
    """A replay would erase the only trace of it."""
    settings = settings_of(mock, blob_settings)
    polled(settings)
    (name,) = cursors.list_blob_names()
    cursors.upload_blob(name, b"{", overwrite=True)
    call = command(settings, "replay", EVENT, "--yes")
    assert call.code == 2
    assert "its cursor cannot be read" in call.err
    assert cursors.download_blob(name).readall() == b"{"
    assert command(settings, "poll", "--yes", "--json").json["topics"][0]["gaps"] == 1
    assert command(settings, "replay", EVENT, "--yes").code == 0


@pytest.mark.parametrize("case", ["topic", "file", "old", "positions", "never read"])
def test_a_replay_that_is_not_possible_names_the_reason(
    mock: MockSalesforce, blob_settings: Mapping[str, str], events: ContainerClient, case: str
) -> None:
    """It is an error of usage."""
    settings = settings_of(mock, blob_settings)
    if case == "old":
        mock.org.now = lambda: datetime.now(timezone.utc) - timedelta(hours=72)
    if case != "never read":
        polled(settings)
    topic, start = EVENT, "EARLIEST"
    if case == "topic":
        topic = "/event/Other__e"
    elif case == "file":
        start = "events_20200101T000000Z.db"
    elif case == "old":
        (start,) = events.list_blob_names()
        mock.org.now = lambda: datetime.now(timezone.utc)
    elif case == "positions":
        (start,) = polled(settings).json["files"]
    call = command(settings, "replay", topic, "--from", start, "--yes")
    says = {
        "topic": f"/event/Other__e is not in SALESFORCE_TOPICS, which has {EVENT}",
        "file": f"{start} is not an event file in container {events.container_name}",
        "old": f"{start}: its position is of 20",
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


def test_files_that_cannot_be_read_are_named_and_do_not_stop_the_others(
    rejects: Settings, mock: MockSalesforce, events: ContainerClient
) -> None:
    """They are findings, because nobody knows which rejected events they have."""
    settings = settings_of(mock, rejects)
    (name,) = events.list_blob_names()
    good = events.download_blob(name).readall()
    first, last = "events_20200101T000000Z.db", "events_20990101T000000Z.db"
    events.upload_blob(first, good[:-5])
    events.upload_blob(last, good, metadata={"sha256": "0"})
    call = command(settings, "reprocess", "all", "--yes", "--json")
    assert call.code == 1, call.text
    assert call.json["became"]["delete"] > 10
    assert [it["file"] for it in call.json["files"]] == [name]
    damaged, changed = call.json["unreadable"]
    assert damaged.startswith(f"event file {first}: it is damaged or cut off, so its rejected")
    assert changed.startswith(f"event file {last}: its content does not match the SHA-256")
    events.delete_blob(last)
    alone = command(settings, "reprocess", "all", "--yes")
    assert (alone.code, alone.out) == (1, f"{damaged}\n")


def test_an_error_says_what_it_means_for_the_rejected_events(
    rejects: Settings, mock: MockSalesforce
) -> None:
    """A poll that succeeds would not help here. The login and the work itself can fail."""
    says = (
        "Nothing is lost: the rejected events stay in their event files. To continue, run the"
        " command again\n"
    )
    away = settings_of(mock, rejects, SALESFORCE_PUBSUB_ENDPOINT=f"http://127.0.0.1:{free_port()}")
    call = command(away, "reprocess", "all", "--yes")
    assert call.code == 3, call.text
    assert call.err.endswith(says)
    wrong = settings_of(mock, rejects, SALESFORCE_EVENT_FIELDS="record_id=Absent__c")
    call = command(wrong, "reprocess", "all", "--yes")
    assert call.code == 4, call.text
    assert "its rejected events stay as they are: " in call.err
    assert call.err.endswith(says)
    assert "72 hours" not in call.err


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
