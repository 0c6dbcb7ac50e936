"""Judges whether event files wait for too long, and whether the collector is silent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import NamedTuple

from .errors import ActionNeededError, BacklogError, SilenceError
from .model import LeftFile, TopicPoll


class Patience(NamedTuple):
    """How many hours may pass. 0 switches a check off.

    Attributes:
        backlog_hours: until an event file is loaded.
        silence_hours: since each topic of the newest poll last ended caught up or idle.
    """

    backlog_hours: float
    silence_hours: float


def begun_at(name: str) -> datetime:
    """The time in the name of an event file: the UTC second in which it was begun.

    A name without a real date, such as one with month 13, counts as very old.
    """
    digits = name[len("events_") : len("events_") + 15]
    try:
        moment = datetime.strptime(digits, "%Y%m%dT%H%M%S")
    except ValueError:
        moment = datetime.min
    return moment.replace(tzinfo=timezone.utc)


def judge(
    patience: Patience,
    now: datetime,
    oldest_left: LeftFile | None,
    topics: Sequence[TopicPoll],
    newest_file: str,
) -> list[ActionNeededError]:
    """What is overdue after a sweep.

    Args:
        patience: how long to wait.
        now: the time of the sweep.
        oldest_left: the oldest file that is still pending.
        topics: the topics of the newest poll.
        newest_file: the newest name of an event file. Empty if there was never one.
    """
    overdue: list[ActionNeededError] = []
    if patience.backlog_hours and oldest_left:
        waits = _hours(now, begun_at(oldest_left.name))
        if waits > patience.backlog_hours:
            overdue.append(
                BacklogError(
                    f"{oldest_left.name} is still pending after {waits:.1f} hours"
                    f" (MAX_BACKLOG_HOURS={patience.backlog_hours:g}): {oldest_left.reason}. "
                    "See 'BacklogError' in docs/operations.md"
                )
            )
    if patience.silence_hours:
        silent = _silent(now, patience.silence_hours, topics, newest_file)
        if silent:
            overdue.append(
                SilenceError(
                    f"the collector is silent (MAX_SILENCE_HOURS={patience.silence_hours:g}): "
                    f"{'; '.join(silent)}. See 'SilenceError' in docs/operations.md"
                )
            )
    return overdue


def _silent(
    now: datetime, longest: float, topics: Sequence[TopicPoll], newest_file: str
) -> list[str]:
    """A clause for each topic that was not read to its end for ``longest`` hours."""
    if topics:
        return [
            f"{poll.topic} last ended caught up or idle {_hours(now, poll.last_good):.1f} hours "
            f"ago, at {poll.last_good:%Y-%m-%d %H:%M} UTC"
            if poll.last_good
            else f"{poll.topic} has never ended caught up or idle"
            for poll in topics
            if poll.last_good is None or _hours(now, poll.last_good) > longest
        ]
    if not newest_file:
        return ["no event file has ever arrived, so it has never run with this container"]
    age = _hours(now, begun_at(newest_file))
    if age < -longest:
        return [f"its newest event file, {newest_file}, is named after a time that has not come"]
    if age > longest:
        return [f"its newest event file is {newest_file}, begun {age:.1f} hours ago"]
    return []


def _hours(now: datetime, since: datetime) -> float:
    return (now - since).total_seconds() / 3600
