"""The order of the publisher's steps, on which the promise depends.

A store in memory records each step. A test can let any step fail.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Optional

import pytest

from salesforce_client.src.app.errors import (
    CollectorError,
    LocalStorageError,
    ReplayIdRejectedError,
    StorageRefusedError,
    StorageUnavailableError,
)
from salesforce_client.src.app.model.positions import Cursor, Position, StoredCursor
from salesforce_client.src.app.model.rows import Delivery, Gap, Poll, Row
from salesforce_client.src.app.publisher import Publisher, leave_polls
from salesforce_client.src.app.report import Report, TopicReport

ORG_ID, ONE, TWO = "00D000000000001EAA", "/event/One__e", "/event/Two__e"
BEGAN_AT = "2026-02-01T00:00:00.000Z"
UNAVAILABLE = StorageUnavailableError("the storage account does not answer")


class File:
    """An event file in memory."""

    def __init__(self, store: Store, name: str, begun_at: datetime) -> None:
        self.path = Path(name)
        self.begun_at = begun_at
        self._store = store
        self._rows = 0

    def add(self, rows: Sequence[Row]) -> None:
        """Count the rows. The rows of polls are kept."""
        polls = [row for row in rows if isinstance(row, Poll)]
        self._store.polls += polls
        self._store.step("add", self.path.name, "polls" if polls else str(len(rows)))
        self._rows += len(rows)

    def is_full(self, most_rows: int) -> bool:
        """Whether it has this many rows. Bytes do not count."""
        return self._rows >= most_rows

    def close(self) -> None:
        """Finish the file."""
        self._store.step("close", self.path.name)

    def abandon(self) -> None:
        """Discard the file."""
        self._store.step("abandon", self.path.name)


class Store:
    """Records every step.

    Attributes:
        steps: all steps, in order.
        failures: what a step raises, by the first words of the step.
        versions: the version of each cursor.
        cursors: the stored cursors that a test needs.
        slow: if it is set, an upload waits for this event.
        uploading: is set when the first upload begins.
        org_ids: the orgs whose cursors were loaded or saved.
        begun: when each file was begun.
        saved: all cursors that were to be saved.
        uploads: for each upload, the time in the name of the file, and the name of the thread.
        polls: all added rows of polls.
    """

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.failures: dict[str, Exception] = {}
        self.versions = {ONE: "one-0", TWO: ""}
        self.cursors: dict[str, Cursor] = {}
        self.slow: Optional[threading.Event] = None
        self.uploading = threading.Event()
        self.org_ids: set[str] = set()
        self.begun: list[datetime] = []
        self.saved: list[Cursor] = []
        self.uploads: list[tuple[datetime, str]] = []
        self.polls: list[Poll] = []
        self._files = 0

    def step(self, *words: str) -> None:
        """Record the step, then raise the failure that is set for it."""
        self.steps.append(" ".join(words))
        for beginning, error in self.failures.items():
            if self.steps[-1].startswith(beginning):
                raise error

    def new_file(self, begun_at: datetime) -> File:
        """A file that is named by its number."""
        self._files += 1
        self.begun.append(begun_at)
        self.step("new", f"file{self._files}")
        return File(self, f"file{self._files}", begun_at)

    def upload(self, path: Path, begun_at: datetime, *, briefly: bool) -> str:
        """Upload the file, as slowly as the test wants."""
        self.uploading.set()
        self.uploads.append((begun_at, threading.current_thread().name))
        if self.slow:
            assert self.slow.wait(10)
        self.step("upload", path.name, *{True: ["briefly"], False: []}[briefly])
        return f"{path.name}.db"

    def load_cursor(self, org_id: str, topic: str) -> StoredCursor:
        """The cursor that the test has set, and its version."""
        self.org_ids.add(org_id)
        return StoredCursor(self.cursors.get(topic), self.versions[topic] or None)

    def save_cursor(self, cursor: Cursor, etag: Optional[str]) -> Optional[str]:
        """Save the cursor if its version has not changed."""
        self.org_ids.add(cursor.org_id)
        self.saved.append(cursor)
        self.step(
            "save", cursor.topic, cursor.position.replay_id.decode() if cursor.position else "begun"
        )
        if (etag or "") != self.versions[cursor.topic]:
            return None
        self.versions[cursor.topic] = f"{etag}+"
        return self.versions[cursor.topic]


def rows(count: int) -> Delivery:
    return Delivery(
        [Gap(str(n), ONE, "overflow", None, None, None, None, "2026") for n in range(count)]
    )


def at(replay_id: str) -> Position:
    return Position(replay_id.encode(), "2026-02-01T00:00:00.000Z", "e")


class Run:
    """A publisher with its store, its report and its stop signal."""

    def __init__(self, file_rows: int = 100) -> None:
        self.store = Store()
        self.report = Report(ORG_ID, {topic: TopicReport(topic) for topic in (ONE, TWO)}, BEGAN_AT)
        self.stop = threading.Event()
        self.publisher = Publisher(self.store, file_rows, self.report, self.stop)
        for topic in (ONE, TWO):
            self.publisher.cursor(topic)

    def take(self, topic: str, count: int, replay_id: str = "") -> None:
        """Deliver this many rows, and a position behind them."""
        self.publisher.take(topic, rows(count), at(replay_id) if replay_id else None, "rpc")

    def finish(self) -> list[str]:
        """End all topics, finish and close the publisher, and return all steps."""
        for topic in self.report.topics.values():
            topic.end("idle")
        try:
            self.publisher.finish()
        finally:
            self.publisher.close()
        return self.store.steps


def test_a_file_is_closed_then_uploaded_and_only_then_the_cursors_are_saved() -> None:
    """Each cursor gets the last position that was delivered with the rows of the file."""
    poll = Run()
    poll.take(ONE, 2, "1")
    poll.take(TWO, 1, "a")
    poll.take(ONE, 1, "2")
    assert poll.finish() == [
        *("new file1", "add file1 2", "add file1 1", "add file1 1"),
        *("add file1 polls", "close file1", "upload file1"),
        *(f"save {ONE} 2", f"save {TWO} a"),
    ]
    assert poll.report.files == ["file1.db"]
    assert {topic.cursor for topic in poll.report.topics.values()} == {"moved"}


def test_a_file_is_named_by_the_utc_time_at_which_it_was_begun() -> None:
    """The sync reads the files in the order of their names."""
    began = datetime.now(timezone.utc)
    poll = Run()
    poll.take(ONE, 1, "1")
    poll.finish()
    (begun,) = poll.store.begun
    assert began <= begun <= datetime.now(timezone.utc)
    assert begun.utcoffset() == timedelta(0)
    assert [at for at, _ in poll.store.uploads] == [begun]


def test_the_thread_that_uploads_has_upload_in_its_name() -> None:
    """A stack dump of a poll that hangs shows what the poll waits for."""
    poll = Run()
    poll.take(ONE, 1, "1")
    poll.finish()
    assert [thread for _, thread in poll.store.uploads] == ["upload_0"]


def test_the_cursors_of_the_polls_org_are_loaded_and_saved() -> None:
    """A refreshed sandbox has another org id and cursors of its own."""
    poll = Run()
    poll.publisher.begin_from_latest(TWO)
    poll.take(ONE, 1, "1")
    poll.finish()
    assert poll.store.org_ids == {ORG_ID}


def test_a_full_file_is_published_while_the_next_one_is_filled() -> None:
    """Each file saves the positions of its own rows.

    Each save replaces the version that the save before it made.
    """
    poll = Run(file_rows=2)
    for replay_id in ("1", "2", "3"):
        poll.take(ONE, 2, replay_id)
    saved = [step for step in poll.finish() if not step.startswith(("add", "new"))]
    assert saved == [
        *(step for n in "123" for step in (f"close file{n}", f"upload file{n}", f"save {ONE} {n}")),
        *("close file4", "upload file4"),
    ]
    assert poll.store.versions[ONE] == "one-0+++"


def test_no_more_than_two_files_exist_at_once() -> None:
    """One file is filled while the other is uploaded.

    The thread that has filled the second file waits for the upload of the first.
    """
    poll = Run(file_rows=1)
    poll.store.slow = threading.Event()
    poll.take(ONE, 1, "1")
    assert poll.store.uploading.wait(5)
    waiting = threading.Thread(target=lambda: poll.take(ONE, 1, "2"))
    waiting.start()
    waiting.join(0.3)
    assert waiting.is_alive()
    assert [step for step in poll.store.steps if step.startswith("new")] == [
        "new file1",
        "new file2",
    ]
    poll.store.slow.set()
    waiting.join(5)
    assert poll.finish().count(f"save {ONE} 2") == 1


def test_a_poll_that_found_nothing_uploads_a_file_before_its_cursors_move() -> None:
    """The file tells only of the poll. Without it, a quiet org looks like a stopped collector."""
    poll = Run()
    poll.take(TWO, 0, "a")
    assert poll.finish() == [
        *("new file1", "add file1 polls", "close file1", "upload file1"),
        f"save {TWO} a",
    ]
    assert poll.report.files == ["file1.db"]


def test_the_last_file_tells_of_the_poll_once_for_each_topic() -> None:
    """The figures are those of the whole poll, not only of the last file."""
    poll = Run(file_rows=2)
    poll.take(ONE, 2, "1")
    poll.take(ONE, 1, "2")
    steps = poll.finish()
    assert [step for step in steps if step.endswith("polls")] == ["add file2 polls"]
    assert [(row.topic, row.gaps, row.ended) for row in poll.store.polls] == [
        (ONE, 3, "idle"),
        (TWO, 0, "idle"),
    ]


def test_if_the_last_rows_filled_a_file_the_poll_is_told_in_one_of_its_own() -> None:
    """A full file is uploaded at once, before the end of the poll is known."""
    poll = Run(file_rows=2)
    poll.take(ONE, 2, "1")
    assert poll.finish()[-4:] == ["new file2", "add file2 polls", "close file2", "upload file2"]
    assert poll.report.files == ["file1.db", "file2.db"]


def test_a_poll_tells_of_a_cursor_that_could_not_be_saved_with_an_earlier_file() -> None:
    """So the row is made after the upload before it has ended."""
    poll = Run(file_rows=1)
    poll.store.slow = threading.Event()
    poll.store.failures[f"save {ONE} 1"] = UNAVAILABLE
    poll.take(ONE, 1, "1")
    threading.Timer(0.3, poll.store.slow.set).start()
    poll.finish()
    assert [row.error for row in poll.store.polls] == [
        "StorageUnavailableError: the storage account does not answer",
        None,
    ]


def test_a_failed_poll_tries_once_and_briefly_to_tell_of_itself() -> None:
    """Its file has no rows of topics, because the file with those rows is not uploaded."""
    store, report = Store(), Run().report
    report.fail(UNAVAILABLE)
    began = datetime.now(timezone.utc)
    leave_polls(store, report)
    assert store.steps == [
        *("new file1", "add file1 polls", "close file1", "upload file1 briefly"),
    ]
    assert report.files == ["file1.db"]
    assert [(row.topic, row.ended) for row in store.polls] == [(ONE, "failed"), (TWO, "failed")]
    ((begun_at, _),) = store.uploads
    assert began <= begun_at <= datetime.now(timezone.utc)
    assert begun_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize("step", ["new", "add", "close", "upload"])
def test_a_failed_poll_that_cannot_tell_of_itself_keeps_its_first_error(
    step: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The second error is only logged, also if it is unexpected."""
    store, report = Store(), Run().report
    report.fail(UNAVAILABLE)
    store.failures[step] = KeyError("a fault of ours")
    leave_polls(store, report)
    assert (report.error, report.files) == (UNAVAILABLE, [])
    assert caplog.messages == ["polls=lost reason=KeyError: 'a fault of ours'"]


