"""How the rows of a batch become compressed files, and what happens if the disk is full."""

from __future__ import annotations

import gzip
import json
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from local.disk import no_file_larger_than

from delete_sync.src.errors import LocalStorageError, RefusedFileError
from delete_sync.src.model import LONGEST_ERROR, Batch, EventBlob, Figures, StagedFile
from delete_sync.src.warehouse.staging import BatchWriter, batch_writer

FIRST, LAST = "2026-02-01T00:00:00.123", "2026-02-01T00:00:01.456"
SHA256 = "f" * 64
MEGABYTE = 1_000_000  # Python may keep up to two thirds of it in its buffers


class Rows:
    """The rows of one event file, already made into lines.

    Args:
        portions: each has a number of lines, and these lines.
        figures: numbers of deletes, rejects, gaps and polls. By default all lines are deletes.
        damaged: whether the file is unreadable after these portions.
    """

    def __init__(
        self,
        *portions: tuple[int, bytes],
        figures: tuple[int, int, int, int] | None = None,
        damaged: bool = False,
    ) -> None:
        self._portions = portions
        deletes, *others = figures or (sum(count for count, _ in portions), 0, 0, 0)
        rejected, gaps, polls = others
        self._figures = Figures(deletes, rejected, gaps, FIRST, LAST, polls)
        self._damaged = damaged
        self._read = False

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """The portions as given."""
        yield from self._portions
        if self._damaged:
            raise RefusedFileError("a page is unreadable")
        self._read = True

    def figures(self) -> Figures:
        """The figures as given. They are known after the last line."""
        assert self._read
        return self._figures


def noise(size: int) -> bytes:
    """Bytes that compression does not make smaller. They are the same for each call."""
    return random.Random(size).randbytes(size)


def blob(name: str) -> EventBlob:
    return EventBlob(name, 4096, "etag", "")


def stage(scratch: Path, rows: Rows) -> None:
    """Write a whole batch, as a sweep does."""
    with batch_writer(scratch, "s1", 2) as writer:
        writer.add(rows, blob("a.db"), SHA256)
        writer.finish()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def content(batch: Batch) -> bytes:
    """The rows in all compressed files of the batch, in the order of their names.

    The lines about the event files come behind them and are left out.
    """
    rows, _, _ = _content(batch).partition(b'{"kind": "file"')
    return rows


def file_lines(batch: Batch) -> list[dict[str, Any]]:
    """The lines about the event files of the batch."""
    _, begin, rest = _content(batch).partition(b'{"kind": "file"')
    return [json.loads(line) for line in (begin + rest).splitlines()]


def _content(batch: Batch) -> bytes:
    parts = sorted(batch.parts.parent.glob(batch.parts.name))
    return b"".join(gzip.decompress(part.read_bytes()) for part in parts)


# -- batches


def test_the_rows_of_all_files_are_in_the_batch_in_their_order(tmp_path: Path) -> None:
    """Small files share one compressed file. The batch says how many rows it has, by kind."""
    writer = BatchWriter(tmp_path, "s1", 2)
    rows = Rows((7, b"1\n2\n3\n4\n5\n6\n7\n"), (3, b"8\n9\n10\n"), figures=(4, 3, 2, 1))
    writer.add(rows, blob("a.db"), SHA256)
    assert writer.lines == 10
    writer.add(Rows((1, b"11\n"), (1, b"12\n")), blob("b.db"), SHA256)
    assert writer.lines == 12
    batch = writer.finish()
    assert batch == Batch(
        (
            StagedFile(blob("a.db"), SHA256, Figures(4, 3, 2, FIRST, LAST, 1)),
            StagedFile(blob("b.db"), SHA256, Figures(2, 0, 0, FIRST, LAST, 0)),
        ),
        parts=tmp_path / "rows_*.ndjson.gz",
        lines=14,
    )
    assert batch.figures == Figures(6, 3, 2, None, None, 1)
    assert batch.figures.rows == 12
    assert names(tmp_path) == ["rows_0001.ndjson.gz"]
    assert content(batch) == b"1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n"


