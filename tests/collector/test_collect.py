"""Where a poll starts and when it ends

A topic is *held* if it has no usable cursor, or if its position is older than 24 hours.
It is also held after a rejected replay id, and while the collector could read none of its events.
The collector reads a held topic until the topic is caught up or has been silent for 285 seconds.
Any other topic is idle after ``IDLE_SECONDS`` of silence, and its drain then ends.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import ClassVar

import pytest

from salesforce_client.src.app.collect import Collection, Limits
from salesforce_client.src.app.errors import (
    GapError,
    LimitExceededError,
    RunFailedError,
    SalesforceUnavailableError,
    StorageUnavailableError,
    TopicError,
)
from salesforce_client.src.app.model.events import Event, Response, Session
from salesforce_client.src.app.model.positions import Cursor, Position, Preset, Start, StoredCursor
from salesforce_client.src.app.model.rows import Delivery, Gap
from salesforce_client.src.app.model.times import now, timestamp
from salesforce_client.src.app.publisher import Store
from salesforce_client.src.app.report import Report
from salesforce_client.src.app.storage.event_file import EventFile


class Scripted:
    """A Pub/Sub API that behaves as the name of each topic says."""

    def __init__(self) -> None:
        self.session = Session("token", "https://x.my.salesforce.com", "00D")
        self.released = threading.Event()
        self.starts: list[Start] = []

    def check_topic(self, topic: str) -> None:
        """Fail if the topic is named ``absent`` or ``broken``."""
        if topic == "absent":
            raise TopicError("it does not exist")
        if topic == "broken":
            raise KeyError("a fault of ours")

    def subscribe(self, topic: str, start: Start) -> Scripted:
        """Open a stream. For the topic ``hanging``, wait for ``released`` first."""
        self.starts.append(start)
        if topic == "hanging":
            self.released.wait(10)
        return self

    def renew(self, expired: Session) -> None:
        """Do nothing: these sessions do not end."""

    def __enter__(self) -> Scripted:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def next(self, timeout: float) -> Response:
        """Return events without end."""
        time.sleep(0.01)
        events = [Event("e", "s", b"", replay_id) for replay_id in (b"1", b"2")]
        return Response(events, None, "rpc")


BEFORE_ANY_POLL, AFTER_ANY_POLL = "2026", "2999"


class Rows:
    """Makes one gap of each response. All events have the same publishing time."""

    def __init__(self, published_at: str) -> None:
        self._published_at = published_at

    def read(self, topic: str, events: Sequence[Event]) -> Delivery:
        """Return one gap."""
        return Delivery(
            [Gap(topic, topic, "overflow", None, b"1", None, None, "2026")],
            len(events),
            0,
            (),
            self._published_at,
        )

    def cursor_gap(
        self, topic: str, reason: str, cursor: bytes | None, *, since: str | None
    ) -> Gap:
        """Return a gap named after the topic and the reason."""
        return Gap(f"{topic} {reason}", topic, reason, None, cursor, since, None, "2026")


class Memory(Store):
    """A store that keeps cursors in memory. It writes real event files and uploads none."""

    def __init__(self, folder: Path, *stored: Cursor) -> None:
        self.folder = folder
        self.stored = {cursor.topic: cursor for cursor in stored}

    def new_file(self, begun_at: datetime) -> EventFile:
        """Create a real event file."""
        return EventFile(self.folder / f"{begun_at:%H%M%S%f}.db", begun_at)

    def upload(self, path: Path, begun_at: datetime, *, briefly: bool) -> str:
        """Return the file's name and upload nothing."""
        return path.name

    def load_cursor(self, org_id: str, topic: str) -> StoredCursor:
        """Return the topic's cursor. The cursor of the topic ``unreadable`` is damaged."""
        if topic == "unreadable":
            return StoredCursor(None, "1", b"{")
        stored = self.stored.get(topic)
        return StoredCursor(stored, "1" if stored else None)

    def save_cursor(self, cursor: Cursor, etag: str | None) -> str:
        """Keep the cursor."""
        self.stored[cursor.topic] = cursor
        return "2"


