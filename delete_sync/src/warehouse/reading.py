"""What the tables know: questions that the sweep and the commands share."""

from __future__ import annotations

from datetime import timezone

from ..model import LoadRecord, TopicPoll
from .session import Session


def records(session: Session, first: str, last: str) -> list[LoadRecord]:
    """The load records of the event files whose names are from ``first`` to ``last``."""
    return [record_of(*row) for row in session.rows("records", [first, last])]


def newest_file(session: Session) -> str:
    """The newest name of an event file that has a load record. Empty if there is none."""
    ((name,),) = session.rows("newest_file")
    return str(name or "")


def newest_poll(session: Session) -> list[TopicPoll]:
    """The topics of the newest poll that the table knows."""
    return [
        TopicPoll(str(topic), last_good and last_good.replace(tzinfo=timezone.utc))
        for topic, last_good in session.rows("newest_poll")
    ]


def duplicates(session: Session) -> list[str]:
    """Keys that are in the table more than once, at most 100."""
    return [str(key) for (key,) in session.rows("duplicates")]


def record_of(
    event_file: str,
    sha256: str | None,
    length: int | None,
    etag: str | None,
    reader: int | None,
    error: str | None,
    token: str | None,
) -> LoadRecord:
    """A load record, as the table has it. Its columns may be NULL if somebody else wrote it."""
    return LoadRecord(
        event_file,
        sha256 or "",
        int(length or 0),
        etag or "",
        int(reader or 0),
        error,
        token or "",
    )
