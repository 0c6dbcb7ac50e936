"""Ends an app at an exact moment: when one of its requests passes a proxy."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Mapping

from . import apps, emulators
from .proxy import Request, end, proxy

Match = Callable[[Request], bool]
COLLECTOR = ("salesforce_client", "TimerPoller")
SYNC = ("delete_sync", "SnowflakePusher")


def upload(request: Request) -> bool:
    """Whether the request uploads an event file."""
    return request.method == "PUT" and "/events-" in request.path and ".db" in request.path


def cursor(request: Request) -> bool:
    """Whether the request writes a cursor."""
    return request.method == "PUT" and "/cursors-" in request.path and ".json" in request.path


def statement(words: str) -> Match:
    """Match a request that sends Snowflake a statement with these words."""
    return lambda request: "query-request" in request.path and words in request.text


def through_storage(port: int) -> Mapping[str, str]:
    """Return the setting that sends an app's Blob requests through a proxy."""
    return {"EVENTS_STORAGE": emulators.connection_string(port)}


def through_warehouse(port: int) -> Mapping[str, str]:
    """Return the setting that sends an app's statements through a proxy."""
    return {"SNOWFLAKE_PORT": str(port)}


def run_until_ended(
    app: tuple[str, str],
    settings: Mapping[str, str],
    server: emulators.Server,
    through: Callable[[int], Mapping[str, str]],
    match: Match,
    when: str = "before",
    by: signal.Signals = signal.SIGKILL,
    worker: apps.Worker = apps.HERE,
) -> None:
    """Run a function behind a proxy that ends it when a request matches: see ``until_ended``."""

    def start(changes: Mapping[str, str]) -> subprocess.Popen[str]:
        return apps.start(*app, {**settings, **changes}, worker)

    until_ended(start, server, through, match, when, by)


def until_ended(
    start: Callable[[Mapping[str, str]], subprocess.Popen[str]],
    server: emulators.Server,
    through: Callable[[int], Mapping[str, str]],
    match: Match,
    when: str = "before",
    by: signal.Signals = signal.SIGKILL,
) -> None:
    """Start a process behind a proxy that ends it when a request matches.

    ``when`` says whether the process ends ``before`` or ``after`` the request takes effect.
    Snowflake keeps the transaction of a client that is gone, until it blocks another one for as
    long as ``Account.set(idle_seconds=…)`` says.
    """
    with proxy(server.port) as running_proxy:
        running: list[subprocess.Popen[str]] = []

        def shoot(request: Request) -> tuple[int, bytes] | None:
            if not match(request) or running[0].poll() is not None:
                return None
            end(running[0].pid, by)
            return 503, b""  # the process is gone; an answer keeps the proxy from forwarding

        setattr(running_proxy, when, shoot)
        running.append(start(through(running_proxy.port)))
        ended = apps.finish(running[0])
    assert ended.returncode == -by, ended.log
