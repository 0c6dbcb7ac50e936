"""Which windows a check lists, and what an answer proves: the rules of ``completeness.py``."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesforce_client.src.app import completeness
from salesforce_client.src.app.completeness import DAY, HOUR, MINUTE, Window
from salesforce_client.src.app.model.checks import DeletedAnswer, Progress
from salesforce_client.src.app.model.times import moment_of, timestamp

BEGAN = datetime(2026, 11, 20, 12, 0, 30, tzinfo=timezone.utc)
NEW = Progress("Account", timestamp(BEGAN))


def at(text: str) -> datetime:
    """A time of November 2026: ``20 11:30``."""
    return datetime.strptime(f"2026-11-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=timezone.utc)


def main_windows(progress: Progress, began: datetime = BEGAN, hours: float = 24) -> list[Window]:
    return [one for one in completeness.windows(progress, began, hours) if one.main]


def days_again(progress: Progress, began: datetime = BEGAN, hours: float = 24) -> list[str]:
    return [one.day for one in completeness.windows(progress, began, hours) if not one.main]


def since(window_to: str, **more: object) -> Progress:
    """Progress whose last window ended then. No old day must be listed again."""
    listed = {f"2026-11-{day:02}": timestamp(BEGAN) for day in range(1, 31)}
    fields = {"window_to": timestamp(at(window_to)), "listed_again": listed, **more}
    return NEW._replace(**fields)  # type: ignore[arg-type]


def answer(latest: datetime, earliest: datetime | None = None) -> DeletedAnswer:
    return DeletedAnswer([], timestamp(earliest or BEGAN - 15 * DAY), timestamp(latest))


# -- windows


def test_the_first_window_reaches_back_fifteen_days_less_an_hour() -> None:
    """Salesforce refuses an earlier start. The window does not begin later than it could."""
    first, *_ = main_windows(NEW)
    assert first.start == at("05 13:01")
    assert timedelta(0) <= first.start - (BEGAN - completeness.REACH) <= MINUTE


def test_the_next_window_begins_an_hour_before_the_last_one_ended() -> None:
    """The windows overlap, because Salesforce may list a delete a little late."""
    assert main_windows(since("19 11:30"))[0].start == at("19 10:30")


def test_a_window_ends_thirty_minutes_before_the_poll_began() -> None:
    """A transaction that is still open dates its records before it commits them."""
    *_, last = main_windows(since("19 11:30"))
    assert last.end == at("20 11:30")


def test_salesforce_is_asked_up_to_the_beginning_of_the_poll() -> None:
    """Otherwise ``latestDateCovered`` could not tell of a transaction that is open now."""
    *_, last = main_windows(since("19 11:30"))
    assert last.asked_until == at("20 12:00")


def test_a_window_that_salesforce_does_not_cover_to_its_end_ends_thirty_minutes_earlier() -> None:
    """``latestDateCovered`` is the beginning of the oldest transaction that is still open."""
    *_, last = main_windows(since("19 11:30"))
    part = completeness.covered(last, answer(at("20 11:50")))
    assert part
    assert part.end == at("20 11:20")
    assert not part.ends_day


def test_the_end_of_a_window_that_is_not_covered_has_whole_minutes() -> None:
    """Salesforce ignores the seconds of what it is asked for."""
    *_, last = main_windows(since("19 11:30"))
    part = completeness.covered(last, answer(at("20 11:50") + timedelta(seconds=40)))
    assert part
    assert part.end == part.asked_until == at("20 11:20")


def test_a_day_that_is_not_covered_to_its_end_is_not_listed_as_a_whole() -> None:
    """It must be listed again after seven days as if it had not been listed."""
    day = Window(at("10 00:00"), at("11 00:00"), at("11 00:00"), main=False, ends_day=True)
    part = completeness.covered(day, answer(at("10 12:00")))
    assert part
    assert (part.end, part.ends_day) == (at("10 11:30"), False)


def test_a_request_may_be_a_whole_day_and_no_minute_longer() -> None:
    """The last request ends at the beginning of the poll, which may be at midnight."""
    (_, last) = main_windows(since("19 00:30"), at("20 00:00"))
    assert (last.start, last.asked_until) == (at("19 00:00"), at("20 00:00"))
    later = main_windows(since("19 00:30"), at("20 00:01"))[1:]
    assert [one.start for one in later] == [at("19 00:00"), at("19 12:00")]
    assert [one.asked_until for one in later] == [at("19 12:00"), at("20 00:01")]


def test_a_window_of_a_minute_is_asked_for_with_two() -> None:
    """GetDeleted wants the start more than one minute before the end."""
    first, *_ = main_windows(since("20 00:59"))
    assert (first.start, first.end, first.asked_until) == (
        at("19 23:59"),
        at("20 00:00"),
        at("20 00:01"),
    )


def test_a_window_that_is_covered_as_far_as_it_was_asked_stays_whole() -> None:
    """An old window was asked for up to its end, so the answer covers no more than that."""
    first, *_ = main_windows(since("19 11:30"))
    assert completeness.covered(first, answer(first.asked_until)) == first


def test_a_window_whose_end_is_thirty_minutes_before_what_is_covered_stays_whole() -> None:
    """The margin is already in the window."""
    *_, last = main_windows(since("19 11:30"))
    early = last._replace(asked_until=last.asked_until + HOUR)
    assert completeness.covered(early, answer(last.end + completeness.MARGIN)) == early


def test_a_window_of_which_nothing_is_covered_proves_nothing() -> None:
    """A transaction is open since before the window."""
    *_, last = main_windows(since("19 11:30"))
    assert completeness.covered(last, answer(last.start + 31 * MINUTE)) is None
    assert completeness.covered(last, answer(last.start + 32 * MINUTE))


def test_after_a_gap_the_whole_reach_is_listed_again() -> None:
    """Events of any time may be lost."""
    assert main_windows(since("19 11:30", whole=True)) == main_windows(NEW)


def test_a_window_older_than_the_reach_begins_with_the_reach() -> None:
    """After a long pause, Salesforce no longer lists what happened at its beginning."""
    assert main_windows(since("01 00:00"))[0].start == at("05 13:01")


@given(
    began=st.datetimes(datetime(2026, 2, 1), datetime(2026, 12, 1)),
    pause=st.timedeltas(timedelta(minutes=1), timedelta(days=20)),
)
def test_windows_leave_no_hole_and_no_request_is_longer_than_a_day(
    began: datetime, pause: timedelta
) -> None:
    """Each window continues where the one before ended. The last ends 30 minutes before the poll
    began. All are in whole minutes, of one day, and longer than getDeleted wants.
    """
    began = began.replace(tzinfo=timezone.utc)
    before = (began - pause).replace(second=0, microsecond=0)
    windows = main_windows(NEW._replace(window_to=timestamp(before)), began)
    if not windows:
        assert before - HOUR >= began.replace(second=0, microsecond=0) - completeness.MARGIN
        return
    assert windows[0].start <= max(before - HOUR, began - completeness.REACH + MINUTE)
    assert timedelta(0) <= began - completeness.MARGIN - windows[-1].end < MINUTE
    for one, following in zip(windows, windows[1:]):
        assert one.end == following.start
    for one in windows:
        assert one.start < one.end <= one.asked_until <= began
        assert MINUTE < one.asked_until - one.start <= DAY
        assert one.start.second == one.end.second == one.asked_until.second == 0
        assert one.start.date() == (one.end - MINUTE).date()
        assert one.ends_day == (one.end - one.start == DAY)


@given(
    start=st.integers(0, 1380),
    minutes=st.integers(2, 1440),
)
def test_halves_are_the_window(start: int, minutes: int) -> None:
    """Nothing is left out and nothing is asked twice. The last half ends the day."""
    begin = at("10 00:00") + start * MINUTE
    window = Window(
        begin,
        begin + minutes * MINUTE,
        begin + (minutes + 30) * MINUTE,
        main=True,
        ends_day=True,
    )
    halves = window.halves()
    if halves is None:
        assert minutes < 4
        return
    left, right = halves
    assert (left.start, left.end, right.start, right.end) == (
        window.start,
        right.start,
        left.asked_until,
        window.end,
    )
    assert (left.ends_day, right.ends_day, right.asked_until) == (False, True, window.asked_until)
    assert min(left.end - left.start, right.end - right.start) > MINUTE


# -- old days


def test_a_day_is_listed_again_after_seven_days_and_before_it_leaves_the_reach() -> None:
    """A restored, purged or late record is found then. Each day is listed twice more and no more.

    The test runs a check a day for a month.
    """
    progress, again = NEW, dict[str, list[int]]()
    for number in range(30):
        began = BEGAN + number * DAY
        windows = completeness.windows(progress, began, 24)
        done = {one.day: timestamp(began) for one in windows if one.ends_day}
        for one in windows:
            if not one.main:
                again.setdefault(one.day, []).append((began - one.start) // DAY)
        progress = progress._replace(
            window_to=timestamp(windows[-1].end),
            listed_again={**progress.listed_again, **done},
        )
    assert again["2026-11-25"] == [8, 13]
    assert all(ages == [8, 13] for day, ages in again.items() if "2026-11-21" <= day < "2026-12-06")
    # The first window listed this day when it was five days old.
    assert again["2026-11-15"] == [8, 13]


def test_a_day_that_waited_is_still_listed_before_it_leaves_the_reach() -> None:
    """If a check does not take place, another one comes before the day is out of reach."""
    progress = since("19 11:30")
    listed = {day: at for day, at in progress.listed_again.items() if day != "2026-11-06"}
    assert days_again(progress._replace(listed_again=listed)) == ["2026-11-06"]
    later = days_again(progress._replace(listed_again=listed), BEGAN + DAY)
    assert "2026-11-06" not in later, "it is out of reach, and Salesforce would refuse"


def test_an_old_day_is_listed_once_if_the_main_window_has_it() -> None:
    """The first check lists every day anyway."""
    assert days_again(NEW) == []


def test_seven_days_count_from_the_end_of_the_day_to_the_minute() -> None:
    """A listing at that time is the one that was due."""
    listed = {**since("17 11:30").listed_again, "2026-11-10": timestamp(at("11 12:00"))}
    progress = since("17 11:30", listed_again=listed)
    assert days_again(progress, at("17 23:59")) == []
    assert days_again(progress, at("18 00:00")) == ["2026-11-10"]
    done = progress._replace(listed_again={**listed, "2026-11-10": timestamp(at("18 00:00"))})
    assert days_again(done, at("18 00:30")) == []


def test_a_day_that_begins_with_the_reach_is_a_whole_one() -> None:
    """Its first minute is still within reach."""
    progress = since("20 21:30")
    listed = {day: when for day, when in progress.listed_again.items() if day != "2026-11-06"}
    assert days_again(progress._replace(listed_again=listed), at("20 22:59")) == ["2026-11-06"]
    later = days_again(progress._replace(listed_again=listed), at("20 23:00"))
    assert "2026-11-06" not in later


def test_an_old_day_is_listed_again_if_the_main_window_has_only_a_part_of_it() -> None:
    """After a pause of eight days, the main window begins within that day."""
    again = days_again(since("12 11:30", listed_again={"2026-11-06": timestamp(BEGAN)}))
    assert "2026-11-12" in again


def test_a_day_that_the_first_window_listed_late_is_not_listed_again_at_once() -> None:
    """It was older than seven days then."""
    progress = since("19 11:30")
    again = {**progress.listed_again, "2026-11-10": timestamp(at("18 12:00"))}
    assert days_again(progress._replace(listed_again=again)) == []
    again = {**progress.listed_again, "2026-11-10": timestamp(at("17 12:00"))}
    assert days_again(progress._replace(listed_again=again)) == ["2026-11-10"]


# -- what an answer proves


def test_listed_without_evidence_of_sight_is_sight_unknown() -> None:
    """Without View All, Salesforce leaves records out of the list without an error."""
    window = main_windows(NEW)[3]
    told = answer(window.end)
    assert completeness.outcome_of(window, told, completeness.VIEW_ALL) == "listed"
    assert completeness.outcome_of(window, told, completeness.UNKNOWN_SIGHT) == "sight_unknown"


def test_a_list_that_begins_after_the_window_does_not_cover_it() -> None:
    """The meaning of ``earliestDateAvailable`` is not clear, so it is read in the safe way."""
    window = main_windows(NEW)[3]
    late = answer(window.end, window.start + MINUTE)
    assert completeness.outcome_of(window, late, completeness.VIEW_ALL) == "not_covered"
    just = answer(window.end, window.start)
    assert completeness.outcome_of(window, just, completeness.VIEW_ALL) == "listed"


@pytest.mark.parametrize("minutes", [1, 29, 31, 200, 719, 720, 1000, 1399, 1430])
def test_half_an_hour_of_the_log_counts_as_trimmed_at_most(minutes: int) -> None:
    """The beginning of the log is searched for with few requests."""
    window = main_windows(NEW)[3]
    begins, asked = window.start + minutes * MINUTE, []

    def is_trimmed(start: datetime) -> bool:
        asked.append(start)
        return start < begins

    trimmed, following = completeness.after_trimmed(window, is_trimmed)
    assert following
    assert trimmed.start == window.start
    assert begins <= trimmed.end <= begins + HOUR / 2
    assert (following.start, following.end) == (trimmed.end, window.end)
    assert (following.asked_until, following.main) == (window.asked_until, window.main)
    assert (trimmed.ends_day, following.ends_day) == (False, window.ends_day)
    assert len(asked) <= 7


def test_a_window_before_the_log_is_trimmed_as_a_whole() -> None:
    """One more request shows that. For an hour or less, nobody asks."""
    window, asked = main_windows(NEW)[3], []

    def is_trimmed(start: datetime) -> bool:
        asked.append(start)
        return True

    assert completeness.after_trimmed(window, is_trimmed) == (window, None)
    assert asked == [window.end - completeness.SHORTEST]
    short = window._replace(end=window.start + HOUR)
    assert completeness.after_trimmed(short, is_trimmed) == (short, None)
    assert len(asked) == 1


@pytest.mark.parametrize(("minutes", "wrong"), [(5, False), (-5, False), (5.1, True), (-5.1, True)])
def test_clocks_may_differ_by_five_minutes(minutes: float, wrong: bool) -> None:
    """With a wrong clock, windows end too early or too late."""
    assert completeness.is_wrong(timedelta(minutes=minutes)) is wrong


# -- when


def test_a_new_object_is_due() -> None:
    """It was never checked."""
    assert completeness.is_due(NEW, BEGAN, 24)


def test_an_object_is_checked_at_most_once_in_check_hours() -> None:
    """The time counts from the beginning of one poll to the beginning of another one."""
    checked = NEW._replace(checked_at=timestamp(BEGAN), tried_at=timestamp(BEGAN))
    assert not completeness.is_due(checked, BEGAN + 24 * HOUR - MINUTE, 24)
    assert completeness.is_due(checked, BEGAN + 24 * HOUR, 24)


def test_a_check_that_did_not_work_is_tried_again_after_an_hour() -> None:
    """Not in every poll, because each try lets the topics wait."""
    tried = NEW._replace(tried_at=timestamp(BEGAN))
    assert not completeness.is_due(tried, BEGAN + HOUR - MINUTE, 24)
    assert completeness.is_due(tried, BEGAN + HOUR, 24)
    assert completeness.is_due(tried, BEGAN + HOUR / 2, 0.5)


def test_an_object_is_overdue_after_three_times_check_hours() -> None:
    """The time counts from the last success, or from when a poll first wanted to check it."""
    assert not completeness.is_overdue(NEW, BEGAN + 72 * HOUR, 24)
    assert completeness.is_overdue(NEW, BEGAN + 72 * HOUR + MINUTE, 24)
    succeeded = NEW._replace(succeeded_at=timestamp(BEGAN + DAY))
    assert not completeness.is_overdue(succeeded, BEGAN + 96 * HOUR, 24)
    assert completeness.is_overdue(succeeded, BEGAN + 96 * HOUR + MINUTE, 24)


def test_a_window_has_its_start_and_not_its_end() -> None:
    """Salesforce's answer has both ends, and even later dates."""
    window = main_windows(NEW)[3]
    assert window.has(timestamp(window.start))
    assert window.has(timestamp(window.end - timedelta(milliseconds=1)))
    assert not window.has(timestamp(window.end))
    assert not window.has(timestamp(window.start - timedelta(milliseconds=1)))
    assert moment_of(timestamp(window.start)) == window.start
