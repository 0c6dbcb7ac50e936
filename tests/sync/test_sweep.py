"""The rules of a sweep: the order of its steps, when a batch is full, what happens to a file.

The container and the warehouse are in memory and record each step. The event files are real.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import itertools
import json
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from contract.make_files import DELETES

from delete_sync.src.errors import (
    ChangedBlobError,
    DataRefusedError,
    LocalStorageError,
    StorageRefusedError,
    StorageUnavailableError,
    WarehouseUnavailableError,
)
from delete_sync.src.event_files.event_file import FORMAT_VERSION
from delete_sync.src.model import Batch, EventBlob, Figures, Loaded, StagedFile
from delete_sync.src.report import Report
from delete_sync.src.sync import Limits, sweep
from salesforce_client.src.app.storage.blobs import blob_name
from salesforce_client.src.app.storage.event_file import EventFile as Writer

BEGUN_AT = datetime(2026, 2, 1, tzinfo=timezone.utc)
A, B, C, D = (blob_name(BEGUN_AT, number) for number in range(4))
CONTRACT = Path(__file__).resolve().parent.parent / "contract"
# Six rows: two deletes, a reject, a gap and two polls.
GOOD = (CONTRACT / f"golden/v{FORMAT_VERSION}.db").read_bytes()
ROWS = 6
FIGURES = Figures(2, 1, 1, "2026-01-31T23:59:59.123", "2026-02-01T00:00:00.000", 2)
DAMAGED = (CONTRACT / "broken/not_sqlite.db").read_bytes()
# By default, all files of a test fit into one batch, and they are marked one after another.
LIMITS = Limits(run_seconds=1000, merge_rows=1000, marks_at_once=1)
BAD_VALUE = DataRefusedError("100069: Error parsing JSON.")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


SYNCED = {"sha256": sha256(GOOD), "synced": sha256(GOOD)}
REFUSED = {"refused": f"{sha256(GOOD)};{FORMAT_VERSION}"}


class Container:
    """Event files in memory. It implements the port ``Store`` and records each step.

    Attributes:
        blobs: the list of the container.
        marks: name, SHA-256, ``synced`` and ``reader_version`` of each mark.
        is_free: whether the sweep gets the lease.
        while_waiting: runs while the sweep waits for the lease.
        downloads_fail: what the download of a file raises. None: the local file disappears.
        marks_fail: what the mark of a file raises. None: the file has changed.
        mark_seconds: how long a mark takes.
        most_marks_at_once: how many marks were written at once at most.
    """

    def __init__(self, steps: list[str]) -> None:
        self.blobs: list[EventBlob] = []
        self.marks: list[tuple[str, str, bool, int]] = []
        self.is_free = True
        self.while_waiting: Callable[[], object] = lambda: None
        self.downloads_fail: dict[str, Exception | None] = {}
        self.marks_fail: dict[str, Exception | None] = {}
        self.mark_seconds = 0.0
        self.most_marks_at_once = 0
        self._steps = steps
        self._contents: dict[str, bytes] = {}
        self._marking = 0
        self._lock = threading.Lock()

    def put(
        self,
        *names: str,
        content: bytes = GOOD,
        metadata: Mapping[str, str] | None = None,
        day: int = 1,
    ) -> None:
        """Add files with the same content. They were last modified on this day."""
        for name in names:
            self._contents[name] = content
            modified = BEGUN_AT + timedelta(days=day)
            self.blobs.append(EventBlob(name, len(content), "etag", metadata or {}, modified))

    def set_metadata(self, name: str, metadata: Mapping[str, str]) -> None:
        """Mark a file, as another sweep does."""
        self.blobs = [
            replace(blob, metadata=metadata) if blob.name == name else blob for blob in self.blobs
        ]

    def event_files(self) -> list[EventBlob]:
        """All files, in the order in which they were added."""
        self._steps.append("list")
        return list(self.blobs)

    def download(self, blob: EventBlob, path: Path) -> str:
        """Write the file. This is no step, because files are downloaded ahead."""
        content = self._contents[blob.name]
        if blob.name in self.downloads_fail:
            error = self.downloads_fail[blob.name]
            if error:
                raise error
        else:
            path.write_bytes(content)
        return sha256(content)

    def mark(self, blob: EventBlob, sha256: str, *, synced: bool, reader_version: int) -> bool:
        """Record the mark, unless the test lets it fail."""
        with self._lock:
            self._steps.append(f"mark {blob.name}")
            self._marking += 1
            self.most_marks_at_once = max(self.most_marks_at_once, self._marking)
        time.sleep(self.mark_seconds)
        with self._lock:
            self._marking -= 1
        if blob.name in self.marks_fail:
            error = self.marks_fail[blob.name]
            if error:
                raise error
            return False
        self.marks.append((blob.name, sha256, synced, reader_version))
        return True

    @contextlib.contextmanager
    def sole_sweep(self) -> Iterator[bool]:
        """Record when the sweep takes the lease and when it releases it."""
        self.while_waiting()
        if not self.is_free:
            yield False
            return
        self._steps.append("lease")
        try:
            yield True
        finally:
            self._steps.append("release")


class Warehouse:
    """Accepts batches. It implements the port ``Target`` and records each step.

    Attributes:
        batches: the batches that it has accepted.
        lines: the rows of these batches.
        on_disk: for each batch, accepted or not, the temporary files at that time.
        fails: what a batch with rows of this file raises.
    """

    def __init__(self, steps: list[str], temporary: Path) -> None:
        self.batches: list[Batch] = []
        self.lines: list[dict[str, Any]] = []
        self.on_disk: list[list[str]] = []
        self.fails: dict[str, Exception] = {}
        self._steps = steps
        self._temporary = temporary

    def prepare(self) -> None:
        """Record only the step."""
        self._steps.append("prepare")

    def load(self, batch: Batch) -> Loaded:
        """Read the rows from the compressed files, and count each delete as inserted."""
        files = [file.name if file.figures else f"{file.name}:refused" for file in batch.files]
        self._steps.append(" ".join(["load", *files]))
        self.on_disk.append(files_below(self._temporary))
        for file in batch.files:
            if file.figures and file.name in self.fails:
                raise self.fails[file.name]
        self.batches.append(batch)
        lines = rows(batch)
        self.lines += lines
        gaps, rejects = (sum(line["kind"] == kind for line in lines) for kind in ("gap", "reject"))
        return Loaded(batch.lines, batch.deletes, gaps, rejects)


def rows(batch: Batch) -> list[dict[str, Any]]:
    """The rows in the compressed files of a batch."""
    if batch.parts is None:
        return []
    parts = sorted(batch.parts.parent.glob(batch.parts.name))
    text = b"".join(gzip.decompress(part.read_bytes()) for part in parts)
    return [json.loads(line) for line in text.splitlines()]


def files_below(folder: Path) -> list[str]:
    """All files and folders below a folder, without the random end of a folder's name."""
    paths = (str(path.relative_to(folder)) for path in folder.rglob("*"))
    return sorted(re.sub(r"-\w{8}(?=/|$)", "", path) for path in paths)


