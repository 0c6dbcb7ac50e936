"""How event files are downloaded ahead of the reader."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from delete_sync.src.budget import RESERVE_SECONDS, Budget
from delete_sync.src.errors import (
    LocalStorageError,
    OutOfTimeError,
    StorageUnavailableError,
    UnreadableBlobError,
)
from delete_sync.src.event_files.downloads import downloads
from delete_sync.src.model import EventBlob, LocalFile, UnavailableFile

DIGEST = "d" * 64


class Source:
    """Provides empty files and records which of them were requested.

    Attributes:
        fails: what the download of a file raises.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fails: dict[str, Exception] = {}
        self._news = threading.Condition()

    def download(self, blob: EventBlob, path: Path) -> str:
        """Create an empty file. A failing download leaves a part of the file."""
        path.touch()
        with self._news:
            self.asked.append(blob.name)
            self._news.notify_all()
        if blob.name in self.fails:
            raise self.fails[blob.name]
        return DIGEST

    def has_been_asked_for(self, count: int) -> bool:
        """Wait for up to a second until ``count`` files were requested."""
        with self._news:
            return self._news.wait_for(lambda: len(self.asked) >= count, timeout=1)


def blob(name: str, size: int = 0, sha256: str = "") -> EventBlob:
    return EventBlob(name, size, "etag", sha256)


@pytest.mark.parametrize(
    ("sizes", "asked_while_the_first_is_read"),
    [
        ((1, 1, 1, 1, 1, 1, 1), 5),
        ((100, 100, 100), 2),
        ((150, 60, 60), 2),
        ((100, 156, 1), 2),
        ((300, 1, 1), 1),
        ((1, 300, 1), 1),
    ],
)
def test_files_are_downloaded_ahead_as_far_as_they_fit_on_the_disk(
    sizes: tuple[int, ...], asked_while_the_first_is_read: int, tmp_path: Path
) -> None:
    """Four files are downloaded at once. A file that is too large for that is downloaded alone."""
    source = Source()
    blobs = [blob(str(number), size) for number, size in enumerate(sizes)]
    with downloads(source, blobs, tmp_path, Budget.of(600, 600), bytes_on_disk=256) as files:
        next(files)
        assert source.has_been_asked_for(asked_while_the_first_is_read)
        assert not source.has_been_asked_for(asked_while_the_first_is_read + 1)
        assert [file.blob for file in files] == blobs[1:]
    assert sorted(source.asked) == [blob.name for blob in blobs]


def test_a_file_is_on_the_disk_with_its_digest_until_the_folder_is_removed(tmp_path: Path) -> None:
    """The folder of the downloads is inside the folder of the sweep."""
    with downloads(
        Source(), [blob("a"), blob("b", sha256=DIGEST)], tmp_path, Budget.of(600, 600)
    ) as files:
        found = list(files)
        (folder,) = tmp_path.iterdir()
        assert found == [
            LocalFile(blob("a"), folder / "a", DIGEST),
            LocalFile(blob("b", sha256=DIGEST), folder / "b", DIGEST),
        ]
        assert folder.name.startswith("sf-delete-tracker-files-")
        assert sorted(path.name for path in folder.iterdir()) == ["a", "b"]
    assert list(tmp_path.iterdir()) == []


def test_a_file_with_another_digest_than_its_metadata_says_is_refused(tmp_path: Path) -> None:
    """The load record gets the digest of the metadata, because the list shows no other one."""
    listed = blob("a", sha256="0" * 64)
    with downloads(Source(), [listed], tmp_path, Budget.of(600, 600)) as files:
        (file,) = files
    assert isinstance(file, LocalFile)
    assert (file.blob, file.sha256) == (listed, "0" * 64)
    assert file.refusal == (
        "its content does not match the SHA-256 in its metadata: it is damaged or was changed. "
        "Restore an earlier version of the blob if the account keeps versions"
    )


@pytest.mark.parametrize("needs_a_person", [False, True])
def test_a_file_that_cannot_be_read_leaves_nothing_on_the_disk(
    tmp_path: Path, needs_a_person: bool
) -> None:
    """The other files are downloaded."""
    source = Source()
    source.fails["a"] = UnreadableBlobError("it is archived", needs_a_person=needs_a_person)
    with downloads(source, [blob("a"), blob("b")], tmp_path, Budget.of(600, 600)) as files:
        unavailable, other = files
        (folder,) = tmp_path.iterdir()
        assert [path.name for path in folder.iterdir()] == ["b"]
    assert unavailable == UnavailableFile(blob("a"), "it is archived", needs_a_person)
    assert other.blob == blob("b")


