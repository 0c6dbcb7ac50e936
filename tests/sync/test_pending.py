"""Which event files a sweep loads, in which order, and what it leaves.

The container and the load records are in memory.
"""

from __future__ import annotations

import pytest
from local.in_memory import DAMAGED, GOOD, LIMITS, A, B, C, D, World, sha256

from delete_sync.src.errors import DataRefusedError, UnreadableBlobError
from delete_sync.src.event_files.file_format import FORMAT_VERSION
from delete_sync.src.freshness import Patience
from delete_sync.src.model import EventBlob, LeftFile, LoadRecord
from delete_sync.src.pending import Pending
from delete_sync.src.report import Report

DIGEST = sha256(GOOD)
NO_TIME = "the sweep had no time for it"
ONE_AT_A_TIME = LIMITS._replace(batch_files=1)


def record(
    name: str = A,
    *,
    sha256: str = DIGEST,
    length: int = len(GOOD),
    etag: str = "etag",
    reader: int = FORMAT_VERSION,
    error: str | None = None,
) -> LoadRecord:
    return LoadRecord(name, sha256, length, etag, reader, error)


def pending(world: World, *, full: bool = False) -> tuple[Pending, Report]:
    report = Report("s1")
    files = Pending(
        world.container, world.warehouse, report, reader_version=FORMAT_VERSION, full=full
    )
    return files, report


# -- which files


@pytest.mark.parametrize(
    ("records", "is_pending"),
    [
        ([], True),
        ([record()], False),
        ([record(length=1, etag="other")], False),  # copied to another account
        ([record(reader=FORMAT_VERSION - 1)], False),
        ([record(sha256="0" * 64)], True),
        ([record(sha256="")], True),
        ([record(B)], True),
        ([record(sha256="0" * 64), record()], False),
        ([record(error="it is damaged")], False),
        ([record(error="it is damaged", etag="other")], True),
        ([record(error="it is damaged", length=1)], True),
        ([record(error="it is damaged", reader=FORMAT_VERSION + 1)], False),
        ([record(error="it is newer", reader=FORMAT_VERSION - 1)], True),
        ([record(error="it is newer", reader=FORMAT_VERSION - 1), record()], False),
    ],
    ids=[
        *("no record", "loaded", "loaded from another blob", "loaded by an older reader"),
        *("another digest", "no digest", "another name", "two contents"),
        *("refused", "refused, then changed", "refused, then made shorter"),
        *("refused by a newer reader", "refused by an older reader"),
        "refused, then loaded",
    ],
)
def test_a_file_with_a_digest_is_pending_unless_a_record_settles_it(
    world: World, records: list[LoadRecord], is_pending: bool
) -> None:
    """The content is known by its digest alone."""
    world.container.put(A)
    world.warehouse.records_kept = records
    files, _ = pending(world)
    assert [blob.name for blob in files] == ([A] if is_pending else [])


@pytest.mark.parametrize(
    ("known", "is_pending"),
    [
        (record(), False),
        (record(sha256="0" * 64), False),
        (record(sha256=""), False),
        (record(etag="other"), True),
        (record(length=1), True),
        (record(error="it is newer", reader=FORMAT_VERSION - 1), True),
    ],
    ids=["same", "another digest", "no digest", "another ETag", "another length", "older reader"],
)
def test_a_file_without_a_digest_in_its_metadata_is_known_by_its_length_and_its_etag(
    world: World, known: LoadRecord, is_pending: bool
) -> None:
    """Its digest is not known before the download."""
    world.container.put(A, declared="")
    world.warehouse.records_kept = [known]
    files, _ = pending(world)
    assert [blob.name for blob in files] == ([A] if is_pending else [])


def test_a_file_without_a_digest_is_loaded_only_once(world: World) -> None:
    """The load record has its length and its ETag."""
    world.container.put(A, declared="")
    assert world.sweep().synced == [A]
    assert world.warehouse.records_kept == [record()]
    assert world.sweep().synced == []


def test_a_file_with_new_content_is_pending_again(world: World) -> None:
    """Only ``erase`` replaces a file, and the records of both contents stay."""
    world.container.put(A, content=DAMAGED)
    assert list(world.sweep().refused) == [A]
    world.container.put(A)
    assert world.sweep().synced == [A]
    assert [it.sha256 for it in world.warehouse.records_kept] == [sha256(DAMAGED), DIGEST]
    assert world.sweep() == Report("s1", files=1, newest_file=A)


def test_only_files_whose_record_is_a_refusal_are_counted_as_refused_before(
    world: World,
) -> None:
    """The records of other contents and of other readers do not count."""
    e = "events_20260202T000000Z.db"
    world.container.put(A, B, C, D, e)
    world.warehouse.records_kept = [
        record(A, error="it is damaged"),
        record(e, error="it is damaged"),
        record(B, error="it is newer", reader=FORMAT_VERSION - 1),
        record(C, error="it is damaged"),
        record(C),
        record(D, error="it is damaged", sha256="0" * 64),
        record(D),
    ]
    files, report = pending(world)
    assert [blob.name for blob in files] == [B]
    assert (report.files, report.refused_before) == (5, 2)