class World:
    """A container, a warehouse, and the steps that a sweep takes with them."""

    def __init__(self, temporary: Path) -> None:
        self.steps: list[str] = []
        self.container = Container(self.steps)
        self.warehouse = Warehouse(self.steps, temporary)

    @contextlib.contextmanager
    def connect(self) -> Iterator[Warehouse]:
        """Record when the sweep opens its session and when it closes it."""
        self.steps.append("connect")
        try:
            yield self.warehouse
        finally:
            self.steps.append("disconnect")

    def sweep(self, limits: Limits = LIMITS, *, full: bool = False) -> Report:
        """Run a sweep. Each time it reads the clock, a second has passed."""
        clock = itertools.count().__next__
        return sweep(self.container, self.connect, "s1", full=full, limits=limits, clock=clock)

    def loads(self) -> list[str]:
        """The names of the files of each batch that the warehouse was given."""
        return [step[len("load ") :] for step in self.steps if step.startswith("load")]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """An empty container. The machine's temporary directory is ``tmp_path``."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return World(tmp_path)


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records]


# -- steps


def test_files_are_marked_only_after_their_batch_is_loaded(world: World) -> None:
    """The sweep holds the lease from before the second list until after the last mark."""
    world.container.put(A, B, C)
    world.sweep(replace(LIMITS, batch_files=2))
    assert world.steps == [
        "list",
        "lease",
        "list",
        "connect",
        "prepare",
        f"load {A} {B}",
        f"mark {A}",
        f"mark {B}",
        f"load {C}",
        f"mark {C}",
        "disconnect",
        "release",
    ]


def test_a_batch_has_the_rows_of_its_files(world: World) -> None:
    """The batch also has the name, SHA-256 and figures of each file, for the load records."""
    world.container.put(A, B)
    report = world.sweep()
    (batch,) = world.warehouse.batches
    assert batch.files == (
        StagedFile(A, sha256(GOOD), FIGURES),
        StagedFile(B, sha256(GOOD), FIGURES),
    )
    assert (batch.lines, batch.deletes, batch.unwanted) == (2 * ROWS, 4, ())
    assert [line["kind"] for line in world.warehouse.lines] == [
        "delete",
        "delete",
        "reject",
        "gap",
        "poll",
        "poll",
    ] * 2
    assert [line["event_file"] for line in world.warehouse.lines if line["kind"] == "delete"] == [
        A,
        A,
        B,
        B,
    ]
    assert report == Report(
        "s1", files=2, synced=[A, B], staged=12, inserted=4, gaps=2, rejects=2, batches=1
    )


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
    assert [line["reject_id"] for line in world.warehouse.lines] == [f"{sha256(content)}:1"]


def test_without_a_new_file_the_sweep_does_not_connect(world: World) -> None:
    """The sweep does not even take the lease."""
    assert world.sweep() == Report("s1")
    world.container.put(A, metadata=SYNCED)
    world.container.put(B, metadata=REFUSED)
    assert world.sweep() == Report("s1", files=2, refused_before=1)
    assert world.steps == ["list", "list"]


def test_a_sweep_is_skipped_if_another_one_holds_the_lease(world: World) -> None:
    """The report says that the sweep was skipped, and no file is read."""
    world.container.put(A)
    world.container.is_free = False
    assert world.sweep() == Report("s1", files=1, skipped=True)
    assert world.steps == ["list"]


def test_files_that_another_sweep_loads_meanwhile_are_not_loaded_again(world: World) -> None:
    """While this sweep waits for the lease, the other one marks files, and new files arrive."""

    def other_sweep() -> None:
        world.container.set_metadata(A, SYNCED)
        world.container.put(C)

    world.container.put(A, B)
    world.container.while_waiting = other_sweep
    assert world.sweep().files == 3
    assert world.loads() == [f"{B} {C}"]


def test_the_sweep_does_not_connect_if_another_sweep_has_loaded_everything(world: World) -> None:
    """The sweep releases the lease at once."""
    world.container.put(A)
    world.container.while_waiting = lambda: world.container.set_metadata(A, SYNCED)
    assert world.sweep() == Report("s1", files=1)
    assert world.steps == ["list", "lease", "list", "release"]


def test_a_failed_load_ends_the_sweep_and_leaves_its_files_unmarked(world: World) -> None:
    """Earlier batches stay loaded and marked. The session is closed and the lease is released."""
    world.container.put(A, B, C)
    world.warehouse.fails[B] = WarehouseUnavailableError("the session was lost")
    with pytest.raises(WarehouseUnavailableError):
        world.sweep(replace(LIMITS, batch_files=1))
    assert world.steps[-5:] == [f"load {A}", f"mark {A}", f"load {B}", "disconnect", "release"]


# -- which files


def test_a_refused_file_is_read_again_only_by_a_newer_reader(world: World) -> None:
    """The report counts the files that this format version has refused before."""
    world.container.put(A, metadata=REFUSED)
    world.container.put(B, metadata={"refused": f"{sha256(GOOD)};{FORMAT_VERSION - 1}"})
    world.container.put(C, metadata=REFUSED)
    report = world.sweep()
    assert (report.refused_before, world.loads()) == (2, [B])


def test_a_full_sweep_reads_new_files_first_and_then_the_oldest_marks(world: World) -> None:
    """A full sweep also reads synced and refused files. So several full sweeps read all files."""
    world.container.put(A, metadata=SYNCED, day=4)
    world.container.put(B, day=3)
    world.container.put(C, metadata=REFUSED, day=2)
    world.container.put(D, day=1)
    report = world.sweep(full=True)
    assert world.loads() == [f"{D} {B} {C} {A}"]
    assert (report.files, report.refused_before) == (4, 0)


# -- when a batch is full


@pytest.mark.parametrize(
    ("bounds", "batches", "left"),
    [
        ({}, [4], 0),
        ({"merge_rows": 2 * ROWS}, [2, 2], 0),
        ({"merge_rows": 2 * ROWS + 1}, [3, 1], 0),
        ({"merge_rows": 1}, [1, 1, 1, 1], 0),
        ({"batch_files": 2}, [2, 2], 0),
        ({"batch_files": 3}, [3, 1], 0),
        # The sweep reads the clock before each batch, and after each file that does not fill it.
        ({"run_seconds": 1}, [], 4),
        ({"run_seconds": 2}, [1], 3),
        ({"run_seconds": 4}, [3], 1),
        ({"run_seconds": 2, "batch_files": 1}, [1], 3),
        ({"run_seconds": 4, "batch_files": 1}, [1, 1, 1], 1),
    ],
)
def test_a_batch_is_full_by_rows_by_files_or_at_the_end_of_the_time(
    world: World, bounds: dict[str, int], batches: list[int], left: int
) -> None:
    """At the end of the time, rows that are already staged are still loaded. The rest is left."""
    world.container.put(A, B, C, D)
    report = world.sweep(replace(LIMITS, **bounds))
    assert [len(batch.files) for batch in world.warehouse.batches] == batches
    assert (len(report.synced), report.left, report.batches) == (sum(batches), left, len(batches))


def test_by_default_a_batch_has_at_most_500_files(world: World) -> None:
    """Even small files take time to be marked after the merge."""
    world.container.put(*(blob_name(BEGUN_AT, number) for number in range(501)), content=DAMAGED)
    limits = Limits(run_seconds=60, merge_rows=1_000_000)
    sweep(world.container, world.connect, "s1", full=False, limits=limits)
    assert [len(batch.files) for batch in world.warehouse.batches] == [500, 1]


# -- what happens to a file


def test_a_file_that_changed_after_it_was_listed_is_left(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The next sweep reads the changed file. The other files are loaded."""
    world.container.put(A, B, C, D)
    world.container.downloads_fail[B] = ChangedBlobError(f"{B}: it was archived")
    report = world.sweep(replace(LIMITS, batch_files=3))
    assert world.loads() == [f"{A} {C}", D]
    assert (report.synced, report.left) == ([A, C, D], 1)
    assert logged(caplog) == [
        ("WARNING", f"event_file={B} state=left reason={B}: it was archived"),
    ]


