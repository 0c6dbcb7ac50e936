"""``check``: compare the deletes with Salesforce's own list now."""

from __future__ import annotations

import argparse

from ..console import USAGE, StoppedError
from .call import Call
from .poll import one_poll, question, tell

HELP = "run one poll now that checks every object, also those that are not due"
EXAMPLE = "check --yes --json"


def arguments(_: argparse.ArgumentParser) -> None:
    """Add nothing: the command has no arguments of its own."""


def run(_: argparse.Namespace, call: Call) -> int:
    """Run such a poll. It holds the objects' topics until they are caught up, for minutes."""
    with call.app() as app:
        if app.settings.check_objects == ():
            raise StoppedError("CHECK_OBJECTS is none: name the objects to check", USAGE)
        call.console.confirm(
            f"{question(app)} Then each object is checked, with at most"
            f" {app.settings.max_check_calls} REST calls in 24 hours."
        )
        report = one_poll(app, call, check_now=True)
    return tell(report, call)