def test_a_line_for_each_file_comes_behind_the_rows(tmp_path: Path) -> None:
    """The statement that writes the load records reads it. Rows of all kinds are staged."""
    writer = BatchWriter(tmp_path, "s1", 2)
    writer.add(Rows((10, b"1\n" * 10), figures=(4, 3, 2, 1)), blob("a.db"), SHA256)
    assert file_lines(writer.finish()) == [
        {
            "kind": "file",
            "event_file": "a.db",
            "sha256": SHA256,
            "length": 4096,
            "etag": "etag",
            "sweep_id": "s1",
            "reader": 2,
            "rows_staged": 10,
            "rows_read": 7,
            "rows_rejected": 3,
            "gaps": 2,
            "first_event_at": FIRST,
            "last_event_at": LAST,
            "error": None,
        }
    ]


def test_a_refused_file_has_a_line_with_the_reason(tmp_path: Path) -> None:
    """It has no rows. The reason is one line, and not longer than its column."""
    writer = BatchWriter(tmp_path, "s1", 2)
    writer.refuse(blob("a.db"), SHA256, "it is\n  damagé " + "x" * 1000)
    batch = writer.finish()
    error = "it is damagé " + "x" * (LONGEST_ERROR - len("it is damagé "))
    assert batch.files == (StagedFile(blob("a.db"), SHA256, None, error),)
    assert file_lines(batch) == [
        {
            "kind": "file",
            "event_file": "a.db",
            "sha256": SHA256,
            "length": 4096,
            "etag": "etag",
            "sweep_id": "s1",
            "reader": 2,
            "rows_staged": 0,
            "rows_read": 0,
            "rows_rejected": 0,
            "gaps": 0,
            "first_event_at": None,
            "last_event_at": None,
            "error": error,
        }
    ]
    assert (batch.lines, batch.figures.rows) == (1, 0)
    assert error.encode() in _content(batch)  # readable in the staging table, not escaped


def test_a_batch_without_rows_still_has_the_lines_of_its_files(tmp_path: Path) -> None:
    """A refused file is in the batch only for its load record. So is a file without rows."""
    writer = BatchWriter(tmp_path, "s1", 2)
    writer.refuse(blob("a.db"), SHA256, "it is not a SQLite file")
    writer.add(Rows(), blob("b.db"), SHA256)
    batch = writer.finish()
    assert (content(batch), batch.lines) == (b"", 2)
    assert [line["event_file"] for line in file_lines(batch)] == ["a.db", "b.db"]


def test_a_batch_without_files_has_no_compressed_file(tmp_path: Path) -> None:
    """The sweep could download none of them."""
    batch = BatchWriter(tmp_path, "s1", 2).finish()
    assert batch == Batch((), tmp_path / "rows_*.ndjson.gz", 0)
    assert names(tmp_path) == []


def test_rows_are_compressed_at_the_fastest_level(tmp_path: Path) -> None:
    """The header of a gzip file has the level: 4 is the fastest (RFC 1952)."""
    writer = BatchWriter(tmp_path, "s1", 2)
    writer.add(Rows((1, b"1\n")), blob("a.db"), SHA256)
    writer.finish()
    assert (tmp_path / "rows_0001.ndjson.gz").read_bytes()[8] == 4


def test_the_thread_that_compresses_has_compressor_in_its_name(tmp_path: Path) -> None:
    """A stack dump of a sweep that hangs shows what the sweep waits for."""
    names: set[str] = set()

    class Watched(Rows):
        def lines(self) -> Iterator[tuple[int, bytes]]:
            for portion in super().lines():
                yield portion
                names.update(thread.name for thread in threading.enumerate())

    BatchWriter(tmp_path, "s1", 2).add(Watched((1, b"1\n"), (1, b"2\n")), blob("a.db"), SHA256)
    assert "compressor_0" in names


# -- size of the compressed files


def test_a_large_batch_is_cut_into_several_compressed_files(tmp_path: Path) -> None:
    """Snowflake loads these files in parallel.

    The rows of one event file may be in several of them.
    """
    portions = [noise(2 * MEGABYTE + number) for number in range(5)]
    writer = BatchWriter(tmp_path, "s1", 2, part_bytes=3 * MEGABYTE)
    writer.add(Rows(*((1, portion) for portion in portions[:3])), blob("a.db"), SHA256)
    writer.add(Rows(*((1, portion) for portion in portions[3:])), blob("b.db"), SHA256)
    batch = writer.finish()
    assert names(tmp_path) == [f"rows_000{number}.ndjson.gz" for number in (1, 2, 3)]
    assert content(batch) == b"".join(portions)
    assert all(path.stat().st_size < 5 * MEGABYTE for path in tmp_path.iterdir())


