#!/usr/bin/env python3
"""Poll the mock through one day at fast forward, and print the figures as JSON.

``year_day.py 2026-03-01 30`` runs 48 polls of an org with an event every 30 seconds. Only the app
and the org see the clock of that day: the libraries are imported before it is set.
"""

from __future__ import annotations

import datetime as datetime_module
import importlib
import json
import os
import sys
import time
from datetime import datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
# Imported for their own clock: after this, they keep it.
import azure.identity
import azure.storage.blob  # noqa: F401
import cryptography.x509  # noqa: F401
import grpc  # noqa: F401
import jwt  # noqa: F401
import memory
import requests  # noqa: F401

POLLS = 48
IDLE_SECONDS, KEEPALIVE_SECONDS = 0.1, 0.15


class _AnyDatetime(type):
    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, datetime)


class Shifted(datetime, metaclass=_AnyDatetime):
    """``datetime`` with the clock of the day."""

    shift = timedelta(0)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Shifted:
        """The time of the day that is played."""
        return super().now(tz) + cls.shift


def main() -> None:
    """Run the polls of the day."""
    day = datetime.fromisoformat(sys.argv[1]).replace(tzinfo=timezone.utc)
    datetime_module.datetime = Shifted  # type: ignore[misc]
    mock_salesforce = importlib.import_module("salesforce_client.src.app.mock_salesforce")
    run = importlib.import_module("salesforce_client.src.app.run").run
    figures: dict[str, float] = {"polls": POLLS, "deliveries": 0, "deletes": 0, "rest_calls": 0}
    with mock_salesforce.MockSalesforce(
        float(sys.argv[2]), keepalive_seconds=KEEPALIVE_SECONDS
    ) as mock:
        mock.org.now = lambda: Shifted.now(timezone.utc)
        settings = {**mock.settings, "IDLE_SECONDS": str(IDLE_SECONDS), **os.environ}
        began = time.monotonic()
        for number in range(POLLS):
            Shifted.shift = day + timedelta(days=number / POLLS) - datetime.now(timezone.utc)
            report = run(settings)
            report.raise_if_failed()
            for topic in report.topics.values():
                figures["deliveries"] += topic.received
                figures["deletes"] += topic.deletes
            figures["rest_calls"] += sum(check.calls for check in report.checks)
    figures["seconds"] = time.monotonic() - began
    print(json.dumps({**figures, "peak_mb": memory.peak_mb()}))


if __name__ == "__main__":
    main()