def test_a_file_larger_than_two_gigabytes_is_refused_without_a_download(tmp_path: Path) -> None:
    """No event file is that large, and the disk may be smaller."""
    source = Source()
    most = 2 * 1024**3
    listed = [blob("a", most), blob("b", most + 1, sha256=DIGEST), blob("c", most + 1)]
    with downloads(source, listed, tmp_path, Budget.of(600, 600)) as files:
        first, *others = files
        (folder,) = tmp_path.iterdir()
        assert others == [
            LocalFile(
                it,
                folder / it.name,
                it.sha256,
                "it has 2147483649 bytes, more than an event file can have",
            )
            for it in listed[1:]
        ]
        assert sorted(path.name for path in folder.iterdir()) == ["a", "b", "c"]
    assert first == LocalFile(listed[0], folder / "a", DIGEST)
    assert source.asked == ["a"]


def test_a_folder_that_disappears_is_an_error_of_the_disk(tmp_path: Path) -> None:
    """The error names the file. No file is refused, because the next sweep may have a disk."""
    with downloads(Source(), [blob("a", 3 * 1024**3)], tmp_path, Budget.of(600, 600)) as files:
        (folder,) = tmp_path.iterdir()
        folder.rmdir()
        with pytest.raises(LocalStorageError, match=r"^event file a: No such file"):
            next(files)


BUSY = StorageUnavailableError("busy")


def outcome(failing: str, names: str, folder: Path) -> str:
    """What the reader gets of these blobs if downloads of some fail: capitals are unavailable.

    If the storage counts as silent, the text ends with an exclamation mark.
    """
    source = Source()
    source.fails = dict.fromkeys(failing, BUSY)
    source.fails["x"] = UnreadableBlobError("it is archived", needs_a_person=False)
    got = ""
    with downloads(source, [blob(it) for it in names], folder, Budget.of(600, 600)) as files:
        try:
            for file in files:
                if isinstance(file, UnavailableFile) and file.blob.name != "x":
                    assert (file.reason, file.needs_a_person, file.storage_failed) == (
                        "busy",
                        True,
                        True,
                    )
                    got += file.blob.name.upper()
                else:
                    got += file.blob.name
        except StorageUnavailableError:
            got += "!"
    assert list(folder.iterdir()) == []
    return got


@pytest.mark.parametrize(
    ("failing", "names", "got"),
    [
        ("c", "abcdefgh", "abCdefgh"),
        ("a", "abcdefgh", "Abcdefgh"),
        ("h", "abcdefgh", "abcdefgH"),
        ("bcd", "abcdefgh", "aBCDefgh"),
        ("bcdfgh", "abcdefgh", "aBCDeFGH"),
        ("fgh", "abcdefgh", "abcdeFGH"),
        ("bcde", "abcdefgh", "a!"),
        ("abcd", "abcdefgh", "!"),
        ("abcdefgh", "abcdefgh", "!"),
        ("a", "a", "!"),
        ("abc", "abc", "!"),
        ("abc", "abcx", "ABCx"),
        ("abc", "xabc", "xABC"),
    ],
)
def test_a_download_that_fails_is_its_files_fault_unless_four_in_a_row_or_all_fail(
    failing: str, names: str, got: str, tmp_path: Path
) -> None:
    """The order stays. A storage that says that a file is archived has answered."""
    assert outcome(failing, names, tmp_path) == got


def test_a_failed_download_leaves_nothing_on_the_disk(tmp_path: Path) -> None:
    source = Source()
    source.fails["a"] = BUSY
    with downloads(source, [blob("a"), blob("b")], tmp_path, Budget.of(600, 600)) as files:
        assert len(list(files)) == 2
        (folder,) = tmp_path.iterdir()
        assert [path.name for path in folder.iterdir()] == ["b"]


def test_if_storage_does_not_answer_no_more_files_are_tried(tmp_path: Path) -> None:
    """Those under way are waited for, because they fail at the same time. The folder is removed."""
    source = Source()
    names = [str(number) for number in range(100)]
    source.fails = dict.fromkeys(names, BUSY)
    with (
        downloads(source, [blob(it) for it in names], tmp_path, Budget.of(600, 600)) as files,
        pytest.raises(StorageUnavailableError, match="busy"),
    ):
        next(files)
    assert sorted(source.asked) == names[:4]
    assert list(tmp_path.iterdir()) == []


def test_a_download_that_takes_too_long_is_not_waited_for(tmp_path: Path) -> None:
    """A storage may send a byte now and then, which no limit of its client notices."""
    over = threading.Event()

    class Slow(Source):
        def download(self, blob: EventBlob, path: Path) -> str:
            over.wait(30)
            return DIGEST

    budget = Budget.of(1, 1 + RESERVE_SECONDS)
    begun = time.monotonic()
    try:
        with (
            pytest.raises(OutOfTimeError, match=r"^event file a: no time is left"),
            downloads(Slow(), [blob("a"), blob("b")], tmp_path, budget) as files,
        ):
            next(files)
        assert time.monotonic() - begun < 4
    finally:
        over.set()
    assert list(tmp_path.iterdir()) == []
