"""Translates the errors of the storage client into errors of this app.

This is a twin file. Both apps have an equal copy.
"""

from __future__ import annotations

import contextlib
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
        raise StorageRefusedError(
            f"{about}: {brief(error)} – check EVENTS_STORAGE and the roles of its identity"
        ) from None
    except HttpResponseError as error:
        status = error.status_code or 500
        refused = 400 <= status < 500 and status not in WORTH_ANOTHER_RUN
        kind = StorageRefusedError if refused else StorageUnavailableError
        raise kind(
            f"{about}: {brief(error)} – if this stays, look the error up in docs/operations.md"
        ) from None
    except AzureError as error:
        raise StorageUnavailableError(
            f"{about}: {brief(error)} – if this stays, look the error up in docs/operations.md"
        ) from None
    except ValueError as error:
        raise StorageRefusedError(f"{about}: {error} – check EVENTS_STORAGE") from None


def brief(error: AzureError) -> str:
    """The first line of the service's answer, and its code. The rest repeats headers and times."""
    first_line = next(iter(str(error.message or "").strip().splitlines()), type(error).__name__)
    code = getattr(error, "error_code", None)
    # The client gives a known code as a member of an enumeration, whose text has another spelling.
    return f"{first_line} ({getattr(code, 'value', code)})" if code else first_line
