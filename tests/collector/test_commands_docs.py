"""The output of the commands in ``docs/operations.md`` is what they print.

``UPDATE_DOCS=1 python3 tests/run.py tests/collector/test_commands_docs.py`` writes it.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

from azure.storage.blob import ContainerClient
from local.command_line import command
from local.environments import REPOSITORY

from delete_sync.src.event_files.event_file import EventFile as SyncsEventFile
from salesforce_client.src.app.__main__ import COMMANDS
from salesforce_client.src.app.commands.command_line import CODES
from salesforce_client.src.app.console import EXIT_CODES
from salesforce_client.src.app.mock_salesforce import DEFAULT_TOPICS, MockSalesforce
from salesforce_client.src.app.storage.event_file import EventFile

NOW = datetime(2026, 2, 1, 12, 30, tzinfo=timezone.utc)
PAGE = REPOSITORY / "docs/operations.md"
MARK = re.compile(r"<!-- output: (.*?) -->\n(?:\n```text\n.*?```\n\n?)?", re.DOTALL)
# What differs between two runs, and what the page has instead.
VARIABLE = [
    (r"events_\d{8}T\d{6}Z", "events_20260201T123000Z"),
    (r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "2026-02-01T12:30:00.000Z"),
    (r"\b(events|cursors)-[0-9a-f]{12}", r"\1"),
    (r"Python 3\.\d+\.\d+", "Python 3.11.9"),
    (r"read from .*", "read from the environment and local.settings.json"),
    (r"127\.0\.0\.1:\d+ *", "127.0.0.1:7480  "),
    (r"[0-9a-f]{64}", "3f6c" * 16),
    (r"\b\d s (ahead of|behind)", "0 s behind"),
    (r"\b\d s ago", "1 s ago"),
    (r"  \d s  ", "  1 s  "),
]


def printed(settings: Mapping[str, str], line: str, folder: Path) -> str:
    done = command(settings, *line.split(), folder=folder)
    assert done.code == 0, done.text
    text = done.out
    for pattern, instead in VARIABLE:
        text = re.sub(pattern, instead, text)
    return "".join(f"{row.rstrip()}\n" for row in text.splitlines())


def reject(blob_settings: Mapping[str, str]) -> None:
    """Let a poll reject every event, although the events are good."""
    with MockSalesforce(3600, faults="schema_missing", keepalive_seconds=0.2) as other:
        other.org.now = lambda: NOW
        topic = {"SALESFORCE_TOPICS": DEFAULT_TOPICS[0]}
        assert (
            "rejected" in command({**blob_settings, **other.settings, **topic}, "poll", "--yes").out
        )


def of_check(blob_settings: Mapping[str, str], line: str, folder: Path) -> str:
    """What a check prints. It needs an org with this machine's time, whose numbers differ."""
    own = {
        name: f"{blob_settings[name]}-check" for name in ("EVENTS_CONTAINER", "CURSORS_CONTAINER")
    }
    more = {"SALESFORCE_TOPICS": DEFAULT_TOPICS[1], "CHECK_OBJECTS": "Account"}
    with MockSalesforce(3600, keepalive_seconds=0.2) as now:
        text = printed({**blob_settings, **own, **now.settings, **more}, line, folder)
    text = re.sub(r"\d+ (event\(s\) read), \d+ ", r"1 \1, 1 ", text)
    return re.sub(r"(?<=  )[1-9]\d* +", lambda number: "1".ljust(len(number[0])), text)


def test_the_output_in_the_docs_is_what_the_commands_print(
    mock: MockSalesforce,
    blob_settings: Mapping[str, str],
    cursors: ContainerClient,
    tmp_path: Path,
) -> None:
    """The commands run one after the other, in the order of the page."""
    mock.org.now = lambda: NOW
    shutil.copy(REPOSITORY / "salesforce_client/requirements.txt", tmp_path)
    settings = {**blob_settings, **mock.settings, "SALESFORCE_TOPICS": DEFAULT_TOPICS[0]}
    unchecked = {**settings, "CHECK_OBJECTS": "none"}
    checked = {**settings, "CHECK_OBJECTS": "Account"}

    def output(match: re.Match[str]) -> str:
        line = match[1]
        if line.startswith("reprocess"):
            reject(blob_settings)
        if "--remove-org" in line:
            cursors.upload_blob(f"{line.split()[2]}{DEFAULT_TOPICS[0]}.json", b"{}")
        if line.startswith("check"):
            text = of_check(blob_settings, line, tmp_path)
        else:
            text = printed(checked if line.startswith("doctor") else unchecked, line, tmp_path)
        shown = f"$ python -m src.app {line}\n{text}"
        return f"<!-- output: {line} -->\n\n```text\n{shown}```\n\n"

    page = PAGE.read_text()
    expected = MARK.sub(output, page)
    assert len(MARK.findall(page)) == 8
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(expected)
    assert PAGE.read_text() == expected


def test_a_sweep_that_reads_the_doctors_event_file_loads_no_row(tmp_path: Path) -> None:
    """The sync accepts the file, and it has no line."""
    path = tmp_path / "trial.db"
    EventFile(path, datetime.now(timezone.utc)).close()
    with SyncsEventFile(path, path.name, hashlib.sha256(path.read_bytes()).hexdigest()) as file:
        assert list(file.lines()) == []


def test_the_docs_list_every_command_and_exit_code() -> None:
    """A new command has its row, and so has each exit code."""
    section = PAGE.read_text().partition("### Commands of the collector\n")[2].partition("\n## ")[0]
    assert [it.split()[0] for it in re.findall(r"^\| `([a-z].*?)` \|", section, re.MULTILINE)] == [
        *COMMANDS
    ]
    assert [int(it) for it in re.findall(r"^\| `(\d)` \|", section, re.MULTILINE)] == [*EXIT_CODES]
    assert CODES.startswith("0 well")
