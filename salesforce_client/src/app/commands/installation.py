"""The doctor's checks of the settings' problems, of Python and of the packages.

This is a twin file. Both apps have an equal copy.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path

from ..errors import SettingsError
from .findings import Finding, failure, ok, warning

PIN = re.compile(r"^([\w.-]+)==([\w.]+)")


def of_settings(error: SettingsError) -> Iterator[Finding]:
    """One failure for each problem."""
    for problem in error.problems:
        told, _, cure = problem.partition(": ")
        yield failure("settings", told, cure or "correct it: see docs/settings.md")


def versions(
    requirements: Path,
    oldest: tuple[int, int],
    python: tuple[int, ...] = sys.version_info[:3],
    installed: Callable[[str], str] = metadata.version,
) -> Finding:
    """Python's version, and whether the packages are those with which the app was tested.

    Args:
        requirements: the app's requirements.txt.
        oldest: the oldest version of Python that the app runs on.
        python: the version of Python.
        installed: gives the version of a package.
    """
    told = f"Python {'.'.join(map(str, python))}"
    if python < oldest:
        return failure("versions", told, f"use Python {oldest[0]}.{oldest[1]} or newer")
    if not requirements.exists():
        return warning("versions", f"{told}; {requirements} is missing", "deploy the app again")
    others = _other_packages(requirements.read_text(encoding="utf-8"), installed)
    if others:
        return warning(
            "versions",
            f"{told}, and other packages than in requirements.txt: {', '.join(others)}",
            "run scripts/setup_venv.sh, and start the commands with .venv/bin/python",
        )
    return ok("versions", f"{told}, packages as in requirements.txt")


def _other_packages(requirements: str, installed: Callable[[str], str]) -> Sequence[str]:
    """Packages whose version is none of those that the requirements pin."""
    pins: dict[str, set[str]] = {}
    for line in requirements.splitlines():
        if match := PIN.match(line):  # a package may have other versions for other Pythons
            pins.setdefault(match[1], set()).add(match[2])
    others = []
    for name, allowed in pins.items():
        try:
            version = installed(name)
        except metadata.PackageNotFoundError:
            continue  # only needed on other Pythons or systems; those that are needed were imported
        if version not in allowed:
            others.append(f"{name} {version}")
    return others
