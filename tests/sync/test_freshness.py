"""When a sweep fails because files wait for too long, or because the collector is silent."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from delete_sync.src.errors import ActionNeededError, BacklogError, SilenceError
from delete_sync.src.freshness import Patience, begun_at, judge
from delete_sync.src.model import LeftFile, TopicPoll

NOW = datetime(2026, 2, 3, 12, 30, tzinfo=timezone.utc)
OFF = Patience(0, 0)
LONGEST = 1e300  # the settings accept any finite number of hours


def name(hours: float) -> str:
    """The name of an event file that was begun so many hours ago."""
    return f"events_{NOW - timedelta(hours=hours):%Y%m%dT%H%M%SZ}.db"


def left(hours: float) -> LeftFile:
    return LeftFile(name(hours), "it is archived")


def poll(topic: str, hours: float) -> TopicPoll:
    """A topic that ended well so many hours ago."""
    return TopicPoll(topic, NOW - timedelta(hours=hours))


def told(
    patience: Patience,
    *,
    oldest: LeftFile | None = None,
    topics: tuple[TopicPoll, ...] = (),
    newest: str | None = None,
) -> list[ActionNeededError]:
    """What is overdue. By default the newest file is new."""
    return judge(patience, NOW, oldest, topics, name(0) if newest is None else newest)


def test_the_name_of_an_event_file_tells_when_it_was_begun() -> None:
    """The time is UTC."""
    assert begun_at("events_20260201T030405Z.db") == datetime(
        2026, 2, 1, 3, 4, 5, tzinfo=timezone.utc
    )


# -- files that wait


@pytest.mark.parametrize(
    ("limit", "oldest", "overdue"),
    [
        (48, None, False),
        (48, left(47.9), False),
        (48, left(48), False),
        (48, left(48.01), True),
        (0, left(10_000), False),
        (0.5, left(0.6), True),
        (LONGEST, left(10_000), False),
        (48, left(-1), False),
    ],
)
def test_a_pending_file_that_is_too_old_fails_the_sweep(
    limit: float, oldest: LeftFile | None, overdue: bool
) -> None:
    """The time in its name counts. 0 switches the check off."""
    errors = told(Patience(limit, 0), oldest=oldest)
    assert [type(error) for error in errors] == ([BacklogError] if overdue else [])


def test_the_error_names_the_oldest_file_and_why_it_waits() -> None:
    """It also says how long it has waited, what the limit is, and where to read on."""
    (error,) = told(Patience(48, 0), oldest=left(60.25))
    assert error.text == (
        "events_20260201T001500Z.db is still pending after 60.2 hours (MAX_BACKLOG_HOURS=48): "
        "it is archived. See 'BacklogError' in docs/operations.md"
    )


@pytest.mark.parametrize("digits", ["20261301T000000", "20260230T000000", "20260201T256161"])
def test_a_name_without_a_real_date_counts_as_very_old(digits: str) -> None:
    """Somebody has made such a file by hand. It must not be overlooked, and not end the sweep."""
    foreign = f"events_{digits}Z.db"
    assert len(told(Patience(48, 0), oldest=LeftFile(foreign, "x"))) == 1
    assert len(told(Patience(0, 24), newest=foreign)) == 1


# -- the collector


@pytest.mark.parametrize(
    ("limit", "topics", "silent"),
    [
        (24, [("X", 23.9)], []),
        (24, [("X", 24)], []),
        (24, [("X", 24.1)], ["X"]),
        (24, [("X", 25), ("Y", 1), ("Z", 30)], ["X", "Z"]),
        (0, [("X", 10_000)], []),
        (LONGEST, [("X", 10_000)], []),
    ],
)
def test_a_topic_that_was_not_read_to_its_end_for_too_long_fails_the_sweep(
    limit: float, topics: list[tuple[str, float]], silent: list[str]
) -> None:
    """One good topic does not hide another. 0 switches the check off."""
    errors = told(Patience(0, limit), topics=tuple(poll(*topic) for topic in topics))
    assert [type(error) for error in errors] == ([SilenceError] if silent else [])
    for topic, _ in topics:
        assert any(f" {topic} last ended" in str(error) for error in errors) == (topic in silent)


def test_the_error_says_for_each_silent_topic_when_it_last_ended_well() -> None:
    """A topic that always fails has no such time."""
    topics = (poll("/event/X__e", 30.5), poll("/event/Y__e", 1), TopicPoll("/event/Z__e", None))
    (error,) = told(Patience(0, 24), topics=topics)
    assert error.text == (
        "the collector is silent (MAX_SILENCE_HOURS=24): /event/X__e last ended caught up or idle "
        "30.5 hours ago, at 2026-02-02 06:00 UTC; /event/Z__e has never ended caught up or idle. "
        "See 'SilenceError' in docs/operations.md"
    )


def test_a_topic_that_never_ended_well_is_no_failure_if_the_check_is_off() -> None:
    """MAX_SILENCE_HOURS=0."""
    assert told(OFF, topics=(TopicPoll("/event/Z__e", None),), newest="") == []


def test_the_polls_count_and_not_the_name_of_the_newest_file() -> None:
    """A collector that writes files but never reads to the end is silent."""
    old = name(100)
    assert told(Patience(0, 24), topics=(poll("X", 1),), newest=old) == []
    assert len(told(Patience(0, 24), topics=(poll("X", 25),), newest=name(0))) == 1


@pytest.mark.parametrize(
    ("limit", "hours", "silent"),
    [
        (24, 23.9, False),
        (24, 24, False),
        (24, 24.1, True),
        (24, -24, False),
        (24, -24.1, True),
        (0, 1000, False),
        (LONGEST, 1000, False),
    ],
)
def test_without_polls_the_name_of_the_newest_file_counts(
    limit: float, hours: float, silent: bool
) -> None:
    """An older collector writes no polls. A name of the future says nothing of today."""
    errors = told(Patience(0, limit), newest=name(hours))
    assert [type(error) for error in errors] == ([SilenceError] if silent else [])


def test_the_error_without_polls_names_the_newest_file() -> None:
    """It also says how old the file is."""
    (error,) = told(Patience(0, 24), newest=name(60.25))
    assert error.text == (
        "the collector is silent (MAX_SILENCE_HOURS=24): its newest event file is "
        "events_20260201T001500Z.db, begun 60.2 hours ago. "
        "See 'SilenceError' in docs/operations.md"
    )


def test_a_container_that_never_had_an_event_file_fails_the_sweep() -> None:
    """The collector does not run, or the settings name another container."""
    (error,) = told(Patience(0, 24), newest="")
    assert error.text == (
        "the collector is silent (MAX_SILENCE_HOURS=24): no event file has ever arrived, so it "
        "has never run with this container. See 'SilenceError' in docs/operations.md"
    )


def test_both_faults_are_told() -> None:
    """An archived file and a silent collector have nothing to do with each other."""
    errors = told(Patience(1, 1), oldest=left(2), topics=(poll("X", 2),))
    assert [type(error) for error in errors] == [BacklogError, SilenceError]
