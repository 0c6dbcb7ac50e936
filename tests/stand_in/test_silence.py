"""A Snowflake that accepts requests and says nothing never outlasts the time of the sweep."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from local import emulators, environments
from local.proxy import Request, proxy

from delete_sync.src.budget import RESERVE_SECONDS
from delete_sync.src.warehouse.session import (
    LAST_CLOSE_SECONDS,
    LAST_OVERSHOOT_SECONDS,
    ROLLBACK_SECONDS,
)

HERE = Path(__file__).resolve().parent
LEFT = 4.0
BESIDES = 1.5  # seconds for what a busy machine does between two steps
SILENT: dict[str, Callable[[Request], bool]] = {
    "login": lambda request: "login-request" in request.path,
    "take_lock": lambda request: "DELETE_TRACKER_LOCK" in request.text,
    "COMMIT": lambda request: '"COMMIT"' in request.text,
    # The statement is answered, and the storage behind the stage is silent.
    "put": lambda request: request.path.startswith("/fs_bucket/"),
}


@pytest.fixture
def end_of_the_test() -> Iterator[threading.Event]:
    """Set when the silence is over."""
    ended = threading.Event()
    yield ended
    ended.set()


@pytest.mark.parametrize("group", ["dev", "connector5"])
@pytest.mark.parametrize("what", SILENT)
def test_a_silent_snowflake_is_given_up_when_the_time_of_the_sweep_is_over(
    snowflake: emulators.Server,
    schema: str,
    end_of_the_test: threading.Event,
    group: str,
    what: str,
) -> None:
    """From that request on nothing is answered, neither ROLLBACK nor the end of the session."""
    silent = threading.Event()

    def say_nothing(request: Request) -> None:
        if silent.is_set() or (SILENT[what](request) and "CREATE" not in request.text):
            silent.set()
            end_of_the_test.wait(60)

    with proxy(snowflake.port, keeps_host=True) as through:
        through.before = say_nothing
        done = subprocess.run(
            [
                *(environments.group(group), HERE / "meet_silence.py"),
                *(str(through.port), schema, what, str(LEFT)),
            ],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        end_of_the_test.set()
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    doing = "connecting to Snowflake" if what == "login" else what
    assert told["error"] == (
        f"OutOfTimeError: {doing}: no time is left before the host ends the invocation; "
        "the next sweep goes on. Nothing is lost: a later sweep loads the files that are still "
        "pending"
    )
    rollback = ROLLBACK_SECONDS if what in ("take_lock", "COMMIT") else 0
    assert LEFT - 1 < told["seconds"] < LEFT + LAST_OVERSHOOT_SECONDS + rollback + BESIDES
    closing = told["with the end"] - told["seconds"]
    assert closing < LAST_CLOSE_SECONDS + BESIDES


def test_the_reserve_is_enough_for_a_snowflake_that_is_silent_to_the_end() -> None:
    """After the last statement come a rollback, the end of two sessions, and the report."""
    needed = LAST_OVERSHOOT_SECONDS + ROLLBACK_SECONDS + 2 * LAST_CLOSE_SECONDS
    assert needed + 1 < RESERVE_SECONDS - 2
