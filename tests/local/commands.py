"""What ``tests/run.py`` runs for its arguments."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from . import environments

TWO_FILES_AT_A_TIME = ["--numprocesses", "2", "--dist", "loadfile"]
BENCHMARKS = ("startup", "steps", "drain", "sweep", "flat")
LINT = [
    ["-m", "ruff", "check", "."],
    ["-m", "ruff", "format", "--check", "."],
    ["-m", "tests.local.prose"],
]
TYPES = [["-m", "mypy"]]
WORDS = {
    "lint": LINT,
    "types": TYPES,
    "mutants": [["-m", "tests.local.mutants"]],
    "bench": [[f"tests/benchmarks/{name}.py"] for name in BENCHMARKS],
    "lock": [["-m", "tests.local.lock"]],
}
Command = list[str]


def main(arguments: Sequence[str], usage: str | None) -> int:
    """Run the steps that the arguments ask for, up to the first that fails, and return its code."""
    if arguments and arguments[0] in ("-h", "--help"):
        print(usage)
        return 0
    try:
        steps = chosen(arguments)
    except ValueError as error:
        print(f"run.py: {error}", file=sys.stderr)
        return 2
    python = str(environments.dev())
    environment = {**os.environ, "PYTHONUTF8": "1"}
    for step in steps:
        environments.say(f"── {' '.join(part for part in step if part != '-m')}")
        done = subprocess.run(
            [python, *step], cwd=environments.REPOSITORY, check=False, env=environment
        )
        if done.returncode:
            return done.returncode
    return 0


def chosen(arguments: Sequence[str]) -> list[Command]:
    """The steps that these arguments ask for, each as arguments of Python.

    Raises:
        ValueError: there is no such word or file; the message says what is wrong.
    """
    word, *rest = arguments or ["all"]
    if word == "test":
        return _pytest(rest)
    if word.startswith("-") or Path(word.partition("::")[0]).exists():
        return _pytest(arguments)
    if rest:
        raise ValueError(f"{word} takes no arguments, but got {' '.join(rest)!r}")
    if word == "all":
        return [*(LINT + TYPES if sys.version_info >= (3, 10) else []), *_pytest(())]
    if word not in WORDS:
        raise ValueError(f"{word!r} is neither a command nor a file: see tests/run.py --help")
    return WORDS[word]


def _pytest(arguments: Sequence[str]) -> list[Command]:
    return [["-m", "pytest", *(arguments or TWO_FILES_AT_A_TIME)]]
