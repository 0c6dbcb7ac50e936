"""What the storage client raises, as our errors: refused for good, or unavailable for now.

A twin file: both apps have the same one.
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

# Of 400 to 499: a time-out, a condition that another run was faster to change, and too many requests.
WORTH_ANOTHER_RUN = {408, 412, 429}


@contextlib.contextmanager
def translated(about: str) -> Iterator[None]:
    """The storage client's errors as ours. Errors of ours pass unchanged: none of them is a ValueError.

    Args:
        about: which container, blob or account, for the message.

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
        raise kind(f"{about}: {brief(error)}") from None
    except AzureError as error:
        raise StorageUnavailableError(f"{about}: {brief(error)}") from None
    except ValueError as error:
        raise StorageRefusedError(f"{about}: {error} – check EVENTS_STORAGE") from None


def brief(error: AzureError) -> str:
    """The first line of a service's answer and its code: the rest repeats headers and times."""
    first_line = next(iter(str(error.message or "").strip().splitlines()), type(error).__name__)
    code = getattr(error, "error_code", None)
    return f"{first_line} ({code})" if code else first_line
