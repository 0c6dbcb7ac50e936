"""The time that a sweep has."""

from __future__ import annotations

import json
import threading
import time
from math import inf
from pathlib import Path

import pytest

from delete_sync.src.budget import Budget, host_seconds, out_of_time, within
from delete_sync.src.errors import SettingsError


class Clock:
    """Returns the seconds that a test sets."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        """The time now."""
        return self.seconds


def test_batches_begin_until_the_run_seconds_are_over() -> None:
    """They count from the beginning of the sweep."""
    clock = Clock(1000)
    budget = Budget.of(480, 600, clock)
    assert budget.may_begin()
    clock.seconds = 1479.9
    assert budget.may_begin()
    clock.seconds = 1480
    assert not budget.may_begin()


def test_statements_end_fifteen_seconds_before_the_host_ends_the_sweep() -> None:
    """The sweep needs them to report what it did. The time left is never negative."""
    clock = Clock(1000)
    budget = Budget.of(480, 600, clock)
    assert budget.left() == 585
    clock.seconds = 1584
    assert budget.left() == 1
    clock.seconds = 1600
    assert budget.left() == 0


def test_nothing_is_begun_with_less_than_a_second_left() -> None:
    """It would not end in time. The error says what the sweep was doing."""
    clock = Clock(1000)
    budget = Budget.of(480, 600, clock)
    clock.seconds = 1584
    assert not budget.is_over()
    clock.seconds = 1584.1
    assert budget.is_over()
    assert out_of_time("event file a.db").text == (
        "event file a.db: no time is left before the host ends the invocation;"
        " the next sweep goes on"
    )


def test_by_default_the_budget_has_the_clock_of_the_machine() -> None:
    """A change of the machine's date has no effect on it."""
    before = time.monotonic()
    budget = Budget.of(10, 20)
    assert before + 10 <= budget.begin_until <= time.monotonic() + 10
    assert budget.may_begin()
    assert 0 < budget.left() <= 5


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [("00:10:00", 600), ("00:05:00", 300), ("01:00:30", 3630), ("1.00:00:01", 86401), ("-1", inf)],
)
def test_the_host_ends_an_invocation_after_its_function_timeout(
    tmp_path: Path, timeout: str, seconds: float
) -> None:
    """The host of a Premium plan may have none."""
    host = tmp_path / "host.json"
    host.write_text(json.dumps({"functionTimeout": timeout}))
    assert host_seconds(host, {}, 240) == seconds
    assert host_seconds(host, {"AzureFunctionsJobHost__functionTimeout": "00:04:00"}, 1) == 240


@pytest.mark.parametrize("content", [{}, {"functionTimeout": "10 minutes"}])
def test_a_host_that_does_not_say_its_timeout_is_refused(
    tmp_path: Path, content: dict[str, str]
) -> None:
    """The default depends on the plan, which the app does not know."""
    host = tmp_path / "host.json"
    host.write_text(json.dumps(content))
    with pytest.raises(SettingsError, match=r"functionTimeout in host\.json must be"):
        host_seconds(host, {}, 240)


@pytest.mark.parametrize("seconds", [10.0, inf])
def test_a_call_in_time_returns_its_result(seconds: float) -> None:
    """Also without a bound: a thread cannot wait for infinity."""
    assert within(seconds, lambda: "done", TimeoutError) == "done"


def test_the_error_of_a_call_is_raised_to_its_caller() -> None:
    """It is not lost in the thread of the call."""

    def call() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match=r"^no$"):
        within(10, call, TimeoutError)


def test_a_call_that_takes_too_long_is_given_up() -> None:
    """It goes on in a thread that does not keep the process alive."""
    may_end = threading.Event()
    threads: list[threading.Thread] = []

    def call() -> None:
        threads.append(threading.current_thread())
        may_end.wait(10)

    with pytest.raises(TimeoutError, match=r"^late$"):
        within(0.05, call, lambda: TimeoutError("late"))
    (thread,) = threads
    assert thread.daemon
    assert thread.is_alive()
    may_end.set()
    thread.join(10)
