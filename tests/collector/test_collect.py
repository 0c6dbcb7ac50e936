"""Whole polls in this process: a real mock Salesforce, a real Azurite, real event files."""

from __future__ import annotations

import contextlib
import gc
import os
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from azure.storage.blob import ContainerClient
from local.emulators import Server, connection_string, connections_to
from local.event_files import Row, rows
from local.proxy import proxy

from salesforce_client.src.app.collect import Collection, Limits
from salesforce_client.src.app.errors import (
    AuthenticationError,
    RunFailedError,
    SettingsError,
    StorageRefusedError,
    StorageUnavailableError,
    TopicError,
)
from salesforce_client.src.app.mock_salesforce import (
    DEFAULT_TOPICS,
    MockSalesforce,
    refuse_real_places,
)
from salesforce_client.src.app.mock_salesforce.org import RETENTION
from salesforce_client.src.app.model import (
    Cursor,
    Delivery,
    Event,
    Gap,
    Position,
    Preset,
    Response,
    Session,
    Start,
    StoredCursor,
    timestamp,
)
from salesforce_client.src.app.publisher import Store
from salesforce_client.src.app.report import Report
from salesforce_client.src.app.run import run
from salesforce_client.src.app.storage.event_file import EventFile

NOW = datetime(2026, 2, 1, 12, 30, tzinfo=timezone.utc)


@pytest.fixture
def poll(mock: MockSalesforce, blob_settings: Mapping[str, str]) -> Callable[..., Report]:
    """One run against ``mock``; the org's clock stands at ``NOW`` until a test moves it."""
    mock.org.now = lambda: NOW

    def once(**changes: str) -> Report:
        return run({**blob_settings, **mock.settings, "IDLE_SECONDS": "1", **changes})

    return once


def keys(deletes: list[Row]) -> list[str]:
    return sorted(row["event_id"] for row in deletes)


def published(
    mock: MockSalesforce, since: datetime, topics: tuple[str, ...] = DEFAULT_TOPICS
) -> list[str]:
    return sorted(it.key for it in mock.org.deletes(topics, since, mock.org.now()))


def test_a_first_poll_stores_every_delete_that_is_retained(
    poll: Callable[..., Report], mock: MockSalesforce, events: ContainerClient, tmp_path: Path
) -> None:
    """From all topics in one file; a change that shows on two channels is one row."""
    report = poll()
    assert len(list(events.list_blobs())) == len(report.files) == 1
    assert keys(rows(events, tmp_path)) == published(mock, NOW - RETENTION)
    assert all(topic.cursor == "moved" for topic in report.topics.values())


def test_a_second_poll_resumes_where_the_first_ended(
    poll: Callable[..., Report], mock: MockSalesforce, events: ContainerClient, tmp_path: Path
) -> None:
    """It finds the new deletes and none of the old ones."""
    poll()
    mock.org.now = lambda: NOW + timedelta(hours=13)
    report = poll()
    assert sum(topic.received for topic in report.topics.values()) == 3 + 7 + 10
    found = keys(rows(events, tmp_path))
    assert found == published(mock, NOW - RETENTION)
    assert len(found) == len(set(found))


def test_without_news_there_is_no_file_and_the_cursor_moves_all_the_same(
    poll: Callable[..., Report], cursors: ContainerClient, events: ContainerClient
) -> None:
    """To the position that a keepalive told, so that a quiet topic's cursor does not age."""
    poll()
    before = {blob.name: blob.etag for blob in cursors.list_blobs()}
    report = poll()
    assert report.files == []
    assert len(list(events.list_blobs())) == 1
    after = {blob.name: blob.etag for blob in cursors.list_blobs()}
    assert before.keys() == after.keys()
    assert all(before[name] != after[name] for name in before)
    assert b'"source": "keepalive"' in cursors.download_blob(next(iter(after))).readall()


def test_a_full_file_is_uploaded_and_the_run_goes_on_in_a_new_one(
    poll: Callable[..., Report], mock: MockSalesforce, events: ContainerClient, tmp_path: Path
) -> None:
    """With its cursors saved before."""
    report = poll(MAX_FILE_ROWS="20")
    assert len(report.files) >= 2
    assert sorted(blob.name for blob in events.list_blobs()) == sorted(report.files)
    assert set(keys(rows(events, tmp_path))) == set(published(mock, NOW - RETENTION))


