#!/usr/bin/env python3
"""Compare the collector with the npm client on one server: ``python3 tests/run.py bench``.

The two take turns. The collector stores everything: it closes and uploads its files, and saves its
cursors. After each run, every delete must be in an event file once. The npm client decodes each
event and turns it into JSON, but stores nothing. Each figure is the median of several rounds.

With ``--against COMMIT``, the collector of an earlier commit takes its turn too.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import math
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]
import earlier  # noqa: E402  (found through the line above)
import page  # noqa: E402
import process  # noqa: E402
from local import environments, node  # noqa: E402

HERE = Path(__file__).resolve().parent
BATCH = 100
ROWS_IN_A_FILE = 20_000
# The emulator collects its garbage on its one thread, so that the cores are free for the clients.
ON_ONE_THREAD = ("--single-threaded-gc", "--no-incremental-marking")
NOW, EARLIER, NPM = "now", "earlier", "npm"
HEADER = (
    "| case | events/s: collector | events/s: npm client | ratio "
    "| CPU s for 100,000 events: collector | CPU s: npm client "
    "| peak MB: collector | peak MB: npm client |"
)
HEADER_AGAINST = (
    "| case | events/s: `{}` | events/s: now | ratio | ratios of all rounds "
    "| CPU s for 100,000 events: before | CPU s: now | peak MB: before | peak MB: now |"
)


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
    case: Case,
    server: Mapping[str, str],
    storage: Mapping[str, str],
    repository: Path = environments.REPOSITORY,
    more: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, float]:
    """Run the collector once, check that it stored everything, and return its figures.

    Args:
        case: what it reads.
        server: the settings of the server.
        storage: the settings of the emulator of Blob Storage.
        repository: where the collector's code is.
        more: further settings.
    """
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
        **more,
    }
    script = repository / "tests/benchmarks/collector.py"
    figures: dict[str, float] = process.told([sys.executable, str(script)], settings)
    deletes = rows + 2 * BATCH * len(case.topics)
    keys = stored(settings["EVENTS_STORAGE"], settings["EVENTS_CONTAINER"])
    assert len(keys) == len(set(keys)) == deletes, f"{len(set(keys))} of {deletes} are stored"
    return figures


def stored(storage: str, container: str) -> list[str]:
    """Return the key of each row in the event files."""
    from azure.storage.blob import ContainerClient

    keys: list[str] = []
    with (
        ContainerClient.from_connection_string(storage, container) as events,
        tempfile.TemporaryDirectory() as folder,
    ):
        path = Path(folder) / "events.db"
        for name in events.list_blob_names():
            path.write_bytes(events.download_blob(name).readall())
            with contextlib.closing(sqlite3.connect(path)) as database:
                keys += (key for (key,) in database.execute("SELECT event_id FROM events"))
    return keys


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


def measure(
    case: Case, rounds: int, *, npm: bool = True, earlier_code: Path | None = None
) -> dict[str, list[dict[str, float]]]:
    """Return the figures of each round, by the client's name.

    The clients take turns, and every second round has the opposite order. Each run of the collector
    has a new Azurite, because Azurite gets slower the more it holds.
    """
    from local import emulators

    def run(repository: Path) -> dict[str, float]:
        with emulators.azurite(node_options=ON_ONE_THREAD) as azurite:
            return collector(case, server, azurite.settings, repository)

    clients: dict[str, Callable[[], dict[str, float]]] = {NOW: lambda: run(environments.REPOSITORY)}
    if earlier_code:
        clients[EARLIER] = functools.partial(run, earlier_code)
    if npm:
        clients[NPM] = lambda: npm_client(case, server)
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in clients}
    with salesforce(case) as server:
        for number in range(rounds):
            for name in reversed(clients) if number % 2 else clients:
                runs[name].append(clients[name]())
    return runs


def medians(case: Case, runs: list[dict[str, float]]) -> dict[str, float]:
    """Return the events a second, CPU seconds for 100,000 events and peak MB."""
    events = case.events * len(case.topics)
    median = {
        name: statistics.median(run[name] for run in runs) for name in ("seconds", "cpu", "peak_mb")
    }
    return {
        "rate": events / median["seconds"],
        "cpu": median["cpu"] / events * 100_000,
        "peak_mb": median["peak_mb"],
    }


def ratios(runs: Mapping[str, list[dict[str, float]]], name: str, other: str) -> list[float]:
    """Return how many times as fast as the other one a client was in each round, in order."""
    pairs = zip(runs[name], runs[other])
    return sorted(theirs["seconds"] / its["seconds"] for its, theirs in pairs)


def row(case: Case, runs: Mapping[str, list[dict[str, float]]]) -> str:
    """Return the row of the collector and the npm client."""
    ours, npm = medians(case, runs[NOW]), medians(case, runs[NPM])
    cells = [case.title, f"{ours['rate']:,.0f}", f"{npm['rate']:,.0f}"]
    cells += [f"{statistics.median(ratios(runs, NOW, NPM)):.2f}"]
    cells += [f"{one['cpu']:.1f}" for one in (ours, npm)]
    cells += [f"{one['peak_mb']:.0f}" for one in (ours, npm)]
    return f"| {' | '.join(cells)} |"


def row_against(case: Case, runs: Mapping[str, list[dict[str, float]]]) -> str:
    """Return the row of the present collector and the earlier one."""
    now, before = medians(case, runs[NOW]), medians(case, runs[EARLIER])
    found = ratios(runs, NOW, EARLIER)
    cells = [case.title, f"{before['rate']:,.0f}", f"{now['rate']:,.0f}"]
    cells += [f"{statistics.median(found):.2f}", f"{found[0]:.2f} to {found[-1]:.2f}"]
    cells += [f"{one['cpu']:.1f}" for one in (before, now)]
    cells += [f"{one['peak_mb']:.0f}" for one in (before, now)]
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Measure, print the tables, and write them into the page."""
    parser = argparse.ArgumentParser(description="Compare the collector with the npm client.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--only", default="", metavar="PATTERN", help="the cases whose titles match it"
    )
    parser.add_argument("--against", metavar="COMMIT", help="compare it with this commit too")
    parser.add_argument("--without-npm", action="store_true", help="leave out the npm client")
    given = parser.parse_args()
    process.begin()
    compared, against = list[str](), list[str]()
    with contextlib.ExitStack() as stack:
        code = stack.enter_context(earlier.checkout(given.against)) if given.against else None
        for case in CASES:
            if not re.search(given.only, case.title):
                continue
            runs = measure(case, given.rounds, npm=not given.without_npm, earlier_code=code)
            if not given.without_npm:
                compared.append(row(case, runs))
                print(compared[-1], flush=True)
            if code:
                against.append(row_against(case, runs))
                print(against[-1], flush=True)
    about = f"Medians of {given.rounds} rounds."
    if compared:
        page.write_rows("drain", HEADER, compared, about)
    if against:
        page.write_rows("drain against", HEADER_AGAINST.format(given.against), against, about)
    return 0


if __name__ == "__main__":
    sys.exit(main())
