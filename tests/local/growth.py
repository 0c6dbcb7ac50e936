"""Invokes a function many times in one process, and judges whether the process grows."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from . import apps

KINDS = ("memory", "heap", "blocks", "objects", "threads", "descriptors", "files")


@dataclass(frozen=True)
class Told:
    """How an invocation ended, and what its process had after it.

    Attributes:
        succeeded: whether ``main`` returned without an error.
        message: the error.
        holdings: by the names of ``KINDS``. Memory and heap are in MB.
    """

    succeeded: bool
    message: str
    holdings: Mapping[str, float]


class Process:
    """A process of Microsoft's runtime that has loaded a function."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process = process
        self._log = log

    def invoke(self, changes: Mapping[str, str]) -> Told:
        """Invoke the function with some settings changed. They stay changed."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{json.dumps(dict(changes))}\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            with self._log.open("a") as log:
                log.write(line)
            if line.startswith('{"status": '):
                told: Any = json.loads(line)
                holdings = {kind: told[kind] for kind in KINDS}
                return Told(told["status"] == "Success", told["message"], holdings)
        raise RuntimeError(f"the process has ended:\n{self._log.read_text()[-3000:]}")


@contextlib.contextmanager
def process(
    app: str, function: str, settings: Mapping[str, str], worker: apps.Worker, folder: Path
) -> Iterator[Process]:
    """Load a function. Its log and its temporary files are in ``folder``."""
    temporary = folder / f"{app}-temporary"
    temporary.mkdir()
    running = apps.start(app, function, {**settings, "TMPDIR": str(temporary)}, worker, again=True)
    try:
        yield Process(running, folder / f"{app}.log")
    finally:
        running.kill()
        running.communicate()


def grown(values: Sequence[float]) -> float:
    """By how much the values have grown from the first to the last one.

    This is the median of the slopes between any two of them (Theil and Sen), times their number.
    Single steps and outliers have no influence on it.
    """
    slopes = [(b - a) / (j - i) for (i, a), (j, b) in combinations(enumerate(values), 2)]
    return statistics.median(slopes) * len(values)