def test_a_topic_that_fails_does_not_keep_the_others_back(
    poll: Callable[..., Report], mock: MockSalesforce, events: ContainerClient, tmp_path: Path
) -> None:
    """Their rows are uploaded and their cursors move; the run ends as failed and names the one."""
    report = poll(SALESFORCE_TOPICS="/event/Missing__e,/event/Delete_Event__e")
    assert keys(rows(events, tmp_path)) == published(
        mock, NOW - RETENTION, ("/event/Delete_Event__e",)
    )
    assert isinstance(report.topics["/event/Missing__e"].error, TopicError)
    with pytest.raises(
        RunFailedError, match=r"1 topic\(s\) failed.*\n.*/event/Missing__e: TopicError: .*not found"
    ):
        report.raise_if_failed()


def test_latest_begins_with_what_is_published_after_the_first_poll(
    poll: Callable[..., Report], mock: MockSalesforce, events: ContainerClient, tmp_path: Path
) -> None:
    """The first poll waits for a keepalive, as without a position the second would begin later still."""
    assert poll(SALESFORCE_REPLAY_PRESET="LATEST").files == []
    mock.org.now = lambda: NOW + timedelta(hours=6)
    poll(SALESFORCE_REPLAY_PRESET="LATEST")
    assert keys(rows(events, tmp_path)) == published(mock, NOW)


def test_a_cursor_that_salesforce_no_longer_knows_leaves_a_gap_on_record(
    poll: Callable[..., Report],
    mock: MockSalesforce,
    cursors: ContainerClient,
    events: ContainerClient,
    tmp_path: Path,
) -> None:
    """What is still retained is read again from the start, and the run ends as failed so that someone is told."""
    topic = "/event/Delete_Event__e"
    poll(SALESFORCE_TOPICS=topic)
    (blob,) = cursors.list_blobs()
    old = cursors.download_blob(blob.name).readall().decode()
    cursors.upload_blob(
        blob.name, old.replace('"replay_id": "', '"replay_id": "AAAA'), overwrite=True
    )
    report = poll(SALESFORCE_TOPICS=topic)
    (gap,) = rows(events, tmp_path, "gaps")
    assert (gap["topic"], gap["reason"]) == (topic, "expired_cursor")
    assert gap["from_time"] in old
    with pytest.raises(RunFailedError, match=r"GapError.*expired_cursor"):
        report.raise_if_failed()
    assert set(keys(rows(events, tmp_path))) == set(published(mock, NOW - RETENTION, (topic,)))
    poll(SALESFORCE_TOPICS=topic).raise_if_failed()


def test_a_cursor_blob_that_cannot_be_read_leaves_a_gap_on_record(
    poll: Callable[..., Report], cursors: ContainerClient, events: ContainerClient, tmp_path: Path
) -> None:
    """With the bytes that lay there."""
    topic = "/event/Delete_Event__e"
    poll(SALESFORCE_TOPICS=topic)
    (blob,) = cursors.list_blobs()
    cursors.upload_blob(blob.name, b"not json", overwrite=True)
    with pytest.raises(RunFailedError, match="unreadable_cursor"):
        poll(SALESFORCE_TOPICS=topic).raise_if_failed()
    (gap,) = rows(events, tmp_path, "gaps")
    assert (gap["reason"], gap["from_replay_id"], gap["from_time"]) == (
        "unreadable_cursor",
        b"not json",
        None,
    )
    poll(SALESFORCE_TOPICS=topic).raise_if_failed()


def test_a_session_that_ends_in_the_middle_is_renewed(
    poll: Callable[..., Report], mock: MockSalesforce
) -> None:
    """Once for each topic, without losing the position."""
    poll()
    mock.tokens.expire_tokens()
    poll().raise_if_failed()


REAL = "DefaultEndpointsProtocol=https;AccountName=real;AccountKey=c2VjcmV0;EndpointSuffix=core.windows.net"


