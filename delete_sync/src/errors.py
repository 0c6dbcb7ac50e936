"""All errors of the sync, sorted by who has to act.

::

    SyncError
    ├── TryAgainError                 nobody: the next sweep retries; no row is lost or doubled
    │   ├── StorageUnavailableError     Blob Storage did not answer or was busy
    │   ├── WarehouseUnavailableError   Snowflake did not answer, or the session was lost
    │   ├── OutOfTimeError              the host would end the sweep before the statement ends
    │   ├── ErasedMeanwhileError        somebody erased data while the sweep read event files
    │   └── LocalStorageError           the disk of this machine is full or fails
    ├── ActionNeededError             a person: the message says what to do
    │   ├── SettingsError               settings are missing or malformed
    │   ├── StorageRefusedError         Blob Storage refuses the identity or the container
    │   ├── WarehouseRefusedError       Snowflake refuses the login, a right or a statement
    │   │   └── DataRefusedError          Snowflake refuses a value: the file with it is refused
    │   ├── TableError                  a table exists, but rows of the sync do not fit into it
    │   ├── BooksDifferError            Snowflake and the sync count different numbers of rows
    │   ├── DuplicateRowsError          a key is in the table more than once
    │   ├── FilesRefusedError           the sweep refused event files; they do not stop the others
    │   ├── FilesUnavailableError       event files cannot be read; they do not stop the others
    │   ├── BacklogError                an event file has been waiting for too long
    │   ├── SilenceError                the collector has not read a topic for too long
    │   └── SweepFailedError            several of these at once
    └── (inside a sweep)
        ├── RefusedFileError          one file is not a readable event file
        ├── UnreadableBlobError       one file cannot be downloaded
        └── LostTurnError             another sweep was faster: the batch is tried again
"""

from __future__ import annotations

from collections.abc import Sequence

# True for every error of a sweep, because a file is pending until its rows are committed.
FILES_STAY = "Nothing is lost: a later sweep loads the files that are still pending"


class SyncError(Exception):
    """An error that the sync knows and explains.

    Attributes:
        lost: the end of the message: what is lost, or that nothing is. It is true for every error
            of the class. Empty if the text itself says it.
    """

    lost = ""

    @property
    def text(self) -> str:
        """The message without its end, to quote it in a log line or in another message."""
        return super().__str__()

    def __str__(self) -> str:
        """The message. If it is a list, its end stands on a line of its own."""
        if not self.lost:
            return self.text
        if "\n" in self.text:
            return f"{self.text}\n{self.lost}"
        return f"{self.text}{'' if self.text.endswith(('.', ';')) else '.'} {self.lost}"


class TryAgainError(SyncError):
    """The next scheduled sweep tries again.

    A person has to act only if the error keeps coming back.
    """

    lost = FILES_STAY


class StorageUnavailableError(TryAgainError):
    """Blob Storage did not answer or was busy. The client's own retries failed too."""


class WarehouseUnavailableError(TryAgainError):
    """Snowflake did not answer, or the session was lost.

    An open transaction is rolled back. If only the answer to COMMIT was lost, the batch is in the
    tables, and the next sweep inserts none of its rows again.
    """


class OutOfTimeError(TryAgainError):
    """No time is left before the host ends the invocation. The next sweep goes on."""


class ErasedMeanwhileError(TryAgainError):
    """Somebody erased data while the sweep read event files. The next sweep reads them again."""


class LocalStorageError(TryAgainError):
    """The disk of this machine is full or fails. Nothing is lost.

    If the error stays, lower MAX_MERGE_ROWS or check the disk size of the hosting plan.
    """


class ActionNeededError(SyncError):
    """The error comes back in every sweep until a person acts. The message says what to do."""

    lost = FILES_STAY


class SettingsError(ActionNeededError):
    """Settings are missing or malformed.

    Attributes:
        problems: one sentence for each problem. It begins with the name of the setting.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            "the app's settings need attention. Until then no event file is loaded:"
            + "".join(f"\n  - {problem}" for problem in self.problems)
        )


class StorageRefusedError(ActionNeededError):
    """Blob Storage refuses the credentials, the rights or the container."""


class WarehouseRefusedError(ActionNeededError):
    """Snowflake refuses the login, a right, a warehouse or a statement.

    Attributes:
        number: Snowflake's number of the error. 0 if the sync itself found the reason.
    """

    def __init__(self, message: str, number: int = 0) -> None:
        self.number = number
        super().__init__(message)


class DataRefusedError(WarehouseRefusedError):
    """Snowflake refuses a value in the rows of a batch.

    The batch is rolled back, and the sweep looks for the file with the value.
    """

    lost = f"{FILES_STAY}. See 'WarehouseRefusedError' in docs/operations.md"


class TableError(ActionNeededError):
    """Rows of the sync would not fit into a table. The message has the statements to run."""


class BooksDifferError(ActionNeededError):
    """Snowflake and the sync count different numbers of rows.

    The files of the batch stay pending. The message begins with the ``difference``.
    """

    def __init__(self, difference: str) -> None:
        super().__init__(f"{difference} – see 'BooksDifferError' in docs/operations.md")


class DuplicateRowsError(ActionNeededError):
    """An ``event_id`` is in the table more than once. Another program wrote rows."""

    lost = "Nothing is lost, but these deletes count more than once"


class FilesRefusedError(ActionNeededError):
    """The sweep refused event files. They stay in the container and have a load record.

    The other pending files are loaded, or the sweep has left them for the next one.
    """

    lost = ""


class FilesUnavailableError(ActionNeededError):
    """Event files cannot be read, and the next sweep can probably not read them either.

    They stay pending. The other pending files are loaded, or left for the next sweep.
    """

    lost = ""


class BacklogError(ActionNeededError):
    """After the sweep, an event file is still pending that is older than MAX_BACKLOG_HOURS."""

    lost = "Nothing is lost as long as the file stays in the container"


class SilenceError(ActionNeededError):
    """The collector has not read a topic to its end within MAX_SILENCE_HOURS."""

    lost = "Nothing is lost if a poll reads each topic within 72 hours of its last good one"


class SweepFailedError(ActionNeededError):
    """Several things went wrong in one sweep.

    Attributes:
        errors: each of them. Its own text says what is lost.
    """

    lost = ""

    def __init__(self, errors: Sequence[SyncError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(f"{type(error).__name__}: {error}" for error in self.errors))


class RefusedFileError(SyncError):
    """The reader refuses one event file. The message says why."""


class UnreadableBlobError(SyncError):
    """One event file cannot be downloaded. The message says why.

    Attributes:
        needs_a_person: the next sweep cannot download it either.
    """

    def __init__(self, message: str, *, needs_a_person: bool) -> None:
        self.needs_a_person = needs_a_person
        super().__init__(message)


class LostTurnError(SyncError):
    """Another sweep has committed since this session began, so it may not see all rows."""
