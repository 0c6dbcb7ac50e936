"""The errors of the mock's REST API, each with its HTTP status and its message."""

from __future__ import annotations

import json
from typing import NoReturn

# name: (HTTP status, error code, message). The name is the code, but for a code with two messages.
ERRORS = {
    "INVALID_SESSION_ID": (401, "INVALID_SESSION_ID", "Session expired or invalid"),
    "REQUEST_LIMIT_EXCEEDED": (
        403,
        "REQUEST_LIMIT_EXCEEDED",
        "TotalRequests Limit exceeded.",
    ),
    "CONCURRENT_REQUESTS": (
        403,
        "REQUEST_LIMIT_EXCEEDED",
        "ConcurrentRequests Limit exceeded.",
    ),
    "API_DISABLED_FOR_ORG": (
        403,
        "API_DISABLED_FOR_ORG",
        "The REST API is not enabled for this Organization.",
    ),
    "API_CURRENTLY_DISABLED": (
        403,
        "API_CURRENTLY_DISABLED",
        "API is disabled for this User",
    ),
    "INSUFFICIENT_ACCESS": (
        403,
        "INSUFFICIENT_ACCESS",
        "insufficient access rights on cross-reference id",
    ),
    "NOT_FOUND": (404, "NOT_FOUND", "The requested resource does not exist"),
    "METHOD_NOT_ALLOWED": (
        405,
        "METHOD_NOT_ALLOWED",
        "HTTP Method not allowed. Allowed are HEAD,GET",
    ),
    "URI_TOO_LONG": (414, "URI_TOO_LONG", "The URI exceeds 16,384 bytes"),
    "INVALID_TYPE": (400, "INVALID_TYPE", "sObject type is not supported."),
    "INVALID_FIELD": (400, "INVALID_FIELD", "No such column on entity."),
    "MALFORMED_QUERY": (400, "MALFORMED_QUERY", "unexpected token"),
    "MISSING_ARGUMENT": (400, "MISSING_ARGUMENT", "start and end are required"),
    "INVALID_QUERY_FILTER_OPERATOR": (
        400,
        "INVALID_QUERY_FILTER_OPERATOR",
        "invalid ID field",
    ),
    "INVALID_REPLICATION_DATE": (
        400,
        "INVALID_REPLICATION_DATE",
        "startDate before org replication enabled date",
    ),
    "EXCEEDED_ID_LIMIT": (400, "EXCEEDED_ID_LIMIT", "exceeded max number of ids"),
    "QUERY_TIMEOUT": (
        400,
        "QUERY_TIMEOUT",
        "Your query request was running for too long.",
    ),
    "INVALID_QUERY_LOCATOR": (400, "INVALID_QUERY_LOCATOR", "invalid query locator"),
    "UNKNOWN_EXCEPTION": (
        500,
        "UNKNOWN_EXCEPTION",
        "An unexpected error occurred. Please include this ErrorId if you contact support: 1 (2)",
    ),
    "SERVER_UNAVAILABLE": (
        503,
        "SERVER_UNAVAILABLE",
        "The server is temporarily unavailable",
    ),
}


class RestError(Exception):
    """The answer to a call that fails.

    Args:
        name: a name of ``ERRORS``.
        message: replaces the message of the table.
    """

    def __init__(self, name: str, message: str = "") -> None:
        self.status, self.code, usual = ERRORS[name]
        self.message = message or usual
        super().__init__(f"{self.code}: {self.message}")

    def body(self) -> bytes:
        """Return the body of the answer."""
        return json.dumps([{"message": self.message, "errorCode": self.code}]).encode()


def fail(name: str, message: str = "") -> NoReturn:
    """Fail the call with an error of the table."""
    raise RestError(name, message)
