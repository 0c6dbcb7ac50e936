"""``acknowledge``: takes what somebody has seen off the view ``_incomplete``."""

from __future__ import annotations

import argparse
import getpass
from datetime import datetime, timedelta, timezone

from ..console import USAGE, WELL, Console, StoppedError
from ..warehouse.overview import Known
from .call import Call
from .listing import moment

HELP = "note that a reject, a refused file or a lost gap needs no more attention"
EXAMPLE = 'acknowledge 5b1e… --why "the publisher was a test"'
# A check lists the deletes of the last 15 days, so a gap may be closed until then.
OPEN_FOR = timedelta(days=15)
LONGEST_WHO = 255


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument(
        "id",
        metavar="ID",
        help="the id, which status shows; of a refused file, event_file:sha256",
    )
    parser.add_argument("--why", metavar="TEXT", required=True, help="why it needs no attention")


def run(options: argparse.Namespace, call: Call) -> int:
    """Insert a row into ``_acknowledged``, with name, time and reason."""
    console, why = call.console, options.why.strip()
    if not why:
        raise StoppedError("--why is empty: say why it needs no more attention", USAGE)
    with call.app() as app, app.overview() as overview:
        found = overview.reasons_of(options.id)
        if not found:
            raise StoppedError(
                f"{options.id} is no gap, reject or refused file of this target. Nothing was"
                " changed: the command status shows the ids",
                USAGE,
            )
        who = f"{overview.user()} ({_system_user()})"[:LONGEST_WHO]
        done = [it for it in found if it.acknowledged_at]
        for reason in found:
            if reason not in done:
                _confirm(reason, who, console)
                done.append(overview.acknowledge(reason, why, who))
    for it in done:
        console.line(
            f"{it.what} {it.id} was acknowledged by {it.acknowledged_who} at"
            f" {moment(it.acknowledged_at)}: {it.acknowledged_why}"
        )
    console.result(
        {
            "exit_code": WELL,
            "acknowledged": [
                {
                    "kind": it.what,
                    "id": it.id,
                    "why": it.acknowledged_why,
                    "who": it.acknowledged_who,
                    "acknowledged_at": moment(it.acknowledged_at),
                }
                for it in done
            ],
        }
    )
    return WELL


def _confirm(reason: Known, who: str, console: Console) -> None:
    """Ask the person whether to acknowledge a reason.

    Raises:
        StoppedError: a check may still close the gap, the person said no, or nobody can be asked.
    """
    _refuse_open_gap(reason)
    console.confirm(
        f"Take the {reason.what} {reason.id} ({reason.source}: {reason.why}) off the view"
        f" _incomplete, in the name of {who}?"
    )


def _refuse_open_gap(reason: Known) -> None:
    if reason.what != "gap" or reason.known_since is None:
        return
    lost_at = reason.known_since.replace(tzinfo=timezone.utc) + OPEN_FOR
    if datetime.now(timezone.utc) < lost_at:
        raise StoppedError(
            f"gap {reason.id} is still open, and checks may close it until {moment(lost_at)}."
            " Nothing was changed: acknowledge it when it is lost",
            USAGE,
        )


def _system_user() -> str:
    """The user of the operating system. A container may have no name for its user."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "unknown"
