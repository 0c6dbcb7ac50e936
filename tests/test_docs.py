"""The docs say what the code says: settings and errors, both ways."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from delete_sync.src import errors as sync_errors
from delete_sync.src.settings import read as read_sync
from salesforce_client.src.app import errors as collector_errors
from salesforce_client.src.app.mock_salesforce.faults import FAULTS
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
OTHERS_TOOLS = {"az", "cd", "cp", "curl", "func", "openssl", "sf", "source"}
READERS = {"salesforce_client": read_collector, "delete_sync": read_sync}


class Recording(Mapping[str, str]):
    """A mapping without entries that remembers which names were asked for."""

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
    """None is forgotten in any of the three."""
    # The passphrase is asked for only where there is a key.
    code = in_code(app) | ({"SNOWFLAKE_PRIVATE_KEY_PASSPHRASE"} if app == "delete_sync" else set())
    assert in_docs(app) == code
    assert in_example(app) == code


@pytest.mark.parametrize("app", READERS)
def test_the_example_is_complete_as_it_stands(app: str) -> None:
    """``func start`` works with an unedited copy."""
    READERS[app](
        json.loads((REPOSITORY / app / "local.settings.example.json").read_text())["Values"]
    )


@pytest.mark.parametrize("module", [collector_errors, sync_errors], ids=["collector", "sync"])
def test_every_error_stands_in_the_tree_and_in_the_operators_docs(module: Any) -> None:
    """Under its own name."""
    operations = (DOCS / "operations.md").read_text()
    for name, value in inspect.getmembers(module, inspect.isclass):
        if issubclass(value, Exception):
            assert name in (module.__doc__ or ""), name
            assert (
                f"`{name}`" in operations
                or f"### {name}" in operations
                or f", {name}" in operations
            ), name


def test_every_error_in_the_operators_docs_exists() -> None:
    """No section outlives its error."""
    known = {
        name
        for module in (collector_errors, sync_errors)
        for name, _ in inspect.getmembers(module, inspect.isclass)
    }
    named = set(re.findall(r"\b([A-Z]\w+Error)\b", (DOCS / "operations.md").read_text()))
    assert named <= known


def test_every_section_of_an_error_says_what_it_means_what_is_lost_and_what_to_do() -> None:
    """Who is called at night reads no further."""
    page = (DOCS / "operations.md").read_text()
    sections = re.findall(r"^### (\w+Error)\n(.*?)(?=^#|\Z)", page, re.DOTALL | re.MULTILINE)
    assert len(sections) > 15
    for name, text in sections:
        assert re.findall(r"^- \*\*(\w+):\*\* \S", text, re.MULTILINE) == ["Means", "Lost", "Do"], (
            name
        )


def test_settings_named_anywhere_exist() -> None:
    """In the docs, the set-up pages and the READMEs."""
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
    """Every command in a block of shell, with the page that it stands in."""
    for page in PAGES:
        for block in re.findall(r"```bash\n(.*?)```", page.read_text(), re.DOTALL):
            for line in re.sub(r"\\\n\s*", " ", block).splitlines():
                if words := re.sub(r"(^| )#.*", "", line).split():
                    yield page, words


def test_commands_in_the_docs_exist() -> None:
    """Ours with each of their options; of others' the tool is one that the pages say where to get."""
    ours = 0
    for page, (tool, *words) in commands():
        if tool in OTHERS_TOOLS:
            continue
        assert tool in ("python", "python3", "bash"), (page, tool)
        script = words[1].replace(".", "/") + "/__main__.py" if words[0] == "-m" else words[0]
        homes = (REPOSITORY, page.parent, *(REPOSITORY / app for app in READERS))
        found = [home / script for home in homes if (home / script).exists()]
        assert found, (page, script)
        options = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert not [option for option in options if f'"{option}"' not in found[0].read_text()], (
            page,
            words,
        )
        ours += 1
    assert ours > 8


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_and_named_files_exist(page: Path) -> None:
    """In every page, down to the heading."""
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


def test_tests_named_in_the_docs_exist() -> None:
    """A behaviour without its test is only a claim."""
    tests = "".join(path.read_text() for path in (REPOSITORY / "tests").rglob("test_*.py"))
    named = {
        name
        for page in DOCS.rglob("*.md")
        for name in re.findall(r"`(test_\w+)`", page.read_text())
    }
    assert len(named) > 30
    assert {name for name in named if f"def {name}(" not in tests} == set()


def test_the_mocks_faults_are_the_same_in_code_and_docs() -> None:
    """Names, values and what happens."""
    page = (DOCS / "mock-salesforce.md").read_text()
    told = {
        name: (value, what)
        for name, value, what in re.findall(
            r"^\| `(\w+)` \| (.*?) ?\| (.*) \|$", page, re.MULTILINE
        )
    }
    assert told == FAULTS


def test_modules_named_in_the_apps_readmes_exist() -> None:
    """The code map leads to files that are there."""
    for app in READERS:
        for path in re.findall(
            r"`((?:src|TimerPoller|SnowflakePusher)/[\w./]*)`",
            (REPOSITORY / app / "README.md").read_text(),
        ):
            assert (REPOSITORY / app / path).exists(), path
    assert importlib.import_module("salesforce_client.src.app.mock_salesforce.__main__")


@pytest.mark.parametrize(
    ("app", "source"), [("salesforce_client", "src/app"), ("delete_sync", "src")]
)
def test_the_table_of_modules_is_complete(app: str, source: str) -> None:
    """Each module has a row in the architecture page, and each row a module; a row may stand for a folder."""
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
        f"add a line to 'Modules of {app}' in docs/architecture.md that says what each of these does: {unknown}"
    )
    assert [row for row in rows if not (home / row).exists()] == []
