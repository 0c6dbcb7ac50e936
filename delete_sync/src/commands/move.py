"""``move``: to another table or schema: what no event file has is copied, then all is swept."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any

from ..adapters import App
from ..console import ACT, FINDINGS, USAGE, WELL, Console, StoppedError
from ..run import copy_rows
from ..warehouse.move import Held
from ..warehouse.overview import Overview
from . import warehouse_checks
from .call import Call
from .findings import OK
from .sweep import tell, watched

HELP = "move to another table or schema: copy what the old one has, sweep all files, and compare"
EXAMPLE = "move --from audit.salesforce.delete_tracker"
NAME = r'("(?:[^"]|"")+"|[^".\s]+)'
TABLE = re.compile(rf"(?:(?:{NAME}\.)?{NAME}\.)?{NAME}")
SETTINGS = ("SNOWFLAKE_DATABASE", "SNOWFLAKE_SCHEMA", "SNOWFLAKE_TABLE")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument(
        "--from",
        dest="origin",
        metavar="TABLE",
        required=True,
        help="the old table, as DATABASE.SCHEMA.TABLE; the settings name the new one",
    )


def run(options: argparse.Namespace, call: Call) -> int:
    """Show what will be done, do it, and compare the targets. It can be run again."""
    console = call.console
    with call.app() as app, call.app(**settings_of(options.origin)) as old:
        to, origin = place(app), place(old)
        if to == origin:
            raise StoppedError(
                f"the settings name {to}, which --from names too. Nothing was changed: set"
                f" {', '.join(SETTINGS)} to the new target",
                USAGE,
            )
        _refuse_unusable(app, old)
        names, gone = _files(app, old)
        console.line(f"from {origin} to {to}")
        _show(_held(app, old), console)
        console.line(f"event files: {names:,} in container {app.settings.events_container}")
        console.line(f"event files that are gone: {len(gone):,}, so their rows are only copied")
        console.confirm(
            f"Copy the rows that are missing in {to}, then load all event files again into it?"
        )
        copied = copy_rows(app, old)
        console.line(f"copied: {sum(copied.values()):,} rows")
        report = watched(app, console, full=True)
        code, swept = tell(report, console)
        tables, differ = _held(app, old), _differ(app, old)
    _show(tables, console)
    console.line("\n".join(differ) or "verdicts and open reasons: the same in both")
    if code == WELL and (differ or any(one.unmoved for one in tables)):
        code = FINDINGS
    console.result(
        {
            "exit_code": code,
            "from": origin,
            "to": to,
            "copied": copied,
            "gone": gone,
            "sweep": swept,
            "tables": [one._asdict() for one in tables],
            "differ": differ,
        }
    )
    return code


def settings_of(table: str) -> dict[str, str]:
    """The settings that name a table. Parts that are left out stay as they are.

    Raises:
        StoppedError: it is no name of a table.
    """
    found = TABLE.fullmatch(table.strip())
    if not found:
        raise StoppedError(f"{table} is no table: write DATABASE.SCHEMA.TABLE", USAGE)
    return {name: part for name, part in zip(SETTINGS, found.groups()) if part}


def place(app: App) -> str:
    """The full name of the table of a target."""
    return ".".join(app.names[part].name for part in ("database", "schema", "table"))


def _refuse_unusable(app: App, old: App) -> None:
    """Stop if the new target lacks anything that a sweep needs, or the old one a table.

    Raises:
        StoppedError: the message lists what is wrong, and what to do.
    """
    with app.inspection() as inspection:
        who = inspection.who()
        found = list(warehouse_checks.place(app, who))
        if all(it.status == OK for it in found):
            found += warehouse_checks.tables(inspection, who.role)
    with old.inspection() as inspection:
        missing = list(warehouse_checks.place(old, inspection.who()))
        if all(it.status == OK for it in missing):
            missing += warehouse_checks.columns(inspection)
    wrong = [
        f"\n  - {where}: {it.check}: {it.told}; {it.cure}"
        for where, findings in ((place(app), found), (place(old), missing))
        for it in findings
        if it.status != OK
    ]
    if wrong:
        raise StoppedError(f"Nothing was changed. Correct this first:{''.join(wrong)}", ACT)


def _files(app: App, old: App) -> tuple[int, list[str]]:
    """How many event files there are, and the names of those that only the old target knows."""
    with old.overview() as overview:
        known = set(overview.file_names())
    number = 0
    for page in app.events().pages():
        number += len(page)
        known.difference_update(blob.name for blob in page)
    return number, sorted(known)


def _held(app: App, old: App) -> list[Held]:
    with app.overview() as overview:
        return overview.held(old.names)


def _show(tables: Sequence[Held], console: Console) -> None:
    console.table(("table", "old rows", "new rows", "not yet there"), tables)


def _differ(app: App, old: App) -> list[str]:
    """What the views of the two targets say differently. A missing view is told too."""
    told = []
    with app.overview() as new, old.overview() as before:
        for name, mine, theirs in (
            ("verdicts", new.verdicts(), before.verdicts()),
            ("open reasons", _open(new), _open(before)),
        ):
            if mine is None or theirs is None:
                told.append(f"{name}: a view cannot be read: {warehouse_checks.VIEWS}")
                continue
            only = {"old": [it for it in theirs if it not in mine]}
            only["new"] = [it for it in mine if it not in theirs]
            for which, rows in only.items():
                told += [f"{name}: only in the {which} target: {_text(row)}" for row in rows]
    return told


def _open(overview: Overview) -> list[tuple[Any, ...]] | None:
    found = overview.open_reasons()
    return [(it.what, it.id, it.state) for it in found.reasons] if found.by_view else None


def _text(row: Sequence[Any]) -> str:
    return " ".join("-" if it in (None, "") else str(it) for it in row)
