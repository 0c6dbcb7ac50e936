"""The output of the sync's commands in ``docs/operations.md`` is what they print.

``UPDATE_DOCS=1 python3 tests/run.py tests/sync/test_commands_docs.py`` writes it.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from pathlib import Path

import pytest
from local.command_line import sync_command
from local.environments import REPOSITORY
from local.event_files import delete, poll

from delete_sync.src.__main__ import COMMANDS

from .conftest import Place, Put

PAGE = REPOSITORY / "docs/operations.md"
MARK = re.compile(r"<!-- sync output: (.*?) -->\n(?:\n```text\n.*?```\n\n?)?\n?", re.DOTALL)
PERSON = "0015f00000AbCdEAAV"
# What differs between two runs, and what the page has instead.
VARIABLE = [
    (r"20\d{6}T\d{6}Z_[0-9a-f]{8}", "20260201T020000Z_3f6c0a1b"),
    (r"20(?!26-02-01T00)\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", "2026-02-01T02:00:05Z"),
    (r"\b(events)-[0-9a-f]{12}", r"\1"),
    (r"_S_[0-9A-F]{12}", ""),
    (r"\bS_[0-9A-F]{12}", "SALESFORCE"),
    (r"Python 3\.\d+\.\d+", "Python 3.11.9"),
    (r"read from .*", "read from the environment and local.settings.json"),
    (r"\d+ d \d+ h", "1 d 2 h"),
    *(
        (rf"({words}\s+)20\S+Z", rf"\g<1>2026-02-{day}T02:00:05Z")
        for words, day in (
            ("a replay reads again", "04"),
            ("(?:beside the cursors|again then)", "16"),
            ("for 14 days", "15"),
            ("in Fail-safe", "09"),
        )
    ),
    (r"(2026-02-01)  20\d\d-\d\d-\d\d  \d+", r"\1  2026-02-28  28"),
]


def printed(place: Place, line: str, folder: Path) -> str:
    # The page moves from the schema of its other examples to a new one.
    settings = place.beside() if line.startswith("move ") else place.settings
    done = sync_command(settings, *shlex.split(place.name(line)), folder=folder)
    assert done.code == 0, done.text
    text = done.out
    for pattern, instead in VARIABLE:
        text = re.sub(pattern, instead, text)
    return "".join(f"{row.rstrip()}\n" for row in text.splitlines())


@pytest.mark.views
def test_the_output_in_the_docs_is_what_the_commands_print(
    place: Place, put: Put, tmp_path: Path
) -> None:
    """The commands run one after the other, in the order of the page."""
    shutil.copy(REPOSITORY / "delete_sync/requirements.txt", tmp_path)
    put(
        delete("e1", record_id=PERSON),
        delete("e2", payload=f'{{"ParentId": "{PERSON}"}}'),
        poll(objects='["Account"]'),
    )
    place.run("GRANT ROLE delete_tracker_eraser TO USER delete_sync_svc")

    def output(match: re.Match[str]) -> str:
        text = printed(place, match[1], tmp_path)
        shown = f"$ python -m src {match[1]}\n{text}"
        return f"<!-- sync output: {match[1]} -->\n\n```text\n{shown}```\n\n"

    page = PAGE.read_text()
    expected = MARK.sub(output, page)
    assert len(MARK.findall(page)) == 9
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(expected)
    assert PAGE.read_text() == expected


def test_the_docs_list_every_command() -> None:
    """A new command has its row."""
    section = PAGE.read_text().partition("## Commands of the sync\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([a-z].*?)` \|", section, re.MULTILINE)
    assert [row.split()[0] for row in rows] == [*COMMANDS]
