"""Sends the requests of Azure's clients, each no longer than the sweep has time left.

Without it, a storage that says nothing would be given up after 91 seconds, and a silent endpoint
of the managed identity after many minutes.
Sources: Azure SDK for Python, azure-core, "Transport", and azure-storage-blob, retry policies.
"""

from __future__ import annotations

from typing import Any

from azure.core.exceptions import ServiceRequestTimeoutError, ServiceResponseTimeoutError
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.blob import ExponentialRetry

from ..budget import Budget, within

CONNECT_SECONDS = 10
READ_SECONDS = 20


class BoundedTransport(RequestsTransport):  # type: ignore[misc]  # azure-core declares no type
    """The usual transport, with time limits that get shorter towards the end of the sweep.

    Args:
        budget: the time of the sweep.
    """

    def __init__(self, budget: Budget) -> None:
        super().__init__()
        self._budget = budget

    def send(self, request: Any, **options: Any) -> Any:
        """Send one try of a request. The name of the host is looked up within the time too.

        Raises:
            ServiceRequestTimeoutError: no time is left, so nothing was sent.
            ServiceResponseTimeoutError: no answer arrived in time.
        """
        if self._budget.is_over():
            raise ServiceRequestTimeoutError("no time is left")
        left = self._budget.left()
        for limit, most in (
            ("connection_timeout", CONNECT_SECONDS),
            ("read_timeout", READ_SECONDS),
        ):
            options[limit] = min(options.get(limit, most), left)
        send = super().send
        return within(
            left,
            lambda: send(request, **options),
            lambda: ServiceResponseTimeoutError(f"no answer within {left:.0f} seconds"),
        )

    def sleep(self, duration: float) -> None:
        """Wait before the next try."""
        super().sleep(min(duration, self._budget.left()))


class BoundedRetry(ExponentialRetry):
    """The usual retries of the storage client: four tries, as far as there is time.

    Args:
        budget: the time of the sweep.
    """

    def __init__(self, budget: Budget) -> None:
        super().__init__(initial_backoff=1, increment_base=2, retry_total=3)
        self._budget = budget

    def increment(
        self, settings: dict[str, Any], request: Any, response: Any = None, error: Any = None
    ) -> bool:
        """Whether to try again.

        Then the answer to a download is closed. The storage client drops it unread, and its
        connection would stay open until Python collects it.
        """
        again = bool(super().increment(settings, request, response=response, error=error))
        if again and response is not None:
            response.internal_response.close()
        return again

    def get_backoff_time(self, settings: dict[str, Any]) -> float:
        """How many seconds to wait before the next try."""
        return min(float(super().get_backoff_time(settings)), self._budget.left())
