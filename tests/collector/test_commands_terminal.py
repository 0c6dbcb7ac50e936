"""The commands at a terminal, with the optional packages rich and grpcio-reflection."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from local import environments
from local.apps import NOT_INHERITED
from local.environments import REPOSITORY

from salesforce_client.src.app.mock_salesforce import DEFAULT_TOPICS, MockSalesforce

HOME = REPOSITORY / "salesforce_client"
SERVICES = """
import sys, grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
print(*ProtoReflectionDescriptorDatabase(grpc.insecure_channel(sys.argv[1])).get_services())
"""


@pytest.fixture(scope="module")
def python() -> str:
    """Python of an operator's machine with both packages."""
    return str(environments.group("operator"))


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    return {**inherited, **settings, "COLUMNS": "200", "TERM": "xterm"}


def at_a_terminal(
    python: str,
    settings: Mapping[str, str],
    *arguments: str,
    columns: int = 200,
    code: int = 0,
    run: Sequence[str] = ("-m", "src.app"),
) -> str:
    """What a command prints at a terminal. It must end with this code."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [python, *run, *arguments],
        cwd=HOME,
        env={**environment(settings), "COLUMNS": str(columns)},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    parts = []
    with contextlib.suppress(OSError):  # the other side is closed
        while part := os.read(ours, 65536):
            parts.append(part)
    os.close(ours)
    text = b"".join(parts).decode()
    assert process.wait(60) == code, text
    return text


def plain(text: str) -> str:
    """The text without colours and movements of the cursor."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_tables_and_progress_are_drawn(
    python: str, mock: MockSalesforce, blob_settings: Mapping[str, str]
) -> None:
    """The line of progress is replaced, and is not a part of the table."""
    topic = {"SALESFORCE_TOPICS": DEFAULT_TOPICS[0]}
    with MockSalesforce(3600, faults="trickle=0.1", keepalive_seconds=0.2) as slow:
        settings = {**blob_settings, **slow.settings, **topic}
        text = plain(at_a_terminal(python, settings, "poll", "--yes"))
    assert re.search(r"┃ topic +┃ ended +┃ received", text)
    assert re.search(r"│ /event/Delete_Event__e +│ caught_up", text)
    assert re.search(r" events, \d+/s, 0 files", text)
    settings = {**blob_settings, **mock.settings, **topic, "CHECK_OBJECTS": "Account"}
    drawn = at_a_terminal(python, settings, "doctor", "--yes", "--listen", "0.5")
    text = plain(drawn)
    assert re.search(r"┃ check +┃ status +┃ seen +┃\r?\n", text), "there is nothing to do"
    assert re.search(r"\x1b\[32mok *\x1b\[0m", drawn), "ok is not green"
    settings["SALESFORCE_CLIENT_ID"] = "another"
    text = plain(at_a_terminal(python, settings, "doctor", "--yes", code=1))
    assert re.search(r"┃ check +┃ status +┃ seen +┃ what to do", text)


def test_a_narrow_terminal_shows_every_value_whole(
    python: str, mock: MockSalesforce, blob_settings: Mapping[str, str]
) -> None:
    """A value that does not fit goes on in the next line. Nothing is cut."""
    settings = {**blob_settings, **mock.settings, "SALESFORCE_TOPICS": DEFAULT_TOPICS[0]}
    text = plain(at_a_terminal(python, settings, "poll", "--yes", columns=60))
    assert max(map(len, text.splitlines())) <= 60
    assert "…" not in text.partition("topic")[2]
    first = [it.split("│")[1].strip() for it in text.splitlines() if it.startswith("│")]
    assert "".join(first) == DEFAULT_TOPICS[0]


@pytest.mark.parametrize("app", ["salesforce_client.src.app", "delete_sync.src"])
def test_a_row_that_is_too_wide_is_a_block_of_lines(python: str, app: str) -> None:
    """A table is drawn up to four thirds of the width. Beyond, no value is broken."""
    code = f"""
import sys
sys.path.insert(0, {str(REPOSITORY)!r})
from {app}.console import Console
console = Console(sys.stdout, sys.stderr, sys.stdin)
console.table(("id", "[status] x"), [("1" * 30, "ok"), ("2" * 30, "-")])
"""

    def drawn(columns: int) -> str:
        return at_a_terminal(python, {}, columns=columns, run=["-c", code])

    # The columns of the table without a broken word: 30 and 8, and three lines.
    assert "┏" in drawn(31)
    assert f"│{'1' * 30}│" in plain(drawn(43)), "blanks beside the values break them"
    assert f"│ {'1' * 30} │" in plain(drawn(47)), "there is room for blanks"
    assert re.search(r"\x1b\[32mok *\x1b\[0m", drawn(30)), "ok is not green"
    assert [it.rstrip() for it in plain(drawn(30)).splitlines()] == [
        "── 1 of 2",
        f"id          {'1' * 18}",
        f"            {'1' * 12}",
        "[status] x  ok",
        "── 2 of 2",
        f"id          {'2' * 18}",
        f"            {'2' * 12}",
        "[status] x  -",
    ]


@contextlib.contextmanager
def mock_process(python: str, *options: str) -> Iterator[dict[str, Any]]:
    command = [python, "-m", "src.app", "mock", "--json", "--port", "0", "--pubsub-port", "0"]
    process = subprocess.Popen(
        [*command, *options],
        cwd=HOME,
        env=environment({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout
        lines = [process.stdout.readline()]
        while lines[-1] not in ("}\n", ""):
            lines.append(process.stdout.readline())
        yield json.loads("".join(lines))
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)


def test_the_mock_answers_server_reflection(python: str, tmp_path: Path) -> None:
    """A tool such as grpcurl needs no proto file then."""
    with mock_process(python, "--key-file", str(tmp_path / "key.pem")) as told:
        assert told["reflection"] is True
        target = told["SALESFORCE_PUBSUB_ENDPOINT"].removeprefix("http://")
        listed = subprocess.run(
            [python, "-c", SERVICES, target],
            env=environment({}),
            capture_output=True,
            text=True,
            check=True,
        )
    assert "eventbus.v1.PubSub" in listed.stdout.split()
