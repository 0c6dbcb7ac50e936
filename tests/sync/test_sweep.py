"""The rules of a sweep: the order of its steps, when a batch is full, what happens to a file.

The container and the warehouse are in memory and record each step. The event files are real.
"""

from __future__ import annotations

import contextlib
import logging
import random
import sqlite3
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from contract.make_files import DELETES
from local.in_memory import (
    BEGUN_AT,
    DAMAGED,
    FIGURES,
    GOOD,
    LIMITS,
    ROWS,
    A,
    B,
    C,
    D,
    World,
    sha256,
)

from delete_sync.src.budget import Budget
from delete_sync.src.errors import (
    BacklogError,
    DataRefusedError,
    LocalStorageError,
    SilenceError,
    UnreadableBlobError,
    WarehouseRefusedError,
    WarehouseUnavailableError,
)
from delete_sync.src.event_files.erasure import digest
from delete_sync.src.event_files.file_format import FORMAT_VERSION
from delete_sync.src.freshness import Patience
from delete_sync.src.model import (
    Due,
    EventBlob,
    Figures,
    LeftFile,
    StagedFile,
    TopicPoll,
    Unproven,
)
from delete_sync.src.report import Report
from delete_sync.src.sync import Limits, sweep
from salesforce_client.src.app.storage.blobs import blob_name
from salesforce_client.src.app.storage.event_file import EventFile as Writer

BAD_VALUE = DataRefusedError("100069: Error parsing JSON.", 100069)
BAD_DATE = DataRefusedError("100035: Timestamp is not recognized.", 100035)
NO_TIME = "the sweep had no time for it"
MISMATCH = (
    "its content does not match the SHA-256 in its metadata: it is damaged or was changed. "
    "Restore an earlier version of the blob if the account keeps versions"
)


def archived(*, needs_a_person: bool = True) -> UnreadableBlobError:
    return UnreadableBlobError("it is archived", needs_a_person=needs_a_person)


def blob(name: str, content: bytes = GOOD, declared: str | None = None) -> EventBlob:
    """What the container in memory shows of a file."""
    return EventBlob(name, len(content), "etag", sha256(content) if declared is None else declared)


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def kinds(lines: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(line["kind"], line["event_file"]) for line in lines]


# -- steps


def test_the_steps_of_a_sweep_keep_their_order(world: World) -> None:
    """The tables are checked first. What the sweep judges, it asks when all files are loaded."""
    world.container.put(A, B, C)
    world.sweep(LIMITS._replace(batch_files=2))
    assert world.steps == [
        "connect",
        "prepare",
        "newest file",
        "page",
        f"records {A} {C}",
        f"load {A} {B}",
        f"load {C}",
        f"to compare {C}",
        "duplicates",
        "newest poll",
        "disconnect",
    ]


def test_a_sweep_compares_after_the_last_batch(world: World) -> None:
    """The report has what the comparison did."""
    world.container.put(A)
    world.warehouse.due = Due(2, 0, BEGUN_AT)
    report = world.sweep()
    assert world.steps[-6:] == [
        f"load {A}",
        f"to compare {A}",
        f"compare {A}",
        "duplicates",
        "newest poll",
        "disconnect",
    ]
    assert (report.compared, report.recovered, report.waiting) == (2, 2, 0)


def test_checks_wait_for_files_that_the_sweep_leaves(world: World) -> None:
    """The warehouse gets the name of the oldest file that is left. Here, all checks wait for it."""
    world.container.put(A, B, C)
    world.container.downloads_fail[B] = archived()
    world.warehouse.due, world.warehouse.checks_in = Due(1, 1, BEGUN_AT), C
    report = world.sweep()
    assert f"to compare {B}" in world.steps
    assert not [step for step in world.steps if step.startswith("compare")]
    assert (report.compared, report.recovered, report.waiting) == (0, 0, 2)


def test_checks_wait_that_another_sweep_has_loaded_since_the_listing(world: World) -> None:
    """That sweep may have left an older file, of which this sweep does not know."""
    world.container.put(A)
    world.warehouse.due, world.warehouse.checks_in = Due(1, 0, BEGUN_AT), C

    def another_sweep() -> None:
        world.container.listed = bool
        world.container.put(B, C)
        world.container.downloads_fail[B] = archived()
        assert world.sweep().synced == [A, C]

    world.container.listed = another_sweep
    report = world.sweep()
    assert (report.compared, report.waiting) == (0, 1)
    world.container.downloads_fail.clear()
    assert world.sweep().compared == 1


