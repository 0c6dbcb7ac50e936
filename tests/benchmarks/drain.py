#!/usr/bin/env python3
"""Compare the collector with the npm client on one server: ``python3 tests/run.py bench``.

The two take turns. The collector stores everything: it closes and uploads its files, and saves its
cursors. The npm client decodes each event and turns it into JSON, but stores nothing. Each figure
is the median of several rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import statistics
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]
import page  # noqa: E402  (found through the line above)
import process  # noqa: E402
from local import node  # noqa: E402

HERE = Path(__file__).resolve().parent
BATCH = 100
ROWS_IN_A_FILE = 20_000
# The emulator collects its garbage on its one thread, so that the cores are free for the clients.
ON_ONE_THREAD = ("--single-threaded-gc", "--no-incremental-marking")


@dataclass(frozen=True)
class Case:
    """What a client reads. One event in ``one_in`` is a delete."""

    title: str
    topics: tuple[str, ...]
    events: int  # on each topic
    one_in: int = 1
    latency_ms: int = 0


EIGHT_TOPICS = tuple(f"/data/Accounts_{number}__chn" for number in range(8))
CASES = (
    Case("deletes of Account", ("/data/AccountChangeEvent",), 200_000),
    Case("platform events", ("/event/Delete_Event__e",), 200_000),
    Case("mixed channel, 1 delete in 20 events", ("/data/ChangeEvents",), 200_000, one_in=20),
    Case(
        "100 ms latency: deletes of Account", ("/data/AccountChangeEvent",), 8_000, latency_ms=100
    ),
    Case("100 ms latency: platform events", ("/event/Delete_Event__e",), 8_000, latency_ms=100),
    Case(
        "100 ms latency: mixed channel", ("/data/ChangeEvents",), 8_000, one_in=20, latency_ms=100
    ),
    Case("100 ms latency: deletes of Account, 8 topics", EIGHT_TOPICS, 8_000, latency_ms=100),
)


@contextlib.contextmanager
def salesforce(case: Case) -> Iterator[dict[str, str]]:
    """Run the server.

    It has slightly more events than are measured, so that no client waits at the end of the
    measurement.
    """
    more = case.events + 2 * BATCH * case.one_in
    command = [
        sys.executable,
        str(HERE / "server.py"),
        "--events",
        str(more),
        "--latency-ms",
        str(case.latency_ms),
    ]
    command += [argument for topic in case.topics for argument in ("--prepare", topic)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            yield json.loads(server.stdout.readline())
        finally:
            server.terminate()


def collector(
    case: Case, server: Mapping[str, str], storage: Mapping[str, str]
) -> dict[str, float]:
    """Run the collector once, and return its figures."""
    name = uuid.uuid4().hex[:12]
    rows = case.events * len(case.topics) // case.one_in
    # All files are full. The measurement ends when the cursors of the last one are saved.
    files = math.ceil(rows / ROWS_IN_A_FILE)
    settings = {
        **{
            setting: value for setting, value in server.items() if setting.startswith("SALESFORCE_")
        },
        **storage,
        "SALESFORCE_TOPICS": ",".join(case.topics),
        "EVENTS_CONTAINER": f"events-{name}",
        "CURSORS_CONTAINER": f"cursors-{name}",
        "MAX_FILE_ROWS": str(rows // files),
        "IDLE_SECONDS": "1",
        "BENCHMARK_FILES": str(files),
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": server["ca_file"],
        "REQUESTS_CA_BUNDLE": server["ca_file"],
    }
    figures: dict[str, float] = process.told([sys.executable, str(HERE / "collector.py")], settings)
    return figures


def npm_client(case: Case, server: Mapping[str, str]) -> dict[str, float]:
    """Run the npm client once, and return its figures."""
    package = node.node_modules() / "salesforce-pubsub-api-client"
    what = {
        "endpoint": server["SALESFORCE_PUBSUB_ENDPOINT"],
        "topics": case.topics,
        "events": case.events * len(case.topics),
    }
    command = [node.node(), str(HERE / "npm_client.mjs"), str(package), json.dumps(what)]
    figures: dict[str, float] = process.told(
        command, {"NODE_EXTRA_CA_CERTS": server["ca_file"]}, timeout=300
    )
    return figures


def measure(case: Case, rounds: int) -> dict[str, dict[str, float]]:
    """Return the medians of both clients, by name.

    The clients take turns. Each run of the collector has a new Azurite, because Azurite gets slower
    the more it holds.
    """
    from local import emulators

    runs: dict[str, list[dict[str, float]]] = {"ours": [], "npm": []}
    with salesforce(case) as server:
        for _ in range(rounds):
            with emulators.azurite(node_options=ON_ONE_THREAD) as azurite:
                runs["ours"].append(collector(case, server, azurite.settings))
            runs["npm"].append(npm_client(case, server))
    return {name: _medians(case, some) for name, some in runs.items()}


def _medians(case: Case, runs: list[dict[str, float]]) -> dict[str, float]:
    events = case.events * len(case.topics)
    median = {
        name: statistics.median(run[name] for run in runs) for name in ("seconds", "cpu", "peak_mb")
    }
    return {
        "rate": events / median["seconds"],
        "cpu": median["cpu"] / events * 100_000,
        "peak_mb": median["peak_mb"],
    }


def table(measured: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """Return the figures as a table in Markdown."""
    lines = [
        "| case | events/s: collector | events/s: npm client | ratio "
        "| CPU s for 100,000 events: collector | CPU s: npm client "
        "| peak MB: collector | peak MB: npm client |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for title, by in measured.items():
        ours, npm = by["ours"], by["npm"]
        cells = [
            title,
            f"{ours['rate']:,.0f}",
            f"{npm['rate']:,.0f}",
            f"{ours['rate'] / npm['rate']:.2f}",
        ]
        cells += [f"{one['cpu']:.1f}" for one in (ours, npm)] + [
            f"{one['peak_mb']:.0f}" for one in (ours, npm)
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    """Measure, print the table, and write it into the page."""
    parser = argparse.ArgumentParser(description="Compare the collector with the npm client.")
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    process.begin()
    measured: dict[str, Any] = {}
    for case in CASES:
        measured[case.title] = measure(case, rounds)
        print(table({case.title: measured[case.title]}).splitlines()[-1], flush=True)
    page.write(
        "drain", f"{table(measured)}\n\nMedians of {rounds} rounds.\nMachine: {page.machine()}."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