def test_a_failed_poll_that_cannot_tell_of_itself_says_once_what_is_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The poll's own error says it."""
    store, report = Store(), Run().report
    store.failures["upload"] = UNAVAILABLE
    leave_polls(store, report)
    reason = f"StorageUnavailableError: {UNAVAILABLE.text}"
    assert caplog.messages == [f"polls=lost reason={reason}"]


def test_rows_without_a_position_move_no_cursor() -> None:
    """The next poll reads these events again."""
    poll = Run()
    poll.take(ONE, 1)
    assert poll.finish() == [
        *("new file1", "add file1 1", "add file1 polls", "close file1", "upload file1"),
    ]
    assert poll.report.topics[ONE].cursor == "unchanged"


@pytest.mark.parametrize("step", ["close file1", "upload file1"])
def test_after_a_failed_upload_no_cursor_moves_and_no_later_file_is_uploaded(step: str) -> None:
    """The same holds for a file that cannot be closed.

    If a cursor moved, the rows of that file would be missing.
    """
    poll = Run(file_rows=1)
    poll.store.failures[step] = UNAVAILABLE
    for replay_id in ("1", "2", "3"):
        poll.take(ONE, 1, replay_id)
    assert poll.stop.is_set()
    with pytest.raises(StorageUnavailableError):
        poll.publisher.raise_if_failed()
    with pytest.raises(StorageUnavailableError):
        poll.finish()
    assert not [
        step
        for step in poll.store.steps
        if step.startswith(("save", "upload file2", "upload file3"))
    ]


