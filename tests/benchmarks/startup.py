#!/usr/bin/env python3
"""Measure the start of each function: part of ``python3 tests/run.py bench``.

The time runs from the start of Python to the function's first request.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]
import page  # noqa: E402  (found through the line above)
import process  # noqa: E402
from local import environments  # noqa: E402

ROUNDS = 7
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


def main() -> int:
    """Measure, print the table, and write it into the page."""
    process.begin()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    settings = {**SETTINGS, "SALESFORCE_PRIVATE_KEY": pem.decode()}
    lines = ["| function | imported after | first request after |", "|---|---|---|"]
    for app, function in (("salesforce_client", "TimerPoller"), ("delete_sync", "SnowflakePusher")):
        command = [
            sys.executable,
            "-c",
            UNTIL_FIRST_REQUEST,
            str(page.TESTS),
            str(environments.REPOSITORY / app),
            function,
        ]
        rounds = [process.told(command, settings) for _ in range(ROUNDS)]
        imported, request = (
            statistics.median(one[moment] for one in rounds) for moment in ("import", "request")
        )
        lines.append(f"| {app}/{function} | {imported:.2f} s | {request:.2f} s |")
        print(lines[-1], flush=True)
    page.write(
        "startup",
        "\n".join([*lines, "", f"Medians of {ROUNDS} rounds.\nMachine: {page.machine()}."]),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
