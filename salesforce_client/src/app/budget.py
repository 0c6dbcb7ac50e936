"""The time of a poll: when the host ends it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from .errors import SettingsError

# The poll ends this many seconds before the host would end it, to report what it did.
RESERVE_SECONDS = 20.0
OVERRIDE = "AzureFunctionsJobHost__functionTimeout"
TIMEOUT = re.compile(r"(?:(\d+)\.)?(\d+):(\d+):(\d+)")


def host_seconds(host: Path, environ: Mapping[str, str], run_seconds: float) -> float:
    """After how many seconds the host ends an invocation. Infinite if it never does.

    Source: ``functionTimeout``, Azure Functions documentation, page "host.json reference".

    Args:
        host: the path of ``host.json``.
        environ: the app's settings. One of them may replace the value of ``host.json``.
        run_seconds: the setting MAX_RUN_SECONDS.

    Raises:
        SettingsError: ``host.json`` does not say it, or a poll with ``run_seconds`` would not end
            before that.
    """
    text = environ.get(OVERRIDE) or str(
        json.loads(host.read_text(encoding="utf-8")).get("functionTimeout")
    )
    if text == "-1":
        return math.inf
    found = TIMEOUT.fullmatch(text)
    if not found:
        raise SettingsError([f"functionTimeout in host.json must be hh:mm:ss, not {text}"])
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    allowed = timedelta(days, hours=hours, minutes=minutes, seconds=seconds).total_seconds()
    if run_seconds > allowed - RESERVE_SECONDS:
        raise SettingsError(
            [
                f"MAX_RUN_SECONDS must be at most {allowed - RESERVE_SECONDS:g}, not "
                f"{run_seconds:g}: the host ends the invocation after {allowed:g} seconds "
                "(functionTimeout in host.json)"
            ]
        )
    return allowed
