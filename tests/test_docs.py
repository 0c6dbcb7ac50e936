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
HOST_SETTINGS = {"FUNCTIONS_WORKER_RUNTIME", "PYTHON_ISOLATE_WORKER_DEPENDENCIES", "AzureWebJobsStorage"}
SCHEDULES = {"salesforce_client": "POLL_SCHEDULE", "delete_sync": "SYNC_SCHEDULE"}
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
    return {name for row in re.findall(r"^\| (`[A-Z].*?) \|", section, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)}


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
    READERS[app](json.loads((REPOSITORY / app / "local.settings.example.json").read_text())["Values"])


@pytest.mark.parametrize("module", [collector_errors, sync_errors], ids=["collector", "sync"])
def test_every_error_stands_in_the_tree_and_in_the_operators_docs(module: Any) -> None:
    """Under its own name."""
    operations = (DOCS / "operations.md").read_text()
    for name, value in inspect.getmembers(module, inspect.isclass):
        if issubclass(value, Exception):
            assert name in (module.__doc__ or ""), name
            assert f"`{name}`" in operations or f"### {name}" in operations or f", {name}" in operations, name


def test_every_error_in_the_operators_docs_exists() -> None:
    """No section outlives its error."""
    known = {name for module in (collector_errors, sync_errors) for name, _ in inspect.getmembers(module, inspect.isclass)}
    named = set(re.findall(r"\b([A-Z]\w+Error)\b", (DOCS / "operations.md").read_text()))
    assert named <= known


@pytest.mark.parametrize(
    "page", [*DOCS.glob("*.md"), *REPOSITORY.glob("*.md"), *REPOSITORY.glob("*/README.md")], ids=lambda it: it.name
)
def test_links_and_named_files_exist(page: Path) -> None:
    """In every page."""
    text = page.read_text()
    for link in re.findall(r"\]\((\.[^)#]*)", text):
        assert (page.parent / link).exists(), link
    for path in re.findall(r"`((?:tests|proto|docs|salesforce_client|delete_sync)/[\w./-]+)`", text):
        assert (REPOSITORY / path).exists(), path


def test_tests_named_in_the_docs_exist() -> None:
    """A behaviour without its test is only a claim."""
    tests = "".join(path.read_text() for path in (REPOSITORY / "tests").rglob("test_*.py"))
    named = {name for page in DOCS.rglob("*.md") for name in re.findall(r"`(test_\w+)`", page.read_text())}
    assert len(named) > 30
    assert {name for name in named if f"def {name}(" not in tests} == set()


def test_the_mocks_faults_are_the_same_in_code_and_docs() -> None:
    """Names, values and what happens."""
    page = (DOCS / "mock-salesforce.md").read_text()
    told = {name: (value, what) for name, value, what in re.findall(r"^\| `(\w+)` \| (.*?) ?\| (.*) \|$", page, re.MULTILINE)}
    assert told == FAULTS


def test_modules_named_in_the_apps_readmes_exist() -> None:
    """``Where what stands`` is where it stands."""
    for app in READERS:
        for path in re.findall(r"`((?:src|TimerPoller|SnowflakePusher)/[\w./]*)`", (REPOSITORY / app / "README.md").read_text()):
            assert (REPOSITORY / app / path).exists(), path
    assert importlib.import_module("salesforce_client.src.app.mock_salesforce.__main__")
