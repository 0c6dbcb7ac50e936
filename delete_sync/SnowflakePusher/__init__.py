"""The timer trigger of the sync. It runs one sweep over the event files."""

import logging
import os

import azure.functions as func

from ..src.run import run

log = logging.getLogger(__name__)


def main(timer: func.TimerRequest) -> None:
    """Run one sweep. Errors are not caught, because the failed invocation causes the alert."""
    report = run(os.environ)
    for line in report.lines():
        log.info("past_due=%s %s", timer.past_due, line)
    report.raise_if_failed()
