"""The docs and the code agree.

The tests compare settings, errors, commands, links, faults of the mock and the tables of modules.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from delete_sync.src import budget
from delete_sync.src import errors as sync_errors
from delete_sync.src.settings import read as read_sync
from delete_sync.src.warehouse import session, snowflake_errors
from salesforce_client.src.app import errors as collector_errors
from salesforce_client.src.app.commands import mock
from salesforce_client.src.app.mock_salesforce.faults import FAULTS
from salesforce_client.src.app.settings import CA_FILES
from salesforce_client.src.app.settings import read as read_collector

REPOSITORY = Path(__file__).resolve().parent.parent
DOCS = REPOSITORY / "docs"
HOST_SETTINGS = {
    "FUNCTIONS_WORKER_RUNTIME",
    "PYTHON_ISOLATE_WORKER_DEPENDENCIES",
    "AzureWebJobsStorage",
}
SCHEDULES = {"salesforce_client": "POLL_SCHEDULE", "delete_sync": "SYNC_SCHEDULE"}
PAGES = sorted(
    page
    for folder in (".", "salesforce_client", "delete_sync", "proto")
    for page in (REPOSITORY / folder).glob("*.md")
) + sorted(DOCS.rglob("*.md"))
OTHERS_TOOLS = {"az", "cd", "cp", "curl", "func", "git", "openssl", "pip", "sf", "snow", "source"}
SHELL = {"echo", "export", "rm"}
READERS = {"salesforce_client": read_collector, "delete_sync": read_sync}


class Recording(Mapping[str, str]):
    """A mapping without entries that records the requested names."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def in_code(app: str) -> set[str]:
    recording = Recording()
    with pytest.raises(Exception, match="need attention"):
        READERS[app](recording)
    return recording.asked | {SCHEDULES[app]}


def in_docs(app: str) -> set[str]:
    section = (DOCS / "settings.md").read_text().partition(f"## {app}\n")[2].partition("\n## ")[0]
    return {
        name
        for row in re.findall(r"^\| (`[A-Z].*?) \|", section, re.MULTILINE)
        for name in re.findall(r"`([^`]+)`", row)
    }


def in_example(app: str) -> set[str]:
    values = json.loads((REPOSITORY / app / "local.settings.example.json").read_text())["Values"]
    return set(values) - HOST_SETTINGS


@pytest.mark.parametrize("app", READERS)
def test_settings_are_the_same_in_code_docs_and_example(app: str) -> None:
    """A setting that is missing in one of the three fails this test."""
    # The app reads the passphrase only if there is a private key.
    code = in_code(app) | ({"SNOWFLAKE_PRIVATE_KEY_PASSPHRASE"} if app == "delete_sync" else set())
    assert in_docs(app) == code, f"docs/settings.md and settings.py of {app} differ"
    code -= set(CA_FILES)  # the example has none of them, as for OpenSSL an empty name is a file
    assert in_example(app) == code, f"local.settings.example.json and settings.py of {app} differ"


@pytest.mark.parametrize("app", READERS)
def test_the_example_settings_work_unedited(app: str) -> None:
    """``func start`` works with an unedited copy of the example."""
    READERS[app](
        json.loads((REPOSITORY / app / "local.settings.example.json").read_text())["Values"]
    )


@pytest.mark.parametrize("module", [collector_errors, sync_errors], ids=["collector", "sync"])
def test_every_error_is_listed_in_its_module_and_in_the_operations_page(module: Any) -> None:
    """An operator who searches the name of an error finds it."""
    operations = (DOCS / "operations.md").read_text()
    for name, value in inspect.getmembers(module, inspect.isclass):
        if issubclass(value, Exception):
            assert name in (module.__doc__ or ""), name
            assert (
                f"`{name}`" in operations
                or f"### {name}" in operations
                or f", {name}" in operations
            ), name


def rows_of(page: str, *columns: str) -> list[list[str]]:
    """The rows of each table with these columns."""
    head = re.escape(f"| {' | '.join(columns)} |")
    tables = re.findall(rf"^{head}\n\|[-|]+\|\n((?:\|.*\n)+)", page, re.MULTILINE)
    return [row[2:-2].split(" | ") for table in tables for row in table.splitlines()]


