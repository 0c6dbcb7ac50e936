"""``login``: one login, for example with a new key before the old one is replaced."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from ..console import USAGE, WELL, StoppedError
from .call import Call

HELP = "log in to Salesforce once, with the key in the settings or with another one"
EXAMPLE = "login --key new_private_key.pem"
KEY, KEY_FILE = "SALESFORCE_PRIVATE_KEY", "SALESFORCE_PRIVATE_KEY_FILE"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument(
        "--key", metavar="FILE", type=Path, help="a private key instead of the one in the settings"
    )


def run(options: argparse.Namespace, call: Call) -> int:
    """Log in, and say as whom. The access token is not shown."""
    changes = {KEY: "", KEY_FILE: str(options.key)} if options.key else {}
    with call.app(**changes) as app:
        if app.mocked and options.key:
            raise StoppedError("MOCK_MODE is true, and the mock has a key of its own", USAGE)
        salesforce, session = app.salesforce, app.login()
    public = salesforce.private_key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    told = {
        "user": salesforce.username,
        "login_url": salesforce.login_url,
        "audience": salesforce.audience,
        "org_id": session.org_id,
        "instance_url": session.instance_url,
        "public_key_sha256": hashlib.sha256(public).hexdigest(),
    }
    call.console.table(("login", "value"), list(told.items()))
    call.console.line("the login is well")
    call.console.result({"exit_code": WELL, **told})
    return WELL
