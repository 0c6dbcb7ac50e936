"""``reprocess``: decode rejected events again, with the code of today."""

from __future__ import annotations

import argparse
import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Union

from ..adapters import App
from ..console import FINDINGS, WELL, Console
from ..errors import CollectorError, EventFileError
from ..reprocess import Reprocessed
from ..run import reprocess_file
from .call import Call

HELP = "decode the rejected events of an event file again, or of all files"
EXAMPLE = "reprocess events_20260131T120000Z.db"
ALL = "all"
NOTHING = "no event file has rejected events that were not decoded since"
NOTHING_LOST = (
    "Nothing is lost: the rejected events stay in their event files. To continue, run the command"
    " again"
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument(
        "file",
        metavar="FILE|all",
        help="the name of an event file in the container, the path of one on this machine"
        " (./events_….db), or all; all reads every file in the container",
    )


def run(options: argparse.Namespace, call: Call) -> int:
    """Upload what the rejected events become. A second run changes no row."""
    console = call.console
    done = []
    with call.app() as app, _nothing_lost():
        files, unreadable = _files(options.file, app)
        if files:
            console.confirm(
                f"Decode the rejected events of {len(files)} file(s) again, and upload what they"
                f" become into container {app.settings.events_container}?"
            )
            with app.source() as source, console.progress() as show:
                for number, file in enumerate(files, 1):
                    show(f"file {number} of {len(files)}: {file}")
                    try:
                        done.append((str(file), reprocess_file(app, file, source)))
                    except EventFileError as error:
                        if options.file != ALL:
                            raise
                        unreadable.append(error)
    return _tell(done, unreadable, console)


def _tell(
    done: Sequence[tuple[str, Reprocessed]], unreadable: Sequence[EventFileError], console: Console
) -> int:
    """Print what became of the events, by file. Returns the exit code."""
    if not done and not unreadable:
        console.line(NOTHING)
    became: Counter[str] = sum((it.became for _, it in done), Counter())
    left = sum(len(it.left) for _, it in done)
    console.table(
        ("file", "deletes", "restores", "skipped", "still rejected"),
        [
            (name, *(it.became[kind] for kind in ("delete", "restore", "nothing")), len(it.left))
            for name, it in done
        ],
    )
    for name, it in done:
        for file in it.files:
            console.line(f"event file {file}")
        for error, events in Counter(reject.error for reject in it.left).items():
            console.line(f"{name}: {events} event(s) still rejected: {error}")
    for unusable in unreadable:
        console.line(str(unusable))
    code = FINDINGS if left or unreadable else WELL
    console.result(
        {
            "exit_code": code,
            "became": dict(became),
            "still_rejected": left,
            "files": [{"file": name, "uploaded": it.files} for name, it in done],
            "unreadable": list(map(str, unreadable)),
        }
    )
    return code


@contextlib.contextmanager
def _nothing_lost() -> Iterator[None]:
    """Let an error end with what this command means for the rejected events, not with polls."""
    try:
        yield
    except CollectorError as error:
        if error.lost:
            error.lost = NOTHING_LOST
        raise


def _files(wanted: str, app: App) -> tuple[Sequence[Union[str, Path]], list[EventFileError]]:
    """The files to decode again, and the errors of those that cannot be read."""
    if wanted != ALL:
        return [Path(wanted) if "/" in wanted else wanted], []
    past = app.past_files()
    if not past.exists():
        return [], []
    found = past.unresolved()
    return found.files, list(found.unreadable)