def test_checks_are_compared_although_their_file_is_removed(world: World) -> None:
    """A lifecycle rule removes event files. Older files would still be listed."""
    world.warehouse.due, world.warehouse.checks_in = Due(1, 0, BEGUN_AT), B
    world.warehouse.newest = B
    assert world.sweep().compared == 1


def test_a_refused_file_keeps_no_check_waiting(world: World) -> None:
    """Nobody will load it, so waiting for it would have no end."""
    world.container.put(A, content=DAMAGED)
    world.container.put(B)
    world.warehouse.due = Due(1, 0, BEGUN_AT)
    assert world.sweep().compared == 1


def test_a_sweep_without_time_compares_nothing_and_says_so(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The checks wait for the next sweep. The log line counts them."""
    world.container.put(A)
    world.sweep()
    world.warehouse.due = Due(2, 1, BEGUN_AT)
    report = world.sweep(run_seconds=0)
    assert (report.compared, report.waiting) == (0, 3)
    assert (
        "WARNING",
        "comparison=left checks=2 reason=the sweep had no time for it",
    ) in logged(caplog)


def test_a_batch_has_the_rows_of_its_files(world: World) -> None:
    """Behind them is a line for each file, for the load records."""
    world.container.put(A, B)
    report = world.sweep()
    (batch,) = world.warehouse.batches
    assert batch.files == tuple(StagedFile(blob(name), sha256(GOOD), FIGURES) for name in (A, B))
    assert (batch.lines, batch.unwanted) == (2 * ROWS + 2, ())
    assert batch.figures == Figures(4, 2, 2, None, None, 4, 2, 4, 4, 4)
    of_a_file = [
        *("delete", "delete", "reject", "gap", "poll", "poll", "resolved", "restore", "restore"),
        *("check", "check", "listed", "listed"),
    ]
    assert kinds(world.warehouse.lines) == [
        *((kind, name) for name in (A, B) for kind in of_a_file),
        ("file", A),
        ("file", B),
    ]
    assert report == Report(
        "s1",
        files=2,
        newest_file=B,
        synced=[A, B],
        staged=26,
        inserted=4,
        gaps=2,
        rejects=2,
        restores=4,
        checks=4,
        listed=4,
        batches=1,
    )


def test_the_lines_of_a_batch_name_the_sweep_and_the_version_of_the_reader(world: World) -> None:
    """Both stand in the load records, also in those of refused files."""
    world.container.put(A, B)
    world.warehouse.fails[B] = BAD_VALUE
    world.sweep()
    lines = [line for line in world.warehouse.lines if line["kind"] == "file"]
    assert [line["event_file"] for line in lines] == [A, B]
    assert {(line["sweep_id"], line["reader"]) for line in lines} == {("s1", FORMAT_VERSION)}


def test_a_reject_of_the_sync_is_identified_by_the_content_of_its_file(
    world: World, tmp_path: Path
) -> None:
    """A file that is read again does not add the same reject again."""
    file = Writer(tmp_path / "written.db", BEGUN_AT)
    file.add([DELETES[0]._replace(payload="[]")])
    file.close()
    content = file.path.read_bytes()
    world.container.put(A, content=content)
    assert world.sweep().rejects == 1
    (reject, _) = world.warehouse.lines
    assert reject["reject_id"] == f"{sha256(content)}:1"


def test_the_rows_of_an_erased_record_are_staged_without_its_data(world: World) -> None:
    """The sweep knows only the digest of the record id, by which the tables leave out the row."""
    record_id = str(DELETES[0].record_id)
    world.warehouse.digests = frozenset({digest(record_id[:15])})
    world.container.put(A)
    world.sweep()
    erased, other = (line for line in world.warehouse.lines if line["kind"] == "delete")
    assert erased["record_id"][:15] == record_id[:15]
    assert (erased["event_id"], erased["payload"]) == ("erased", {})
    assert (erased["deleted_by"], erased["owner_id"]) == (None, None)
    assert other["event_id"] == DELETES[1].event_id


def test_a_sweep_without_a_pending_file_still_checks_what_is_there(world: World) -> None:
    """Duplicates, old files and silence have nothing to do with new files."""
    world.container.put(A)
    world.sweep()
    world.steps.clear()
    assert world.sweep() == Report("s1", files=1, newest_file=A)
    assert world.steps == [
        "connect",
        "prepare",
        "newest file",
        "page",
        f"records {A} {A}",
        f"to compare {A}",
        "duplicates",
        "newest poll",
        "disconnect",
    ]


def test_a_sweep_ends_as_soon_as_no_file_is_left(world: World) -> None:
    """It reads the clock before the batch, after each file, and before it looks at old days."""
    world.container.put(A, B)
    before = world.seconds
    assert world.sweep().synced == [A, B]
    assert world.seconds == before + 1 + 4


def test_a_failed_load_ends_the_sweep_and_closes_the_session(world: World) -> None:
    """Earlier batches stay loaded, and the next sweep goes on behind them."""
    world.container.put(A, B, C)
    world.warehouse.fails[B] = WarehouseUnavailableError("the session was lost")
    with pytest.raises(WarehouseUnavailableError):
        world.sweep(LIMITS._replace(batch_files=1))
    assert world.steps[-3:] == [f"load {A}", f"load {B}", "disconnect"]
    world.warehouse.fails.clear()
    assert world.sweep().synced == [B, C]


def test_files_that_another_sweep_has_loaded_meanwhile_are_counted_apart(world: World) -> None:
    """They are not among the files that this sweep loaded or refused."""
    world.container.put(A, B)
    world.container.put(C, content=DAMAGED)
    world.warehouse.elsewhere = {B, C}
    report = world.sweep()
    assert (report.synced, report.elsewhere, report.refused) == ([A], 2, {})
    assert (report.inserted, report.gaps, report.rejects) == (2, 1, 1)


def test_a_sweep_tells_the_target_whether_to_load_files_again(world: World) -> None:
    """Without it, the target would take all files of a full sweep for loaded already."""
    world.container.put(A)
    world.container.put(B, content=DAMAGED)
    world.warehouse.fails[A] = BAD_VALUE
    world.sweep(full=True)
    assert world.loads() == [f"{A} {B}:refused again", f"{B}:refused {A}:refused again"]


def test_what_is_wrong_after_the_work_is_in_the_report(world: World) -> None:
    """The report has duplicates, the oldest file that is still pending, and silent topics."""
    world.container.put(A, B)
    world.warehouse.doubled = ["k"]
    world.warehouse.topics = [TopicPoll("/event/X__e", BEGUN_AT)]
    report = world.sweep(run_seconds=1, patience=Patience(2, 3), hours=5)
    assert report.duplicates == ["k"]
    assert [type(error) for error in report.overdue] == [BacklogError, SilenceError]
    assert str(report.overdue[0]).startswith(f"{A} is still pending after 5.0 hours")


@pytest.mark.parametrize(("listed", "loaded"), [(B, ""), (B, A), (A, B), ("", B)])
def test_the_newest_file_may_be_in_the_container_or_only_in_the_load_records(
    world: World, listed: str, loaded: str
) -> None:
    """A lifecycle rule may have removed it. Without polls, its name tells of silence."""
    if listed:
        world.container.put(listed)
    world.warehouse.newest = loaded
    (error,) = world.sweep(patience=Patience(0, 2), hours=3).overdue
    assert f"its newest event file is {B}, begun 3.0 hours ago" in str(error)


# -- which days are not proven


def test_the_days_are_those_that_salesforce_still_lists(world: World) -> None:
    """A day is asked about from its fifth to its fourteenth day."""
    today = BEGUN_AT.date()

    def days(age: int) -> Unproven:
        moment = today - timedelta(days=age)
        return Unproven("Account", "clock", moment, moment, 1)

    world.warehouse.days = [days(age) for age in (4, 5, 14, 15)]
    assert world.sweep().unproven == [days(5), days(14)]


def test_a_view_that_cannot_be_read_fails_no_sweep(world: World) -> None:
    """All rows are loaded."""
    world.container.put(A)
    world.warehouse.days = WarehouseRefusedError("unproven:\nno right", 3001)
    report = world.sweep()
    assert (report.synced, report.verdicts_unknown) == ([A], "unproven: no right")
    report.raise_if_failed()


def test_without_time_the_days_are_not_asked_for(world: World) -> None:
    """The view may take long."""
    world.container.put(A)
    world.warehouse.days = WarehouseRefusedError("must not be asked", 3001)
    assert world.sweep(run_seconds=1).verdicts_unknown == "the sweep had no time for it"


# -- when a batch is full


@pytest.mark.parametrize(
    ("bounds", "run_seconds", "batches", "left"),
    [
        ({}, 1000, [4], 0),
        ({"merge_rows": 2 * ROWS}, 1000, [2, 2], 0),
        ({"merge_rows": 2 * ROWS + 1}, 1000, [3, 1], 0),
        ({"merge_rows": 1}, 1000, [1, 1, 1, 1], 0),
        ({"batch_files": 2}, 1000, [2, 2], 0),
        ({"batch_files": 3}, 1000, [3, 1], 0),
        # The sweep reads the clock before each batch, and after each file that does not fill it.
        ({}, 1, [], 4),
        ({}, 2, [1], 3),
        ({}, 4, [3], 1),
        ({"batch_files": 1}, 2, [1], 3),
        ({"batch_files": 1}, 4, [1, 1, 1], 1),
    ],
)
def test_a_batch_is_full_by_rows_by_files_or_at_the_end_of_the_time(
    world: World, bounds: dict[str, int], run_seconds: int, batches: list[int], left: int
) -> None:
    """At the end of the time, rows that are already staged are still loaded. The rest is left."""
    names = [A, B, C, D]
    world.container.put(*names)
    report = world.sweep(LIMITS._replace(**bounds), run_seconds=run_seconds)
    assert [len(batch.files) for batch in world.warehouse.batches] == batches
    assert (len(report.synced), report.left, report.batches) == (sum(batches), left, len(batches))
    oldest = LeftFile(names[4 - left], NO_TIME) if left else None
    assert report.oldest_left == oldest


def test_by_default_a_batch_has_at_most_500_files(world: World) -> None:
    """Each file is a value of the statement that writes the load records."""
    world.container.put(*(blob_name(BEGUN_AT, number) for number in range(501)), content=DAMAGED)
    sweep(
        world.container,
        world.connect,
        "s1",
        full=False,
        limits=Limits(merge_rows=1_000_000),
        budget=Budget.of(60, 600),
        patience=Patience(0, 0),
        now=datetime.now(timezone.utc),
    )
    assert [len(batch.files) for batch in world.warehouse.batches] == [500, 1]


# -- what happens to a file


@pytest.mark.parametrize("needs_a_person", [False, True])
def test_a_file_that_cannot_be_downloaded_is_left(
    world: World, caplog: pytest.LogCaptureFixture, needs_a_person: bool
) -> None:
    """The other files are loaded. The sweep fails if the next one cannot download it either."""
    world.container.put(A, B, C, D)
    world.container.downloads_fail[B] = archived(needs_a_person=needs_a_person)
    report = world.sweep(LIMITS._replace(batch_files=3))
    assert world.loads() == [f"{A} {C}", D]
    assert (report.synced, report.left) == ([A, C, D], 1)
    assert report.oldest_left == LeftFile(B, "it is archived")
    assert report.unavailable == ({B: "it is archived"} if needs_a_person else {})
    assert logged(caplog) == [
        ("WARNING", f"event_file={B} state=left reason=it is archived"),
    ]


def test_a_file_that_could_not_be_downloaded_is_pending_in_the_next_sweep(world: World) -> None:
    """It has no load record."""
    world.container.put(A)
    world.container.downloads_fail[A] = archived()
    assert world.sweep().left == 1
    world.container.downloads_fail.clear()
    assert world.sweep().synced == [A]


def test_files_that_cannot_be_downloaded_and_files_without_time_are_left_together(
    world: World,
) -> None:
    """The report has one number for both. The oldest one is named with its own reason."""
    world.container.put(A, B, C, D)
    for name in (A, B):
        world.container.downloads_fail[name] = archived()
    report = world.sweep(run_seconds=4)
    assert (world.loads(), report.left) == ([C], 3)
    assert report.oldest_left == LeftFile(A, "it is archived")


def test_files_that_cannot_be_downloaded_are_not_tried_beyond_the_end_of_the_time(
    world: World,
) -> None:
    """A container may have many thousand archived files."""
    names = [blob_name(BEGUN_AT, number) for number in range(50)]
    world.container.put(*names)
    world.container.downloads_fail = dict.fromkeys(names, archived())
    report = world.sweep(run_seconds=3)
    assert list(report.unavailable) == names[:2]
    assert report.left == 50


def test_a_batch_of_which_no_file_can_be_downloaded_is_not_loaded(world: World) -> None:
    """The warehouse has nothing to do, and the report counts no batch."""
    world.container.put(A, B)
    for name in (A, B):
        world.container.downloads_fail[name] = archived()
    report = world.sweep()
    assert (world.loads(), report.batches, report.left) == ([], 0, 2)


@pytest.mark.parametrize(
    ("content", "declared", "reason"),
    [
        (DAMAGED, None, "it is not a SQLite file"),
        (DAMAGED, "", "it is not a SQLite file"),
        (GOOD, "0" * 64, MISMATCH),
    ],
    ids=["damaged", "damaged, without metadata", "another digest"],
)
def test_a_refused_file_is_recorded_and_does_not_stop_the_others(
    world: World,
    caplog: pytest.LogCaptureFixture,
    content: bytes,
    declared: str | None,
    reason: str,
) -> None:
    """Its load record has the digest of the metadata, so that the next sweep knows it."""
    world.container.put(A, C)
    world.container.put(B, content=content, declared=declared)
    report = world.sweep()
    (batch,) = world.warehouse.batches
    assert batch.files == (
        StagedFile(blob(A), sha256(GOOD), FIGURES),
        StagedFile(
            blob(B, content, declared), declared or sha256(content), figures=None, error=reason
        ),
        StagedFile(blob(C), sha256(GOOD), FIGURES),
    )
    assert (report.synced, report.refused) == ([A, C], {B: reason})
    assert logged(caplog) == [("ERROR", f"event_file={B} state=refused reason={reason}")]
    assert world.sweep() == Report("s1", files=3, newest_file=C, refused_before=1)


def test_a_file_whose_damage_shows_only_in_its_rows_is_refused(
    world: World, tmp_path: Path
) -> None:
    """Its format is right, so the reader opens it."""
    path = tmp_path / "malformed.db"
    path.write_bytes(GOOD)
    with contextlib.closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE gaps SET from_replay_id = zeroblob(64000001)")
    world.container.put(A)
    world.container.put(B, content=path.read_bytes())
    path.unlink()
    report = world.sweep()
    assert world.loads() == [f"{A} {B}:refused"]
    assert report.refused[B] == "it cannot be read: DataError: string or blob too big"


# -- values that Snowflake refuses


def test_only_the_file_with_a_refused_value_is_refused(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Its batch is rolled back and loaded by halves. Then the sweep goes on."""
    caplog.set_level(logging.INFO)
    world.container.put(A, B, C, D)
    world.warehouse.fails[B] = BAD_VALUE
    report = world.sweep(LIMITS._replace(batch_files=3))
    assert world.loads() == [f"{A} {B} {C}", A, f"{B} {C}", B, C, f"{B}:refused", D]
    assert (report.synced, report.refused) == ([A, C, D], {B: BAD_VALUE.text})
    assert (report.batches, report.inserted, report.left) == (4, 6, 0)
    assert logged(caplog) == [
        ("WARNING", f"batch=refused files=3 reason={BAD_VALUE.text}"),
        ("ERROR", f"event_file={B} state=refused reason={BAD_VALUE.text}"),
    ]
    assert {it.sha256 for it in world.warehouse.records_kept} == {sha256(GOOD)}
    assert world.sweep().refused_before == 1


def test_the_reader_and_snowflake_may_refuse_files_of_one_batch(world: World) -> None:
    """Only the files with rows are loaded again. All refusals are recorded together."""
    world.container.put(A, content=DAMAGED)
    world.container.put(B, C)
    world.warehouse.fails[C] = BAD_VALUE
    report = world.sweep()
    assert world.loads() == [f"{A}:refused {B} {C}", B, C, f"{A}:refused {C}:refused"]
    assert report.refused == {A: "it is not a SQLite file", C: BAD_VALUE.text}
    assert (report.synced, report.batches) == ([B], 2)


def test_a_batch_of_one_file_is_not_loaded_again(world: World) -> None:
    """It was alone already."""
    world.container.put(A)
    world.warehouse.fails[A] = BAD_VALUE
    assert list(world.sweep().refused) == [A]
    assert world.loads() == [A, f"{A}:refused"]


def test_if_each_file_is_refused_alone_with_one_number_the_table_is_at_fault(
    world: World,
) -> None:
    """No refusal is recorded, so all files are still pending when the table is mended."""
    world.container.put(A, B, C)
    world.warehouse.fails = dict.fromkeys((A, B, C), BAD_VALUE)
    with pytest.raises(WarehouseRefusedError, match="the table is at fault"):
        world.sweep()
    assert world.warehouse.records_kept == []
    world.warehouse.fails.clear()
    assert world.sweep().synced == [A, B, C]


def test_a_file_that_the_search_cannot_download_does_not_clear_the_table(world: World) -> None:
    """Nothing was loaded, so the table may still be at fault for the others."""
    world.container.put(A, B, C)
    world.warehouse.fails = dict.fromkeys((A, B), BAD_VALUE)

    def archive() -> None:
        world.container.downloads_fail[C] = archived(needs_a_person=False)

    world.warehouse.loading = archive
    with pytest.raises(WarehouseRefusedError, match="the table is at fault"):
        world.sweep()
    assert world.warehouse.records_kept == []


def test_files_that_are_refused_with_different_numbers_are_at_fault_themselves(
    world: World,
) -> None:
    """One fault of the table would give one number."""
    world.container.put(A, B)
    world.warehouse.fails = {A: BAD_VALUE, B: BAD_DATE}
    assert world.sweep().refused == {A: BAD_VALUE.text, B: BAD_DATE.text}


@pytest.mark.parametrize(
    ("run_seconds", "halves", "synced", "left"),
    [
        # The clock is read before the batch and after A, B and C: D fills the batch. Then it is
        # read before each half, and after each file of a half.
        (5, [], [], 4),
        (6, [A], [A], 3),
        (7, [f"{A} {B}"], [A, B], 2),
        (9, [f"{A} {B}", C], [A, B, C], 1),
    ],
)
def test_the_search_for_a_refused_value_ends_with_the_time(
    world: World, run_seconds: int, halves: list[str], synced: list[str], left: int
) -> None:
    """What was not tried is left, and counted once. The next sweep finds the value."""
    world.container.put(A, B, C, D)
    world.warehouse.fails[D] = BAD_VALUE
    report = world.sweep(LIMITS._replace(batch_files=4), run_seconds=run_seconds)
    assert world.loads() == [f"{A} {B} {C} {D}", *halves]
    assert (report.synced, report.refused, report.left) == (synced, {}, left)
    refused = f"{NO_TIME}, after its batch was refused: {BAD_VALUE.text}"
    assert report.oldest_left
    assert report.oldest_left.reason in (NO_TIME, refused)
    later = world.sweep()
    assert (report.synced + later.synced, list(later.refused)) == ([A, B, C], [D])


def test_files_whose_batch_is_refused_are_left_with_the_reason(world: World) -> None:
    """If the table is at fault, the search may never have enough time. So the error names it."""
    world.container.put(A, B)
    world.warehouse.fails = dict.fromkeys((A, B), BAD_VALUE)
    report = world.sweep(run_seconds=5, patience=Patience(1, 0), hours=2)
    assert world.loads() == [f"{A} {B}", A]
    assert (report.refused, report.left) == ({}, 2)
    (error,) = report.overdue
    assert f"{NO_TIME}, after its batch was refused: {BAD_VALUE.text}. See" in str(error)


def test_a_file_that_is_left_is_counted_once_even_if_its_batch_is_refused(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The search has only the files that the sweep could download."""
    world.container.put(A, B, C)
    world.container.downloads_fail[A] = archived()
    world.warehouse.fails[B] = BAD_VALUE
    report = world.sweep()
    assert world.loads() == [f"{B} {C}", B, C, f"{B}:refused"]
    assert (report.synced, list(report.refused), report.left) == ([C], [B], 1)
    assert logged(caplog)[:2] == [
        ("WARNING", f"event_file={A} state=left reason=it is archived"),
        ("WARNING", f"batch=refused files=2 reason={BAD_VALUE.text}"),
    ]


# -- all together


@pytest.mark.parametrize("seed", range(60))
def test_each_pending_file_is_loaded_refused_or_left_exactly_once(world: World, seed: int) -> None:
    """Files, faults and times are random. Later sweeps with time bring the rest.

    A full sweep also repeats what is loaded, or counts it as to repeat.
    """
    chance = random.Random(seed)
    names = [blob_name(BEGUN_AT, number) for number in range(chance.randint(1, 9))]
    # Two files that are refused alone have different numbers, so the table is never at fault.
    errors = {name: DataRefusedError(f"{name} is bad", number) for number, name in enumerate(names)}
    for name in names:
        content = chance.choice((GOOD, GOOD, GOOD, DAMAGED))
        world.container.put(name, content=content, declared=chance.choice((None, None, "")))
        if chance.random() < 0.2:
            world.warehouse.fails[name] = errors[name]
        if chance.random() < 0.2:
            world.container.downloads_fail[name] = archived(needs_a_person=chance.random() < 0.5)
    world.container.page_files = chance.randint(1, 5)
    limits = LIMITS._replace(batch_files=chance.randint(1, 5))
    settled: set[str] = set()
    for full in (False, False, True, False):
        before = settled
        report = world.sweep(limits, run_seconds=chance.randint(1, 12), full=full)
        told = [*report.synced, *report.refused]
        assert len(told) == len(set(told))
        assert set(told).isdisjoint(before) or full
        settled = before | set(told)
        repeated = len(before) if full else 0
        assert len(told) + report.left + report.to_repeat == len(names) - len(before) + repeated
        assert report.left == len(names) - len(settled)
        assert {record.event_file for record in world.warehouse.records_kept} == settled
    world.container.downloads_fail.clear()
    report = world.sweep(limits)
    assert settled | {*report.synced, *report.refused} == set(names)
    assert (report.left, world.sweep(limits).files) == (0, len(names))


# -- the disk


def test_while_a_batch_is_loaded_only_its_rows_are_on_the_disk(
    world: World, tmp_path: Path
) -> None:
    """An event file is removed as soon as its rows are staged or it is refused."""
    world.container.put(A, B)
    world.container.put(C, content=DAMAGED)
    world.sweep()
    folder = "sf-delete-tracker-sweep"
    assert world.warehouse.on_disk == [
        [
            folder,
            f"{folder}/sf-delete-tracker-batch",
            f"{folder}/sf-delete-tracker-batch/rows_0001.ndjson.gz",
            f"{folder}/sf-delete-tracker-files",
        ]
    ]
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_loaded_by_halves_are_in_the_same_folder(
    world: World, tmp_path: Path
) -> None:
    """If the sweep is killed, a later one finds and removes that folder."""
    world.container.put(A, B)
    world.warehouse.fails[B] = BAD_VALUE
    world.sweep()
    folder = "sf-delete-tracker-sweep"
    assert world.warehouse.on_disk[1] == [
        folder,
        f"{folder}/sf-delete-tracker-batch",
        f"{folder}/sf-delete-tracker-batch/rows_0001.ndjson.gz",
        f"{folder}/sf-delete-tracker-files",
        f"{folder}/sf-delete-tracker-files",
    ]
    assert world.warehouse.on_disk[-1] == world.warehouse.on_disk[0]
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_disappears_from_the_disk_is_not_refused(world: World) -> None:
    """The next sweep downloads it again."""
    world.container.put(A)
    world.container.downloads_fail[A] = None
    with pytest.raises(LocalStorageError, match=f"^event file {A}: No such file or directory"):
        world.sweep()
    assert world.steps[-1] == "disconnect"
    assert world.warehouse.records_kept == []