def test_a_failed_upload_is_noticed_before_the_next_file_is_full() -> None:
    """After a failed upload it is useless to read more events."""
    poll = Run(file_rows=10)
    poll.store.failures["upload file1"] = UNAVAILABLE
    poll.take(ONE, 10, "1")
    deadline = time.monotonic() + 5
    while not poll.stop.is_set() and time.monotonic() < deadline:
        poll.take(ONE, 0, "2")
        time.sleep(0.01)
    assert poll.stop.is_set()
    with pytest.raises(StorageUnavailableError):
        poll.finish()
    assert not [step for step in poll.store.steps if step.startswith("save")]


def test_the_poll_waits_for_the_last_upload() -> None:
    """If that upload fails, the poll fails."""
    poll = Run()
    poll.store.failures["upload file1"] = UNAVAILABLE
    poll.take(ONE, 1, "1")
    with pytest.raises(StorageUnavailableError):
        poll.finish()
    assert not [step for step in poll.store.steps if step.startswith("save")]


@pytest.mark.parametrize("step", ["new file1", "add file1"])
def test_after_rows_that_cannot_be_written_no_cursor_moves(step: str) -> None:
    """The cursor of another topic stays too, as its rows are in the same file."""
    poll = Run()
    poll.store.failures[step] = LocalStorageError("the disk is full")
    poll.take(ONE, 1, "1")
    poll.take(TWO, 1, "a")
    with pytest.raises(LocalStorageError):
        poll.finish()
    assert not [step for step in poll.store.steps if step.startswith(("close", "upload", "save"))]
    assert poll.report.topics[ONE].gaps == 0, "only written rows count"


