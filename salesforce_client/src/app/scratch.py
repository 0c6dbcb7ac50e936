"""The disk of this machine: a folder for one run, and the errors of a full or failing disk as ours.

A twin file: both apps have the same one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from .errors import LocalStorageError

PREFIX = "sf-delete-tracker-"
# By text: Python before 3.11 does not tell SQLite's error codes. None of them is about what a file holds.
OF_THE_DISK = ("disk I/O error", "database or disk is full", "unable to open database file")


@contextlib.contextmanager
def scratch_folder(
    purpose: str, *, within: Path | None = None, left_behind_seconds: float = 3600
) -> Iterator[Path]:
    """A folder for temporary files, removed at the end.

    Args:
        purpose: becomes a part of its name.
        within: the run's own scratch folder, to make one inside it. Without it, the folder is made in the
            machine's temporary directory, and what killed runs have left there is removed first.
        left_behind_seconds: a folder that was not changed for so long belongs to no run:
            the host ends a run after ten minutes.

    Raises:
        LocalStorageError: it cannot be made.
    """
    with local_storage("temporary files"):
        if within is None:
            _remove_left_behind(Path(tempfile.gettempdir()), time.time() - left_behind_seconds)
        folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{purpose}-", dir=within))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # what stays is removed by a later run


def _remove_left_behind(directory: Path, before: float) -> None:
    """Remove our folders that were last changed before that time (seconds since 1970)."""
    with os.scandir(directory) as entries:
        ours = [entry for entry in entries if entry.name.startswith(PREFIX)]
    for entry in ours:
        with contextlib.suppress(OSError):  # another run removes it too, or it is another user's
            changed_at = entry.stat(follow_symlinks=False).st_mtime
            if entry.is_dir(follow_symlinks=False) and changed_at < before:
                shutil.rmtree(entry.path, ignore_errors=True)


@contextlib.contextmanager
def local_storage(about: str) -> Iterator[None]:
    """Errors of the disk as ours. Nothing inside may use the network, whose errors are OSErrors too.

    Args:
        about: what is written or read, for the message.

    Raises:
        LocalStorageError: the disk is full or fails.
    """
    try:
        yield
    except OSError as error:
        raise _error(about, error.strerror or str(error)) from None
    except sqlite3.OperationalError as error:
        if not str(error).startswith(OF_THE_DISK):
            raise
        raise _error(about, str(error)) from None


def _error(about: str, reason: str) -> LocalStorageError:
    return LocalStorageError(
        f"{about}: {reason}; the disk of this machine is full or fails, see 'LocalStorageError' in docs/operations.md"
    )
