"""Run the mock alone, for any client in any language.

The command is ``python -m salesforce_client.src.app.mock_salesforce``. Its first line of output is
a JSON object: the settings that the client needs, named as in ``docs/settings.md``, and ``org_id``
and ``ca_file``. The mock serves until the user interrupts or terminates it.
"""

from __future__ import annotations

import argparse
import json
import signal
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from . import MockSalesforce
from .faults import FAULTS


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment.replace(tzinfo=moment.tzinfo or timezone.utc)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the mock."""
    parser.add_argument(
        "--tls",
        action="store_true",
        help="serve over TLS; ca_file in the first line is the authority's certificate",
    )
    parser.add_argument(
        "--interval", type=float, default=60, metavar="SECONDS", help="time between two events (60)"
    )
    parser.add_argument(
        "--now",
        type=_time,
        metavar="TIME",
        help="stop the org's clock at this time, e.g. 2026-01-31T12:00:00Z",
    )
    parser.add_argument(
        "--keepalive",
        type=float,
        default=1,
        metavar="SECONDS",
        help="silence before an empty response (1)",
    )
    parser.add_argument(
        "--batch",
        type=int,
        default=100,
        metavar="EVENTS",
        help="maximum number of events in one response (100)",
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME[=VALUE][@TOPIC]",
        help="switch on a fault; may be given several times",
    )
    parser.add_argument("--faults", action="store_true", help="list the faults and exit")


def faults() -> list[str]:
    """Return a line for each fault."""
    return [
        f"{name}{f' ({value})' if value else ''}: {what}" for name, (value, what) in FAULTS.items()
    ]


def serve(
    options: argparse.Namespace, tell: Callable[[MockSalesforce], None], **places: Any
) -> None:
    """Serve until SIGINT or SIGTERM. ``tell`` is called as soon as the mock answers."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with MockSalesforce(
        options.interval,
        options.now,
        faults=",".join(options.fault),
        tls=options.tls,
        keepalive_seconds=options.keepalive,
        batch_size=options.batch,
        **places,
    ) as mock:
        tell(mock)
        ended.wait()


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(
        prog="mock_salesforce",
        description="A mock Salesforce on loopback: JWT login, Pub/Sub API and REST API.",
    )
    add_options(parser)
    options = parser.parse_args()
    if options.faults:
        print("\n".join(faults()))
        return
    serve(options, _tell)


def _tell(mock: MockSalesforce) -> None:
    told = {**mock.settings, "org_id": mock.org.org_id, "ca_file": mock.ca_file}
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
