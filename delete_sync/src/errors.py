"""All errors of the sync, sorted by who has to act.

::

    SyncError
    ├── TryAgainError                 nobody: the next sweep retries; no row is lost or doubled
    │   ├── StorageUnavailableError     Blob Storage did not answer or was busy
    │   ├── WarehouseUnavailableError   Snowflake did not answer, or the session was lost
    │   └── LocalStorageError           the disk of this machine is full or fails
    ├── ActionNeededError             a person: the message says what to do
    │   ├── SettingsError               settings are missing or malformed
    │   ├── StorageRefusedError         Blob Storage refuses the identity or the container
    │   ├── WarehouseRefusedError       Snowflake refuses the login, a right or a statement
    │   │   └── DataRefusedError          Snowflake refuses a value: the file with it is refused
    │   ├── TableError                  a table exists, but its columns are wrong
    │   ├── BooksDifferError            Snowflake and the sync count different numbers of rows
    │   ├── DuplicateRowsError          a key is in the table more than once
    │   └── FilesRefusedError           the sweep refused event files; they do not stop the others
    └── (inside a sweep)
        ├── RefusedFileError          one file is not a readable event file
        └── ChangedBlobError          a file changed after it was listed: the next sweep reads it
"""

from __future__ import annotations

from collections.abc import Sequence


class SyncError(Exception):
    """An error that the sync knows and explains."""


class TryAgainError(SyncError):
    """The next scheduled sweep tries again.

    A person has to act only if the error keeps coming back.
    """


class StorageUnavailableError(TryAgainError):
    """Blob Storage did not answer or was busy. The client's own retries failed too."""


class WarehouseUnavailableError(TryAgainError):
    """Snowflake did not answer, or the session was lost.

    An open transaction is rolled back. If only the answer to COMMIT was lost, the batch is in the
    tables, and the next sweep inserts none of its rows again.
    """


class LocalStorageError(TryAgainError):
    """The disk of this machine is full or fails. Nothing is lost.

    If the error stays, lower MAX_MERGE_ROWS or check the disk size of the hosting plan.
    """


class ActionNeededError(SyncError):
    """The error comes back in every sweep until a person acts. The message says what to do."""


class SettingsError(ActionNeededError):
    """Settings are missing or malformed.

    Attributes:
        problems: one sentence for each problem. It begins with the name of the setting.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            "the app's settings need attention:"
            + "".join(f"\n  - {problem}" for problem in self.problems)
        )


class StorageRefusedError(ActionNeededError):
    """Blob Storage refuses the credentials, the rights or the container."""


class WarehouseRefusedError(ActionNeededError):
    """Snowflake refuses the login, a right, a warehouse or a statement."""


class DataRefusedError(WarehouseRefusedError):
    """Snowflake refuses a value in the rows of a batch.

    The batch is rolled back, and the sweep loads the files of the batch one by one.
    """


class TableError(ActionNeededError):
    """A column of a table is missing or has another type. The message has the statement to run."""


class DuplicateRowsError(ActionNeededError):
    """An ``event_id`` is in the table more than once.

    Two sweeps wrote at the same time in spite of lease and lock, or another program wrote rows.
    """


class BooksDifferError(ActionNeededError):
    """Snowflake and the sync count different numbers of rows.

    The batch is rolled back, and its files stay unmarked.
    """


class FilesRefusedError(ActionNeededError):
    """The sweep refused event files. They stay in the container and are marked as refused.

    The other new files are synced, or the sweep has left them for the next one.
    """


class RefusedFileError(SyncError):
    """The reader refuses one event file. The message says why."""


class ChangedBlobError(SyncError):
    """An event file was changed, archived or removed after it was listed."""