def test_a_compressed_file_is_full_at_exactly_its_size(tmp_path: Path) -> None:
    """The size on the disk counts, without what Python has not written yet.

    ``finish`` would add the lines of the files, perhaps in another compressed file.
    """
    folders = [tmp_path / name for name in ("measured", "full", "not_full")]
    for folder in folders:
        folder.mkdir()
    portion = (1, noise(MEGABYTE))
    measured, full, not_full = folders
    writer = BatchWriter(measured, "s1", 2)
    writer.add(Rows(portion), blob("a.db"), SHA256)
    (size,) = (path.stat().st_size for path in measured.iterdir())
    writer.abandon()
    for folder, part_bytes in ((full, size), (not_full, size + 1)):
        writer = BatchWriter(folder, "s1", 2, part_bytes=part_bytes)
        writer.add(Rows(portion, portion), blob("a.db"), SHA256)
        writer.abandon()
    assert (len(names(full)), len(names(not_full))) == (2, 1)


@pytest.mark.parametrize(("size", "parts"), [(2 * MEGABYTE, 1), (9 * MEGABYTE, 3)])
def test_by_default_a_compressed_file_has_about_eight_megabytes(
    tmp_path: Path, size: int, parts: int
) -> None:
    """The connector holds four compressed files in memory."""
    writer = BatchWriter(tmp_path, "s1", 2)
    writer.add(Rows(*[(1, noise(size))] * 3), blob("a.db"), SHA256)
    writer.abandon()
    assert len(names(tmp_path)) == parts


# -- damaged files


def test_rows_of_a_file_that_turns_out_to_be_damaged_are_unwanted(tmp_path: Path) -> None:
    """The rows are already compressed.

    So the batch names the event file, and the loader drops its rows.
    """
    writer = BatchWriter(tmp_path, "s1", 2)
    writer.add(Rows((1, b"1\n")), blob("a.db"), SHA256)
    with pytest.raises(RefusedFileError, match="a page is unreadable"):
        writer.add(Rows((1, b"2\n"), (1, b"3\n"), damaged=True), blob("b.db"), SHA256)
    writer.add(Rows((1, b"4\n")), blob("c.db"), SHA256)
    batch = writer.finish()
    assert [file.name for file in batch.files] == ["a.db", "c.db"]
    assert (batch.lines, batch.figures.rows, batch.unwanted) == (6, 2, ("b.db",))
    assert content(batch) == b"1\n2\n3\n4\n"


# -- the disk


def test_the_folder_of_a_batch_is_inside_the_folder_of_the_sweep(tmp_path: Path) -> None:
    """The folder of a batch is removed with all its files, also after an error."""
    with batch_writer(tmp_path, "s1", 2) as writer:
        writer.add(Rows((1, b"1\n")), blob("a.db"), SHA256)
        (folder,) = tmp_path.iterdir()
        assert folder.name.startswith("sf-delete-tracker-batch-")
        assert names(folder) == ["rows_0001.ndjson.gz"]
    assert names(tmp_path) == []
    with pytest.raises(RefusedFileError):
        stage(tmp_path, Rows((1, b"1\n"), damaged=True))
    assert names(tmp_path) == []


@pytest.mark.parametrize("room", [100_000, 499_000])
def test_a_disk_that_is_full_while_rows_are_staged_is_reported(tmp_path: Path, room: int) -> None:
    """The disk may be full in the middle of the rows, or only at the last bytes."""
    with (
        no_file_larger_than(room),
        pytest.raises(LocalStorageError, match=r"^rows of a batch: File too large"),
    ):
        stage(tmp_path, Rows((1, noise(250_000)), (1, noise(249_999))))
    assert names(tmp_path) == []


def test_a_folder_that_disappears_is_reported(tmp_path: Path) -> None:
    """The folder may be gone before the first compressed file, or before the next one."""
    message = r"^rows of a batch: No such file or directory"
    writer = BatchWriter(tmp_path / "absent", "s1", 2)
    with pytest.raises(LocalStorageError, match=message):
        writer.add(Rows((1, b"1\n")), blob("a.db"), SHA256)
    writer = BatchWriter(tmp_path, "s1", 2)
    writer.add(Rows((1, b"1\n")), blob("a.db"), SHA256)
    (tmp_path / "rows_0001.ndjson.gz").unlink()
    with pytest.raises(LocalStorageError, match=message):
        writer.add(Rows((1, b"2\n")), blob("b.db"), SHA256)
    writer.abandon()
