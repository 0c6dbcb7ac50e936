"""All errors of the collector, sorted by who has to act.

::

    CollectorError
    ├── TryAgainError                  nobody: the next run tries again, nothing is lost
    │   ├── SalesforceUnavailableError   outage, time-out, dropped connection
    │   ├── LimitExceededError           the org has reached its limit of deliveries or clients
    │   ├── StorageUnavailableError      Blob Storage did not answer or was busy
    │   ├── LocalStorageError            the disk of this machine is full or fails
    │   └── CheckUnavailableError        Salesforce did not answer a question of a check
    ├── ActionNeededError              a person: the message says what to do
    │   ├── SettingsError                one or more settings are missing or malformed
    │   ├── AuthenticationError          Salesforce refuses the JWT, the user or the app
    │   ├── NetworkRefusedError          a proxy refuses the connection, or TLS fails
    │   ├── TopicError                   a topic does not exist, or the user may not read it
    │   ├── EventFieldsError             a topic's events lack fields that the settings name
    │   ├── RequestRefusedError          Salesforce calls a request invalid; the cursor is kept
    │   ├── StorageRefusedError          Blob Storage refuses the identity or the container
    │   ├── EventFileError               an event file to decode again is missing or damaged
    │   ├── AllUndecodableError          no event of a topic could be read; the events are kept
    │   ├── GapError                     events are lost for good; the gap is recorded
    │   ├── CheckRefusedError            Salesforce refuses a question of a check
    │   └── CheckFailedError             objects were not checked for too long; no delete is lost
    ├── RunFailedError                 one or more topics failed; all rows are stored
    └── (inside a run)
        ├── SessionExpiredError          the access token is no longer accepted: it is renewed
        ├── ReplayIdRejectedError        Salesforce no longer knows the cursor: causes a gap
        ├── SchemaError                  Salesforce refuses a schema: causes a rejected event
        ├── DecodeError                  an event cannot become a row: causes a rejected event
        ├── ListTooLongError             a list is too long: the check asks for less time at once
        ├── ListTrimmedError             Salesforce has no list of that time: a check's outcome
        └── CallsSpentError              MAX_CHECK_CALLS or the time is used up: the check waits
"""

from __future__ import annotations

from collections.abc import Sequence

# True for every error that leaves a cursor where it is: Salesforce keeps events for 72 hours.
IF_A_POLL_SUCCEEDS = "Nothing is lost if a poll succeeds within 72 hours of the last good one"


# True for every error of a check: its questions come after the events are safe.
NOT_PROVEN = (
    "Nothing is lost, but nothing is proven until a later poll checks the object within 15 days"
)


class CollectorError(Exception):
    """A failure that the collector knows and explains.

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


class TryAgainError(CollectorError):
    """The next scheduled run tries again from the same cursor.

    A person has to act only if the error keeps coming back.
    """

    lost = IF_A_POLL_SUCCEEDS


class SalesforceUnavailableError(TryAgainError):
    """Salesforce did not answer, ended the connection, or asked the client to wait."""


class LimitExceededError(TryAgainError):
    """The org has used up its event deliveries of the last 24 hours, or it has too many clients.

    A retry within the same run would not help.
    """


class StorageUnavailableError(TryAgainError):
    """Blob Storage did not answer or was busy. The client's own retries failed too."""


class LocalStorageError(TryAgainError):
    """The disk of this machine is full or fails. Nothing is lost.

    If the error stays, lower MAX_FILE_ROWS or check the disk size of the hosting plan.
    """


class CheckUnavailableError(TryAgainError):
    """Salesforce did not answer a question of a check, or asked the client to wait."""

    lost = NOT_PROVEN


class ActionNeededError(CollectorError):
    """Every run fails until a person changes something. The message says what."""

    lost = IF_A_POLL_SUCCEEDS


class SettingsError(ActionNeededError):
    """Settings are missing or malformed.

    Attributes:
        problems: one sentence for each problem. It begins with the setting's name.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            "the app's settings need attention. Until then no topic is read:"
            + "".join(f"\n  - {problem}" for problem in self.problems)
        )


class AuthenticationError(ActionNeededError):
    """Salesforce refuses to issue or to accept an access token."""


class NetworkRefusedError(ActionNeededError):
    """A proxy refuses the connection, or the other side's certificate is not trusted."""


