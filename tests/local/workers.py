"""Builds the workers that call the apps in Azure.

A worker has the published folder of an app, the app's requirements, and the packages that
Microsoft's worker adds.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pathspec

from . import environments
from .apps import Worker
from .environments import REPOSITORY

APPS = ("salesforce_client", "delete_sync")
# Never published, whatever .funcignore says (azure-functions-core-tools, FileSystemHelpers.cs).
NEVER = [".git", ".vscode", ".funcignore", ".gitignore", "local.settings.json"]


def publish(app: str, to: Path, *, source: Path = REPOSITORY) -> Path:
    """Copy into ``to / app`` the files that ``func azure functionapp publish`` would pack."""
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
    """Return Microsoft's runtime on Python 3.13, with both apps published into ``folder``.

    Raises:
        MissingInterpreterError: Python 3.13 is not installed.
    """
    return _published(
        folder, Worker("runtime_host.py", lambda app: environments.worker(app, "3.13"), folder)
    )


def older_worker(version: str, packages: str, folder: Path) -> Worker:
    """Return the worker of this Python version. Its own gRPC and protobuf hide the app's.

    The dependency group ``packages`` has these two packages. This is the worst case:
    ``func start`` without ``PYTHON_ISOLATE_WORKER_DEPENDENCIES``. In Azure the app's packages come
    first, as Microsoft documents. Since 2026 the worker's protobuf is the pure Python one.

    Raises:
        MissingInterpreterError: this version is not installed.
    """
    first = environments.worker_packages(
        environments.worker("salesforce_client", version), packages
    )
    environment = {"PYTHONPATH": str(first)}
    if packages == "worker-2026":
        environment["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "python"
    return _published(
        folder,
        Worker("invoke.py", lambda app: environments.worker(app, version), folder, environment),
    )


def _published(folder: Path, worker: Worker) -> Worker:
    for app in APPS:
        publish(app, folder)
    return worker