def test_files_that_changed_and_files_without_time_are_left_together(world: World) -> None:
    """The report has one number for both."""
    world.container.put(A, B, C, D)
    for name in (A, B):
        world.container.downloads_fail[name] = ChangedBlobError("it was removed")
    report = world.sweep(replace(LIMITS, run_seconds=2))
    assert (world.loads(), report.left) == ([C], 3)


@pytest.mark.parametrize(
    ("content", "metadata", "reason"),
    [
        (DAMAGED, {}, "it is not a SQLite file"),
        (
            GOOD,
            {"sha256": "0" * 64},
            "its content does not match the SHA-256 in its metadata: it is damaged or was changed",
        ),
    ],
)
def test_a_refused_file_is_recorded_and_marked_and_does_not_stop_the_others(
    world: World,
    caplog: pytest.LogCaptureFixture,
    content: bytes,
    metadata: dict[str, str],
    reason: str,
) -> None:
    """The mark has the reader's format version, so a reader of a newer version tries again."""
    world.container.put(A)
    world.container.put(B, content=content, metadata=metadata)
    world.container.put(C)
    report = world.sweep()
    (batch,) = world.warehouse.batches
    assert batch.files == (
        StagedFile(A, sha256(GOOD), FIGURES),
        StagedFile.refused(B, sha256(content), reason),
        StagedFile(C, sha256(GOOD), FIGURES),
    )
    assert world.container.marks == [
        (A, sha256(GOOD), True, FORMAT_VERSION),
        (B, sha256(content), False, FORMAT_VERSION),
        (C, sha256(GOOD), True, FORMAT_VERSION),
    ]
    assert (report.synced, report.refused) == ([A, C], {B: reason})
    assert logged(caplog) == [("ERROR", f"event_file={B} state=refused reason={reason}")]


