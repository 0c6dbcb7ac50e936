"""The repository as it was at an earlier commit, to measure its code in turn with the present one.

Both use the packages of the present development environment, so that only the code differs.
"""

from __future__ import annotations

import contextlib
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from local.environments import REPOSITORY


@contextlib.contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """Yield a temporary folder with all files of the commit.

    Raises:
        subprocess.CalledProcessError: this repository has no such commit.
    """
    with tempfile.TemporaryDirectory(prefix="earlier-") as folder:
        archive = Path(folder) / "files.tar"
        command = ["git", "-C", str(REPOSITORY), "archive", "--output", str(archive), commit]
        subprocess.run(command, check=True)
        with tarfile.open(archive) as files:
            files.extractall(folder)
        yield Path(folder)
