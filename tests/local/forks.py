"""Starts the processes of the apps as forks of a process that has imported their libraries.

Importing the libraries takes a new process longer than most invocations. ``started`` therefore
keeps one server for each app. The server has imported the libraries of this app, and nothing of
ours; it runs nothing, has one thread, and ends with this process. A fork of it then does what a new
process does: it gets its environment, its folder, its descriptors and its arguments, and runs the
script as ``__main__``. It becomes a child of this process, so that it has its own exit code.

Only these differ from a new process:

- The command line in ``/proc`` and ``sys.orig_argv`` are the server's.
- All forks of a server order the members of a set alike.
- The connector of Snowflake has loaded its small C library, which a new process loads meanwhile.

A library may read a variable while it is imported. A process that needs other variables than the
server has, beside the settings of the apps, is therefore a new one. So is any other script, any
other Python, and every process that is not on Linux.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import apps, signals
from .environments import REPOSITORY

LIBRARIES = {
    "salesforce_client": (
        *("azure.functions.timer", "azure.storage.blob", "azure.core.pipeline.transport"),
        *("cryptography.x509", "cryptography.hazmat.primitives.serialization", "jwt", "requests"),
        *("avro.io", "avro.schema", "google.protobuf.internal.builder", "grpc", "orjson"),
    ),
    "delete_sync": (
        *("azure.functions.timer", "azure.storage.blob", "azure.core.pipeline.transport"),
        *("cryptography.hazmat.primitives.serialization", "orjson", "snowflake.connector"),
    ),
}
SCRIPT = Path(__file__).with_name("invoke.py")
SERVER = Path(__file__).with_name("fork_server.py")
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
# pytest names the running test in a variable. No app and no library reads it.
OF_PYTEST = {"PYTEST_CURRENT_TEST"}
_one_at_a_time = threading.Lock()


def started(
    app: str, command: Sequence[str], env: Mapping[str, str], **pipes: Any
) -> subprocess.Popen[str]:
    """Start this command of an app with these variables: as a fork, if that makes no difference.

    ``pipes`` are ``stdin``, ``stdout`` and ``stderr``, as for ``Popen``.
    """
    if sys.platform == "linux" and list(command[:2]) == [sys.executable, str(SCRIPT)]:
        server = _server(app, os.getpid())
        if server.has_all_but_settings(env):
            return Fork(server, command[1:], env, **pipes)
    return subprocess.Popen(command, env=env, text=True, **pipes)


@functools.cache
def _server(app: str, _: int) -> Server:
    """The server of an app for this process. A fork of this process would need its own."""
    server = Server(app)
    atexit.register(server.stop)
    return server


@functools.cache
def settings() -> set[str]:
    """The names of the settings of both apps."""
    files = (REPOSITORY / app / "local.settings.example.json" for app in LIBRARIES)
    return {name for file in files for name in json.loads(file.read_text())["Values"]}


class Server:
    """A process that has imported the libraries of an app, and forks."""

    def __init__(self, app: str) -> None:
        self._environment = apps.inherited()
        self._channel, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            self._process = subprocess.Popen(
                [sys.executable, str(SERVER), str(its.fileno()), *LIBRARIES[app]],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[its.fileno()],
            )

    def has_all_but_settings(self, env: Mapping[str, str]) -> bool:
        """Whether these variables are the server's, except settings of the apps."""
        differ = {name for name, _ in self._environment.items() ^ env.items()}
        return differ <= settings() | OF_PYTEST

    def fork(self, request: Mapping[str, Any], descriptors: Sequence[int]) -> int:
        """Start a fork as a child of this process, and return its process id.

        The server's child starts it and ends. The kernel gives an orphan to its next ancestor that
        wants orphans.
        """
        with _one_at_a_time, signals.held(), _adopting():
            socket.send_fds(self._channel, [json.dumps(request).encode()], descriptors)
            pid, given = self._channel.recv(100), self._channel.recv(100)
        if not given:
            raise RuntimeError("the process that forks has ended: its error is above")
        return int(pid)

    def stop(self) -> None:
        """End the server. It would also end without this, when this process ends."""
        self._channel.close()
        self._process.wait()


@contextlib.contextmanager
def _adopting() -> Iterator[None]:
    """Adopt orphans of descendants of this process meanwhile."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    try:
        yield
    finally:
        prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


class Fork(subprocess.Popen[str]):
    """A fork of a server, with the methods of any process."""

    def __init__(self, server: Server, argv: Sequence[str], env: Mapping[str, str], **pipes: Any):
        self._server = server
        self._request = {"argv": argv, "environment": dict(env), "folder": str(Path.cwd())}
        super().__init__(argv, text=True, **pipes)

    def _execute_child(self, *options: Any) -> None:
        """Start the process: the only thing in which this is not ``Popen``.

        From the eleventh option on, Python 3.9 to 3.13 pass both ends of the three pipes.
        """
        ends = options[10:16]
        stdin, _, _, stdout, _, stderr = ends
        descriptors = [it if it >= 0 else own for own, it in enumerate((stdin, stdout, stderr))]
        try:
            self.pid = self._server.fork(self._request, descriptors)
            self._child_created = True
        finally:
            self._close_pipe_fds(*ends)  # type: ignore[attr-defined]