def test_only_the_file_with_a_refused_value_is_refused(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The batch of that file is rolled back, and each of its files is loaded alone.

    Then the sweep goes on.
    """
    world.container.put(A, B, C, D)
    world.warehouse.fails[B] = BAD_VALUE
    report = world.sweep(replace(LIMITS, batch_files=3))
    assert world.loads() == [f"{A} {B} {C}", A, B, f"{B}:refused", C, D]
    reason = f"Snowflake refuses a value in this file: {BAD_VALUE}"
    assert world.warehouse.batches[1] == Batch((StagedFile.refused(B, sha256(GOOD), reason),))
    assert [(name, synced) for name, _, synced, _ in world.container.marks] == [
        (A, True),
        (B, False),
        (C, True),
        (D, True),
    ]
    assert (report.synced, report.refused) == ([A, C, D], {B: reason})
    assert (report.batches, report.inserted, report.left) == (4, 6, 0)
    assert logged(caplog) == [
        ("WARNING", f"batch=refused files=3 reason={BAD_VALUE}"),
        ("ERROR", f"event_file={B} state=refused reason={reason}"),
    ]


def test_a_file_that_is_left_is_counted_once_even_if_its_batch_is_refused(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The sweep loads only the files alone that it could download."""
    world.container.put(A, B, C)
    world.container.downloads_fail[A] = ChangedBlobError("it was archived")
    world.warehouse.fails[B] = BAD_VALUE
    report = world.sweep()
    assert world.loads() == [f"{B} {C}", B, f"{B}:refused", C]
    assert (report.synced, list(report.refused), report.left) == ([C], [B], 1)
    assert logged(caplog)[:2] == [
        ("WARNING", f"event_file={A} state=left reason=it was archived"),
        ("WARNING", f"batch=refused files=2 reason={BAD_VALUE}"),
    ]


def test_a_batch_of_which_no_file_can_be_downloaded_is_not_loaded(world: World) -> None:
    """The warehouse has nothing to do, and the report counts no batch."""
    world.container.put(A, B)
    for name in (A, B):
        world.container.downloads_fail[name] = ChangedBlobError("it was archived")
    report = world.sweep()
    assert (world.loads(), report.batches, report.left) == ([], 0, 2)


# -- marks


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (
            StorageUnavailableError("no answer"),
            f"event_file={A} mark=failed reason=no answer",
        ),
        (
            StorageRefusedError("no right to write"),
            f"event_file={A} mark=failed reason=no right to write",
        ),
        (
            None,
            f"event_file={A} mark=skipped reason=the blob has changed since it was listed",
        ),
    ],
)
def test_a_mark_that_cannot_be_written_is_only_logged(
    world: World, caplog: pytest.LogCaptureFixture, failure: Exception | None, message: str
) -> None:
    """The rows are loaded. A later sweep reads the file again and inserts nothing."""
    world.container.put(A, B)
    world.container.marks_fail[A] = failure
    report = world.sweep()
    assert (report.synced, [mark[0] for mark in world.container.marks]) == ([A, B], [B])
    assert logged(caplog) == [("WARNING", message)]


def test_several_files_are_marked_at_the_same_time(world: World) -> None:
    """Each mark waits for an answer of Blob Storage, so marking one by one would take longer."""
    world.container.put(A, B, C, D)
    world.container.mark_seconds = 0.05
    world.sweep(replace(LIMITS, marks_at_once=2))
    assert world.container.most_marks_at_once == 2


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


def test_files_that_are_loaded_one_by_one_are_in_the_same_folder(
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
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_disappears_from_the_disk_is_not_refused(world: World) -> None:
    """The next sweep downloads it again."""
    world.container.put(A)
    world.container.downloads_fail[A] = None
    with pytest.raises(LocalStorageError, match=f"^event file {A}: No such file or directory"):
        world.sweep()
    assert world.steps[-3:] == ["prepare", "disconnect", "release"]
