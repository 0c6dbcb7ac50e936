#!/usr/bin/env python3
"""Lock the environments of the tests anew: ``python3 tests/local/lock.py``. Needs ``uv`` on PATH and npm."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from local.environments import LOCKS, REPOSITORY, npm, say

COMPILE = [
    "uv",
    "pip",
    "compile",
    "--quiet",
    "--universal",
    "--upgrade",
    "--no-header",
    "--no-annotate",
    "--no-emit-index-url",
]


def lock(name: str, python: str, *inputs: str) -> None:
    """Write ``<name>.txt`` with every package that ``inputs`` lead to, for this Python version and newer ones."""
    say(f"locking {name} …")
    subprocess.run(
        [*COMPILE, "--python-version", python, "-o", LOCKS / f"{name}.txt", *inputs],
        cwd=REPOSITORY,
        check=True,
    )


if __name__ == "__main__":
    lock(
        "dev",
        "3.9",
        "--group",
        "dev",
        "salesforce_client/requirements.txt",
        "delete_sync/requirements.txt",
    )
    lock("fakesnow", "3.11", "tests/local/fakesnow.in")
    lock("runtime", "3.13", "tests/local/runtime.in")
    lock("stubs", "3.11", "tests/local/stubs.in")
    lock("java", "3.11", "tests/local/java.in")
    lock("peers", "3.11", "tests/local/peers.in")
    lock("node", "3.9", "tests/local/node.in")
    for folder in (LOCKS, LOCKS / "checkers"):
        say(f"locking the npm packages of {folder.name} …")
        # Without addresses: a lock that names a registry's host installs nowhere else.
        subprocess.run(
            [
                *npm(),
                "install",
                "--package-lock-only",
                "--omit-lockfile-registry-resolved",
                "--no-audit",
                "--no-fund",
            ],
            cwd=folder,
            check=True,
        )