@pytest.mark.parametrize(
    "storage",
    [
        {"EVENTS_STORAGE": REAL},
        {
            "EVENTS_STORAGE": "",
            "EVENTS_STORAGE__blobServiceUri": "https://real.blob.core.windows.net",
        },
    ],
)
def test_invented_deletes_stay_out_of_a_real_storage_account(
    blob_settings: Mapping[str, str], storage: dict[str, str]
) -> None:
    """A laptop may have the settings of production. Nothing is sent there."""
    with pytest.raises(
        SettingsError,
        match=r"MOCK_MODE is true with the storage account real\.blob.*MOCK_MODE_IN_AZURE=true",
    ):
        run({**blob_settings, **storage, "MOCK_MODE": "true"})


@pytest.mark.parametrize(
    ("url", "in_azure", "allowed", "refused"),
    [
        ("http://azurite:10000/devstoreaccount1", False, False, False),
        ("http://127.0.0.1:10000/devstoreaccount1", False, False, False),
        ("https://127.0.0.1:10000/devstoreaccount1", False, False, False),
        ("https://localhost:10000/devstoreaccount1", False, False, False),
        ("https://real.blob.core.windows.net/", False, False, True),
        ("https://127.0.0.1.real.example/", False, False, True),
        ("https://real.blob.core.windows.net/", True, True, False),
        ("http://127.0.0.1:10000/devstoreaccount1", True, False, True),
    ],
)
def test_the_mock_knows_where_invented_deletes_do_no_harm(
    url: str, in_azure: bool, allowed: bool, refused: bool
) -> None:
    """An emulator on this machine, or one that is spoken to without TLS; anywhere, if somebody says so."""
    environ = {"WEBSITE_SITE_NAME": "app"} if in_azure else {}
    expected = pytest.raises(SettingsError) if refused else contextlib.nullcontext()
    with expected:
        refuse_real_places(environ, url, allowed=allowed)


def test_invented_deletes_stay_out_of_azure(blob_settings: Mapping[str, str]) -> None:
    """Unless someone says that they are wanted."""
    azure = {**blob_settings, "MOCK_MODE": "true", "WEBSITE_SITE_NAME": "app"}
    with pytest.raises(SettingsError, match="MOCK_MODE is true in Azure"):
        run(azure)
    local = {"MOCK_INTERVAL_SECONDS": "36000", "IDLE_SECONDS": "1"}
    run({**azure, **local, "MOCK_MODE_IN_AZURE": "true"}).raise_if_failed()
    run({**azure, **local, "AZURE_FUNCTIONS_ENVIRONMENT": "Development"}).raise_if_failed()


@pytest.mark.parametrize("fault", ["upload", "cursor"])
def test_a_poll_that_cannot_upload_says_so_for_every_topic(
    blob_settings: Mapping[str, str],
    mock: MockSalesforce,
    azurite: Server,
    cursors: ContainerClient,
    fault: str,
) -> None:
    """In a line each, before it ends as failed. No cursor has moved."""
    mock.org.now = lambda: NOW
    what = ".db" if fault == "upload" else ".json"
    with proxy(azurite.port) as through:
        through.before = lambda request: (
            (403, b"") if request.method == "PUT" and what in request.path else None
        )
        through_it = {**blob_settings, "EVENTS_STORAGE": connection_string(through.port)}
        report = run({**through_it, **mock.settings, "IDLE_SECONDS": "1"})
    lines = list(report.lines())
    assert len(lines) == 1 + len(DEFAULT_TOPICS)
    assert all(
        "state=failed" in line and line.endswith("error=StorageRefusedError") for line in lines[1:]
    )
    assert all("ended=failed" in line for line in lines[1:]) == (fault == "upload")
    assert lines[0].endswith("error=StorageRefusedError") == (fault == "upload")
    with pytest.raises(StorageRefusedError if fault == "upload" else RunFailedError):
        report.raise_if_failed()
    assert list(cursors.list_blobs()) == []


def test_the_connections_to_blob_storage_are_closed_at_the_end(
    blob_settings: Mapping[str, str], mock: MockSalesforce, azurite: Server
) -> None:
    """A Functions worker lives for days. A poll that fails closes them too."""
    with proxy(azurite.port) as through:
        settings = {
            **blob_settings,
            **mock.settings,
            "EVENTS_STORAGE": connection_string(through.port),
        }
        run(settings).raise_if_failed()
        assert through.seen
        gc.collect()  # the client does not read the body of a 404, nor give its connection back
        assert connections_to(through.port) == 0
        with pytest.raises(AuthenticationError, match="approved"):
            run({**settings, "SALESFORCE_USERNAME": "nobody"})
        gc.collect()
        assert connections_to(through.port) == 0


