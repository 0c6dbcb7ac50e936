"""Reports what a poll did: log lines, and the errors that make it fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Optional

from .errors import RunFailedError
from .model import Delete, Delivery, Gap


@dataclass
class TopicReport:
    """What the poll did with one topic."""

    topic: str
    received: int = 0
    deletes: int = 0
    skipped: int = 0
    rejected: int = 0
    gaps: int = 0
    cursor: str = "unchanged"
    ended: str = "-"
    rpc_id: str = ""
    error: Optional[Exception] = None

    def fail(self, error: Exception) -> None:
        """Note a failure. The first one is kept."""
        self.error = self.error or error

    def count(self, delivery: Delivery, rpc_id: str) -> None:
        """Add a delivery's figures."""
        rows = Counter(map(type, delivery.rows))
        self.received += delivery.received
        self.skipped += delivery.skipped
        self.rejected += len(delivery.rejects)
        self.deletes += rows[Delete]
        self.gaps += rows[Gap]
        self.rpc_id = rpc_id or self.rpc_id

    def line(self) -> str:
        """The log line of this topic."""
        state = "failed" if self.error else "ok"
        line = (
            f"topic={self.topic} state={state} received={self.received} deletes={self.deletes} "
            f"skipped={self.skipped} rejected={self.rejected} gaps={self.gaps} ended={self.ended} "
            f"cursor={self.cursor} rpc_id={self.rpc_id or '-'}"
        )
        return f"{line} error={type(self.error).__name__}" if self.error else line


@dataclass
class Report:
    """What a poll did.

    Attributes:
        org_id: 18 characters.
        topics: the report of each topic, by its name.
        files: names of the uploaded event files.
        error: the error that ended the whole poll, such as a failed upload.
    """

    org_id: str
    topics: dict[str, TopicReport]
    files: list[str] = field(default_factory=list)
    error: Optional[Exception] = None

    def fail(self, error: Exception) -> None:
        """Note the error that ended the whole poll. All topics count as failed."""
        self.error = error
        for topic in self.topics.values():
            topic.ended = "failed"
            topic.fail(error)

    def lines(self) -> Iterator[str]:
        """The log lines: one for the poll and one for each topic."""
        line = f"org={self.org_id} files={','.join(self.files) or '-'} topics={len(self.topics)}"
        yield f"{line} error={type(self.error).__name__}" if self.error else line
        for topic in self.topics.values():
            yield topic.line()

    def raise_if_failed(self) -> None:
        """Raise an error if the poll or one of its topics failed.

        Raises:
            CollectorError: the error that ended the whole poll.
            RunFailedError: one or more topics failed. It has the error of each failed topic.
        """
        if self.error:
            raise self.error
        failures = {topic.topic: topic.error for topic in self.topics.values() if topic.error}
        if failures:
            raise RunFailedError(failures)
