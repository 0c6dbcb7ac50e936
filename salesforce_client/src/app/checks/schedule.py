"""Decides which objects a poll checks, and which were not checked for too long."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Optional, Protocol

from .. import completeness
from ..errors import CheckFailedError, CollectorError, StorageUnavailableError
from ..model.checks import Progress, StoredProgress
from ..model.ids import identity
from .file import CheckFile
from .poll import Poll


class ProgressBlobs(Protocol):
    """Where the progress of the checks is kept."""

    def load_progress(self, org_id: str, object_name: str) -> StoredProgress:
        """Load the progress of an object."""


class Schedule:
    """How far the checks of all objects of a poll are.

    Args:
        blobs: where it is kept.
        file: stores it.
        poll: see there.
        now: every object is due.

    Attributes:
        progress: the progress of each object. It is up to date only if the checks put it there.
        unreadable: why the progress of an object could not be loaded.
    """

    def __init__(self, blobs: ProgressBlobs, file: CheckFile, poll: Poll, *, now: bool) -> None:
        self._blobs = blobs
        self._file = file
        self._poll = poll
        self._now = now
        self._loaded: dict[str, Progress] = {}
        self._new: set[str] = set()
        self.progress: dict[str, Progress] = {}
        self.unreadable: dict[str, CollectorError] = {}

    def load(self, names: Iterable[str]) -> None:
        """Load the progress of objects. What could not be loaded is tried again."""
        down: Optional[CollectorError] = None
        for name in names:
            if name in self.progress:
                continue
            try:
                if down:
                    raise down
                stored = self._blobs.load_progress(self._poll.org_id, name)
            except CollectorError as error:
                self.unreadable[name] = error
                # It is not about this blob alone, and each try takes long.
                down = error if isinstance(error, StorageUnavailableError) else None
                continue
            self.unreadable.pop(name, None)
            self._file.loaded(name, stored.etag)
            if stored.etag is None:
                self._new.add(name)
            progress = stored.progress or Progress(name, self._poll.began_at)
            self._loaded[name] = self.progress[name] = progress

    def due(self) -> list[str]:
        """The objects whose check is due. The one that waited longest comes first.

        MAX_CHECK_CALLS leaves out questions of the last ones. So the order of objects that waited
        as long as each other changes from day to day.
        """
        due = [
            progress
            for progress in self.progress.values()
            if self._now or completeness.is_due(progress, self._poll.began, self._poll.hours)
        ]
        today = self._poll.began_at[:10]
        due.sort(
            key=lambda one: (
                one.window_to or "",
                "" if one.window_to else one.since,
                identity(one.object_name, today),
            )
        )
        return [progress.object_name for progress in due]

    def begin(self, with_gaps: Container[str]) -> None:
        """Store since when objects are wanted, and which topics have lost events.

        This comes before all questions, so that no failure of a check can lose it.

        Args:
            with_gaps: the objects of topics that have lost events. They are listed whole.

        Raises:
            StorageUnavailableError: it is not stored.
        """
        for name, progress in self.progress.items():
            if name in with_gaps:
                self.progress[name] = progress._replace(whole=True)
            if name in with_gaps or name in self._new:
                self._file.move(self.progress[name])
        self._file.publish()

    def failure(
        self, names: Iterable[str], lost: Container[str], why: str
    ) -> Optional[CheckFailedError]:
        """The error of the objects that were not checked for too long. None if there is none.

        Args:
            names: the objects to check.
            lost: the objects whose progress of this poll is not stored.
            why: the reason if an object has none of its own.
        """
        lines = []
        for name in names:
            if name in self.unreadable:
                lines.append(f"{name}: last check not known; {self.unreadable[name].text}")
            progress = (self._loaded if name in lost else self.progress).get(name)
            if progress and completeness.is_overdue(progress, self._poll.began, self._poll.hours):
                last, error = progress.succeeded_at, self.progress[name].error
                lines.append(f"{name}: last check {last or 'never'}; {error or why}")
        if not lines:
            return None
        told = "".join(f"\n  - {line}" for line in lines)
        return CheckFailedError(
            f"{len(lines)} object(s) were not checked for {completeness.FAILURES_COUNT_AFTER} times"
            " CHECK_HOURS, or their last check is not known. All events are stored, but deletes"
            " that no event told of may be missing, and nothing since the last check is proven. Do"
            " what the reason says, or leave the object out of CHECK_OBJECTS. See"
            f" 'CheckFailedError' in docs/operations.md:{told}"
        )
