"""Mutation testing: ``python3 tests/run.py mutants``.

mutmut changes one expression at a time in the modules that decide, and runs their unit tests.
A changed module that passes them all is a survivor: no test guards that expression.
``tests/survivors.txt`` explains each one. ``pyproject.toml`` names the modules and the tests.

The command fails if a survivor has no explanation, if an explanation has no survivor, or if a
module scores below 90 %. mutmut keeps its results in ``mutants/``: a second run repeats only what
changed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from . import environments, requirements
from .environments import REPOSITORY

LEAST_SCORE = 0.9
EXPLAINED = REPOSITORY / "tests/survivors.txt"
KILLED = {"killed", "timeout", "segfault"}


class Change(NamedTuple):
    """A change to the code that no test noticed: removed and added lines, without indent."""

    module: str
    removed: str
    added: str

    def __str__(self) -> str:
        return f"{self.module}\n- {self.removed}\n+ {self.added}"


def main() -> int:
    """Run mutmut, print the scores, and return 1 if something needs attention."""
    began = time.monotonic()
    mutmut = str(environments.group("mutants").with_name("mutmut"))
    run = [mutmut, "run", "--max-children", str(os.cpu_count() or 2)]
    if code := subprocess.run(run, cwd=REPOSITORY, check=False).returncode:
        return code
    statuses = dict(_statuses(_told(mutmut, "results", "--all", "true")))
    survivors = {
        name: change(_told(mutmut, "show", name))
        for name, status in statuses.items()
        if status not in KILLED
    }
    problems = [
        *_too_low(statuses),
        *without_mutants(statuses, requirements.project()["tool"]["mutmut"]["only_mutate"]),
        *compare(survivors.values(), explained(EXPLAINED.read_text())),
    ]
    print("\n".join(problems))
    print(f"\n{len(statuses)} mutants in {time.monotonic() - began:.0f} s")
    return 1 if problems else 0


def change(shown: str) -> Change:
    """The change in what ``mutmut show`` prints: a unified diff."""
    lines = shown.splitlines()
    (path,) = (line[4:] for line in lines if line.startswith("--- "))
    removed, added = (
        " ".join(
            line[1:].strip()
            for line in lines
            if line[:1] == sign and line[:3] not in ("---", "+++")
        )
        for sign in "-+"
    )
    return Change(path, removed, added)


def explained(text: str) -> dict[Change, str]:
    """The changes of ``tests/survivors.txt``, each with its explanation.

    A line that ends with ``.py:`` names the module for the entries below it. An entry is one or
    more pairs of ``-`` and ``+`` lines, and the explanation.

    Raises:
        ValueError: an entry has no explanation or no module.
    """
    found: dict[Change, str] = {}
    module, pending, removed = "", [], ""
    for line in text.splitlines():
        if line.endswith(".py:"):
            module = line[:-1]
        elif line.startswith("- "):
            removed = line[2:]
        elif line.startswith("+ ") or line == "+":
            pending.append(Change(module, removed, line[2:]))
        elif line and not line.startswith("#"):
            found.update(dict.fromkeys(pending, line))
            pending = []
    if pending:
        raise ValueError(f"this survivor has no explanation:\n{pending[0]}")
    return found


def compare(survivors: Iterable[Change], reasons: dict[Change, str]) -> Iterator[str]:
    """What does not agree between the survivors and their explanations."""
    found = set(survivors)
    for it in sorted(found - set(reasons)):
        yield f"No test notices this change. Write one, or explain it in tests/survivors.txt:\n{it}"
    for it in sorted(set(reasons) - found):
        yield f"A test notices this change now. Remove it from tests/survivors.txt:\n{it}"


def without_mutants(mutants: Iterable[str], modules: Iterable[str]) -> Iterator[str]:
    """The modules that ``pyproject.toml`` names, but in which mutmut changed nothing."""
    changed = {_module(name) for name in mutants}
    for module in modules:
        if module.replace("/", ".")[: -len(".py")] not in changed:
            yield f"{module}: mutmut changed nothing there. Correct its name in pyproject.toml."


def _module(mutant: str) -> str:
    return re.sub(r"\.x[_ǁ].*", "", mutant)


def _statuses(results: str) -> Iterator[tuple[str, str]]:
    for line in results.splitlines():
        if match := re.fullmatch(r"\s*(\S+__mutmut_\d+): (.+)", line):
            yield match[1], match[2]


def _too_low(statuses: dict[str, str]) -> Iterator[str]:
    """Print the score of each module, and yield a sentence for each score that is too low."""
    total: Counter[str] = Counter()
    killed: Counter[str] = Counter()
    for name, status in statuses.items():
        module = _module(name)
        total[module] += 1
        killed[module] += status in KILLED
    for module, count in sorted(total.items()):
        score = killed[module] / count
        print(f"{module:50} {killed[module]:4} of {count:4} killed: {score:4.0%}")
        if score < LEAST_SCORE:
            yield f"{module}: {score:.0%} is less than {LEAST_SCORE:.0%}"


def _told(*command: str) -> str:
    told = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    return told.stdout


if __name__ == "__main__":
    sys.exit(main())
