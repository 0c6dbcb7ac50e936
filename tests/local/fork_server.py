#!/usr/bin/env python3
"""Import libraries, and fork for each request: see ``forks.py``.

Usage: ``fork_server.py <descriptor of a socket> <library>...``

A request has the arguments of a script as ``argv``, its ``environment`` and its ``folder``, and
brings its standard input, output and error. The answer is the process id, and then that the fork
has been given to the process that asked.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

LARGEST = 1 << 17  # bytes of a request, most of them the environment


def serve(channel: socket.socket) -> dict[str, Any]:
    """Fork for each request. Return the request in the fork.

    Raises:
        SystemExit: the process that asks has ended.
    """
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, LARGEST, 3)
        if not message:
            sys.exit()
        between = os.fork()
        if not between:
            pid = os.fork()
            if pid:
                channel.send(str(pid).encode())
                os._exit(0)  # the fork is now an orphan
            channel.close()
            for number, descriptor in enumerate(descriptors):
                os.dup2(descriptor, number)
                os.close(descriptor)
            request: dict[str, Any] = json.loads(message)
            return request
        for descriptor in descriptors:
            os.close(descriptor)
        os.waitpid(between, 0)
        channel.send(b"given")


def wait_until_alone(seconds: float = 30) -> None:
    """Wait until the threads that libraries started have ended: a fork has only the main thread."""
    until = time.monotonic() + seconds
    while len(list(Path("/proc/self/task").iterdir())) > 1:
        if time.monotonic() > until:
            sys.exit(f"a library has started a thread that stays: {threading.enumerate()}")
        time.sleep(0.01)


def main(channel: socket.socket, libraries: Sequence[str]) -> None:
    """Serve. A fork returns from here as from its script, so Python ends it as any process."""
    sys.path.pop(0)  # this script's folder
    for name in libraries:
        importlib.import_module(name)
    wait_until_alone()
    interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the forks
    request = serve(channel)
    signal.signal(signal.SIGINT, interrupted)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = request["argv"]
    sys.path.insert(0, str(Path(sys.argv[0]).parent))
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
