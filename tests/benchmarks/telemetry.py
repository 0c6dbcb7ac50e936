#!/usr/bin/env python3
"""Measure what OpenTelemetry would cost the collector: part of ``python3 tests/run.py bench``.

Each round loads the function with and without it, in turn. If the setting
``PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY`` is true, Microsoft's worker does the same: it calls
``configure_azure_monitor`` before it loads the function.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]
import page  # noqa: E402  (found through the line above)
import process  # noqa: E402
from local import environments  # noqa: E402

ROUNDS = 9
# No server has this address, so the figures are without any request that succeeds.
CONNECTION = (
    "InstrumentationKey=00000000-0000-0000-0000-000000000001;IngestionEndpoint=http://127.0.0.1:9/"
)
FUNCTION = """
import json, os, resource, sys, time
began = time.process_time()
if sys.argv[4] == "with":
    from azure.monitor.opentelemetry import configure_azure_monitor
    configure_azure_monitor(logger_name="salesforce_client")
configured = time.process_time()
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from local.invoke import load
load(Path(sys.argv[2]), sys.argv[3])
print(json.dumps({
    "configured": configured - began,
    "loaded": time.process_time() - began,
    "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}), flush=True)
os._exit(0)
"""
SETTINGS = {
    "APPLICATIONINSIGHTS_CONNECTION_STRING": CONNECTION,
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "azure_functions",
}


def size(python: Path) -> float:
    """The size of the packages of an environment, in MB."""
    (packages,) = python.parent.parent.glob("lib/python3*/site-packages")
    return sum(it.lstat().st_size for it in packages.rglob("*") if it.suffix != ".pyc") / 1e6


def main() -> int:
    """Measure, print the table, and write it into the page."""
    process.begin()
    telemetry = environments.group("telemetry")
    deployed = environments.group("collector")
    app = environments.REPOSITORY / "salesforce_client"
    command = [str(telemetry), "-c", FUNCTION, str(page.TESTS), str(app), "TimerPoller"]
    told: dict[str, list[dict[str, float]]] = {"without": [], "with": []}
    for _ in range(ROUNDS):
        for how, rounds in told.items():
            rounds.append(process.told([*command, how], SETTINGS))
    lines = ["| OpenTelemetry | CPU to configure | CPU until loaded | memory | packages |"]
    lines.append("|---|---|---|---|---|")
    for (how, rounds), python in zip(told.items(), (deployed, telemetry)):
        configured, loaded, memory = (
            statistics.median(one[what] for one in rounds)
            for what in ("configured", "loaded", "mb")
        )
        lines.append(
            f"| {how} | {configured:.2f} s | {loaded:.2f} s | {memory:.0f} MB"
            f" | {size(python):.0f} MB |"
        )
        print(lines[-1], flush=True)
    page.write(
        "telemetry",
        "\n".join([*lines, "", f"Medians of {ROUNDS} rounds.\nMachine: {page.machine()}."]),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
