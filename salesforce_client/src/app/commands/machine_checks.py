"""The doctor's checks of the settings and of this machine."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path

from ..errors import SettingsError
from ..run import App
from ..settings_sources import Gathered
from .findings import Finding, failure, ok, warning

OLDEST_PYTHON = (3, 9)
# A poll needs this time to be sure that a topic has no more events: Salesforce sends an empty
# response after up to 270 seconds of silence.
ENOUGH_SECONDS = 400
PIN = re.compile(r"^([\w.-]+)==([\w.]+)")
CLOCK_FAILS, CLOCK_WARNS = 120, 30
WHOLE = "/data/ChangeEvents"


def of_settings(error: SettingsError) -> Iterator[Finding]:
    """One failure for each problem."""
    for problem in error.problems:
        told, _, cure = problem.partition(": ")
        yield failure("settings", told, cure or "correct it: see docs/settings.md")


def settings(app: App, gathered: Gathered) -> Iterator[Finding]:
    """Where the settings come from, and those that are allowed and probably not meant."""
    yield ok("settings", f"read from {gathered.told}")
    if app.mocked:
        yield warning(
            "MOCK_MODE", "the org is invented: no real delete is read", "set MOCK_MODE=false"
        )
    elif app.settings.max_run_seconds < ENOUGH_SECONDS:
        yield warning(
            "MAX_RUN_SECONDS",
            f"{app.settings.max_run_seconds:g} s may not be enough to reach the end of a quiet"
            " topic",
            f"set it to at least {ENOUGH_SECONDS}",
        )
    yield from overlaps(app.settings.topics)


def overlaps(topics: Sequence[str]) -> Iterator[Finding]:
    """Topics that deliver the same events. The rows are the same, but each delivery counts."""
    single = [it for it in topics if re.fullmatch(r"/data/\w+ChangeEvent", it)]
    if WHOLE in topics and single:
        yield warning(
            "topics",
            f"{WHOLE} also delivers what {', '.join(single)} delivers if the object is selected for"
            " Change Data Capture, and both count against the org's allocation",
            "remove one of them from SALESFORCE_TOPICS",
        )


def versions(
    requirements: Path,
    python: tuple[int, ...] = sys.version_info[:3],
    installed: Callable[[str], str] = metadata.version,
) -> Finding:
    """Python's version, and whether the packages are those with which the app was tested.

    Args:
        requirements: the app's requirements.txt.
        python: the version of Python.
        installed: gives the version of a package.
    """
    told = f"Python {'.'.join(map(str, python))}"
    if python < OLDEST_PYTHON:
        return failure("versions", told, "use Python 3.9 or newer")
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


def clock(ahead_seconds: float) -> Finding:
    """Whether this machine's clock is right. A JWT is valid for minutes only."""
    told = (
        f"{abs(ahead_seconds):.0f} s {'ahead of' if ahead_seconds > 0 else 'behind'} Salesforce's"
    )
    cure = "set this machine's clock, for example with NTP"
    if abs(ahead_seconds) > CLOCK_FAILS:
        return failure("clock", told, cure)
    return warning("clock", told, cure) if abs(ahead_seconds) > CLOCK_WARNS else ok("clock", told)
