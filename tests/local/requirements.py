"""Resolve all dependency groups and export them: ``python3 tests/run.py lock``.

uv reads ``pyproject.toml`` and resolves every group for every supported Python at once. It keeps
the result in ``uv.lock``. This file names the registry that uv asked, so it is not committed.
The exports name no registry. They are ``tests/requirements/<group>.txt``, with hashes, and each
app's ``requirements.txt``, which Azure installs.
"""

from __future__ import annotations

import subprocess
from typing import Any

import tomli

from . import environments
from .environments import REPOSITORY

HEADER = "# Written by `python3 tests/run.py lock` from pyproject.toml. Do not edit.\n"
APPS = {"collector": "salesforce_client", "sync": "delete_sync"}
# Azure's worker brings the release of azure-functions that fits its Python.
NOT_PINNED = "azure-functions"


def project() -> dict[str, Any]:
    """``pyproject.toml`` as a dictionary."""
    return tomli.loads((REPOSITORY / "pyproject.toml").read_text())


def groups() -> dict[str, list[Any]]:
    """The dependency groups by name."""
    found: dict[str, list[Any]] = project()["dependency-groups"]
    return found


def export(group: str, *options: str) -> str:
    """The requirements of a group with every package that they lead to, pinned."""
    command = [environments.uv(), "export", "--quiet", "--frozen", "--only-group", group]
    command += ["--no-emit-project", "--no-header", "--no-annotate", *options]
    exported = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    return HEADER + exported.stdout


def deployed(group: str) -> str:
    """The ``requirements.txt`` of an app: its group without hashes, and one range."""
    (wanted,) = (it for it in groups()[group] if str(it).startswith(NOT_PINNED))
    lines = export(group, "--no-hashes").splitlines()
    kept = [line for line in lines if not line.startswith(f"{NOT_PINNED}==")]
    return "\n".join([kept[0], str(wanted), *kept[1:], ""])


def main() -> None:
    """Resolve, then write all files."""
    subprocess.run([environments.uv(), "lock", "--upgrade"], cwd=REPOSITORY, check=True)
    for group in groups():
        environments.requirements_file(group).write_text(export(group))
    for group, app in APPS.items():
        (REPOSITORY / app / "requirements.txt").write_text(deployed(group))


if __name__ == "__main__":
    main()
