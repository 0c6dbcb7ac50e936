"""The one command for everything that must hold."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import run

REPOSITORY = Path(__file__).resolve().parent.parent


def told(arguments: list[str]) -> list[str]:
    return [" ".join(command) for command in run.chosen(arguments)]


def test_without_arguments_all_is_run() -> None:
    """Lint first, because it takes no time."""
    assert told([]) == [
        "-m ruff check .",
        "-m ruff format --check .",
        "-m mypy",
        "-m pytest --numprocesses 2 --dist loadfile",
    ]


@pytest.mark.parametrize(
    ("arguments", "commands"),
    [
        (["lint"], ["-m ruff check .", "-m ruff format --check ."]),
        (["types"], ["-m mypy"]),
        (["test"], ["-m pytest --numprocesses 2 --dist loadfile"]),
        (["test", "-k", "cursor"], ["-m pytest -k cursor"]),
        (["tests/sync/test_sql.py", "-k", "merge"], ["-m pytest tests/sync/test_sql.py -k merge"]),
        (["tests/test_run.py::test_x"], ["-m pytest tests/test_run.py::test_x"]),
        (["-k", "cursor"], ["-m pytest -k cursor"]),
    ],
)
def test_a_word_chooses_a_part_and_anything_of_pytests_goes_to_pytest_alone(
    arguments: list[str], commands: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One test takes seconds."""
    monkeypatch.chdir(REPOSITORY)
    assert told(arguments) == commands


def test_every_benchmark_is_there() -> None:
    """By its file."""
    for (script,) in run.bench():
        assert (REPOSITORY / script).exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["lnit"], "'lnit' is neither"), (["lint", "x"], "lint takes no arguments")],
)
def test_what_is_not_understood_is_said(arguments: list[str], words: str) -> None:
    """Instead of running something else."""
    with pytest.raises(ValueError, match=words):
        run.chosen(arguments)


def test_help_fits_a_screen_and_installs_nothing() -> None:
    """Also with the plain Python of a new machine."""
    command = [sys.executable, "-S", "tests/run.py", "--help"]
    shown = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    assert "python3 tests/run.py lint" in shown
    assert len(shown.splitlines()) <= 24
    assert max(map(len, shown.splitlines())) <= 100
