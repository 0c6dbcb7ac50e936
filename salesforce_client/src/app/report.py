"""What a run did, for the log and for whoever is called when it fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from .deletes import Delete, Gap, RejectedEvent
from .errors import RunFailedError
from .interpreter import Delivery


@dataclass
class TopicReport:
    """What became of one topic in this run."""

    topic: str
    received: int = 0
    deletes: int = 0
    skipped: int = 0
    rejected: int = 0
    gaps: int = 0
    cursor: str = "unchanged"
    ended: str = "-"
    rpc_id: str = ""
    error: Exception | None = None

    def fail(self, error: Exception) -> None:
        """Note a failure; of several the first counts."""
        self.error = self.error or error

    def count(self, delivery: Delivery) -> None:
        """Add a delivery's figures."""
        rows = Counter(map(type, delivery.rows))
        self.received += delivery.received
        self.skipped += delivery.skipped
        self.deletes += rows[Delete]
        self.rejected += rows[RejectedEvent]
        self.gaps += rows[Gap]
        self.rpc_id = delivery.rpc_id or self.rpc_id

    def line(self) -> str:
        """One log line."""
        state = "failed" if self.error else "ok"
        line = (
            f"topic={self.topic} state={state} received={self.received} deletes={self.deletes} skipped={self.skipped} "
            f"rejected={self.rejected} gaps={self.gaps} ended={self.ended} cursor={self.cursor} rpc_id={self.rpc_id or '-'}"
        )
        return f"{line} error={type(self.error).__name__}" if self.error else line


@dataclass
class Report:
    """What a run did."""

    org_id: str
    topics: dict[str, TopicReport]
    files: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """One line for the run and one for each topic."""
        yield f"org={self.org_id} files={','.join(self.files) or '-'} topics={len(self.topics)}"
        for topic in self.topics.values():
            yield topic.line()

    def raise_if_failed(self) -> None:
        """Make the run end as failed where a topic did.

        Raises:
            RunFailedError: with every topic's error.
        """
        failures = {topic.topic: topic.error for topic in self.topics.values() if topic.error}
        if failures:
            raise RunFailedError(failures)