def collected(
    store: Memory,
    topics: Sequence[str],
    source: Scripted | None = None,
    published_at: str = BEFORE_ANY_POLL,
    preset: Preset = Preset.EARLIEST,
    began: float = 0,
    began_at: str = "",
    run_seconds: float = 0.8,
    file_rows: int = 100,
) -> Report:
    limits = Limits(run_seconds, idle_seconds=0.1, file_rows=file_rows, grace_seconds=0.2)
    return Collection(
        source or Scripted(),
        store,
        Rows(published_at),
        "00D",
        topics,
        replay_preset=preset,
        limits=limits,
        began=began or time.monotonic(),
        began_at=began_at or now(),
    ).run()


def cursor(topic: str, age: timedelta) -> Cursor:
    return Cursor("00D", topic, Position(b"0", timestamp(datetime.now(timezone.utc) - age), "e"))


def test_only_a_first_poll_starts_where_the_setting_says(tmp_path: Path) -> None:
    """Only the first poll of a topic starts where ``SALESFORCE_REPLAY_PRESET`` says. If the cursor
    of a topic is damaged or has no position, the topic starts from ``EARLIEST``.
    """
    known = Position(b"0", None, "e")
    starts = {
        "new": Preset.LATEST,
        "begun": Preset.EARLIEST,
        "unreadable": Preset.EARLIEST,
        "known": known,
    }
    for topic, start in starts.items():
        source = Scripted()
        store = Memory(tmp_path, Cursor("00D", "known", known), Cursor("00D", "begun", None))
        collected(store, [topic], source, preset=Preset.LATEST)
        assert source.starts == [start]


def test_after_a_poll_from_latest_without_a_position_the_next_starts_from_earliest(
    tmp_path: Path,
) -> None:
    """If a poll from ``LATEST`` saves no position, the next poll starts from ``EARLIEST``. If it
    started from ``LATEST`` again, it would lose the events between the two polls.
    """

    class Killed(Memory):
        """A store that fails to save a position."""

        def save_cursor(self, cursor: Cursor, etag: str | None) -> str:
            """Save only a cursor without a position."""
            if cursor.position:
                raise StorageUnavailableError("no")
            return super().save_cursor(cursor, etag)

    first, second = Scripted(), Scripted()
    store = Killed(tmp_path)
    assert collected(store, ["good"], first, preset=Preset.LATEST).topics["good"].error
    collected(store, ["good"], second, preset=Preset.LATEST)
    assert (first.starts, second.starts) == ([Preset.LATEST], [Preset.EARLIEST])


class Refusing(Scripted):
    """Refuses the topic."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def check_topic(self, topic: str) -> None:
        """Raise the error."""
        raise self.error


@pytest.mark.parametrize("preset", Preset)
@pytest.mark.parametrize(
    "error", [TopicError("no"), SalesforceUnavailableError("down"), ValueError("unexpected")]
)
def test_a_topic_that_cannot_be_read_remembers_since_when(
    tmp_path: Path, error: Exception, preset: Preset
) -> None:
    """If a topic has no cursor and cannot be read, for whatever reason, its cursor gets the time of
    the poll. Later polls keep the first time.
    """
    store = Memory(tmp_path)
    for began_at in ("2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z"):
        collected(store, ["new"], Refusing(error), preset=preset, began_at=began_at)
        assert store.stored == {
            "new": Cursor("00D", "new", None, "2026-01-01T00:00:00.000Z", begun=False)
        }


def test_a_failure_of_storage_leaves_no_time_of_the_first_try(tmp_path: Path) -> None:
    """Salesforce did not refuse the topic. A topic that was read keeps its cursor too."""
    known = cursor("known", timedelta(hours=1))
    store = Memory(tmp_path, known)
    collected(store, ["new"], Refusing(StorageUnavailableError("no")))
    collected(store, ["known", "unreadable"], Refusing(TopicError("no")))
    assert store.stored == {"known": known}


def test_a_lost_time_of_the_first_try_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The error of the topic itself says more, so it stays the error of the topic."""

    class Full(Memory):
        """A store that saves no cursor."""

        def save_cursor(self, cursor: Cursor, etag: str | None) -> str:
            """Raise an error."""
            raise StorageUnavailableError("no answer")

    report = collected(Full(tmp_path), ["new"], Refusing(TopicError("no rights")))
    assert isinstance(report.topics["new"].error, TopicError)
    assert report.error is None
    assert "topic=new tried_at=lost reason=StorageUnavailableError: no answer" in caplog.messages


