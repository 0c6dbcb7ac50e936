#!/usr/bin/env python3
"""Run both apps as on the smallest instance: part of ``python3 tests/run.py bench``.

They run in Microsoft's runtime, with the memory and the share of a core that Microsoft names for an
instance of 512 MB. The kernel keeps both limits, so this needs the rights to make control groups.
The servers have the rest of the machine.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
import drain  # noqa: E402  (found through the lines above)
import page  # noqa: E402
import process  # noqa: E402
import sweep  # noqa: E402
from local import apps, environments, limits  # noqa: E402

INSTANCE_MB = 512
# Microsoft Learn, "Azure Functions Flex Consumption plan hosting", Instance sizes: an instance has
# 272 MB more than its size, for system and host processes. Here they come out of the 512 MB.
HOST_MB = 272
LIMIT_MB = INSTANCE_MB - HOST_MB
CORES = 0.25  # the same table
EVENTS = 50_000
ROWS = 500_000
HEADER = "| run | cores | seconds | CPU s | peak MB |"


@dataclasses.dataclass(frozen=True)
class Ran:
    """What an invocation needed, from the start of its process to its end."""

    seconds: float
    cpu: float
    peak_mb: float


class Peak:
    """The peak of the resident memory of a process, as the kernel notes it.

    It is read until the process ends. An app has no other process: what its packages start, such as
    ``uname``, is small and short.
    """

    def __init__(self, pid: int) -> None:
        self._status, self._mb = Path(f"/proc/{pid}/status"), 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def mb(self) -> float:
        """End reading, and return the peak in MB."""
        self._ended.set()
        self._thread.join()
        return self._mb

    def _read(self) -> None:
        while not self._ended.wait(0.02):
            with contextlib.suppress(OSError):  # it has ended
                if found := re.search(r"VmHWM:\s+(\d+)", self._status.read_text()):
                    self._mb = int(found[1]) / 1024


def ran(app: str, function: str, settings: Mapping[str, str], worker: apps.Worker) -> Ran:
    """Invoke a function once. It must succeed."""
    before, began = os.times(), time.monotonic()
    invoked = apps.start(app, function, settings, worker)
    peak = Peak(invoked.pid)
    ended = apps.finish(invoked, timeout=540)
    seconds, after = time.monotonic() - began, os.times()
    mb = peak.mb()
    assert ended.succeeded, f"{ended.returncode}: {ended.log}"
    cpu = after.children_user + after.children_system
    cpu -= before.children_user + before.children_system
    return Ran(seconds, cpu, mb)


def poll(worker: apps.Worker, storage: Mapping[str, str], latency_ms: int = 0) -> Ran:
    """Poll 50,000 deletes of Account, and check that all are in event files."""
    case = drain.Case("", ("/data/AccountChangeEvent",), EVENTS, latency_ms=latency_ms)
    name = uuid.uuid4().hex
    containers = {"EVENTS_CONTAINER": f"events-{name}", "CURSORS_CONTAINER": f"cursors-{name}"}
    with drain.salesforce(case) as server:
        settings = {
            **{setting: value for setting, value in server.items() if setting.isupper()},
            **storage,
            **containers,
            "SALESFORCE_TOPICS": case.topics[0],
            "IDLE_SECONDS": "1",
            "CHECK_OBJECTS": "none",
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": server["ca_file"],
            "REQUESTS_CA_BUNDLE": server["ca_file"],
        }
        needed = ran("salesforce_client", "TimerPoller", settings, worker)
    keys = drain.stored(storage["EVENTS_STORAGE"], containers["EVENTS_CONTAINER"])
    assert len(keys) == len(set(keys)) == EVENTS + 2 * drain.BATCH
    return needed


def load(worker: apps.Worker, storage: Mapping[str, str], snowflake: Mapping[str, str]) -> Ran:
    """Sweep 500,000 rows, and check that each key is in the table."""
    storage = {**storage, "EVENTS_CONTAINER": f"events-{uuid.uuid4().hex}"}
    sweep.upload(ROWS, storage, rows_in_a_file=25_000)
    more = {"MAX_RUN_SECONDS": "540", "MAX_BACKLOG_HOURS": "0", "MAX_SILENCE_HOURS": "0"}
    needed = ran("delete_sync", "SnowflakePusher", {**storage, **snowflake, **more}, worker)
    assert sweep.rows_in(snowflake) == ROWS
    return needed


def on(cores: float, folder: Path) -> list[str]:
    """Return the lines of the table for this share of a core."""
    from local import emulators, workers

    whole = workers.microsoft_runtime(folder)
    lines = []
    with (
        limits.limited(LIMIT_MB, cores) as groups,
        emulators.azurite(on_disk=True) as azurite,
        emulators.snowflake() as snowflake,
    ):
        python = limits.python_in(groups, whole.python, folder)
        worker = dataclasses.replace(whole, python=python)
        runs: dict[str, Callable[[], Ran]] = {
            "poll of 50,000 events": lambda: poll(worker, azurite.settings),
            "the same, with 100 ms latency": lambda: poll(worker, azurite.settings, latency_ms=100),
            "sweep of 500,000 rows": lambda: load(worker, azurite.settings, snowflake.settings),
        }
        for title, measure in runs.items():
            it = measure()
            cells = [title, f"{cores:g}", f"{it.seconds:.0f}", f"{it.cpu:.1f}", f"{it.peak_mb:.0f}"]
            lines.append(f"| {' | '.join(cells)} |")
            print(lines[-1], flush=True)
    return lines


def main() -> int:
    """Measure, print the table, and write it into the page."""
    process.begin()
    lines = [HEADER, "|" + "---|" * (HEADER.count("|") - 1)]
    for cores in (CORES, 1.0):
        with tempfile.TemporaryDirectory() as folder:
            lines += on(cores, Path(folder))
    told = "import platform; print(platform.python_version())"
    python = subprocess.check_output([environments.group("runtime"), "-c", told], text=True).strip()
    about = f"Each ran once, with a limit of {LIMIT_MB} MB.\nMachine: {page.machine(python)}."
    page.write("instance", "\n".join([*lines, "", about]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
