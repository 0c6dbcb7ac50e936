"""What event files tell of the past."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import ContainerClient
from local.environments import REPOSITORY

from salesforce_client.src.app.errors import EventFileError
from salesforce_client.src.app.model.positions import Position
from salesforce_client.src.app.model.rows import Delete, Poll, Row
from salesforce_client.src.app.model.times import timestamp
from salesforce_client.src.app.storage.blobs import begun_at, blob_name
from salesforce_client.src.app.storage.event_file import EventFile
from salesforce_client.src.app.storage.past_files import PastFiles

NOW = datetime(2026, 2, 1, 12, 30, tzinfo=timezone.utc)
CONTRACT = REPOSITORY / "tests/contract"
Add = Callable[..., str]


@pytest.fixture
def add(events: ContainerClient, tmp_path: Path) -> Add:
    """Uploads an event file with these rows, so many seconds after NOW. Returns its name."""
    events.create_container()

    def upload(seconds: float, *rows: Row) -> str:
        file = EventFile(tmp_path / "new.db", NOW)
        file.add(rows)
        file.close()
        name = blob_name(NOW + timedelta(seconds=seconds))
        events.upload_blob(name, file.path.read_bytes())
        file.path.unlink()
        return name

    return upload


@pytest.fixture
def past(events: ContainerClient, tmp_path: Path) -> PastFiles:
    return PastFiles(events, tmp_path)


def poll(topic: str, seconds: float = 0) -> Poll:
    at = timestamp(NOW + timedelta(seconds=seconds))
    return Poll(
        f"{topic} {at}", "00D", "0", topic, at, at, None, "idle", at, 1, 0, 0, 0, 0, 0, None
    )


def delete(key: str, replay_id: bytes, payload: str, topic: str = "t") -> Delete:
    at = timestamp(NOW)
    return Delete(key, topic, "A", "001", None, at, None, payload, at, replay_id, "s")


def test_the_newest_poll_is_found_behind_the_files_of_a_large_check(
    past: PastFiles, add: Add
) -> None:
    """A check may leave over 40 files. Of each topic, the newest poll counts."""
    add(-1800, poll("a", -1800), poll("b", -1800))
    add(0, poll("a"))
    for number in range(41):
        add(1 + number)
    assert past.newest(["a", "b"], NOW) == {"a": poll("a"), "b": poll("b", -1800)}


def test_polls_are_searched_in_two_days_of_files_and_not_in_more(past: PastFiles, add: Add) -> None:
    """The days count from the newest file, so that a collector that stopped is told of."""
    add(-48 * 3600 - 1, poll("old"))
    add(-48 * 3600, poll("a", -48 * 3600))
    add(0)
    assert past.newest(["a", "old"], NOW) == {"a": poll("a", -48 * 3600)}


def test_files_and_polls_of_the_future_hide_none_of_today(past: PastFiles, add: Add) -> None:
    """A clock was ahead once. The two days count from the newest file that is not ahead."""
    add(-48 * 3600, poll("a", -48 * 3600))
    add(-1, poll("b", 301))
    add(0, poll("b", 300))
    later = [add(seconds, poll("a", seconds)) for seconds in (301, 240 * 3600)]
    assert past.newest(["a", "b"], NOW) == {"a": poll("a", -48 * 3600), "b": poll("b", 300)}
    assert past.ahead(NOW) == later


def test_a_poll_whose_begin_is_no_time_hides_none(past: PastFiles, add: Add) -> None:
    """Somebody has changed the file."""
    add(0, poll("a"))
    add(1, poll("a", 1)._replace(began_at="soon"))
    assert past.newest(["a"], NOW) == {"a": poll("a")}


def test_no_more_files_are_read_than_allowed(
    past: PastFiles, events: ContainerClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Files that cannot be read tell of no poll. Each of them is named."""
    events.create_container()
    for number in range(201):
        events.upload_blob(blob_name(NOW, number), b"")
    assert past.newest(["a"], NOW) == {}
    assert len(caplog.messages) == 200
    assert caplog.messages[0].startswith(
        f"file={blob_name(NOW, 200)} polls=unreadable reason=event file {blob_name(NOW, 200)}:"
        " it is not a SQLite file, so"
    )


def test_only_polls_of_later_files_count(past: PastFiles, add: Add) -> None:
    """The polls of the file itself were read before its end."""
    names = [add(number, poll("a", number)) for number in range(3)]
    assert list(past.polls_after(names[0])) == [poll("a", 1), poll("a", 2)]


@pytest.mark.parametrize(
    ("payload", "at"),
    [
        ('{"CreatedDate": 1767225600123}', "2026-01-01T00:00:00.123Z"),
        ('{"ChangeEventHeader": {"commitTimestamp": 1767225600123}}', "2026-01-01T00:00:00.123Z"),
        ('{"CreatedDate": "then"}', None),
        ("{}", None),
        ("[]", None),
    ],
)
def test_the_last_whole_position_of_a_topic_has_its_publishing_time(
    past: PastFiles, add: Add, payload: str, at: str | None
) -> None:
    """The events of the last replay id may go on in the next file. An event may have none."""
    name = add(
        0,
        delete("e1", b"1", "{}"),
        delete("e2:001", b"2", payload),
        delete("e3:001", b"3", "{}"),
        delete("e3:002", b"3", "{}"),
        delete("e4", b"", "{}"),
        delete("e5", b"4", "{}", "other"),
    )
    assert past.last_position(name, "t") == Position(b"2", at, "e2")
    assert past.last_position(name, "other") is None


def test_a_file_that_cannot_be_read_names_no_position(
    past: PastFiles, events: ContainerClient
) -> None:
    """The error names the file."""
    events.create_container()
    events.upload_blob(blob_name(NOW), (CONTRACT / "broken/half.db").read_bytes())
    with pytest.raises(EventFileError, match=f"^event file {blob_name(NOW)}: it is damaged"):
        past.last_position(blob_name(NOW), "t")


def test_files_of_version_1_tell_of_rejected_events_and_of_nothing_else(
    past: PastFiles, events: ContainerClient
) -> None:
    """That is no damage."""
    events.create_container()
    name = blob_name(NOW)
    events.upload_blob(name, (CONTRACT / "golden/v1.db").read_bytes())
    assert past.newest(["a"], NOW) == {}
    assert past.last_position(name, "/event/Delete_Event__e") is None
    assert past.unresolved() == ([name], [])


def test_a_file_without_the_tables_of_its_version_is_unreadable(
    past: PastFiles, events: ContainerClient
) -> None:
    """Somebody has changed it, so it may have had rejected events."""
    events.create_container()
    name = blob_name(NOW)
    events.upload_blob(name, (CONTRACT / "broken/v1_that_claims_to_be_2.db").read_bytes())
    _, (error,) = past.unresolved()
    assert str(error).startswith(f"event file {name}: no such table: resolved_rejects, so")


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        ("events_20260201T123000Z.db", NOW),
        ("events_20260230T123000Z.db", None),
        ("events_20260201T123000Z.db2", None),
        ("events_20260201.db", None),
        ("notes.txt", None),
    ],
)
def test_only_names_with_a_time_are_names_of_event_files(name: str, moment: Any) -> None:
    """The doctor names all other blobs."""
    assert begun_at(name) == moment