# -- page by page


def test_records_are_read_for_one_page_of_the_list_at_a_time(world: World) -> None:
    """The first file is there before the second page is asked for. So memory does not grow."""
    world.container.put(A, B, C)
    world.container.page_files = 2
    files, report = pending(world)
    following = iter(files)
    assert next(following).name == A
    assert world.steps == ["page", f"records {A} {B}"]
    assert (report.files, report.newest_file) == (1, B)
    assert [blob.name for blob in following] == [B, C]
    assert world.steps == ["page", f"records {A} {B}", "page", f"records {C} {C}"]
    assert (report.files, report.newest_file) == (3, C)


def test_pages_without_a_pending_file_are_passed(world: World) -> None:
    """A new file may be on the last page."""
    world.container.put(A, B, C, D)
    world.container.page_files = 1
    world.warehouse.records_kept = [record(A), record(B), record(C)]
    assert world.sweep().synced == [D]


# -- a full sweep


def test_a_full_sweep_loads_pending_files_first_and_then_those_loaded_longest_ago(
    world: World,
) -> None:
    """It also reads refused files again."""
    world.container.put(A, B, D)
    world.container.put(C, content=DAMAGED)
    refused = record(C, length=len(DAMAGED), error="it is damaged")
    world.warehouse.records_kept = [record(B), refused, record(A)]
    report = world.sweep(full=True)
    assert world.loads() == [f"{D} {B} {C}:refused {A} again"]
    assert (report.files, report.synced) == (4, [D, B, A])
    assert (list(report.refused), report.refused_before) == ([C], 0)


def test_several_full_sweeps_without_much_time_load_all_files(world: World) -> None:
    """Each one begins with those that the last one did not load."""
    world.container.put(A, B, C, D)
    world.sweep()
    world.steps.clear()
    for _ in range(3):
        # The clock is read before the batch, after its first file, and before the next batch.
        world.sweep(LIMITS._replace(batch_files=2), run_seconds=3, full=True)
    assert world.loads() == [f"{A} {B} again", f"{C} {D} again", f"{A} {B} again"]


def test_a_pending_file_that_has_a_record_is_loaded_only_once_by_a_full_sweep(
    world: World,
) -> None:
    """A newer reader loads a file that an older one refused. It is pending, and has a record."""
    world.container.put(A, B)
    world.warehouse.records_kept = [
        record(A),
        record(B, error="it is newer", reader=FORMAT_VERSION - 1),
    ]
    report = world.sweep(full=True)
    assert world.loads() == [f"{B} {A} again"]
    assert (report.synced, report.gone) == ([B, A], 0)


