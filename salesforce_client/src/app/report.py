"""Reports what a poll did: log lines, rows of ``polls``, and the errors that make it fail."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Optional, Union

from . import __version__
from .errors import CollectorError, RunFailedError
from .model.ids import identity
from .model.limits import OrgLimit
from .model.rows import Delete, Delivery, Gap, Poll, Restore
from .model.times import now

ERROR_CHARACTERS = 500
ObjectsOf = Callable[[str], Optional[Sequence[str]]]


@dataclass
class TopicReport:
    """What the poll did with one topic.

    Attributes:
        topic: the topic's name.
        published_at: publishing time of the last event that was read. None if not known.
        cursor: ``moved``, ``kept`` (another run had moved it) or ``unchanged``.
        ended: ``caught_up``, ``idle``, ``deadline`` or ``failed``. ``-`` before the topic ends.
        ended_at: when the topic ended, as UTC text. Empty before.
        rpc_id: of the last response.
        error: the first failure.
        objects: the objects of its deletes in this poll.
    """

    topic: str
    received: int = 0
    deletes: int = 0
    restores: int = 0
    skipped: int = 0
    rejected: int = 0
    gaps: int = 0
    published_at: Optional[str] = None
    cursor: str = "unchanged"
    ended: str = "-"
    ended_at: str = ""
    rpc_id: str = ""
    error: Optional[Exception] = None
    objects: set[str] = field(default_factory=set)

    def fail(self, error: Exception) -> None:
        """Note a failure. The first one is kept."""
        self.error = self.error or error

    def end(self, why: str) -> None:
        """Note why the topic has ended. The time of the first call is kept."""
        self.ended, self.ended_at = why, self.ended_at or now()

    def count(self, delivery: Delivery, rpc_id: str) -> None:
        """Add a delivery's figures."""
        rows = Counter(map(type, delivery.rows))
        named = {row.object_name for row in delivery.rows if type(row) is Delete}
        self.objects.update(filter(None, named))
        self.received += delivery.received
        self.skipped += delivery.skipped
        self.rejected += len(delivery.rejects)
        self.deletes += rows[Delete]
        self.restores += rows[Restore]
        self.gaps += rows[Gap]
        self.published_at = delivery.published_at or self.published_at
        self.rpc_id = rpc_id or self.rpc_id

    def line(self) -> str:
        """The log line of this topic."""
        state = "failed" if self.error else "ok"
        line = (
            f"topic={self.topic} state={state} received={self.received} deletes={self.deletes} "
            f"restores={self.restores} skipped={self.skipped} rejected={self.rejected} "
            f"gaps={self.gaps} ended={self.ended} cursor={self.cursor} "
            f"rpc_id={self.rpc_id or '-'}"
        )
        return f"{line} error={type(self.error).__name__}" if self.error else line

    def poll(self, org_id: str, began_at: str, objects: Optional[Sequence[str]] = None) -> Poll:
        """The topic's row of ``polls``. The topic has ended. ``objects`` are None if not known."""
        if self.ended in ("caught_up", "idle"):
            read_until: Optional[str] = began_at
        else:
            read_until = self.published_at and min(self.published_at, began_at)
        return Poll(
            poll_id=identity(org_id, self.topic, began_at),
            org_id=org_id or None,
            writer=__version__,
            topic=self.topic,
            began_at=began_at,
            ended_at=self.ended_at,
            objects=None if objects is None else json.dumps(list(objects)),
            ended=self.ended,
            read_until=read_until,
            received=self.received,
            deletes=self.deletes,
            restores=self.restores,
            skipped=self.skipped,
            rejected=self.rejected,
            gaps=self.gaps,
            error=reason_of(self.error) if self.error else None,
        )


def reason_of(error: BaseException) -> str:
    """What a row says of an error. An unexpected error may quote a payload, so only its kind."""
    kind = type(error).__name__
    reason = f"{kind}: {error.text}" if isinstance(error, CollectorError) else kind
    return reason[:ERROR_CHARACTERS]