@pytest.mark.parametrize(
    ("begun", "preset", "hours", "start", "lost"),
    [
        (False, Preset.EARLIEST, 70, Preset.EARLIEST, False),
        (False, Preset.EARLIEST, 72, Preset.EARLIEST, True),
        (False, Preset.EARLIEST, -1, Preset.EARLIEST, True),
        (False, Preset.LATEST, 1, Preset.LATEST, True),
        (True, Preset.LATEST, 70, Preset.EARLIEST, False),
        (True, Preset.LATEST, 72, Preset.EARLIEST, True),
    ],
)
def test_the_first_poll_that_can_read_a_topic_records_what_it_cannot_reach(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    begun: bool,
    preset: Preset,
    hours: float,
    start: Preset,
    lost: bool,
) -> None:
    """If the first poll of a topic fails, the first poll that reads it may come too late. Then it
    records a gap since the first try. ``EARLIEST`` reaches back almost 72 hours, so there is a gap
    only if the first try is older. ``LATEST`` always leaves a gap. If an earlier poll started from
    ``LATEST``, or if a replay was asked for, the collector continues from ``EARLIEST``.
    """
    tried_at = timestamp(datetime.now(timezone.utc) - timedelta(hours=hours))
    store = Memory(tmp_path, Cursor("00D", "t", None, tried_at, begun))
    source = Scripted()
    report = collected(store, ["t"], source, AFTER_ANY_POLL, preset)
    assert source.starts == [start]
    why = "reason=a replay, or an earlier poll from LATEST that got no position"
    assert (f"topic=t start=EARLIEST {why}" in caplog.messages) == begun
    (path,) = tmp_path.glob("*.db")
    with contextlib.closing(sqlite3.connect(path)) as file:
        gaps = file.execute(
            "SELECT from_replay_id, from_time FROM gaps WHERE reason = 'not_readable'"
        ).fetchall()
    assert gaps == ([(None, tried_at)] if lost else [])
    assert isinstance(report.topics["t"].error, GapError) == lost
    assert store.stored["t"].position
    assert store.stored["t"].tried_at is None


class Broken(Scripted):
    """Its streams break."""

    def next(self, timeout: float) -> Response:
        """Raise an error that no retry repairs."""
        raise LimitExceededError("used up")


def test_a_poll_from_latest_keeps_the_time_of_the_first_try(tmp_path: Path) -> None:
    """If it receives no position, the next poll still knows since when events may be lost."""
    tried_at = "2026-01-01T00:00:00.000Z"
    for stored in ([], [Cursor("00D", "t", None, tried_at, begun=False)]):
        store = Memory(tmp_path, *stored)
        collected(store, ["t"], Broken(), preset=Preset.LATEST, began_at="2026-01-05T00:00:00.000Z")
        assert store.stored["t"] == Cursor(
            "00D", "t", None, tried_at if stored else "2026-01-05T00:00:00.000Z", begun=True
        )


@pytest.mark.parametrize("topic", ["absent cursor", "unreadable", "a position without a time"])
def test_a_topic_without_a_usable_position_is_held(tmp_path: Path, topic: str) -> None:
    """A topic is held if it has no cursor, or if its cursor is damaged or has no time."""
    store = Memory(tmp_path, Cursor("00D", "a position without a time", Position(b"0", None, "e")))
    assert collected(store, [topic], published_at=AFTER_ANY_POLL).topics[topic].ended == "caught_up"


@pytest.mark.parametrize(
    ("age", "held", "warned"),
    [
        (timedelta(hours=23), False, False),
        (timedelta(hours=25), True, False),
        (timedelta(hours=49), True, True),
    ],
)
def test_a_topic_with_an_old_position_is_held_until_it_is_caught_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, age: timedelta, held: bool, warned: bool
) -> None:
    """A topic is held if its position is older than 24 hours. If the position is older than 48
    hours, the collector also logs a warning. The age of the cursor's blob does not matter.
    """
    report = collected(Memory(tmp_path, cursor("good", age)), ["good"], published_at=AFTER_ANY_POLL)
    assert report.topics["good"].ended == ("caught_up" if held else "deadline")
    assert ("cursor_age=" in caplog.text) == warned


