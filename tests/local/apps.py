"""The two apps as the Functions worker runs them: the function folder imported as ``__app__.<Function>``, in its own process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .environments import REPOSITORY

# What a test machine may have set for its own network must not lead an app away from this machine's servers.
NOT_INHERITED = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@dataclass(frozen=True)
class Worker:
    """Who calls a function: which script in which interpreter (by app), with the apps' folders where, and in what environment."""

    script: str = "invoke.py"
    python: Callable[[str], Path] = lambda _: Path(sys.executable)
    folder: Path = REPOSITORY
    environment: Mapping[str, str] = field(default_factory=dict)


HERE = Worker()


@dataclass(frozen=True)
class Invocation:
    """How an invocation ended. ``log`` is everything the process wrote."""

    returncode: int
    log: str

    @property
    def succeeded(self) -> bool:
        """Whether ``main`` returned."""
        return self.returncode == 0


def poll(settings: Mapping[str, str], **options: Any) -> Invocation:
    """One invocation of ``TimerPoller``."""
    return finish(start("salesforce_client", "TimerPoller", settings, **options))


def sweep(settings: Mapping[str, str], **options: Any) -> Invocation:
    """One invocation of ``SnowflakePusher``."""
    return finish(start("delete_sync", "SnowflakePusher", settings, **options))


def start(
    app: str,
    function: str,
    settings: Mapping[str, str],
    worker: Worker = HERE,
    *,
    past_due: bool = False,
) -> subprocess.Popen[str]:
    """Begin an invocation."""
    script = str(Path(__file__).with_name(worker.script))
    command = [
        str(worker.python(app)),
        script,
        str(worker.folder / app),
        function,
        *(["--past-due"] if past_due else []),
    ]
    inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    return subprocess.Popen(
        command,
        env={**inherited, **worker.environment, **settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen[str], timeout: float = 300) -> Invocation:
    """Wait for an invocation to end; it is killed when it does not."""
    try:
        log, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        log, _ = process.communicate()
        log += f"\nkilled after {timeout} s"
    return Invocation(process.returncode, log)
