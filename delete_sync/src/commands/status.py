"""``status``: event files by state and age, sweeps, what is open, freshness and verdicts."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from ..adapters import App
from ..console import FINDINGS, WELL, duration
from ..freshness import Patience, judge
from ..model import LeftFile
from ..pending import LOADED, PENDING, REFUSED
from ..warehouse.overview import Overview
from .call import Call
from .listing import Listed, listed, moment, shown

HELP = "show event files by state and age, the last sweeps, what is open, freshness and verdicts"
EXAMPLE = "status --json"
DAY = 24 * 3600
AGES = (("under_a_day", DAY), ("under_a_week", 7 * DAY), ("older", float("inf")))
SHOWN = 20  # lines of what is open, and of refused files
NO_TABLES = "no table exists yet, or the role has no right on it: run sweep, or the command doctor"
UNREAD = {"_incomplete": ", so gaps are shown that checks may have closed"}
WHAT_TO_DO = "run docs/setup/snowflake/3_views.sql, and grant the role SELECT on the view"


def arguments(_: argparse.ArgumentParser) -> None:
    """Add nothing: the command has no arguments of its own."""


@dataclass
class Files:
    """The event files of one state.

    Attributes:
        by_age: their number in each of ``AGES``.
        oldest: the oldest one. None if there is none.
    """

    by_age: dict[str, int] = field(default_factory=lambda: {name: 0 for name, _ in AGES})
    oldest: Listed | None = None

    @property
    def number(self) -> int:
        """How many there are."""
        return sum(self.by_age.values())

    def add(self, file: Listed) -> None:
        """Count a file. The files come in the order of their names."""
        self.by_age[next(name for name, limit in AGES if file.age_seconds < limit)] += 1
        self.oldest = self.oldest or file


def counted(files: Iterable[Listed]) -> tuple[dict[str, Files], list[Listed], str]:
    """The event files by state, the refused ones, and the newest name."""
    states = {PENDING: Files(), LOADED: Files(), REFUSED: Files()}
    refused, newest = [], ""
    for file in files:
        states[file.state].add(file)
        newest = file.blob.name
        if file.state == REFUSED:
            refused.append(file)
    return states, refused, newest


def run(_: argparse.Namespace, call: Call) -> int:
    """Show the state. Nothing is changed."""
    with call.app() as app, app.overview() as overview:
        missing = overview.missing_tables()
        states, refused, newest = counted(listed(app, None if missing else overview))
        told = {
            "files": {
                state: {
                    "number": it.number,
                    **it.by_age,
                    "oldest": it.oldest.blob.name if it.oldest else None,
                }
                for state, it in states.items()
            },
            "refused": [
                {"event_file": it.blob.name, "error": it.records[-1].error} for it in refused
            ],
            "missing_tables": missing,
            **({} if missing else _of_tables(overview)),
            "overdue": [] if missing else _overdue(app, overview, states, newest),
        }
    findings = missing or told["overdue"] or told.get("open") or told.get("unreadable")
    code = FINDINGS if findings else WELL
    _show(told, states, call)
    call.console.result({"exit_code": code, **told})
    return code


def _of_tables(overview: Overview) -> dict[str, Any]:
    """What tables and views tell. What is read from a view is None if it cannot be read."""
    opened, fresh, verdicts = overview.open_reasons(), overview.freshness(), overview.verdicts()
    read = {
        "_incomplete": opened.by_view,
        "_freshness": fresh is not None,
        "_completeness": verdicts is not None,
    }
    return {
        "sweeps": [
            dict(zip(("sweep_id", "loaded_at", "files", "inserted", "refused"), _plain(row)))
            for row in overview.last_sweeps()
        ],
        "open": [{**it._asdict(), "known_since": moment(it.known_since)} for it in opened.reasons],
        "open_number": opened.number,
        "unreadable": [
            f"the view {view} cannot be read{UNREAD.get(view, '')}: {WHAT_TO_DO}"
            for view, was_read in read.items()
            if not was_read
        ],
        "freshness": _rows(
            fresh,
            ("topic", "object_name", "last_poll_at", "read_until", "proven_until", "last_error"),
        ),
        "verdicts": _rows(
            verdicts, ("object_name", "verdict", "reason", "first_day", "last_day", "days")
        ),
    }


def _overdue(app: App, overview: Overview, states: dict[str, Files], newest: str) -> list[str]:
    """What a sweep would say of files that wait for too long, and of a silent collector."""
    settings, oldest = app.settings, states[PENDING].oldest
    found = judge(
        Patience(settings.max_backlog_hours, settings.max_silence_hours),
        datetime.now(timezone.utc),
        LeftFile(oldest.blob.name, "no sweep has loaded it") if oldest else None,
        overview.newest_poll(),
        max(newest, overview.newest_file()),
    )
    return [error.text for error in found]


def _plain(row: Sequence[Any]) -> list[Any]:
    return [moment(it) if isinstance(it, datetime) else it for it in row]


def _rows(
    found: Sequence[Sequence[Any]] | None, names: Sequence[str]
) -> list[dict[str, Any]] | None:
    if found is None:
        return None
    return [dict(zip(names, _plain(row))) for row in found]


def _show(told: dict[str, Any], states: dict[str, Files], call: Call) -> None:
    console = call.console
    console.table(
        ("event files", "number", *(name.replace("_", " ") for name, _ in AGES), "oldest", "age"),
        [
            (
                *(state, it.number, *it.by_age.values()),
                it.oldest.blob.name if it.oldest else None,
                duration(it.oldest.age_seconds) if it.oldest else None,
            )
            for state, it in states.items()
        ],
    )
    for it in told["refused"][:SHOWN]:
        console.line(f"refused: {it['event_file']}: {it['error']}")
    _rest(len(told["refused"]), len(told["refused"]), call)
    if told["missing_tables"]:
        console.line(f"{', '.join(told['missing_tables'])}: {NO_TABLES}")
        return
    _table(told["sweeps"], "last sweeps", call)
    _table(told["open"][:SHOWN], "open reasons", call)
    _rest(told["open_number"], len(told["open"]), call)
    for name in ("freshness", "verdicts"):
        if told[name] is not None:
            _table(told[name], name, call)
    for text in told["unreadable"]:
        console.line(f"unreadable: {text}")
    for text in told["overdue"]:
        console.line(f"overdue: {text}")


def _table(rows: list[dict[str, Any]], name: str, call: Call) -> None:
    if rows:
        call.console.line(f"{name}:")
        call.console.table([*rows[0]], [[shown(it) for it in row.values()] for row in rows])
    else:
        call.console.line(f"{name}: none")


def _rest(number: int, in_json: int, call: Call) -> None:
    if number > SHOWN:
        which = "all" if in_json == number else f"the oldest {in_json:,}"
        call.console.line(f"and {number - SHOWN:,} more: --json shows {which}")
