"""The workers that call the apps in Azure: the published folder, its requirements, and what Microsoft's worker adds to them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pathspec

from . import environments
from .apps import Worker
from .environments import REPOSITORY

APPS = ("salesforce_client", "delete_sync")
# azure-functions-core-tools, FileSystemHelpers.cs: left out whatever .funcignore says.
NEVER = [".git", ".vscode", ".funcignore", ".gitignore", "local.settings.json"]


def publish(app: str, to: Path, *, source: Path = REPOSITORY) -> Path:
    """Copy what ``func azure functionapp publish`` would pack into ``to / app``."""
    root = source / app
    ignored = pathspec.GitIgnoreSpec.from_lines(
        [*NEVER, *(root / ".funcignore").read_text().splitlines()]
    )
    for path in ignored.match_tree_files(root, negate=True):
        target = to / app / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / path, target)
    return to / app


def microsoft_runtime(folder: Path) -> Worker:
    """Microsoft's runtime on Python 3.13, with both apps published into ``folder``.

    Raises:
        MissingInterpreterError: Python 3.13 is not there.
    """
    return _published(
        folder, Worker("runtime_host.py", lambda app: environments.worker(app, "3.13"), folder)
    )


def older_worker(version: str, packages: str, folder: Path) -> Worker:
    """The worker of this Python version, whose own gRPC and protobuf, of the lock ``packages``, hide the app's.

    That is ``func start`` without ``PYTHON_ISOLATE_WORKER_DEPENDENCIES``, the worst case (Microsoft documents the app's packages
    as coming first in Azure). Since 2026 the worker's protobuf is the pure Python one.

    Raises:
        MissingInterpreterError: this version is not there.
    """
    first = environments.worker_packages(
        environments.worker("salesforce_client", version), packages
    )
    environment = {"PYTHONPATH": str(first)}
    if packages == "worker_2026.txt":
        environment["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "python"
    return _published(
        folder,
        Worker("invoke.py", lambda app: environments.worker(app, version), folder, environment),
    )


def _published(folder: Path, worker: Worker) -> Worker:
    for app in APPS:
        publish(app, folder)
    return worker