@pytest.mark.parametrize("module", [collector_errors, sync_errors], ids=["collector", "sync"])
def test_every_error_has_a_row_that_says_what_to_do(module: Any) -> None:
    """An operator who sees its name looks into the tables at the top. Base classes are never seen.

    An error with a section has a row that also says where to look first.
    """
    page = (DOCS / "operations.md").read_text()
    seen = rows_of(page, "what you see", "look first", "error", "what to do")
    inside = rows_of(page, "inside a poll or a sweep", "error", "what to do")
    assert all(all(row) and len(row) == 4 for row in seen)
    assert all(all(row) and len(row) == 3 for row in inside)
    bases = {"CollectorError", "SyncError", "TryAgainError", "ActionNeededError"}
    for name, value in inspect.getmembers(module, inspect.isclass):
        if issubclass(value, Exception) and name not in bases:
            rows = seen if re.search(rf"^### .*\b{name}\b", page, re.MULTILINE) else inside
            assert [row for row in rows if re.search(rf"\b{name}\b", row[-2])], name


def test_every_error_in_the_operations_page_exists() -> None:
    """A removed error leaves no section behind."""
    known = {
        name
        for module in (collector_errors, sync_errors)
        for name, _ in inspect.getmembers(module, inspect.isclass)
    }
    named = set(re.findall(r"\b([A-Z]\w+Error)\b", (DOCS / "operations.md").read_text()))
    assert named <= known


def test_every_section_of_an_error_says_what_it_means_what_is_lost_and_what_to_do() -> None:
    """An operator who is called at night needs only this section."""
    page = (DOCS / "operations.md").read_text()
    sections = re.findall(r"^### (\w+Error)\n(.*?)(?=^#|\Z)", page, re.DOTALL | re.MULTILINE)
    assert len(sections) > 15
    for name, text in sections:
        assert re.findall(r"^- \*\*(\w+):\*\* \S", text, re.MULTILINE) == ["Means", "Lost", "Do"], (
            name
        )


def test_the_operations_page_has_every_number_of_snowflake_that_the_sync_knows() -> None:
    """An operator who looks up a number finds it, and what the page says is in the code."""
    section = (DOCS / "operations.md").read_text().partition("### Snowflake's error numbers\n")[2]
    told: set[int] = set()
    for cell in re.findall(r"^\| (\d[^|]*) \|", section, re.MULTILINE):
        for first, last in re.findall(r"(\d+)(?: to (\d+))?", cell):
            told |= set(range(int(first), int(last or first) + 1))
    assert told == {
        *snowflake_errors.ADVICE,
        *snowflake_errors.TRANSIENT,
        *snowflake_errors.OF_A_VALUE,
    }


def test_the_times_of_a_sweep_are_those_of_the_code() -> None:
    """The pages on a sweep and on the settings have the limits in seconds."""
    section = (DOCS / "sweep.md").read_text().partition("\n## Time\n")[2].partition("\n## ")[0]
    host = json.loads((REPOSITORY / "delete_sync/host.json").read_text())
    assert host["functionTimeout"] == "00:10:00"
    assert "is 10 minutes" in section
    assert f"at most {budget.LAST_BATCH_SECONDS:g} s before" in section
    assert f"| login | {session.LOGIN_SECONDS} s |" in section
    assert f"wait for a lock | {session.STATEMENT_SECONDS} s |" in section
    assert f"until {budget.RESERVE_SECONDS:g} s before" in section
    assert f"10 to {600 - budget.LAST_BATCH_SECONDS:g}, " in (DOCS / "settings.md").read_text()


def test_settings_named_in_any_page_exist() -> None:
    """The pages are the docs, the set-up pages and the READMEs."""
    known = {
        *in_code("salesforce_client"),
        *in_code("delete_sync"),
        *HOST_SETTINGS,
        "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE",
    }
    beginnings = "SALESFORCE|SNOWFLAKE|EVENTS|CURSORS|MOCK|MAX|IDLE|FULL|MERGE|POLL|SYNC"
    for page in PAGES:
        named = set(
            re.findall(rf"`((?:{beginnings})_[A-Z][A-Z_]*(?:__\w+)?)(?:`|=)", page.read_text())
        )
        assert named <= known, page


def commands() -> Iterator[tuple[Path, list[str]]]:
    """Yield the page and the words of every command in a block of shell."""
    for page in PAGES:
        for block in re.findall(r"```bash\n(.*?)```", page.read_text(), re.DOTALL):
            for line in re.sub(r"\\\n\s*", " ", block).splitlines():
                if words := re.sub(r"(^| )#.*", "", line).split():
                    yield page, words


