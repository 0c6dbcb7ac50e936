"""What a check of the doctor finds.

This is a twin file. Both apps have an equal copy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple, Optional

from ..console import FINDINGS, USAGE, WELL, Console
from ..errors import SettingsError

OK, WARNING, FAILURE, SKIPPED = "ok", "warning", "failure", "skipped"


class Finding(NamedTuple):
    """What one check found. The names are those of ``--json``.

    Attributes:
        check: the name of the check, and what it looked at.
        status: ``ok``, ``warning``, ``failure`` or ``skipped``.
        told: what it saw.
        cure: what to do. Empty if it is ok.
    """

    check: str
    status: str
    told: str
    cure: str = ""


def ok(check: str, told: str) -> Finding:
    """Nothing to do."""
    return Finding(check, OK, told)


def warning(check: str, told: str, cure: str) -> Finding:
    """It works for now."""
    return Finding(check, WARNING, told, cure)


def failure(check: str, told: str, cure: str) -> Finding:
    """A run fails, or loses something."""
    return Finding(check, FAILURE, told, cure)


def skipped(check: str, told: str, cure: str) -> Finding:
    """The check could not look."""
    return Finding(check, SKIPPED, told, cure)


def of_error(check: str, error: Exception) -> Finding:
    """A failure. The app's own errors have a ``text``, and most of them end with what to do."""
    if isinstance(error, SettingsError):
        return failure(check, "; ".join(error.problems), "correct the settings")
    text = getattr(error, "text", None)
    if not isinstance(text, str):
        return failure(check, f"unexpected {type(error).__name__}", "report it")
    told, _, cure = text.partition(" – ")
    return failure(check, told, cure or f"see {type(error).__name__} in docs/operations.md")


def looked(check: str, look: Callable[[], Optional[Finding]], well: str = "") -> Finding:
    """What ``look`` finds. Its error is a failure, and without a finding all is well."""
    try:
        return look() or ok(check, well)
    except Exception as error:  # noqa: BLE001  (the other checks go on)
        return of_error(check, error)


def shown(findings: Iterable[Finding], console: Console) -> int:
    """Print each finding as soon as it is there, and their number. Returns the exit code.

    At a terminal that is wide enough, a table is printed at the end. It has no column for what to
    do if there is nothing to do.
    """
    found = []
    for finding in findings:
        found.append(finding)
        if not console.draws_tables:
            _show(finding, console)
    columns = ["check", "status", "seen", "what to do"][: 4 if any(it.cure for it in found) else 3]
    rows = [it[: len(columns)] for it in found]
    if console.has_room_for(columns, rows):
        console.table(columns, rows)
    elif console.draws_tables:
        for finding in found:
            _show(finding, console)
    counts = Counter(finding.status for finding in found)
    console.line(", ".join(f"{counts[one]} {one}" for one in (OK, WARNING, FAILURE, SKIPPED)))
    code = WELL
    if counts[FAILURE] or counts[WARNING]:
        unusable = any(it.check == "settings" and it.status == FAILURE for it in found)
        code = USAGE if unusable else FINDINGS
    console.result({"exit_code": code, "findings": [it._asdict() for it in found]})
    return code


def _show(finding: Finding, console: Console) -> None:
    console.line(f"{finding.status:<8} {finding.check}: {finding.told}")
    if finding.cure:
        console.line(f"{'':<8} → {finding.cure}")
