#!/usr/bin/env python3
"""Everything that must hold, in one command.

    python3 tests/run.py              lint, types and all tests
    python3 tests/run.py lint         style and format
    python3 tests/run.py types        mypy, strict
    python3 tests/run.py test [...]   all tests, or what pytest's arguments choose
    python3 tests/run.py bench        measure, and write docs/performance.md (eleven minutes)

A file, a folder or an option in the place of a word goes to pytest alone, without lint and types:

    python3 tests/run.py tests/sync/test_sql.py -k merge
    python3 tests/run.py -k cursor

The first run installs what it needs below .local. Lint and types need Python 3.10 or newer, and are
left out below that.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from local import environments

TWO_FILES_AT_A_TIME = ["--numprocesses", "2", "--dist", "loadfile"]
BENCHMARKS = ("startup", "steps", "drain", "sweep", "flat")
Command = list[str]


def lint() -> list[Command]:
    """Style and format."""
    return [["-m", "ruff", "check", "."], ["-m", "ruff", "format", "--check", "."]]


def types() -> list[Command]:
    """Types."""
    return [["-m", "mypy"]]


def tests(arguments: Sequence[str]) -> list[Command]:
    """Tests: those that pytest's arguments choose, or all."""
    return [["-m", "pytest", *(arguments or TWO_FILES_AT_A_TIME)]]


def bench() -> list[Command]:
    """Benchmarks."""
    return [[f"tests/benchmarks/{name}.py"] for name in BENCHMARKS]


def chosen(arguments: Sequence[str]) -> list[Command]:
    """What these arguments of the command line ask for, as arguments of Python.

    Raises:
        ValueError: nothing that there is; the message says what is wrong.
    """
    word, *rest = arguments or ["all"]
    words = {"lint": lint, "types": types, "bench": bench}
    if word == "test":
        return tests(rest)
    if word.startswith("-") or Path(word.partition("::")[0]).exists():
        return tests(arguments)
    if rest:
        raise ValueError(f"{word} takes no arguments, not {' '.join(rest)!r}")
    if word == "all":
        return [*(lint() + types() if sys.version_info >= (3, 10) else []), *tests(())]
    if word not in words:
        raise ValueError(
            f"{word!r} is neither a word of mine nor a file: see python3 tests/run.py --help"
        )
    return words[word]()


def main(arguments: Sequence[str]) -> int:
    """Run each step; the first that fails ends it."""
    if arguments and arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0
    try:
        steps = chosen(arguments)
    except ValueError as error:
        print(f"run.py: {error}", file=sys.stderr)
        return 2
    python = str(environments.dev())
    for step in steps:
        environments.say(f"── {' '.join(part for part in step if part != '-m')}")
        done = subprocess.run(
            [python, *step],
            cwd=environments.REPOSITORY,
            check=False,
            env={**os.environ, "PYTHONUTF8": "1"},
        )
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