class TopicError(ActionNeededError):
    """A topic does not exist, or this user may not subscribe to it."""


class EventFieldsError(ActionNeededError):
    """Events of a topic lack fields that the settings name. The cursor stays before the first."""


class RequestRefusedError(ActionNeededError):
    """Salesforce calls a request invalid. A retry or another position would not help."""


class StorageRefusedError(ActionNeededError):
    """Blob Storage refuses the credentials, the rights or the container."""


class EventFileError(ActionNeededError):
    """An event file whose rejected events are wanted does not exist, or cannot be read."""

    lost = ""


class AllUndecodableError(ActionNeededError):
    """A topic had events, and the poll could read none of them.

    The cause is probably in this app and not in the events. The events are kept as rejected events,
    with their bytes.
    """

    lost = ""


class GapError(ActionNeededError):
    """Events of a topic can no longer be retrieved.

    The collector records the gap. It starts again from EARLIEST and reads all events that
    Salesforce still has.
    """

    lost = ""


class CheckRefusedError(ActionNeededError):
    """Salesforce refuses a question of a check. The events are not concerned.

    Attributes:
        code: Salesforce's error code. Empty if the answer had none.
        no_rights: the user may not ask, or the object does not exist.
    """

    lost = NOT_PROVEN

    def __init__(self, message: str, code: str = "", *, no_rights: bool = False) -> None:
        self.code = code
        self.no_rights = no_rights
        super().__init__(message)


class CheckFailedError(ActionNeededError):
    """One or more objects were not checked for too long, or nobody knows when they were.

    All events are stored.
    """

    lost = ""


class SessionExpiredError(CollectorError):
    """Salesforce no longer accepts the access token. The caller renews it and resumes."""

    def in_a_new_session(self) -> AuthenticationError:
        """The error if Salesforce refuses a session that was renewed just now.

        Source of the usual cause: Salesforce Help, "Modify Session Security Settings".
        """
        return AuthenticationError(
            f"{self.text} – the access token is refused although it is new. If the org locks"
            " sessions to the IP address from which they originated (Setup, Session Settings),"
            " switch that off, or let the login and the Pub/Sub API leave from one address: the"
            " same proxy or NAT gateway"
        )


class ReplayIdRejectedError(CollectorError):
    """Salesforce answered with the documented code for an invalid or expired replay id."""


class SchemaError(CollectorError):
    """Salesforce has no schema with this id, or this user may not read it."""


class DecodeError(CollectorError):
    """An event cannot be read with its schema, or cannot become a row."""


class ListTooLongError(CollectorError):
    """A list has too many ids, or a query takes too long. The check asks for less time at once."""


class ListTrimmedError(CollectorError):
    """Salesforce no longer has, or never had, the list of deletes at the start of a window."""


class CallsSpentError(CollectorError):
    """MAX_CHECK_CALLS are used up, or the poll has no more time. The rest waits."""


class RunFailedError(CollectorError):
    """At least one topic failed. The rows of the other topics are uploaded.

    These topics are not always complete: a topic may have ended at the poll's deadline. The next
    poll continues from their cursors. If several topics failed for the same reason, the message
    says it once.

    Args:
        failures: see below.
        read: how many topics did not end as failed. A topic with a gap, for example, was read.

    Attributes:
        failures: the error of each failed topic, by topic.
    """

    def __init__(self, failures: dict[str, Exception], read: int) -> None:
        self.failures = failures
        topics: dict[str, list[str]] = {}
        for topic, error in failures.items():
            text = error.text if isinstance(error, CollectorError) else str(error)
            text = text[len(topic) + 2 :] if text.startswith(f"{topic}: ") else text
            topics.setdefault(f"{type(error).__name__}: {text}", []).append(topic)
        kinds = set(map(type, failures.values()))
        but = ", except for the gaps below" if GapError in kinds else ""
        told = kinds <= {GapError, AllUndecodableError}
        super().__init__(
            (
                f"{len(failures)} topic(s) failed. The rows of the other topics are uploaded,"
                if read
                else "no topic was read to its end. The rows that had arrived are uploaded,"
            )
            + " and the next poll continues from the cursors."
            + ("" if told else f" {IF_A_POLL_SUCCEEDS}{but}.")
            + " docs/operations.md has a section about each error:"
            + "".join(f"\n  - {', '.join(names)}: {text}" for text, names in topics.items())
        )