def test_commands_in_the_docs_exist() -> None:
    """Our own scripts exist with all options. Other tools are in ``OTHERS_TOOLS``."""
    ours = 0
    for page, (tool, *words) in commands():
        if tool in OTHERS_TOOLS | SHELL or re.match(r"\w+=", tool):
            continue
        assert tool in ("python", "python3", ".venv/bin/python", "bash"), (page, tool)
        script = words[1].replace(".", "/") + "/__main__.py" if words[0] == "-m" else words[0]
        homes = (REPOSITORY, page.parent, *(REPOSITORY / app for app in READERS))
        found = [home / script for home in homes if (home / script).exists()]
        assert found, (page, script)
        options = {word.partition("=")[0] for word in words if word.startswith("--")}
        code = [found[0], *(found[0].parent / "commands").glob("*.py")]
        text = "".join(path.read_text() for path in code)
        assert not [option for option in options if f'"{option}"' not in text], (
            page,
            words,
        )
        ours += 1
    assert ours > 8


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_and_named_files_exist(page: Path) -> None:
    """A link also points to an existing heading."""
    text = page.read_text()
    for link, anchor in re.findall(r"\]\((\.[^)#]*)?(?:#([^)]*))?\)", text):
        target = page.parent / link if link else page
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)", target.read_text(), re.MULTILINE)
            slugs = {
                re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings
            }
            assert anchor in slugs or f'id="{anchor}"' in target.read_text(), (link, anchor)
    for path in re.findall(
        r"`((?:tests|proto|docs|salesforce_client|delete_sync)/[\w./-]+)`", text
    ):
        assert (REPOSITORY / path).exists(), path


def test_every_file_of_behaviours_has_a_section_in_the_docs() -> None:
    """A file that the page's generator does not know fails here."""
    page = (DOCS / "collector-behaviours.md").read_text()
    named = re.findall(r"^Tests: \[`(.*?)`\]", page, re.MULTILINE)
    folder = REPOSITORY / "tests/collector/behaviours"
    files = {path.relative_to(REPOSITORY).as_posix() for path in folder.glob("test_*.py")}
    assert len(files) > 5
    assert files <= set(named)


def test_the_mocks_faults_are_the_same_in_code_and_docs() -> None:
    """The test compares names, values and descriptions."""
    page = (DOCS / "mock-salesforce.md").read_text()
    told = {
        name: (value, what)
        for name, value, what in re.findall(
            r"^\| `(\w+)` \| (.*?) ?\| (.*) \|$", page, re.MULTILINE
        )
    }
    assert told == FAULTS


def test_the_mocks_options_are_the_same_in_help_and_docs() -> None:
    """The test compares names, defaults and descriptions."""
    page = (DOCS / "mock-salesforce.md").read_text()
    told = dict(re.findall(r"^\| `(--[\w-]+)(?: [^`]+)?` \| (.*) \|$", page, re.MULTILINE))
    parser = argparse.ArgumentParser(add_help=False)
    mock.arguments(parser)
    helped = {}
    for action in parser._actions:  # argparse has no public list of options
        text, _, default = (action.help or "").partition(" (default: ")
        default = default.rstrip(")").replace("%(default)s", f"`{action.default}`")
        helped[action.option_strings[0]] = f"{default or 'none'} | {text}"
    assert told == helped


def test_modules_named_in_the_apps_readmes_exist() -> None:
    """The files of the code map exist."""
    for app in READERS:
        for path in re.findall(
            r"`((?:src|TimerPoller|SnowflakePusher)/[\w./]*)`",
            (REPOSITORY / app / "README.md").read_text(),
        ):
            assert (REPOSITORY / app / path).exists(), path


@pytest.mark.parametrize(
    ("app", "source"), [("salesforce_client", "src/app"), ("delete_sync", "src")]
)
def test_the_table_of_modules_is_complete(app: str, source: str) -> None:
    """Each module has a row in the architecture page, and each row names a module or folder."""
    section = (
        (DOCS / "architecture.md")
        .read_text()
        .partition(f"### Modules of {app}\n")[2]
        .partition("\n#")[0]
    )
    rows = re.findall(r"^\| `([\w/.]+)` \| \S", section, re.MULTILINE)
    home = REPOSITORY / app / source
    modules = {path.relative_to(home).as_posix() for path in home.rglob("*.py")}
    with_code = {
        name
        for name in modules
        if len((home / name).read_text().splitlines()) > 1 or "/" not in name
    }
    told = {
        name
        for row in rows
        for name in modules
        if name == row or (row.endswith("/") and name.startswith(row))
    }
    unknown = with_code - {"__init__.py"} - told
    assert not unknown, (
        f"add a line for each of these to 'Modules of {app}' in docs/architecture.md, "
        f"saying what it does: {unknown}"
    )
    assert [row for row in rows if not (home / row).exists()] == []
