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
from local.apps import inherited
from local.command_line import command
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
    return {**inherited(), **settings, "COLUMNS": "200", "TERM": "xterm"}


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
    """The row of each topic becomes lines, under the topic's name. Nothing is cut or broken."""
    settings = {**blob_settings, **mock.settings, "SALESFORCE_TOPICS": DEFAULT_TOPICS[0]}
    text = plain(at_a_terminal(python, settings, "poll", "--yes", columns=60))
    assert max(map(len, text.splitlines())) <= 60
    assert "…" not in text.partition("topic")[2]
    assert f"── {DEFAULT_TOPICS[0]} (1 of 1)" in text.splitlines()
    assert re.search(rf"^topic +{DEFAULT_TOPICS[0]}\b", text, re.MULTILINE)


def drawn(
    python: str, app: str, columns: int, table: Sequence[object], **options: Sequence[str]
) -> str:
    """A table at a terminal of this width, with colours."""
    code = f"""
import sys
sys.path.insert(0, {str(REPOSITORY)!r})
from {app}.console import Console
console = Console(sys.stdout, sys.stderr, sys.stdin)
console.table(*{table!r}, **{options!r})
"""
    return at_a_terminal(python, {}, columns=columns, run=["-c", code])


def lines_of(text: str) -> list[str]:
    return [it.rstrip() for it in plain(text).splitlines()]


APPS = ["salesforce_client.src.app", "delete_sync.src"]
ID, DIGEST = "0015f00000AbCdEAAV", "a" * 64


@pytest.mark.parametrize("app", APPS)
def test_a_row_whose_words_do_not_fit_is_a_block_of_lines(python: str, app: str) -> None:
    """A table is drawn only if no word in it is broken. A block has the name of its row."""
    table = ("id", "[status] x", "seen"), [(ID, "ok", "one two"), ("2", "-", "three")]
    # The longest words: 18, 8 and 5, and four lines between the columns.
    narrow = drawn(python, app, 35, table)
    assert f"│{ID}│ok      │one  │" in plain(narrow), "blanks beside the values break them"
    assert "│                  │        │two  │" in plain(narrow)
    assert f"│ {ID} │ ok       │" in plain(drawn(python, app, 41, table)), "there is room"
    narrower = drawn(python, app, 34, table)
    assert re.search(r"\x1b\[32mok *\x1b\[0m", narrower), "ok is not green"
    assert lines_of(narrower) == [
        f"── {ID} (1 of 2)",
        f"id          {ID}",
        "[status] x  ok",
        "seen        one two",
        "── 2 (2 of 2)",
        "id          2",
        "[status] x  -",
        "seen        three",
    ]


def test_a_block_is_named_by_the_columns_that_tell_the_rows_apart(python: str) -> None:
    """A query knows no such column, so its blocks have numbers."""
    table = ("file", "record", "id"), [("events.db", ID, "e1")]
    named = drawn(python, APPS[1], 30, table, named_by=("file", "id"))
    assert lines_of(named)[0] == "── events.db e1 (1 of 1)"
    assert lines_of(drawn(python, APPS[1], 30, table, named_by=()))[0] == "── 1 of 1"


def test_a_value_as_wide_as_the_terminal_is_below_its_name(python: str) -> None:
    """Two columns are names and values, so they need no headings."""
    table = ("login", "value"), [("user", "x"), ("digest", DIGEST)]
    assert f"│{DIGEST}│" in plain(drawn(python, APPS[0], 73, table))
    assert lines_of(drawn(python, APPS[0], 72, table)) == ["user    x", f"digest  {DIGEST}"]
    below = ["user    x", "digest", f"  {DIGEST}"]
    assert lines_of(drawn(python, APPS[0], 71, table)) == below


def test_a_doctor_at_a_narrow_terminal_prints_one_line_for_each_check(
    python: str, mock: MockSalesforce, blob_settings: Mapping[str, str]
) -> None:
    """Blocks of lines would fill several screens."""
    settings = {**blob_settings, **mock.settings, "SALESFORCE_TOPICS": DEFAULT_TOPICS[0]}
    options = ("doctor", "--yes", "--listen", "0.1")
    text = plain(at_a_terminal(python, settings, *options, columns=50, code=1))
    assert f"ok       topic {DEFAULT_TOPICS[0]}: exists, and the user may subscribe" in text
    assert "┃" not in text


def test_a_line_of_the_log_does_not_break_the_line_of_progress(
    python: str, mock: MockSalesforce, blob_settings: Mapping[str, str]
) -> None:
    """It has a line of its own, and the progress goes on below it."""
    topic = DEFAULT_TOPICS[0]
    settings = {**blob_settings, **mock.settings, "SALESFORCE_TOPICS": topic}
    for arguments in (["poll"], ["replay", topic]):
        assert command(settings, *arguments, "--yes").code == 0
    text = at_a_terminal(python, settings, "poll", "--yes")
    # The line of progress is removed before it, if there is one already.
    begins = r"(?:\x1b\[2K|\x1b\[\?25l|\n)"
    assert re.search(rf"{begins}topic={topic} start=EARLIEST [^\r]*\r\n", text), text


@contextlib.contextmanager
def mock_process(python: str, *options: str) -> Iterator[dict[str, Any]]:
    line = [python, "-m", "src.app", "mock", "--json", "--port", "0", "--pubsub-port", "0"]
    process = subprocess.Popen(
        [*line, *options],
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
