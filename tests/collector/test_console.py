"""What commands print, ask and return. The module is a twin file, also tested for the sync."""

from __future__ import annotations

import io
import json

import pytest
from local.command_line import Terminal

from delete_sync.src import errors as sync_errors
from delete_sync.src.console import exit_code as sync_exit_code
from salesforce_client.src.app.console import (
    ENDINGS,
    EXIT_CODES,
    Console,
    StoppedError,
    duration,
    exit_code,
    failure,
)
from salesforce_client.src.app.errors import (
    GapError,
    LimitExceededError,
    ReplayIdRejectedError,
    RunFailedError,
    SettingsError,
    TopicError,
)


def lines(as_json: bool = False) -> tuple[Console, io.StringIO, io.StringIO]:
    out, err = io.StringIO(), io.StringIO()
    return Console(out, err, io.StringIO(), as_json=as_json), out, err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StoppedError("", 1), 1),
        (SettingsError(["A is missing"]), 2),
        (LimitExceededError(""), 3),
        (TopicError(""), 4),
        (ReplayIdRejectedError(""), 4),
        (RuntimeError(""), 4),
        (RunFailedError({"/event/A__e": LimitExceededError("")}, 0), 3),
        (RunFailedError({"a": LimitExceededError(""), "b": GapError("")}, 0), 4),
    ],
    ids=repr,
)
def test_the_exit_code_says_who_must_act(error: Exception, code: int) -> None:
    """If several topics failed, a person counts more than another try."""
    assert exit_code(error) == code


def test_the_exit_code_of_a_sweep_is_that_of_its_worst_error() -> None:
    """The sync collects its errors in another way."""
    later = sync_errors.WarehouseUnavailableError("")
    both = [later, sync_errors.TableError("")]
    assert sync_exit_code(sync_errors.SweepFailedError([later])) == 3
    assert sync_exit_code(sync_errors.SweepFailedError(both)) == 4


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h 0 min"),
        (90000, "1 d 1 h"),
        (-7200, "-2 h 0 min"),
    ],
)
def test_a_duration_has_at_most_two_units(seconds: float, text: str) -> None:
    """A negative one is of a clock that is wrong."""
    assert duration(seconds) == text


def test_a_table_in_a_pipe_is_plain_lines() -> None:
    """The columns are aligned, and nothing is cut off."""
    console, out, _ = lines()
    console.table(("topic", "events", "note"), [("/event/A__e", 7, None), ("b", 1000, "x" * 200)])
    assert out.getvalue() == (
        f"topic        events  note\n/event/A__e  7       -\nb            1000    {'x' * 200}\n"
    )


def test_json_is_one_object_and_nothing_else() -> None:
    """A program can read it."""
    console, out, _ = lines(as_json=True)
    console.line("text")
    console.table(("a",), [(1,)])
    console.result({"a": 1})
    assert json.loads(out.getvalue()) == {"a": 1}


def test_a_failure_as_json_has_its_code_kind_and_problems() -> None:
    """The problems of settings are listed one by one."""
    assert failure(SettingsError(["A is missing"]), 2) == {
        "exit_code": 2,
        "meaning": "usage or settings",
        "error": {
            "kind": "SettingsError",
            "message": str(SettingsError(["A is missing"])),
            "problems": ["A is missing"],
        },
    }
    error = TopicError("x")
    assert failure(error, 4)["error"] == {"kind": "TopicError", "message": str(error)}


def test_a_question_is_answered_by_yes_or_at_the_terminal() -> None:
    """Any other answer means no."""
    Console(io.StringIO(), io.StringIO(), io.StringIO(), yes=True).confirm("Go?")
    Console(Terminal(), err := Terminal(), Terminal("Yes\n")).confirm("Go?")
    assert err.getvalue() == "Go? [y/N] "
    for typed in ("n\n", "\n", "", "yesterday\n"):
        with pytest.raises(StoppedError, match=r"^Nothing was changed\.$"):
            Console(Terminal(), Terminal(), Terminal(typed)).confirm("Go?")


@pytest.mark.parametrize("case", ["no terminal", "answers from a pipe", "json"])
def test_a_question_that_nobody_can_answer_stops_the_command(case: str) -> None:
    """The message names the option that answers it."""
    err = io.StringIO() if case == "no terminal" else Terminal()
    answer = io.StringIO("y\n") if case == "answers from a pipe" else Terminal("y\n")
    console = Console(io.StringIO(), err, answer, as_json=case == "json")
    with pytest.raises(StoppedError) as raised:
        console.confirm("Go?")
    assert str(raised.value) == "Go? Nothing was changed: add --yes to allow it."
    assert raised.value.code == 2


def test_progress_in_a_pipe_is_one_line_for_each_new_text() -> None:
    """A text that did not change is not repeated."""
    console, out, err = lines()
    with console.progress() as show:
        show("1 event")
        show("1 event")
        show("2 events")
    assert err.getvalue() == "1 event\n2 events\n"
    assert out.getvalue() == ""


def test_a_command_can_end_its_sentence_for_every_exit_code() -> None:
    """A missing ending would hide what a poll or a sweep did behind an error of its own."""
    assert ENDINGS.keys() == EXIT_CODES.keys()
