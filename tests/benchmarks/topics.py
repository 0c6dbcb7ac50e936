#!/usr/bin/env python3
"""Measure polls of many topics: ``python3 tests/benchmarks/topics.py``.

For each number of topics it runs a poll of 100 events on each topic, a poll that finds nothing, and
the commands ``status`` and ``doctor``. At the end it loads all files, and asks for the freshness.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
import page  # noqa: E402  (found through the lines above)
import process  # noqa: E402

HERE = Path(__file__).resolve().parent
APP = HERE.parent.parent / "salesforce_client"
EVENTS = 100  # on each topic
COUNTS = (1, 100, 250, 500)


def command(settings: Mapping[str, str], *words: str) -> float:
    """Return the seconds of an operator's command. What it finds does not matter."""
    began = time.monotonic()
    ran = subprocess.run(
        [sys.executable, "-m", "src.app", *words, "--yes", "--json"],
        cwd=APP,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert json.loads(ran.stdout), ran.stderr
    return time.monotonic() - began


def measure(count: int, server: Mapping[str, str], storage: Mapping[str, str]) -> list[str]:
    """Return the two rows of the table for so many topics, which no poll has read before."""
    settings = {
        **{name: value for name, value in server.items() if name.startswith("SALESFORCE_")},
        **storage,
        "SALESFORCE_TOPICS": ",".join(f"/data/Of_{count}_{it}__chn" for it in range(count)),
        "IDLE_SECONDS": "5",
        "CHECK_OBJECTS": "none",
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": server["ca_file"],
        "REQUESTS_CA_BUNDLE": server["ca_file"],
    }
    rows = []
    for title, deletes in (("with 100 events each", EVENTS * count), ("quiet", 0)):
        told = process.told([sys.executable, str(HERE / "topics_poller.py")], settings, 300)
        assert not told["errors"], told
        assert (told["moved"], told["deletes"]) == (count, deletes), told
        rows.append(
            f"| {count}, {title} | {told['seconds']:.0f} | {told['cpu']:.1f} "
            f"| {told['peak_mb']:.0f} | {told['threads']:,} | {told['calls']:,} "
            f"| {told['requests']:,} |"
        )
        print(rows[-1], flush=True)
    status, doctor = command(settings, "status"), command(settings, "doctor", "--listen", "0.1")
    print(f"status {status:.1f} s, doctor --listen 0.1 {doctor:.1f} s", flush=True)
    rows[0] += " | |"
    rows[1] += f" {status:.1f} | {doctor:.1f} |"
    return rows


def freshness(storage: Mapping[str, str]) -> str:
    """Load all files, and return a sentence about the freshness of all topics."""
    from local import emulators, warehouse

    with emulators.snowflake() as server:
        settings = {**storage, **server.settings}
        swept = process.told([sys.executable, str(HERE / "sweeper.py")], settings)
        with warehouse.connect(settings) as connection:
            warehouse.run(connection, "3_views.sql")
            began = time.monotonic()
            sql = "SELECT COUNT(*), COUNT(read_until) FROM delete_tracker_freshness"
            ((rows, known),) = warehouse.query(connection, sql)[1]
        seconds = time.monotonic() - began
    return (
        f"A sweep loaded {swept['inserted']:,} deletes of all these polls in"
        f" {swept['seconds']:.0f} s.\nThe view of the freshness then had {rows:,} rows, {known:,}"
        f" with `read_until`, and took {seconds:.1f} s."
    )


def main() -> int:
    """Measure, and write the table into the page."""
    parser = argparse.ArgumentParser(description="Measure polls of many topics.")
    parser.add_argument("--topics", type=int, nargs="+", default=COUNTS)
    counts = parser.parse_args().topics
    process.begin()
    from local import emulators

    lines = [
        "| topics | seconds | CPU s | peak MB | threads | calls of Pub/Sub | requests to Storage "
        "| seconds of `status` | seconds of `doctor` |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    command_line = [sys.executable, str(HERE / "server.py"), "--events", str(EVENTS)]
    # It makes the payloads, which all topics have.
    command_line += ["--prepare", "/data/Of_0__chn"]
    with (
        emulators.azurite(on_disk=True) as azurite,
        subprocess.Popen(command_line, stdout=subprocess.PIPE, text=True) as server,
    ):
        assert server.stdout
        try:
            settings = json.loads(server.stdout.readline())
            storage = {**azurite.settings, "EVENTS_CONTAINER": "events"}
            for count in counts:
                lines += measure(count, settings, storage)
        finally:
            server.terminate()
        told = freshness(storage)
        print(told)
    page.write("topics", "\n".join([*lines, "", told, f"Machine: {page.machine()}."]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
