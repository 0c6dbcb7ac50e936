"""The timer trigger of the collector. It runs one poll of Salesforce."""

import logging
import os

import azure.functions as func

from ..src.app.run import run

log = logging.getLogger(__name__)


def main(timer: func.TimerRequest) -> None:
    """Run one poll. Errors are not caught, because the failed invocation causes the alert."""
    report = run(os.environ)
    for line in report.lines():
        log.info("past_due=%s %s", timer.past_due, line)
    report.raise_if_failed()
