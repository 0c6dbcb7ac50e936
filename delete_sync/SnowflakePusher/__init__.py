"""The timer trigger of the sync. It runs one sweep over the event files."""

import gc
import logging
import os

import azure.functions as func

# Modules make many objects and hardly any garbage. To look for it takes a tenth of the time of the
# imports, so Python does not look meanwhile, and not among these objects later.
gc.disable()
try:
    from ..src.run import run
finally:
    gc.freeze()
    gc.enable()

log = logging.getLogger(__name__)


def main(timer: func.TimerRequest) -> None:
    """Run one sweep. Errors are not caught, because the failed invocation causes the alert."""
    report = run(os.environ)
    for line in report.lines():
        log.info("past_due=%s %s", timer.past_due, line)
    report.raise_if_failed()
