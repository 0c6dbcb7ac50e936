"""Translates failed calls of the Pub/Sub API, by their ``error-code`` or else by their status.

Source: Salesforce "Pub/Sub API" guide, page "Handle Errors".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import grpc

from ..errors import (
    AuthenticationError,
    CollectorError,
    LimitExceededError,
    NetworkRefusedError,
    ReplayIdRejectedError,
    RequestRefusedError,
    SalesforceUnavailableError,
    SchemaError,
    SessionExpiredError,
    TopicError,
)
from .network import Route

ERROR_CODE_PREFIX = "sfdc.platform.eventbus.grpc."
ERRORS_BY_CODE: dict[str, type[CollectorError]] = {
    "service.unavailable": SalesforceUnavailableError,
    "service.protection.triggered": SalesforceUnavailableError,
    "service.protection.stream.limit.triggered": SalesforceUnavailableError,
    "topic.api.unavailable": SalesforceUnavailableError,
    "schema.api.unavailable": SalesforceUnavailableError,
    "subscription.internal.error": SalesforceUnavailableError,
    "subscription.fetch.replay.repeated": SalesforceUnavailableError,
    "service.auth.error": SessionExpiredError,
    "service.auth.headers.invalid": AuthenticationError,
    "service.tenant.license": AuthenticationError,
    "concurrent.client.limit.exceeded": LimitExceededError,
    "subscription.limit.exceeded": LimitExceededError,
    "topic.not.found": TopicError,
    "topic.meta.permission": TopicError,
    "subscription.topic.cannot.subscribe": TopicError,
    "schema.meta.permission": SchemaError,
    "schema.validation.failed": SchemaError,
    "subscription.fetch.replayid.corrupted": ReplayIdRejectedError,
    # Documented for a request without a replay id, and reported for one that is not valid.
    "subscription.fetch.replayid.validation.failed": ReplayIdRejectedError,
}
# The status decides if the ``error-code`` is absent or unknown. INVALID_ARGUMENT is missing here on
# purpose: if it meant a rejected replay id, the drain would start from EARLIEST and could lose
# events.
ErrorsByStatus = Mapping[grpc.StatusCode, type[CollectorError]]
ERRORS_BY_STATUS: ErrorsByStatus = {
    grpc.StatusCode.UNAVAILABLE: SalesforceUnavailableError,
    grpc.StatusCode.INTERNAL: SalesforceUnavailableError,
    grpc.StatusCode.DEADLINE_EXCEEDED: SalesforceUnavailableError,
    grpc.StatusCode.CANCELLED: SalesforceUnavailableError,
    grpc.StatusCode.ABORTED: SalesforceUnavailableError,
    grpc.StatusCode.UNKNOWN: SalesforceUnavailableError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: SalesforceUnavailableError,
    grpc.StatusCode.UNAUTHENTICATED: SessionExpiredError,
    grpc.StatusCode.PERMISSION_DENIED: TopicError,
    grpc.StatusCode.NOT_FOUND: TopicError,
}
# With three statuses GetSchema says that it has no such schema for this user. Any other status is a
# fault of the service, not of the event.
ERRORS_OF_A_SCHEMA: ErrorsByStatus = {
    **ERRORS_BY_STATUS,
    grpc.StatusCode.NOT_FOUND: SchemaError,
    grpc.StatusCode.INVALID_ARGUMENT: SchemaError,
    grpc.StatusCode.PERMISSION_DENIED: SchemaError,
}

# What a person must do, by the kind of error.
CURES: dict[type[CollectorError], str] = {
    TopicError: "check its name in SALESFORCE_TOPICS (capitals count), and that SALESFORCE_USERNAME"
    " may read it: see TopicError in docs/operations.md",
    AuthenticationError: "check that the org may use the Pub/Sub API, and report the rpcId to"
    " Salesforce",
    RequestRefusedError: "report this error to the maintainers of the collector",
    LimitExceededError: "the next poll tries again; if this comes every day, see LimitExceededError"
    " in docs/operations.md",
    SalesforceUnavailableError: "the next poll tries again; if this stays, look at"
    " https://status.salesforce.com",
}
# If there is no server, the error has no ``error-code``.
NO_SERVER = "if this stays, check SALESFORCE_PUBSUB_ENDPOINT and the network"


def translate(
    error: Any, about: str, route: Route, by_status: ErrorsByStatus = ERRORS_BY_STATUS
) -> CollectorError:
    """The collector's error for a failed call.

    The trailer ``error-code`` decides. If it is absent or unknown, the status decides. Without that
    trailer, the answer may be one of a proxy, or TLS may have failed.

    Args:
        error: the error of gRPC.
        about: the topic or schema. The message begins with it.
        route: the route to Salesforce.
        by_status: the errors by status.
    """
    code = next(
        (str(value) for key, value in error.trailing_metadata() or () if key == "error-code"), ""
    )
    status, details = error.code(), _one_line(error.details() or "")
    if not code and (cure := route.cure(details)):
        return NetworkRefusedError(f"{about}: {details} – {cure}")
    kind = ERRORS_BY_CODE.get(
        code[len(ERROR_CODE_PREFIX) :] if code.startswith(ERROR_CODE_PREFIX) else code
    )
    kind = kind or by_status.get(status, RequestRefusedError)
    unreachable = status is grpc.StatusCode.UNAVAILABLE and not code
    through = route.through if unreachable else ""
    told = f"{about}: {details}{through} ({status.name}{', ' + code if code else ''})"
    advice = NO_SERVER if unreachable else CURES.get(kind, "")
    return kind(f"{told} – {advice}" if advice else told)


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