def test_what_killed_polls_have_left_behind_is_removed(
    poll: Callable[..., Report], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Up to 100 MB each. What is younger than an hour may belong to a poll that is running."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    old, young, others = (
        tmp_path / name
        for name in ("sf-delete-tracker-poll-old", "sf-delete-tracker-poll-young", "others")
    )
    for folder in (old, young, others):
        folder.mkdir()
        (folder / "x.db").write_bytes(b"x")
    for folder in (old, others):
        os.utime(folder, (0, 0))
    poll()
    assert sorted(tmp_path.iterdir()) == [others, young]


# -- scripted parts: no sockets


class Scripted:
    """A Pub/Sub API whose topics each do one thing, by their names."""

    def __init__(self) -> None:
        self.session = Session("token", "https://x.my.salesforce.com", "00D")
        self.released = threading.Event()
        self.starts: list[Start] = []

    def check_topic(self, topic: str) -> None:
        """Some are not there, or worse."""
        if topic == "absent":
            raise TopicError("it does not exist")
        if topic == "broken":
            raise KeyError("a fault of ours")

    def subscribe(self, topic: str, start: Start) -> Scripted:
        """One that hangs does so until it is released."""
        self.starts.append(start)
        if topic == "hanging":
            self.released.wait(10)
        return self

    def renew(self, expired: Session) -> None:
        """Never asked for."""

    def __enter__(self) -> Scripted:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def next(self, timeout: float) -> Response:
        """Events without end."""
        time.sleep(0.01)
        events = [Event("e", "s", b"", replay_id) for replay_id in (b"1", b"2")]
        return Response(events, None, "rpc")


BEFORE_ANY_POLL, AFTER_ANY_POLL = "2026", "2999"


class Rows:
    """A gap for each event; all were published at one time."""

    def __init__(self, published_at: str) -> None:
        self._published_at = published_at

    def read(self, topic: str, events: Sequence[Event]) -> Delivery:
        """One row."""
        return Delivery(
            [Gap(topic, topic, "overflow", None, b"1", None, None, "2026")],
            len(events),
            0,
            (),
            self._published_at,
        )

    def cursor_gap(
        self, topic: str, reason: str, cursor: bytes, *, since: str | None, version: str
    ) -> Gap:
        """One."""
        return Gap(f"{topic} {reason}", topic, reason, None, cursor, since, None, "2026")


class Memory(Store):
    """A store that keeps cursors in memory; event files are written as always."""

    def __init__(self, folder: Path, *stored: Cursor) -> None:
        self.folder = folder
        self.stored = {cursor.topic: cursor for cursor in stored}

    def new_file(self, begun_at: datetime) -> EventFile:
        """A real one."""
        return EventFile(self.folder / f"{begun_at:%H%M%S%f}.db", begun_at)

    def upload(self, path: Path, begun_at: datetime) -> str:
        """To nowhere."""
        return path.name

    def load_cursor(self, org_id: str, topic: str) -> StoredCursor:
        """If there is one."""
        if topic == "unreadable":
            return StoredCursor(None, "1", b"{")
        return StoredCursor(self.stored.get(topic), None)

    def save_cursor(self, cursor: Cursor, etag: str | None) -> str:
        """Kept."""
        self.stored[cursor.topic] = cursor
        return "2"


def collected(
    store: Memory,
    topics: Sequence[str],
    source: Scripted | None = None,
    published_at: str = BEFORE_ANY_POLL,
    preset: Preset = Preset.EARLIEST,
    began: float = 0,
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
    ).run()


