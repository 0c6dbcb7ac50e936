"""Everything that can go wrong, sorted by who has to act.

::

    SyncError
    ├── TryAgainError                  nobody: the next sweep does the same again, nothing is lost or doubled
    │   ├── StorageUnavailableError      Blob Storage did not answer or refused for the moment
    │   ├── WarehouseUnavailableError    Snowflake did not answer, or the session was lost
    │   └── LocalStorageError            the disk of this machine is full or fails
    ├── ActionNeededError              a person: the message says what to do
    │   ├── SettingsError                one or more settings are missing or malformed
    │   ├── StorageRefusedError          Blob Storage refuses the identity or the container
    │   ├── WarehouseRefusedError        Snowflake refuses the login, a right, or a statement
    │   │   └── DataRefusedError           a value: leads to the refusal of the file it stands in
    │   ├── TableError                   a table exists, but not as it must be
    │   ├── BooksDifferError             the warehouse counted other rows than we sent; rolled back
    │   ├── DuplicateRowsError           a key stands twice in the table
    │   └── FilesRefusedError            event files were refused in this sweep; the others are synced
    └── (inside a sweep)
        ├── RefusedFileError           one file is not a readable event file
        └── ChangedBlobError           a file was changed, moved or removed since it was listed: left to the next sweep
"""

from __future__ import annotations

from collections.abc import Sequence


class SyncError(Exception):
    """Any failure that the sync knows and explains."""


class TryAgainError(SyncError):
    """The next scheduled sweep tries again; nobody has to act unless it keeps coming back."""


class StorageUnavailableError(TryAgainError):
    """Blob Storage did not answer or was busy, beyond the client's own retries."""


class WarehouseUnavailableError(TryAgainError):
    """Snowflake did not answer, or a session was lost in the middle of a merge, which is then rolled back."""


class LocalStorageError(TryAgainError):
    """The disk of this machine is full or fails; nothing is lost.

    If it stays: lower MAX_MERGE_ROWS, or see the plan's disk size.
    """


class ActionNeededError(SyncError):
    """Comes back in every sweep until a person changes something; the message says what."""


class SettingsError(ActionNeededError):
    """Settings are missing or malformed.

    Attributes:
        problems: one sentence each, beginning with the setting's name.
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
    """Snowflake refuses a value among the rows of a batch; the batch is rolled back and its files are tried one by one."""


class TableError(ActionNeededError):
    """A table lacks a column or has one of another type; the message has the statement to run."""


class DuplicateRowsError(ActionNeededError):
    """An ``event_id`` stands twice in the table: two sweeps wrote at once in spite of lease and lock, or someone else did."""


class BooksDifferError(ActionNeededError):
    """What the warehouse says it took is not what was sent; the merge is rolled back and its files stay unmarked."""


class FilesRefusedError(ActionNeededError):
    """Event files could not be read; they stay where they are, marked, and every other file is synced."""


class RefusedFileError(SyncError):
    """One file is not an event file that this reader can trust; the message says why."""


class ChangedBlobError(SyncError):
    """An event file was changed, archived or removed since it was listed."""
