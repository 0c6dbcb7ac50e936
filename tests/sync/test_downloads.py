"""How event files are downloaded ahead of the reader."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from delete_sync.src.event_files.downloads import downloads
from delete_sync.src.model import EventBlob


class Source:
    """Provides empty files and records which of them were requested."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._news = threading.Condition()

    def download(self, blob: EventBlob, path: Path) -> str:
        """Create an empty file."""
        path.touch()
        with self._news:
            self.asked.append(blob.name)
            self._news.notify_all()
        return "sha256"

    def has_been_asked_for(self, count: int) -> bool:
        """Wait for up to a second until ``count`` files were requested."""
        with self._news:
            return self._news.wait_for(lambda: len(self.asked) >= count, timeout=1)


def blob(name: str, size: int, sha256: str = "") -> EventBlob:
    return EventBlob(name, size, "etag", sha256)


@pytest.mark.parametrize(
    ("sizes", "asked_while_the_first_is_read"),
    [
        ((1, 1, 1, 1, 1, 1, 1), 5),
        ((100, 100, 100), 2),
        ((150, 60, 60), 2),
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
    with downloads(source, blobs, tmp_path, bytes_on_disk=256) as files:
        next(files)
        assert source.has_been_asked_for(asked_while_the_first_is_read)
        assert not source.has_been_asked_for(asked_while_the_first_is_read + 1)
        assert [file.blob for file in files] == blobs[1:]
    assert sorted(source.asked) == [blob.name for blob in blobs]
