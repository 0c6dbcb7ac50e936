"""How the rows of a batch become compressed files, and what happens if the disk is full."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from local.disk import no_file_larger_than

from delete_sync.src.errors import LocalStorageError, RefusedFileError
from delete_sync.src.model import Batch, Figures, StagedFile
from delete_sync.src.warehouse.staging import BatchWriter, batch_writer

TIME = "2026-02-01T00:00:00.123"
SHA256 = "f" * 64
MEGABYTE = 1_000_000  # Python may keep up to two thirds of it in its buffers


class Rows:
    """The rows of one event file, already made into lines.

    Args:
        portions: each has a number of lines, and these lines.
        figures: numbers of deletes, rejects and gaps. By default all lines are deletes.
        damaged: whether the file is unreadable after these portions.
    """

    def __init__(
        self,
        *portions: tuple[int, bytes],
        figures: tuple[int, int, int] | None = None,
        damaged: bool = False,
    ) -> None:
        self._portions = portions
        deletes, rejected, gaps = figures or (sum(count for count, _ in portions), 0, 0)
        self._figures = Figures(deletes, rejected, gaps, TIME, TIME)
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


def stage(scratch: Path, rows: Rows) -> None:
    """Write a whole batch, as a sweep does."""
    with batch_writer(scratch) as writer:
        writer.add(rows, "a.db", SHA256)
        writer.finish()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def content(batch: Batch) -> bytes:
    """What all compressed files of the batch hold, in the order of their names."""
    assert batch.parts
    parts = sorted(batch.parts.parent.glob(batch.parts.name))
    return b"".join(gzip.decompress(part.read_bytes()) for part in parts)


# -- batches


def test_the_rows_of_all_files_are_in_the_batch_in_their_order(tmp_path: Path) -> None:
    """Small files share one compressed file. The batch says how many rows and deletes it has."""
    writer = BatchWriter(tmp_path)
    writer.add(Rows((4, b"1\n2\n3\n4\n"), (3, b"5\n6\n7\n"), figures=(4, 2, 1)), "a.db", SHA256)
    assert writer.lines == 7
    writer.add(Rows((1, b"8\n"), (1, b"9\n")), "b.db", SHA256)
    assert writer.lines == 9
    batch = writer.finish()
    assert batch == Batch(
        (
            StagedFile("a.db", SHA256, Figures(4, 2, 1, TIME, TIME)),
            StagedFile("b.db", SHA256, Figures(2, 0, 0, TIME, TIME)),
        ),
        parts=tmp_path / "rows_*.ndjson.gz",
        lines=9,
        deletes=6,
    )
    assert names(tmp_path) == ["rows_0001.ndjson.gz"]
    assert content(batch) == b"1\n2\n3\n4\n5\n6\n7\n8\n9\n"


def test_a_batch_without_rows_has_no_compressed_file(tmp_path: Path) -> None:
    """A refused file is in the batch only for its load record. So is a file without rows."""
    writer = BatchWriter(tmp_path)
    writer.refuse("a.db", SHA256, "it is not a SQLite file")
    writer.add(Rows(), "b.db", SHA256)
    assert writer.finish() == Batch(
        (
            StagedFile("a.db", SHA256, None, "it is not a SQLite file"),
            StagedFile("b.db", SHA256, Figures(0, 0, 0, TIME, TIME)),
        )
    )
    assert names(tmp_path) == []


def test_rows_are_compressed_at_the_fastest_level(tmp_path: Path) -> None:
    """The header of a gzip file has the level: 4 is the fastest (RFC 1952)."""
    writer = BatchWriter(tmp_path)
    writer.add(Rows((1, b"1\n")), "a.db", SHA256)
    writer.finish()
    assert (tmp_path / "rows_0001.ndjson.gz").read_bytes()[8] == 4


# -- size of the compressed files


def test_a_large_batch_is_cut_into_several_compressed_files(tmp_path: Path) -> None:
    """Snowflake loads these files in parallel.

    The rows of one event file may be in several of them.
    """
    portions = [noise(2 * MEGABYTE + number) for number in range(5)]
    writer = BatchWriter(tmp_path, part_bytes=3 * MEGABYTE)
    writer.add(Rows(*((1, portion) for portion in portions[:3])), "a.db", SHA256)
    writer.add(Rows(*((1, portion) for portion in portions[3:])), "b.db", SHA256)
    batch = writer.finish()
    assert names(tmp_path) == [f"rows_000{number}.ndjson.gz" for number in (1, 2, 3)]
    assert content(batch) == b"".join(portions)
    assert all(path.stat().st_size < 5 * MEGABYTE for path in tmp_path.iterdir())


def test_a_compressed_file_is_full_at_exactly_its_size(tmp_path: Path) -> None:
    """The size on the disk counts, without what Python has not written yet."""
    folders = [tmp_path / name for name in ("measured", "full", "not_full")]
    for folder in folders:
        folder.mkdir()
    portion = (1, noise(MEGABYTE))
    measured, full, not_full = folders
    writer = BatchWriter(measured)
    writer.add(Rows(portion), "a.db", SHA256)
    (size,) = (path.stat().st_size for path in measured.iterdir())
    writer.finish()
    for folder, part_bytes in ((full, size), (not_full, size + 1)):
        writer = BatchWriter(folder, part_bytes=part_bytes)
        writer.add(Rows(portion, portion), "a.db", SHA256)
        writer.finish()
    assert (len(names(full)), len(names(not_full))) == (2, 1)


@pytest.mark.parametrize(("size", "parts"), [(MEGABYTE // 4, 1), (2 * MEGABYTE, 3)])
def test_by_default_a_compressed_file_has_about_a_megabyte(
    tmp_path: Path, size: int, parts: int
) -> None:
    """The connector holds four compressed files in memory."""
    writer = BatchWriter(tmp_path)
    writer.add(Rows(*[(1, noise(size))] * 3), "a.db", SHA256)
    writer.finish()
    assert len(names(tmp_path)) == parts


# -- damaged files


def test_rows_of_a_file_that_turns_out_to_be_damaged_are_unwanted(tmp_path: Path) -> None:
    """The rows are already compressed.

    So the batch names the event file, and the loader drops its rows.
    """
    writer = BatchWriter(tmp_path)
    writer.add(Rows((1, b"1\n")), "a.db", SHA256)
    with pytest.raises(RefusedFileError, match="a page is unreadable"):
        writer.add(Rows((1, b"2\n"), (1, b"3\n"), damaged=True), "b.db", SHA256)
    writer.add(Rows((1, b"4\n")), "c.db", SHA256)
    batch = writer.finish()
    assert [file.name for file in batch.files] == ["a.db", "c.db"]
    assert (batch.lines, batch.deletes, batch.unwanted) == (4, 2, ("b.db",))
    assert content(batch) == b"1\n2\n3\n4\n"


# -- the disk


def test_the_folder_of_a_batch_is_inside_the_folder_of_the_sweep(tmp_path: Path) -> None:
    """The folder of a batch is removed with all its files, also after an error."""
    with batch_writer(tmp_path) as writer:
        writer.add(Rows((1, b"1\n")), "a.db", SHA256)
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
    writer = BatchWriter(tmp_path / "absent")
    with pytest.raises(LocalStorageError, match=message):
        writer.add(Rows((1, b"1\n")), "a.db", SHA256)
    writer = BatchWriter(tmp_path)
    writer.add(Rows((1, b"1\n")), "a.db", SHA256)
    (tmp_path / "rows_0001.ndjson.gz").unlink()
    with pytest.raises(LocalStorageError, match=message):
        writer.add(Rows((1, b"2\n")), "b.db", SHA256)
    writer.abandon()
