"""Everything that can go wrong, sorted by who has to act.

::

    CollectorError
    ├── TryAgainError                  nobody: the next run does the same again, nothing is lost
    │   ├── SalesforceUnavailableError   outage, time-out, dropped connection
    │   ├── LimitExceededError           the org's delivery or client limit is used up for now
    │   ├── StorageUnavailableError      Blob Storage did not answer or refused for the moment
    │   └── LocalStorageError            the disk of this machine is full or fails
    ├── ActionNeededError              a person: the message says what to do
    │   ├── SettingsError                one or more settings are missing or malformed
    │   ├── AuthenticationError          Salesforce refuses the JWT, the user or the app
    │   ├── TopicError                   a topic is missing, or may not be read
    │   ├── RequestRefusedError          Salesforce calls a request of ours invalid; the cursor is kept
    │   ├── StorageRefusedError          Blob Storage refuses the identity or the container
    │   ├── AllUndecodableError          not one event of a topic could be read; their bytes are kept
    │   └── GapError                     events are gone for good; the gap is on record
    ├── RunFailedError                 one or more topics failed; the others are safe
    └── (inside a run)
        ├── SessionExpiredError          the access token is no longer accepted: renewed
        ├── ReplayIdRejectedError        Salesforce no longer knows the cursor: leads to a gap
        ├── SchemaError                  Salesforce refuses an event's schema: leads to a rejected event
        └── DecodeError                  one event cannot become a row: leads to a rejected event
"""

from __future__ import annotations

from collections.abc import Sequence


class CollectorError(Exception):
    """Any failure that the collector knows and explains."""


class TryAgainError(CollectorError):
    """The next scheduled run tries again from the same cursor; nobody has to act unless it keeps coming back."""


class SalesforceUnavailableError(TryAgainError):
    """Salesforce did not answer, broke off, or asked for patience."""


class LimitExceededError(TryAgainError):
    """The org has used up its event deliveries of the last 24 hours, or its clients; a retry within the run would not help."""


class StorageUnavailableError(TryAgainError):
    """Blob Storage did not answer or was busy, beyond the client's own retries."""


class LocalStorageError(TryAgainError):
    """The disk of this machine is full or fails; nothing is lost.

    If it stays: lower MAX_FILE_ROWS, or see the plan's disk size.
    """


class ActionNeededError(CollectorError):
    """Comes back in every run until a person changes something; the message says what."""


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


class AuthenticationError(ActionNeededError):
    """Salesforce refuses to issue or to accept an access token."""


class TopicError(ActionNeededError):
    """A topic is missing, may not be subscribed by this user, or the request for it was refused."""


class RequestRefusedError(ActionNeededError):
    """Salesforce calls a request invalid for a reason that no retry and no other position would mend."""


class StorageRefusedError(ActionNeededError):
    """Blob Storage refuses the credentials, the rights or the container."""


class AllUndecodableError(ActionNeededError):
    """Not one event of a topic could be read in a poll, which points at us and not at the events. Their bytes are kept."""


class GapError(ActionNeededError):
    """Events of a topic can no longer be retrieved. The gap is recorded and the collector goes on behind it."""


class SessionExpiredError(CollectorError):
    """The access token is not accepted any more; the caller renews it and resumes."""


class ReplayIdRejectedError(CollectorError):
    """Salesforce answered with the one documented code for a replay id that is invalid or no longer retained."""


class SchemaError(CollectorError):
    """Salesforce has no schema under this id, or does not let us read it."""


class DecodeError(CollectorError):
    """One event cannot be read with its schema, or cannot be a row."""


class RunFailedError(CollectorError):
    """At least one topic failed; what the others delivered is uploaded and their cursors have moved.

    Attributes:
        failures: the errors by topic.
    """

    def __init__(self, failures: dict[str, Exception]) -> None:
        self.failures = failures
        lines = (
            f"\n  - {topic}: {type(error).__name__}: {error}" for topic, error in failures.items()
        )
        super().__init__(
            f"{len(failures)} topic(s) failed, the others are complete:" + "".join(lines)
        )