def test_a_position_in_the_future_has_no_known_age(tmp_path: Path) -> None:
    """If the time of a topic's position is in the future, a clock was wrong, and the age of the
    position is not known. Such a topic is held.
    """
    ahead = Memory(tmp_path, cursor("good", timedelta(hours=-1)))
    assert (
        collected(ahead, ["good"], published_at=AFTER_ANY_POLL).topics["good"].ended == "caught_up"
    )


def test_the_time_before_the_drain_counts(tmp_path: Path) -> None:
    """``MAX_RUN_SECONDS`` includes the time before the drains, such as the login, because the
    Functions host limits the whole run.
    """
    source = Scripted()
    began = time.monotonic()
    collected(Memory(tmp_path), ["good"], source, began=began - 29.9, run_seconds=40)
    assert time.monotonic() - began < 10, "a drain of such a run has 30 seconds"


@pytest.mark.parametrize(
    ("run", "drain"), [(480, 420), (600, 540), (240, 180), (100, 75), (10, 7.5)]
)
def test_part_of_the_time_is_reserved_for_the_last_upload(run: float, drain: float) -> None:
    """The last minute of ``MAX_RUN_SECONDS`` is reserved for the last upload. In a run of less than
    four minutes, the last quarter is reserved.
    """
    assert Limits(run, 1, 1).drain_seconds == drain


def test_the_poll_waits_for_a_topic_that_waits_for_an_upload(tmp_path: Path) -> None:
    """If the time is up while a topic waits for a slow upload, the poll waits for that topic, and
    the topic does not fail.
    """

    class Slow(Memory):
        """A store whose uploads take longer than the poll."""

        def upload(self, path: Path, begun_at: datetime, *, briefly: bool) -> str:
            """Wait, and then upload."""
            time.sleep(1.5)
            return super().upload(path, begun_at, briefly=briefly)

    store = Slow(tmp_path)
    report = collected(store, ["good"], file_rows=1)
    report.raise_if_failed()
    assert (report.topics["good"].ended, report.topics["good"].cursor) == ("deadline", "moved")


def test_a_poll_whose_upload_failed_ends_soon_and_every_topic_fails(tmp_path: Path) -> None:
    """If an upload fails, the poll ends soon, and every topic counts as failed."""

    class Failing(Memory):
        """A store that fails to upload."""

        tries: ClassVar[list[bool]] = []

        def upload(self, path: Path, begun_at: datetime, *, briefly: bool) -> str:
            """Fail."""
            self.tries.append(briefly)
            raise StorageUnavailableError("no")

    began = time.monotonic()
    report = collected(Failing(tmp_path), ["good", "better"], run_seconds=60, file_rows=1)
    assert time.monotonic() - began < 5
    assert {topic.ended for topic in report.topics.values()} == {"failed"}
    with pytest.raises(StorageUnavailableError, match=r"^no\."):
        report.raise_if_failed()
    assert Failing.tries == [False, True], "the second try is the short one, for the polls"


def test_each_topic_ends_in_its_own_way(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """If a topic fails for any reason, or hangs, the other topics still end normally, and their
    rows are stored.
    """
    source, store = Scripted(), Memory(tmp_path)
    report = collected(store, ["good", "absent", "broken", "hanging"], source)
    source.released.set()
    assert {
        topic.topic: (topic.ended, type(topic.error).__name__) for topic in report.topics.values()
    } == {
        "good": ("deadline", "NoneType"),
        "absent": ("failed", "TopicError"),
        "broken": ("failed", "KeyError"),
        "hanging": ("failed", "SalesforceUnavailableError"),
    }
    assert "topic=broken unexpected failure" in caplog.text
    assert {topic for topic, it in store.stored.items() if it.position} == {"good"}
    assert report.files
    with pytest.raises(RunFailedError) as raised:
        report.raise_if_failed()
    assert set(raised.value.failures) == {"absent", "broken", "hanging"}
