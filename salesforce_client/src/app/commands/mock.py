"""``mock``: the mock Salesforce by itself, on fixed ports and with fixed settings."""

from __future__ import annotations

import argparse
import signal
import tempfile
import threading
from datetime import datetime, timezone
from pathlib import Path

from ..console import USAGE, WELL, Console, StoppedError
from ..mock_salesforce import MockSalesforce
from ..mock_salesforce.faults import FAULTS
from .call import Call

HELP = "run the mock Salesforce by itself, for any client"
EXAMPLE = "mock --port 7480 --pubsub-port 7443 > mock.env"
KEY = Path(tempfile.gettempdir()) / "mock-salesforce-key" / "private_key.pem"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    add, default = parser.add_argument, " (default: %(default)s)"
    add("--port", type=int, default=7480, help=f"port of the login; 0 is a free one{default}")
    add(
        "--pubsub-port",
        type=int,
        default=7443,
        metavar="PORT",
        help=f"port of the Pub/Sub API; 0 is a free one{default}",
    )
    add(
        "--key-file",
        type=Path,
        default=KEY,
        metavar="FILE",
        help="the client's private key, made if it does not exist (default: a file in the"
        " temporary folder)",
    )
    add("--tls", action="store_true", help="serve over TLS, and print the authority's ca_file")
    add(
        "--interval",
        type=float,
        default=60,
        metavar="SECONDS",
        help=f"time between two events{default}",
    )
    add(
        "--now",
        type=_time,
        metavar="TIME",
        help="stop the org's clock at this time, e.g. 2026-01-31T12:00:00Z",
    )
    add(
        "--keepalive",
        type=float,
        default=1,
        metavar="SECONDS",
        help=f"silence before an empty response{default}",
    )
    add(
        "--batch",
        type=int,
        default=100,
        metavar="EVENTS",
        help=f"maximum number of events in one response{default}",
    )
    add(
        "--fault",
        action="append",
        default=[],
        metavar="NAME[=VALUE][@TOPIC]",
        help="switch on a fault; may be given several times",
    )
    add("--faults", action="store_true", help="list the faults and exit")


def run(options: argparse.Namespace, call: Call) -> int:
    """Print the settings of a client, and serve until SIGINT or SIGTERM.

    The settings are the same at each start.
    """
    if options.faults:
        return _list_faults(call.console)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        options.key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with MockSalesforce(
            options.interval,
            options.now,
            faults=",".join(options.fault),
            tls=options.tls,
            keepalive_seconds=options.keepalive,
            batch_size=options.batch,
            port=options.port,
            pubsub_port=options.pubsub_port,
            key_file=options.key_file,
            reflection=True,
        ) as mock:
            _tell(mock, call.console)
            ended.wait()
    except (OSError, RuntimeError) as error:
        raise StoppedError(
            f"the mock cannot start: {error}. If a port is taken, name another one with --port or"
            " --pubsub-port",
            USAGE,
        ) from None
    return WELL


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment.replace(tzinfo=moment.tzinfo or timezone.utc)


def _list_faults(console: Console) -> int:
    faults = [
        f"{name}{f' ({value})' if value else ''}: {what}" for name, (value, what) in FAULTS.items()
    ]
    for line in faults:
        console.line(line)
    console.result({"exit_code": WELL, "faults": faults})
    return WELL


def _tell(mock: MockSalesforce, console: Console) -> None:
    for name, value in mock.settings.items():
        console.line(f"{name}={value}")
    told = {**mock.settings, "org_id": mock.org.org_id, "ca_file": mock.ca_file}
    console.result({**told, "reflection": mock.reflects})
    if mock.ca_file:
        console.note(f"certificate of the authority: {mock.ca_file}")
    console.note(
        f"org {mock.org.org_id}; gRPC server reflection:"
        f" {'on' if mock.reflects else 'off, because grpcio-reflection is not installed'};"
        " Ctrl-C ends the mock"
    )