def test_rows_that_are_delivered_after_the_end_are_not_written() -> None:
    """A late topic may deliver while the poll waits for an upload, and that upload may fail."""
    poll = Run(file_rows=1)
    poll.store.slow = threading.Event()
    poll.store.failures["upload file1"] = UNAVAILABLE
    poll.take(ONE, 1, "1")
    failures: list[CollectorError] = []

    def finish() -> None:
        try:
            poll.publisher.finish()
        except CollectorError as error:
            failures.append(error)

    ending = threading.Thread(target=finish)
    ending.start()
    assert poll.stop.wait(5)
    late = threading.Thread(target=lambda: poll.take(TWO, 1, "a"))
    late.start()
    poll.store.slow.set()
    for thread in (ending, late):
        thread.join(5)
    poll.publisher.close()
    assert failures == [UNAVAILABLE]
    assert poll.store.steps == ["new file1", "add file1 1", "close file1", "upload file1"]
    assert poll.report.topics[TWO].gaps == 0


def test_a_file_that_is_not_published_is_abandoned() -> None:
    """An abandoned file can be removed."""
    poll = Run()
    poll.take(ONE, 1, "1")
    poll.publisher.close()
    assert poll.store.steps[-1] == "abandon file1"


def test_a_cursor_that_another_run_has_moved_is_kept_and_not_saved_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The other run is ahead. The remaining topics continue."""
    poll = Run(file_rows=1)
    poll.store.versions[ONE] = "another's"
    for replay_id in ("1", "2"):
        poll.take(ONE, 1, replay_id)
        poll.take(TWO, 1, replay_id)
    steps = poll.finish()
    assert [step for step in steps if step.startswith("save")] == [
        f"save {ONE} 1",
        f"save {TWO} 1",
        f"save {TWO} 2",
    ]
    assert (poll.report.topics[ONE].cursor, poll.report.topics[TWO].cursor) == ("kept", "moved")
    assert poll.store.versions[ONE] == "another's"
    assert caplog.messages == [f"topic={ONE} cursor=kept reason=another run was ahead"]


def test_a_cursor_that_could_not_be_saved_is_saved_with_the_next_file() -> None:
    """The stored version of the cursor has not changed, so the next save may replace it."""
    poll = Run(file_rows=1)
    poll.store.failures[f"save {ONE} 1"] = UNAVAILABLE
    for replay_id in ("1", "2"):
        poll.take(ONE, 1, replay_id)
    poll.finish()
    assert poll.store.versions[ONE] == "one-0+"
    assert poll.report.topics[ONE].error is UNAVAILABLE


def test_of_several_failures_of_a_topic_the_first_is_reported() -> None:
    """The later failures follow from the first one."""
    poll = Run(file_rows=1)
    refused = StorageRefusedError("no")
    poll.store.failures = {f"save {ONE} 1": UNAVAILABLE, f"save {ONE} 2": refused}
    for replay_id in ("1", "2"):
        poll.take(ONE, 1, replay_id)
    poll.finish()
    assert poll.report.topics[ONE].error is UNAVAILABLE


def test_the_publisher_is_not_quiet_while_a_topic_writes_or_waits_for_an_upload() -> None:
    """The poll must not give up on a topic that waits for the store."""
    poll = Run(file_rows=1)
    time.sleep(0.3)
    assert poll.publisher.quiet_seconds() >= 0.3
    poll.store.slow = threading.Event()
    poll.take(ONE, 1, "1")
    waiting = threading.Thread(target=lambda: poll.take(ONE, 1, "2"))
    waiting.start()
    threading.Timer(0.5, poll.store.slow.set).start()
    began = time.monotonic()
    assert poll.publisher.quiet_seconds() < 0.2
    assert time.monotonic() - began > 0.3, "it waits for the thread that writes"
    waiting.join(5)
    poll.finish()


def test_closing_waits_for_an_upload_that_is_under_way() -> None:
    """The file is removed afterwards."""
    poll = Run(file_rows=1)
    poll.store.slow = threading.Event()
    poll.take(ONE, 1, "1")
    threading.Timer(0.3, poll.store.slow.set).start()
    poll.publisher.close()
    assert "upload file1" in poll.store.steps


def test_a_cursor_that_cannot_be_saved_fails_only_its_own_topic() -> None:
    """The rows are safe, and the next poll reads them again."""
    poll = Run()
    refused = StorageRefusedError("no")
    poll.store.failures[f"save {ONE}"] = refused
    poll.take(ONE, 1, "1")
    poll.take(TWO, 1, "a")
    poll.finish()
    assert poll.report.topics[ONE].error is refused
    assert poll.report.topics[ONE].cursor == "unchanged"
    assert (poll.report.topics[TWO].cursor, poll.report.topics[TWO].error) == ("moved", None)


def test_a_topic_that_is_begun_from_latest_has_a_cursor_without_a_position() -> None:
    """The first cursor that has a position replaces the one that has none."""
    poll = Run()
    poll.publisher.begin_from_latest(TWO)
    poll.take(TWO, 1, "a")
    assert [step for step in poll.finish() if step.startswith("save")] == [
        f"save {TWO} begun",
        f"save {TWO} a",
    ]
    assert poll.store.saved[0] == Cursor(ORG_ID, TWO, None, BEGAN_AT)
    assert poll.report.topics[TWO].cursor == "moved"


def test_a_topic_that_was_tried_before_keeps_the_time_of_the_first_try() -> None:
    """Events since then may be lost, and the gap begins there."""
    poll = Run()
    first = "2026-01-20T00:00:00.000Z"
    poll.store.versions[TWO] = "two-0"
    poll.store.cursors[TWO] = Cursor(ORG_ID, TWO, None, first, begun=False)
    poll.publisher.cursor(TWO)
    poll.publisher.begin_from_latest(TWO)
    poll.finish()
    assert poll.store.saved == [Cursor(ORG_ID, TWO, None, first)]
    assert poll.store.versions[TWO] == "two-0+"


def test_a_topic_may_be_begun_from_latest_again_before_its_first_position() -> None:
    """The drain does so if it retries because the stream from LATEST could not be opened."""
    poll = Run()
    poll.publisher.begin_from_latest(TWO)
    poll.publisher.begin_from_latest(TWO)
    assert [step for step in poll.finish() if step.startswith("save")] == [f"save {TWO} begun"] * 2


def test_a_topic_that_another_run_has_just_begun_is_left_to_that_run() -> None:
    """The next poll starts where that run ends."""
    poll = Run()
    poll.store.versions[TWO] = "another's"
    with pytest.raises(StorageUnavailableError) as raised:
        poll.publisher.begin_from_latest(TWO)
    assert raised.value.text == (
        f"cursor of {TWO}: another run has just started this topic; the next poll continues"
    )


def failed(error: Exception) -> Run:
    """A poll that has ended, in which both topics failed. Only ONE has a cursor."""
    poll = Run()
    for topic in (ONE, TWO):
        poll.report.topics[topic].fail(error)
        poll.report.topics[topic].end("failed")
    poll.publisher.finish()
    poll.publisher.close()
    return poll


def test_a_failed_topic_that_was_never_read_gets_a_cursor_with_the_time_of_the_poll() -> None:
    """So the first poll that can read it knows since when events may be lost."""
    poll = failed(ReplayIdRejectedError("no"))
    poll.publisher.mark_unread()
    assert poll.store.saved == [Cursor(ORG_ID, TWO, None, BEGAN_AT, begun=False)]
    assert poll.store.versions == {ONE: "one-0", TWO: "None+"}


def test_a_topic_that_did_not_fail_gets_no_such_cursor() -> None:
    """It starts from the beginning of its events in any case."""
    poll = Run()
    poll.finish()
    poll.publisher.mark_unread()
    assert poll.store.saved == []


@pytest.mark.parametrize("error", [UNAVAILABLE, StorageRefusedError("no")])
def test_no_topic_gets_such_a_cursor_if_the_storage_failed(error: Exception) -> None:
    """Then nobody knows whether the topic was ever read."""
    poll = failed(error)
    poll.publisher.mark_unread()
    assert poll.store.saved == []


def test_if_such_a_cursor_cannot_be_saved_the_others_still_are(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The topic has failed already, so the log says only that its time is lost."""
    poll = Run()
    three = "/event/Three__e"
    poll.store.versions = {ONE: "", TWO: "", three: ""}
    poll.report.topics[three] = TopicReport(three)
    for topic in (ONE, TWO, three):
        poll.publisher.cursor(topic)
        poll.report.topics[topic].fail(ReplayIdRejectedError("no"))
        poll.report.topics[topic].end("idle" if topic == ONE else "failed")
    poll.store.failures[f"save {TWO}"] = UNAVAILABLE
    poll.publisher.mark_unread()
    poll.publisher.close()
    assert [cursor.topic for cursor in poll.store.saved] == [TWO, three]
    (line,) = [record.message for record in caplog.records]
    assert line == (
        f"topic={TWO} tried_at=lost reason=StorageUnavailableError:"
        " the storage account does not answer"
    )


def test_a_cursor_that_was_never_read_is_not_saved() -> None:
    """The run knows no version that it may replace."""
    poll = Run()
    poll.report.topics["/event/Three__e"] = TopicReport("/event/Three__e")
    poll.take("/event/Three__e", 1, "1")
    assert not [step for step in poll.finish() if step.startswith("save")]


def test_the_report_counts_the_deliveries_of_each_topic() -> None:
    """The report also has the last rpc id of each topic."""
    poll = Run()
    poll.publisher.take(ONE, rows(2)._replace(received=5, skipped=3), at("1"), "rpc 1")
    poll.publisher.take(ONE, Delivery(), None, "")
    poll.finish()
    one = poll.report.topics[ONE]
    assert (one.received, one.skipped, one.gaps, one.rpc_id) == (5, 3, 2, "rpc 1")
