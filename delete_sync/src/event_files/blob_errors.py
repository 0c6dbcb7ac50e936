"""Translates the errors of the storage client into errors of this app.

This is a twin file. Both apps have an equal copy.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
)

from ..errors import StorageRefusedError, StorageUnavailableError

# After these HTTP statuses the next run may succeed: a time-out (408), a blob that another run has
# changed (412), too many requests (429). After any other status from 400 to 499 a person must act.
WORTH_ANOTHER_RUN = {408, 412, 429}
FORBIDDEN = 403
# What a person must do after some codes, whatever their status (Microsoft Learn, "Blob Storage
# error codes", "Lease Blob" and "Immutable storage for blobs").
LEASED = "end the lease on the blob (az storage blob lease break)"
CURES = {
    "LeaseIdMissing": LEASED,
    "LeaseIdMismatchWithBlobOperation": LEASED,
    "LeaseLost": LEASED,
    "BlobImmutableDueToPolicy": "remove the immutability policy from the container or the blob",
}
# The endpoint of managed identities also answers 404 and 410 while it is not ready (Microsoft
# Learn, "How to use managed identities on a virtual machine to acquire an access token").
IDENTITY_NOT_READY = {"404", "408", "410", "429"}
# A line of azure-identity's message: a way to log in, and why it failed.
ATTEMPT = re.compile(r"^\t(\w+): (.*)$", re.MULTILINE)
# How azure-identity quotes the answer of the endpoint: HTTP status and text. The status is None if
# the answer has another form than usual.
ANSWER = re.compile(r"Token request error: \(\w+\) ((\d{3}|None), .*)")
# What azure-identity says if the app has no such endpoint, and so no identity.
NO_ENDPOINT = "ManagedIdentityCredential authentication unavailable"
REASON_CHARACTERS = 300
# How the client names a host that does not answer: on this machine, only an emulator has one.
ON_THIS_MACHINE = re.compile(r"host='(localhost|127[.\d]+|::1)'")
START_EMULATORS = (
    "nothing answers at the address in EVENTS_STORAGE: start the emulators"
    " (python3 tests/demo.py --keep)"
)
CHECK_ACCESS = (
    "check EVENTS_STORAGE: its key or SAS, the roles of its identity, and the account's network"
    " rules"
)
IF_IT_STAYS = "if this stays, check EVENTS_STORAGE, and look the error up in docs/operations.md"


@contextlib.contextmanager
def translated(about: str) -> Iterator[None]:
    """Translate the storage client's errors.

    This app's own errors pass unchanged. None of them is an AzureError or a ValueError.

    Args:
        about: the container, blob or account. The message begins with it.

    Raises:
        StorageRefusedError: a person must act.
        StorageUnavailableError: the next run tries again.
    """
    try:
        yield
    except (ClientAuthenticationError, ResourceNotFoundError) as error:
        if isinstance(error, ClientAuthenticationError) and error.response is None:
            raise _without_token(about, error) from None
        raise StorageRefusedError(f"{about}: {brief(error)} – {CHECK_ACCESS}") from None
    except HttpResponseError as error:
        if cure := CURES.get(_code(error)):
            raise StorageRefusedError(f"{about}: {brief(error)} – {cure}") from None
        status = error.status_code or 500
        refused = 400 <= status < 500 and status not in WORTH_ANOTHER_RUN
        kind = StorageRefusedError if refused else StorageUnavailableError
        advice = CHECK_ACCESS if status == FORBIDDEN else IF_IT_STAYS
        raise kind(f"{about}: {brief(error)} – {advice}") from None
    except AzureError as error:
        reason = brief(error)
        advice = START_EMULATORS if ON_THIS_MACHINE.search(reason) else IF_IT_STAYS
        raise StorageUnavailableError(f"{about}: {reason} – {advice}") from None
    except ValueError as error:
        raise StorageRefusedError(f"{about}: {error} – check EVENTS_STORAGE") from None


def brief(error: AzureError) -> str:
    """The first line of the service's answer, and its code. The rest repeats headers and times."""
    first_line = next(iter(str(error.message or "").strip().splitlines()), type(error).__name__)
    return f"{first_line} ({code})" if (code := _code(error)) else first_line


def _code(error: AzureError) -> str:
    """The code of the service's answer. Empty if it has none."""
    code = getattr(error, "error_code", None)
    # The client gives a known code as a member of an enumeration, whose text has another spelling.
    return str(getattr(code, "value", code) or "")


def _without_token(
    about: str, error: ClientAuthenticationError
) -> StorageRefusedError | StorageUnavailableError:
    """The error of an identity that got no token. Storage was not asked.

    azure-identity tries several ways to log in, and its message has a line for each of them. The
    line of the managed identity counts. If there is none, the line of az counts, or else the last
    line, because azure-identity stops after a way that is set up and fails.
    """
    attempts = ATTEMPT.findall(str(error.message))
    managed = dict(attempts).get("ManagedIdentityCredential")
    persons = dict(attempts).get("AzureCliCredential")
    if persons and not managed:  # a command, which a person runs
        return StorageRefusedError(
            f"{about}: nobody is logged in to Azure on this machine: {persons[:REASON_CHARACTERS]}"
            " – run az login, as a person who has a role for blobs on the storage account"
        )
    reason: str = managed or (": ".join(attempts[-1]) if attempts else brief(error))
    if answer := ANSWER.search(reason):
        reason, status = answer.groups()
        refused = status.startswith("4") and status not in IDENTITY_NOT_READY
    else:  # the endpoint did not answer, or there is none
        refused = managed is None or managed.startswith(NO_ENDPOINT)
    reason = reason[:REASON_CHARACTERS]
    if refused:
        return StorageRefusedError(
            f"{about}: the app's identity gets no token: {reason} – check that the identity is"
            " assigned to the app, and that EVENTS_STORAGE__clientId or AZURE_CLIENT_ID names it"
        )
    return StorageUnavailableError(
        f"{about}: the app's identity gets no token for now: {reason} – {IF_IT_STAYS}"
    )