@dataclass
class CheckReport:
    """What the poll did to check one object.

    Attributes:
        windows: number of windows that were listed or have another outcome.
        listed: number of listed deletes.
        restored: number of restores that the check found.
        calls: number of REST calls.
        outcome: ``listed``, the first other outcome, or ``waits`` if the check did not take place
            or is not complete.
        reason: why the outcome is not ``listed``, or why something was not asked.
    """

    object_name: str
    windows: int = 0
    listed: int = 0
    restored: int = 0
    calls: int = 0
    outcome: str = "listed"
    reason: str = ""

    def line(self) -> str:
        """The log line of this check."""
        line = (
            f"check object={self.object_name} windows={self.windows} listed={self.listed} "
            f"restored={self.restored} calls={self.calls} outcome={self.outcome}"
        )
        return f"{line} reason={self.reason}" if self.reason else line


@dataclass
class Report:
    """What a poll did.

    Attributes:
        org_id: 18 characters. Empty if the login failed.
        topics: the report of each topic, by its name.
        began_at: when the poll began, as UTC text.
        files: names of the uploaded event files.
        error: the error that ended the whole poll, such as a failed upload.
        objects: tells the objects of a topic. None stands for objects that are not known.
        checks: what the poll did with each object whose check was due.
        unknown: the topics whose objects are not known, so that nothing about them is proven.
        overdue: the error of the objects that were not checked for too long.
        deliveries: what is left of the org's allocation. An error, if Salesforce does not tell.
            None if nobody has asked.
    """

    org_id: str
    topics: dict[str, TopicReport]
    began_at: str
    files: list[str] = field(default_factory=list)
    error: Optional[Exception] = None
    objects: ObjectsOf = field(default=lambda _: None)
    checks: list[CheckReport] = field(default_factory=list)
    unknown: Sequence[str] = ()
    overdue: Optional[Exception] = None
    deliveries: Union[OrgLimit, CollectorError, None] = None

    def fail(self, error: Exception) -> None:
        """Note the error that ended the whole poll. All topics count as failed.

        It is not certain which events are uploaded, so no topic counts as read.
        """
        self.error = error
        for topic in self.topics.values():
            topic.end("failed")
            topic.published_at = None
            topic.fail(error)

    def polls(self) -> Sequence[Poll]:
        """The rows of ``polls``, one for each topic. All topics have ended."""
        return [
            topic.poll(self.org_id, self.began_at, self.objects(topic.topic))
            for topic in self.topics.values()
        ]

    def lines(self) -> Iterator[str]:
        """The log lines: of the poll, each topic, each check, and the org's allocation."""
        files = ",".join(self.files) or "-"
        line = f"org={self.org_id or '-'} files={files} topics={len(self.topics)}"
        yield f"{line} error={type(self.error).__name__}" if self.error else line
        for topic in self.topics.values():
            yield topic.line()
        for check in self.checks:
            yield check.line()
        for unknown in self.unknown:
            yield f"topic={unknown} objects=unknown reason=name them in CHECK_OBJECTS"
        if isinstance(self.deliveries, OrgLimit):
            state = "low" if self.deliveries.is_scarce else "ok"
            yield f"allocation={state} left={self.deliveries.left} of={self.deliveries.most}"
        elif self.deliveries:
            yield f"allocation=unknown reason={self.deliveries.text}"

    def raise_if_failed(self) -> None:
        """Raise an error if the poll or one of its topics failed.

        Raises:
            CollectorError: the error that ended the whole poll.
            RunFailedError: one or more topics failed. It has the error of each failed topic.
            CheckFailedError: objects were not checked for too long. No topic failed.
        """
        if self.error:
            raise self.error
        failures = {topic.topic: topic.error for topic in self.topics.values() if topic.error}
        if failures:
            read = sum(topic.ended != "failed" for topic in self.topics.values())
            raise RunFailedError(failures, read)
        if self.overdue:
            raise self.overdue
