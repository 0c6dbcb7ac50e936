"""What ``tests/run.py`` runs for its arguments."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from . import environments, node, screen
from .environments import REPOSITORY

# Five tests at a time on two cores, because most of them wait for servers.
ALL_TESTS = ["-m", "pytest", "--numprocesses", "5", "--dist", "worksteal"]
BENCHMARKS = (
    *("startup", "telemetry", "steps", "drain", "sweep", "sweep_steps", "flat", "listing"),
    *("topics", "checks", "comparison", "small", "instance"),
)
# The dependency groups that the tests install when they first need them.
GROUPS = ("fakesnow", "connector5", "operator", "stubs", "dashboard", "runtime")
LINT = [
    ["-m", "ruff", "check", "."],
    ["-m", "ruff", "format", "--check", "."],
    ["-m", "tests.local.prose"],
]
TYPES = [["-m", "mypy"]]
# pytest collects a file in_*.py only if it is named: its tests need large tools, or much time.
IN_TOOLS = sorted(str(path.relative_to(REPOSITORY)) for path in REPOSITORY.glob("tests/*/in_*.py"))
NO_MYPY = "mypy needs Python 3.10 or newer"
WORDS = {
    "lint": LINT,
    "types": TYPES,
    "browser": [["-m", "pytest", *(it for it in IN_TOOLS if "/dashboard/" in it)]],
    "pages": [["-m", "pytest", *(it for it in IN_TOOLS if "/setup/" in it)]],
    "versions": [["-m", "pytest", *(it for it in IN_TOOLS if "/runtime/" in it)]],
    "mutants": [["-m", "tests.local.mutants"]],
    "bench": [[f"tests/benchmarks/{name}.py"] for name in BENCHMARKS],
    "lock": [["-m", "tests.local.requirements"]],
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
    environment = _environment()
    if not arguments and not _has_mypy():
        environments.say(f"Types are not checked: {NO_MYPY}.")
    folder = (_folder_of(arguments[0]) if arguments else None) or REPOSITORY
    for step in steps:
        if step == ALL_TESTS:
            _install_for_all_tests()
        environments.say(f"── {' '.join(part for part in step if part != '-m')}")
        done = subprocess.run([python, *step], cwd=folder, check=False, env=environment)
        if done.returncode:
            return done.returncode
    return 0


def _environment() -> dict[str, str]:
    """The environment of the steps. Python keeps compiled files for the processes that they start.

    Without such files, an app compiles all its packages at each start, which takes longer than
    most tests. An image for containers often forbids them.
    """
    kept = {name: it for name, it in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    cache = str(environments.LOCAL / "pycache")
    return {**kept, "PYTHONUTF8": "1", "PYTHONPYCACHEPREFIX": cache}


def chosen(arguments: Sequence[str]) -> list[Command]:
    """The steps that these arguments ask for, each as arguments of Python.

    Raises:
        ValueError: there is no such word or file; the message says what is wrong.
    """
    if not arguments:
        return [*LINT, *(TYPES if _has_mypy() else []), ALL_TESTS]
    word, *rest = arguments
    if word == "test":
        return [["-m", "pytest", *rest] if rest else ALL_TESTS]
    if word.startswith("-") or _folder_of(word):
        return [["-m", "pytest", *arguments]]
    if word not in WORDS:
        raise ValueError(f"{word!r} is neither a command nor a file: see tests/run.py --help")
    if rest:
        raise ValueError(f"{word} takes no arguments, but got {' '.join(rest)!r}")
    if word == "types" and not _has_mypy():
        raise ValueError(f"types cannot run here: {NO_MYPY}")
    return WORDS[word]


def _folder_of(argument: str) -> Path | None:
    """The folder in which this argument is a path: the current one or the repository.

    None if the argument is no path. A word is none, even if there is a folder of that name.
    """
    if argument == "test" or argument in WORDS:
        return None
    path = argument.partition("::")[0]
    return next((it for it in (Path.cwd(), REPOSITORY) if (it / path).exists()), None)


def _has_mypy() -> bool:
    return sys.version_info >= (3, 10)


def _install_for_all_tests() -> None:
    """Install now what the tests would install one by one, where nobody sees the progress.

    All at once, because the npm packages take as long as all the others.
    """
    install: list[Callable[[], object]] = [
        *(partial(environments.group, name) for name in GROUPS),
        node.node_modules,
        partial(environments.wheels, "3.13"),
    ]
    with screen.working("installing"), ThreadPoolExecutor(len(install)) as pool:
        for part in [pool.submit(part) for part in install]:
            try:
                part.result()
            except environments.MissingInterpreterError as missing:
                environments.say(f"not installed: {missing}; the tests that need it do not run")