def test_each_topic_ends_in_its_own_way(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One that fails, for whatever reason, or hangs takes nothing from the others."""
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
    assert set(store.stored) == {"good"}
    assert report.files
    with pytest.raises(RunFailedError) as raised:
        report.raise_if_failed()
    assert set(raised.value.failures) == {"absent", "broken", "hanging"}


def test_a_topic_that_is_held_up_by_an_upload_is_waited_for(tmp_path: Path) -> None:
    """Its time may be up meanwhile; that is not its fault."""

    class Slow(Memory):
        """Each upload takes longer than the poll."""

        def upload(self, path: Path, begun_at: datetime) -> str:
            """As said."""
            time.sleep(1.5)
            return super().upload(path, begun_at)

    store = Slow(tmp_path)
    report = collected(store, ["good"], file_rows=1)
    report.raise_if_failed()
    assert (report.topics["good"].ended, report.topics["good"].cursor) == ("deadline", "moved")


def test_a_poll_whose_upload_failed_ends_soon_and_without_a_claim(tmp_path: Path) -> None:
    """Nobody waits for the topics' time to be up."""

    class Failing(Memory):
        """Takes no file."""

        def upload(self, path: Path, begun_at: datetime) -> str:
            """As said."""
            raise StorageUnavailableError("no")

    began = time.monotonic()
    report = collected(Failing(tmp_path), ["good", "better"], run_seconds=60, file_rows=1)
    assert time.monotonic() - began < 5
    assert {topic.ended for topic in report.topics.values()} == {"failed"}
    with pytest.raises(StorageUnavailableError):
        report.raise_if_failed()


def cursor(topic: str, age: timedelta) -> Cursor:
    return Cursor("00D", topic, Position(b"0", timestamp(datetime.now(timezone.utc) - age), "e"))


@pytest.mark.parametrize(
    ("age", "held", "warned"),
    [
        (timedelta(hours=23), False, False),
        (timedelta(hours=25), True, False),
        (timedelta(hours=49), True, True),
    ],
)
def test_a_topic_whose_position_is_old_is_held_until_it_is_caught_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, age: timedelta, held: bool, warned: bool
) -> None:
    """By the time of its event, not by when the cursor was written. An old one means that holding did not help."""
    report = collected(Memory(tmp_path, cursor("good", age)), ["good"], published_at=AFTER_ANY_POLL)
    assert report.topics["good"].ended == ("caught_up" if held else "deadline")
    assert ("cursor_age=" in caplog.text) == warned


def test_only_a_first_poll_starts_where_the_setting_says(tmp_path: Path) -> None:
    """One whose cursor cannot be read, or has no position, starts from EARLIEST: LATEST would lose what came before."""
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


def test_a_poll_from_latest_that_comes_to_nothing_is_followed_by_one_from_earliest(
    tmp_path: Path,
) -> None:
    """Another LATEST would be a later one: what was published between the two polls would be lost."""

    class Killed(Memory):
        """A store that takes no position."""

        def save_cursor(self, cursor: Cursor, etag: str | None) -> str:
            """Only that the topic is begun."""
            if cursor.position:
                raise StorageUnavailableError("no")
            return super().save_cursor(cursor, etag)

    first, second = Scripted(), Scripted()
    store = Killed(tmp_path)
    assert collected(store, ["good"], first, preset=Preset.LATEST).topics["good"].error
    collected(store, ["good"], second, preset=Preset.LATEST)
    assert (first.starts, second.starts) == ([Preset.LATEST], [Preset.EARLIEST])


def test_time_that_was_spent_before_the_drain_counts(tmp_path: Path) -> None:
    """The host ends a run by its whole time."""
    source = Scripted()
    began = time.monotonic()
    collected(Memory(tmp_path), ["good"], source, began=began - 0.5)
    assert time.monotonic() - began < 0.5


@pytest.mark.parametrize(
    ("run", "drain"), [(480, 420), (600, 540), (240, 180), (100, 75), (10, 7.5)]
)
def test_a_part_of_the_time_is_kept_back_for_the_last_upload(run: float, drain: float) -> None:
    """A minute, or a quarter of a short run."""
    assert Limits(run, 1, 1).drain_seconds == drain


def test_a_position_in_the_future_is_as_good_as_none(tmp_path: Path) -> None:
    """Some clock was wrong, so that its age is not known."""
    ahead = Memory(tmp_path, cursor("good", timedelta(hours=-1)))
    assert (
        collected(ahead, ["good"], published_at=AFTER_ANY_POLL).topics["good"].ended == "caught_up"
    )


@pytest.mark.parametrize("topic", ["absent cursor", "unreadable", "a position without a time"])
def test_a_topic_without_a_usable_position_is_held(tmp_path: Path, topic: str) -> None:
    """Its first position is worth the wait."""
    store = Memory(tmp_path, Cursor("00D", "a position without a time", Position(b"0", None, "e")))
    assert collected(store, [topic], published_at=AFTER_ANY_POLL).topics[topic].ended == "caught_up"