def test_a_full_sweep_counts_the_files_that_the_container_has_no_more(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """A lifecycle rule has removed them. Their rows stay in the table, so that is no error."""
    world.container.put(B)
    world.warehouse.records_kept = [record(A), record(B), record(C)]
    report = world.sweep(full=True)
    assert (report.files, report.synced, report.gone, report.left) == (1, [B], 2, 0)
    assert [it.getMessage() for it in caplog.records] == [
        f"event_file={name} state=gone reason=the container has it no more" for name in (A, C)
    ]


def test_a_sweep_that_is_not_full_asks_for_no_file_by_name(world: World) -> None:
    """The list of the container has all that it needs."""
    world.container.put(B)
    world.warehouse.records_kept = [record(A), record(B)]
    assert world.sweep() == Report("s1", files=1, newest_file=B)
    assert not [step for step in world.steps if step.startswith("find")]


# -- what is left


@pytest.mark.parametrize("run_seconds", range(1, 8))
def test_each_file_is_loaded_or_left(world: World, run_seconds: int) -> None:
    """Files that are downloaded ahead, files of the same page and later pages are left alike."""
    names = [A, B, C, D, *(f"events_20260202T00000{number}Z.db" for number in range(6))]
    world.container.put(*names)
    world.container.page_files = 3
    report = world.sweep(ONE_AT_A_TIME, run_seconds=run_seconds)
    loaded = run_seconds - 1
    assert (report.synced, report.left) == (names[:loaded], len(names) - loaded)
    assert (report.files, report.newest_file) == (len(names), names[-1])
    assert report.oldest_left == LeftFile(names[loaded], NO_TIME)
    assert report.to_repeat == 0


@pytest.mark.parametrize(
    ("run_seconds", "left", "to_repeat"),
    [(1, 2, 4), (2, 1, 4), (3, 0, 4), (4, 0, 3), (5, 0, 2), (6, 0, 1), (7, 0, 0)],
)
def test_a_full_sweep_counts_pending_files_and_files_to_repeat_apart(
    world: World, run_seconds: int, left: int, to_repeat: int
) -> None:
    """Only pending files are left. B is pending and has a record, and is counted once."""
    later = [f"events_20260202T00000{number}Z.db" for number in range(2)]
    world.container.put(A, B, C, D, *later)
    world.warehouse.records_kept = [
        record(A),
        record(B, error="it is newer", reader=FORMAT_VERSION - 1),
        record(C),
        *map(record, later),
    ]
    report = world.sweep(ONE_AT_A_TIME, run_seconds=run_seconds, full=True)
    assert len(report.synced) == run_seconds - 1
    assert (report.left, report.to_repeat) == (left, to_repeat)


def test_a_file_that_cannot_be_downloaded_is_taken_and_not_left_twice(world: World) -> None:
    """The report counts it when the download fails."""
    world.container.put(A, B)
    world.container.downloads_fail[A] = UnreadableBlobError("archived", needs_a_person=True)
    report = world.sweep(run_seconds=2)
    assert (report.left, report.oldest_left) == (2, LeftFile(A, "archived"))


def test_a_loaded_file_that_a_full_sweep_cannot_load_again_is_not_pending(world: World) -> None:
    """An archived file is told, but its rows are in the table. So it is no backlog."""
    world.container.put(A, B)
    world.sweep()
    world.container.put(C, D)
    world.container.downloads_fail = {
        name: UnreadableBlobError("archived", needs_a_person=True) for name in (A, C)
    }
    report = world.sweep(full=True, patience=Patience(1, 0), hours=2)
    assert (report.synced, list(report.unavailable)) == ([D, B], [C, A])
    assert (report.left, report.oldest_left) == (1, LeftFile(C, "archived"))
    assert report.to_repeat == 1
    (backlog,) = report.overdue
    assert str(backlog).startswith(f"{C} is still pending")


def test_loaded_files_that_a_search_has_no_time_for_are_not_pending(world: World) -> None:
    """A full sweep loads a batch by halves too."""
    world.container.put(A, B)
    world.sweep()
    world.container.put(C)
    world.warehouse.fails[C] = DataRefusedError("100069: x", 100069)
    report = world.sweep(run_seconds=5, full=True)
    assert world.loads()[1:] == [f"{C} {A} {B} again"]
    assert (report.left, report.to_repeat) == (1, 2)


def test_a_file_that_was_not_taken_is_left(world: World) -> None:
    """The downloads ask for files ahead. ``take`` says that the sweep has one."""
    world.container.put(A, B, C)
    files, report = pending(world)
    following = iter(files)
    blobs: list[EventBlob] = [next(following), next(following)]
    files.take(blobs[1])
    files.leave_rest()
    assert (report.left, report.oldest_left) == (2, LeftFile(A, NO_TIME))


def test_a_file_that_is_left_twice_counts_once(world: World) -> None:
    """A search for a refused value tries to download a file again with each half."""
    world.container.put(A, B)
    files, report = pending(world)
    for file in files:
        files.take(file)
    for name, reason in ((B, "first"), (B, "second"), (A, "first")):
        files.leave(name, reason)
    assert (report.left, report.oldest_left) == (2, LeftFile(A, "first"))


# -- single files


def test_the_files_that_a_person_names_are_loaded_whatever_their_records_say(world: World) -> None:
    """One was refused, and one is loaded. Others are not even listed."""
    world.container.put(A, B, C, D)
    refused = record(A, error="refused by mistake")
    others = [record(B), record(C, error="it is damaged")]
    world.warehouse.records_kept = [refused, *others]
    report = world.sweep(only=[A, B])
    assert (report.synced, report.files, report.refused_before) == ([A, B], 2, 0)
    assert world.loads() == [f"{A} {B} again"]
    assert others[1] in world.warehouse.records_kept
    assert not [it for it in world.warehouse.records_kept if it.event_file == D]
    assert "page" not in world.steps


def test_named_files_for_which_there_is_no_time_are_left(world: World) -> None:
    world.container.put(A, B)
    report = world.sweep(only=[A, B], run_seconds=1)
    assert (report.synced, report.left) == ([], 2)


def test_a_sweep_of_named_files_judges_and_compares_nothing(world: World) -> None:
    """It does not know what else is pending. Keys that are there twice are still found."""
    world.container.put(A, B)
    world.warehouse.doubled = ["e1"]
    report = world.sweep(only=[B], patience=Patience(1, 1), hours=100)
    assert (report.overdue, report.waiting, report.duplicates) == ([], 0, ["e1"])
    assert not [step for step in world.steps if step.startswith("to compare")]


def test_who_watches_a_sweep_gets_its_report_before_the_first_file(world: World) -> None:
    seen: list[Report] = []
    world.container.put(A)

    def watch(report: Report) -> None:
        seen.append(report)
        assert report.synced == []

    assert world.sweep(watch=watch) is seen[0]
    assert seen[0].synced == [A]
    world.container.put(B)
    assert world.sweep(only=[B], watch=watch) is seen[1]
