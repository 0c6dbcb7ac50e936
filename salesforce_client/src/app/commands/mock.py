"""``mock``: the mock Salesforce by itself, on fixed ports and with fixed settings."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from ..console import USAGE, WELL, StoppedError
from ..mock_salesforce import MockSalesforce
from ..mock_salesforce.__main__ import add_options, faults, serve
from .call import Call

HELP = "run the mock Salesforce by itself, for any client"
EXAMPLE = "mock --port 7480 --pubsub-port 7443 > mock.env"
PORT, PUBSUB_PORT = 7480, 7443
KEY = Path(tempfile.gettempdir()) / "mock-salesforce-key" / "private_key.pem"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument(
        "--port", type=int, default=PORT, help=f"of the login ({PORT}); 0 for a free one"
    )
    parser.add_argument(
        "--pubsub-port",
        type=int,
        default=PUBSUB_PORT,
        help=f"of the Pub/Sub API ({PUBSUB_PORT}); 0 for a free one",
    )
    parser.add_argument(
        "--key-file",
        type=Path,
        default=KEY,
        help="the client's private key; made if it does not exist (in the temporary folder)",
    )
    add_options(parser)


def run(options: argparse.Namespace, call: Call) -> int:
    """Print the settings of a client, and serve until Ctrl-C. They are the same at each start."""
    console = call.console
    if options.faults:
        for line in faults():
            console.line(line)
        console.result({"exit_code": WELL, "faults": faults()})
        return WELL

    def tell(mock: MockSalesforce) -> None:
        told = {**mock.settings, "org_id": mock.org.org_id, "ca_file": mock.ca_file}
        for name, value in mock.settings.items():
            console.line(f"{name}={value}")
        console.result({**told, "reflection": mock.reflects})
        console.note(
            f"org {mock.org.org_id}; gRPC server reflection:"
            f" {'on' if mock.reflects else 'off, because grpcio-reflection is not installed'};"
            " Ctrl-C ends the mock"
        )

    try:
        options.key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        serve(
            options,
            tell,
            port=options.port,
            pubsub_port=options.pubsub_port,
            key_file=options.key_file,
            reflection=True,
        )
    except (OSError, RuntimeError) as error:
        raise StoppedError(
            f"the mock cannot start: {error}. If a port is taken, name another one with --port or"
            " --pubsub-port",
            USAGE,
        ) from None
    return WELL
