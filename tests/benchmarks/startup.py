#!/usr/bin/env python3
"""Measure the start of each function: part of ``python3 tests/run.py bench``.

The time runs from the start of Python to the function's first request. All modules are compiled
before, as they are in a package. With ``--against COMMIT``, the functions of an earlier commit are
started in turn.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]
import earlier  # noqa: E402  (found through the line above)
import page  # noqa: E402
import process  # noqa: E402
from local import environments  # noqa: E402

ROUNDS = 7
FUNCTIONS = (("salesforce_client", "TimerPoller"), ("delete_sync", "SnowflakePusher"))
# This program ends when the app first connects to anything.
# Its times begin when the kernel started the process.
UNTIL_FIRST_REQUEST = """
import json, os, sys, time
ticks = int(open("/proc/self/stat").read().rsplit(")", 1)[1].split()[19])
started = ticks / os.sysconf("SC_CLK_TCK")
moments = {}
def note(event, _):
    if event in ("socket.getaddrinfo", "socket.connect"):
        moments["request"] = time.clock_gettime(time.CLOCK_BOOTTIME) - started
        print(json.dumps(moments), flush=True)
        os._exit(0)
sys.addaudithook(note)
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from local.invoke import load
main = load(Path(sys.argv[2]), sys.argv[3])
moments["import"] = time.clock_gettime(time.CLOCK_BOOTTIME) - started
from azure.functions.timer import TimerRequest
main(TimerRequest(past_due=False))
"""
SETTINGS = {
    "REQUESTS_CA_BUNDLE": "",  # reading this machine's own would count for one version only
    "CURL_CA_BUNDLE": "",
    "SSL_CERT_FILE": "",
    "SALESFORCE_CLIENT_ID": "x",
    "SALESFORCE_USERNAME": "x@example.com",
    "SALESFORCE_TOPICS": "/data/ChangeEvents",
    "EVENTS_STORAGE": "UseDevelopmentStorage=true",
    "SNOWFLAKE_ACCOUNT": "x",
    "SNOWFLAKE_USER": "x",
    "SNOWFLAKE_PASSWORD": "x",
    "SNOWFLAKE_WAREHOUSE": "x",
    "SNOWFLAKE_DATABASE": "x",
    "SNOWFLAKE_SCHEMA": "x",
}


def start(app: Path, function: str, settings: Mapping[str, str]) -> dict[str, float]:
    """Start a function once, and return its times."""
    command = [sys.executable, "-c", UNTIL_FIRST_REQUEST, str(page.TESTS), str(app), function]
    times: dict[str, float] = process.told(command, settings)
    return times


def main() -> int:
    """Measure, print the table, and write it into the page."""
    parser = argparse.ArgumentParser(description="Measure the start of each function.")
    parser.add_argument("--against", metavar="COMMIT", help="compare it with this commit too")
    commit = parser.parse_args().against
    process.begin()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    settings = {**SETTINGS, "SALESFORCE_PRIVATE_KEY": pem.decode()}
    lines = ["| function | imported after | first request after |", "|---|---|---|"]
    with contextlib.ExitStack() as stack:
        code = {"": environments.REPOSITORY}
        if commit:
            code[f" at `{commit}`"] = stack.enter_context(earlier.checkout(commit))
        compiled = stack.enter_context(tempfile.TemporaryDirectory())
        settings |= {"PYTHONPYCACHEPREFIX": compiled, "PYTHONDONTWRITEBYTECODE": ""}
        for app, function in FUNCTIONS:
            for folder in code.values():
                start(folder / app, function, settings)
            rounds: dict[str, list[dict[str, float]]] = {version: [] for version in code}
            for _ in range(ROUNDS):
                for version, folder in code.items():
                    rounds[version].append(start(folder / app, function, settings))
            for version, some in rounds.items():
                imported, request = (
                    statistics.median(one[moment] for one in some)
                    for moment in ("import", "request")
                )
                cells = [f"{app}/{function}{version}", f"{imported:.2f} s", f"{request:.2f} s"]
                lines.append(f"| {' | '.join(cells)} |")
                print(lines[-1], flush=True)
    page.write(
        "startup",
        "\n".join([*lines, "", f"Medians of {ROUNDS} rounds.\nMachine: {page.machine()}."]),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
