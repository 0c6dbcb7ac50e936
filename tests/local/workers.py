"""Builds the workers that call the apps in Azure.

A worker has the package of an app, as the workflow builds it, and the packages that Microsoft's
worker adds.
"""

from __future__ import annotations

import os
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path

from . import environments
from .apps import Worker
from .environments import REPOSITORY

APPS = ("salesforce_client", "delete_sync")
BUILD = "docs/setup/azure/package.sh"
# Nothing but the servers of the test can be reached.
OFFLINE = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1,localhost"}


def from_wheels(version: str) -> dict[str, str]:
    """The variables with which the build scripts use this Python version, without the network.

    Raises:
        MissingInterpreterError: this version is not installed.
    """
    return {
        **os.environ,
        "PYTHON": str(environments.interpreter(version)),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(environments.wheels(version)),
    }


def package(app: str, version: str, to: Path) -> Path:
    """Build the package of an app for a Python version, and unpack it into ``to / app``.

    Raises:
        MissingInterpreterError: this version is not installed.
    """
    file = to / f"{app}.zip"
    command = ["bash", str(REPOSITORY / BUILD), app, str(file)]
    built = subprocess.run(
        command, env=from_wheels(version), capture_output=True, text=True, check=False
    )
    if built.returncode:
        raise RuntimeError(f"{BUILD} failed: {built.stderr}")
    with zipfile.ZipFile(file) as content:
        content.extractall(to / app)
    file.unlink()
    return to / app


def microsoft_runtime(folder: Path) -> Worker:
    """Return Microsoft's runtime on Python 3.13, with both packages in ``folder``.

    Raises:
        MissingInterpreterError: Python 3.13 is not installed.
    """
    runtime = environments.group("runtime")
    return _packaged("3.13", folder, Worker("runtime_host.py", lambda _: runtime, folder))


def bare(version: str, folder: Path) -> Worker:
    """Return an interpreter of this version without any package, with both packages in ``folder``.

    Raises:
        MissingInterpreterError: this version is not installed.
    """
    home = folder / "bare"
    make = [str(environments.interpreter(version)), "-m", "venv", "--without-pip", str(home)]
    subprocess.run(make, check=True)
    return _packaged(version, folder, Worker("invoke.py", lambda _: home / "bin/python", folder))


def older_worker(version: str, packages: str, worker: Worker) -> Worker:
    """Return ``worker`` with the gRPC and protobuf of Microsoft's, which hide the app's.

    The dependency group ``packages`` has these two packages. This is the worst case:
    ``func start`` without ``PYTHON_ISOLATE_WORKER_DEPENDENCIES``. In Azure the app's packages come
    first, as Microsoft documents. Since 2026 the worker's protobuf is the pure Python one.
    """
    first = environments.worker_packages(version, packages)

    def environment(app: str) -> Mapping[str, str]:
        given = dict(worker.environment(app))
        given["PYTHONPATH"] = f"{first}{os.pathsep}{given['PYTHONPATH']}"
        if packages == "worker-2026":
            given["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "python"
        return given

    return Worker(worker.script, worker.python, worker.folder, environment)


def _packaged(version: str, folder: Path, worker: Worker) -> Worker:
    """Build both packages. As in Azure, the packages in them come first."""
    for app in APPS:
        package(app, version, folder)

    def environment(app: str) -> Mapping[str, str]:
        packages = folder / app / ".python_packages/lib/site-packages"
        return {**OFFLINE, "PYTHONPATH": str(packages)}

    return Worker(worker.script, worker.python, folder, environment)
