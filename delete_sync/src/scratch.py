"""Makes temporary folders on this machine's disk and translates the errors of that disk.

This is a twin file. Both apps have an equal copy.
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
# SQLite's messages about the disk begin with these words. Its messages about a file's content do
# not. The code compares texts because Python before 3.11 does not give SQLite's error codes.
OF_THE_DISK = ("disk I/O error", "database or disk is full", "unable to open database file")


@contextlib.contextmanager
def scratch_folder(
    purpose: str, *, within: Path | None = None, left_behind_seconds: float = 3600
) -> Iterator[Path]:
    """A folder for temporary files. It is removed at the end.

    Args:
        purpose: a part of the folder's name.
        within: an existing scratch folder of the run. The new folder is made inside it.
            If this is None, the new folder is made in the machine's temporary directory.
            Folders that killed runs have left in that directory are removed first.
        left_behind_seconds: a folder counts as left by a killed run if it was not changed for this
            many seconds. No run lasts that long: the host ends a run after ten minutes.

    Raises:
        LocalStorageError: the folder cannot be made.
    """
    with local_storage("temporary files"):
        if within is None:
            _remove_left_behind(Path(tempfile.gettempdir()), time.time() - left_behind_seconds)
        folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{purpose}-", dir=within))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # a later run removes what is left


def _remove_left_behind(directory: Path, before: float) -> None:
    """Remove scratch folders that were last changed before ``before`` (seconds since 1970)."""
    with os.scandir(directory) as entries:
        ours = [entry for entry in entries if entry.name.startswith(PREFIX)]
    for entry in ours:
        with contextlib.suppress(OSError):  # another run removed it, or another user owns it
            changed_at = entry.stat(follow_symlinks=False).st_mtime
            if entry.is_dir(follow_symlinks=False) and changed_at < before:
                shutil.rmtree(entry.path, ignore_errors=True)


@contextlib.contextmanager
def local_storage(about: str) -> Iterator[None]:
    """Translate errors of the disk.

    Code inside must not use the network, because network errors are OSErrors too.

    Args:
        about: what the code inside writes or reads. The message begins with it.

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
        f"{about}: {reason}. The disk of this machine is full or fails:"
        " see 'LocalStorageError' in docs/operations.md"
    )
