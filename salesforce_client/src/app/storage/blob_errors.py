"""The storage client's errors as ours: refused for good, or unavailable for now."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError, ResourceNotFoundError

from ..errors import StorageRefusedError, StorageUnavailableError


@contextlib.contextmanager
def translated(about: str) -> Iterator[None]:
    """The storage client's errors as ours: refused for good, or unavailable for now."""
    try:
        yield
    except (ClientAuthenticationError, ResourceNotFoundError) as error:
        raise StorageRefusedError(f"{about}: {brief(error)} – check EVENTS_STORAGE and the roles of its identity") from None
    except HttpResponseError as error:
        refused = 400 <= (error.status_code or 500) < 500 and error.status_code not in (408, 429)
        raise (StorageRefusedError if refused else StorageUnavailableError)(f"{about}: {brief(error)}") from None
    except AzureError as error:
        raise StorageUnavailableError(f"{about}: {brief(error)}") from None
    except ValueError as error:
        raise StorageRefusedError(f"{about}: {error} – check EVENTS_STORAGE") from None


def brief(error: AzureError) -> str:
    """The first line of a service's answer and its code: the rest repeats headers and times."""
    first_line = next(iter(str(error.message or "").strip().splitlines()), type(error).__name__)
    code = getattr(error, "error_code", None)
    return f"{first_line} ({code})" if code else first_line
