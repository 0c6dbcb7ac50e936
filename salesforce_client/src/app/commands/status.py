"""``status``: each topic's cursor and last poll, and cursors that nobody uses."""

from __future__ import annotations

import argparse

from ..console import Console, duration
from .call import Call
from .gone_org import remove
from .state import State, state_of

HELP = "show each topic's cursor and last poll, and cursors that nobody uses"
EXAMPLE = "status --json"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument(
        "--remove-org",
        metavar="ORG_ID",
        help="remove the cursors of an org that no longer exists (18 characters)",
    )


def run(options: argparse.Namespace, call: Call) -> int:
    """Show the state, or remove an org's cursors."""
    with call.app() as app:
        if options.remove_org:
            return remove(app, call, options.remove_org)
        return _show(state_of(app), call.console)


def _show(state: State, console: Console) -> int:
    console.line(f"org: {state.org_id or 'not known, because the login failed'}")
    console.table(
        ("topic", "cursor", "age", "last poll", "ended", "read until", "note"),
        [
            (
                it.topic,
                it.cursor,
                None if it.age_seconds is None else duration(it.age_seconds),
                it.last_poll_at,
                it.ended,
                it.read_until,
                it.note,
            )
            for it in state.topics
        ],
    )
    console.table(
        ("object", "last check", "checked until", "outcome", "error", "note"), state.objects
    )
    for topic in state.unused:
        console.line(f"{topic} has a cursor, but SALESFORCE_TOPICS does not name it")
    for other, names in state.others.items():
        console.line(
            f"org {other} has cursors of {', '.join(names)}: if this org is gone, remove them with"
            f" status --remove-org {other}"
        )
    error = f"{type(state.error).__name__}: {state.error}" if state.error else None
    if error:
        console.note(error)
    console.result(
        {
            "exit_code": state.code,
            "org_id": state.org_id or None,
            "topics": [it._asdict() for it in state.topics],
            "objects": [it._asdict() for it in state.objects],
            "not_configured": state.unused,
            "other_orgs": [
                {"org_id": other, "topics": names} for other, names in state.others.items()
            ],
            "error": error,
        }
    )
    return state.code
