"""Runs the two apps as the Functions worker does.

Each invocation is a process that imports the function folder as ``__app__.<Function>``.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import signals
from .environments import REPOSITORY

# A proxy of the test machine must not redirect an app that talks to servers on loopback. The
# setting of gRPC is for processes that start others; the apps start none.
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
NOT_INHERITED = (*PROXIES, "GRPC_ENABLE_FORK_SUPPORT")


@dataclass(frozen=True)
class Worker:
    """How a function is called.

    Attributes:
        script: the file in ``tests/local`` that calls it.
        python: the interpreter for an app.
        folder: where the folders of the apps are.
        environment: variables that the process of an app gets besides the settings.
    """

    script: str = "invoke.py"
    python: Callable[[str], Path] = lambda _: Path(sys.executable)
    folder: Path = REPOSITORY
    environment: Callable[[str], Mapping[str, str]] = lambda _: {}


HERE = Worker()


def inherited() -> dict[str, str]:
    """The variables that a process of an app has beside those that it is given."""
    return {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}


def new_process(
    app: str, command: Sequence[str], env: Mapping[str, str], **pipes: Any
) -> subprocess.Popen[str]:
    """Start a new process of an app."""
    return subprocess.Popen(command, env=env, text=True, **pipes)


# Starts the process of an app. tests/conftest.py replaces it by a faster way.
started: Callable[..., subprocess.Popen[str]] = new_process


@dataclass(frozen=True)
class Invocation:
    """How an invocation ended. ``log`` is everything that the process wrote."""

    returncode: int
    log: str

    @property
    def succeeded(self) -> bool:
        """Whether ``main`` returned without an error."""
        return self.returncode == 0


def poll(settings: Mapping[str, str], **options: Any) -> Invocation:
    """Invoke ``TimerPoller`` once."""
    return _invoke("salesforce_client", "TimerPoller", settings, **options)


def sweep(settings: Mapping[str, str], **options: Any) -> Invocation:
    """Invoke ``SnowflakePusher`` once."""
    return _invoke("delete_sync", "SnowflakePusher", settings, **options)


def _invoke(app: str, function: str, settings: Mapping[str, str], **options: Any) -> Invocation:
    """Invoke a function once. An error here, such as Ctrl-C, ends the app too."""
    with contextlib.ExitStack() as stack:
        with signals.held():
            process = start(app, function, settings, **options)
            stack.callback(_end, process)
        return finish(process)


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.kill()
        process.communicate()


def start(
    app: str,
    function: str,
    settings: Mapping[str, str],
    worker: Worker = HERE,
    *,
    past_due: bool = False,
    again: bool = False,
) -> subprocess.Popen[str]:
    """Start an invocation without waiting for its end.

    With ``again``, Microsoft's runtime invokes the function for each line of the process's input.
    """
    script = str(Path(__file__).with_name(worker.script))
    command = [
        str(worker.python(app)),
        script,
        str(worker.folder / app),
        function,
        *(["--past-due"] if past_due else []),
        *(["--again"] if again else []),
    ]
    return started(
        app,
        command,
        {**inherited(), **worker.environment(app), **settings},
        stdin=subprocess.PIPE if again else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def finish(process: subprocess.Popen[str], timeout: float = 300) -> Invocation:
    """Wait for the end of an invocation. Kill it after ``timeout`` seconds."""
    try:
        log, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        log, _ = process.communicate()
        log += f"\nkilled after {timeout} s"
    return Invocation(process.returncode, log)
