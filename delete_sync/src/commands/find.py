"""``find``: where a record is, and which event files have rows of a time."""

from __future__ import annotations

import argparse
import contextlib
import itertools
from collections.abc import Callable, Generator, Iterable
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from ..adapters import App
from ..console import FINDINGS, USAGE, WELL, StoppedError
from ..event_files.contents import Contents, Found
from ..event_files.values import SHORT_ID, record_id
from ..freshness import begun_at
from ..model import LocalFile
from ..warehouse.overview import Overview
from .call import Call
from .listing import Listed, listed, moment, remove, shown

HELP = "find the event files and rows of a record, or of a time"
EXAMPLE = "find --record 0015f00000AbCdEAAV"
MOST = 1000  # rows that are shown
# A row is at most so much older than the time in its file's name is younger.
SLACK = timedelta(days=1)
SIZES = (15, 18)


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--record", metavar="ID", help="a record id of 15 or 18 characters")
    what.add_argument(
        "--between",
        nargs=2,
        metavar=("A", "B"),
        help="from this UTC date or time until before that one: 2026-02-01 2026-02-02T12:00",
    )


class Row(NamedTuple):
    """A row in an event file. The names are those of ``--json``."""

    event_file: str
    state: str
    table: str
    id: Any
    object_name: Any
    record_id: Any
    time: Any


def run(options: argparse.Namespace, call: Call) -> int:
    """Search every event file that may have such a row, also pending and refused ones."""
    begin = end = ""
    if options.between:
        begin, end = (utc(text) for text in options.between)
        if begin >= end:
            raise StoppedError(f"{begin} is not before {end}", USAGE)
        since = datetime.fromisoformat(begin[:-1]).replace(tzinfo=timezone.utc) - SLACK
    else:
        ids = both_ids(options.record)
        since = datetime.min.replace(tzinfo=timezone.utc)

    def search(contents: Contents) -> Iterable[Found]:
        return contents.between(begin, end) if begin else contents.of_record(ids)

    with call.app() as app, app.overview() as overview:
        there = not overview.missing_tables()
        files = [
            it for it in listed(app, overview if there else None) if begun_at(it.blob.name) >= since
        ]
        unreadable: dict[str, str] = {}
        with (
            call.console.progress() as show,
            contextlib.closing(_rows(app, files, search, unreadable, show)) as rows,
        ):
            found = list(itertools.islice(rows, MOST + 1))
        places = _places(overview, ids) if there and not begin else {}
    return _tell(found, places, unreadable, len(files), call)


def utc(text: str) -> str:
    """A date or time of the command line, as event files write it.

    Raises:
        StoppedError: it is neither.
    """
    try:
        found = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        raise StoppedError(
            f"{text} is no date or time: write 2026-02-01 or 2026-02-01T12:00:00Z", USAGE
        ) from None
    if found.tzinfo:
        found = found.astimezone(timezone.utc).replace(tzinfo=None)
    return f"{found.isoformat(timespec='milliseconds')}Z"


def both_ids(text: str) -> tuple[str, str]:
    """A record id with 15 and with 18 characters.

    Raises:
        StoppedError: it is no record id.
    """
    given = text.strip()
    short = given[:SHORT_ID]
    if len(given) not in SIZES or not (given.isascii() and given.isalnum()):
        raise StoppedError(f"{given} is no record id of 15 or 18 characters", USAGE)
    return short, given if len(given) > SHORT_ID else record_id(given) or given


def _rows(
    app: App,
    files: list[Listed],
    search: Callable[[Contents], Iterable[Found]],
    unreadable: dict[str, str],
    show: Callable[[str], None],
) -> Generator[Row, None, None]:
    """The rows that are looked for, file by file. Fills ``unreadable``."""
    with app.local_files([it.blob for it in files]) as downloads:
        for number, (it, file) in enumerate(zip(files, downloads), 1):
            name = it.blob.name
            show(f"file {number:,} of {len(files):,}: {name}")
            if not isinstance(file, LocalFile):
                unreadable[name] = file.reason
                continue
            with app.contents(file.path, name, file.sha256) as contents:
                for row in search(contents):
                    yield Row(name, it.state, *row)
                if contents.unreadable or not contents.tables():
                    why = "; ".join(contents.unreadable.values())
                    unreadable[name] = why or contents.refusal
            remove(file)


def _places(overview: Overview, ids: tuple[str, str]) -> dict[str, Any]:
    """The rows of the tables about the record, and whether its data were erased."""
    rows = [
        {**it._asdict(), "happened_at": moment(it.happened_at)}
        for it in overview.rows_of_record(ids)
    ]
    return {"rows": rows, "erased_at": moment(overview.erased_at(ids[1]))}


def _tell(
    found: list[Row], places: dict[str, Any], unreadable: dict[str, str], files: int, call: Call
) -> int:
    console, more = call.console, len(found) > MOST
    found = found[:MOST]
    in_tables = places.get("rows", [])
    code = WELL
    if unreadable or more or not (found or in_tables):
        code = FINDINGS
    console.table(
        Row._fields,
        [[shown(it) for it in row] for row in found],
        named_by=("event_file", "table", "id"),
    )
    console.table(
        ("in the tables", "id", "object_name", "time", "told_by", "event_file"),
        [[shown(it) for it in row.values()] for row in in_tables],
        named_by=("in the tables", "id"),
    )
    if places.get("erased_at"):
        console.line(f"the data of this record were erased at {places['erased_at']}")
    if more:
        console.line(f"there are more than {MOST} rows: look at a shorter time")
    told = f"{len(found)} row(s) in {len({row.event_file for row in found})} of {files} event files"
    console.line(f"{told}, {len(in_tables)} in the tables" if places else told)
    for name, why in unreadable.items():
        console.note(f"{name} cannot be read, or not in full: {why}")
    console.result(
        {
            "exit_code": code,
            "event_files": files,
            "rows": [row._asdict() for row in found],
            "more": more,
            "tables": in_tables,
            "erased_at": places.get("erased_at"),
            "unreadable": unreadable,
        }
    )
    return code
