"""What the error answers of the REST API mean, and what a person must do about them.

Sources: Salesforce "REST API Developer Guide", "Status Codes and Error Responses"; "SOAP API
Developer Guide", "Core Data Types Used in API Calls", ExceptionCode; answers that users have
reported.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from ..errors import (
    CheckRefusedError,
    CheckUnavailableError,
    CollectorError,
    ListTooLongError,
    ListTrimmedError,
    SessionExpiredError,
)
from .network import is_temporary

SHOWN_CHARACTERS = 120
INVALID_QUERY_LOCATOR = "INVALID_QUERY_LOCATOR"
SHORTER = ("EXCEEDED_ID_LIMIT", "QUERY_TIMEOUT")
CONCURRENT = re.compile(r"concurrent", re.IGNORECASE)
# For each code: whether rights are missing, and what a person must do.
CURES = {
    "API_DISABLED_FOR_ORG": (
        True,
        "give SALESFORCE_USERNAME the permission 'API Enabled'; the edition must have the API",
    ),
    "API_CURRENTLY_DISABLED": (True, "give SALESFORCE_USERNAME the permission 'API Enabled'"),
    "INSUFFICIENT_ACCESS": (
        True,
        "grant Read and View All on the object, and View Setup and Configuration, in the permission"
        " set of SALESFORCE_USERNAME",
    ),
    "NOT_FOUND": (
        True,
        "check the name in CHECK_OBJECTS, and grant Read and View All on the object in the"
        " permission set of SALESFORCE_USERNAME",
    ),
    "INVALID_TYPE": (
        True,
        "check the name in CHECK_OBJECTS, and grant Read and View All on the object in the"
        " permission set of SALESFORCE_USERNAME",
    ),
    "INVALID_FIELD": (False, "report this message: a field of the object cannot be read"),
}
OTHER_CURE = "look the code up in docs/operations.md; if this stays, report this message"


class Refusal(NamedTuple):
    """The error code of an answer, and its message. Both are empty if the answer has none."""

    code: str
    message: str


def refusal_of(body: str) -> Refusal:
    """Read ``[{"errorCode": …, "message": …}]``."""
    try:
        content = json.loads(body)
    except ValueError:
        return Refusal("", "")
    first = content[0] if isinstance(content, list) and content else content
    if not isinstance(first, dict):
        return Refusal("", "")
    return Refusal(
        str(first.get("errorCode") or first.get("error") or ""), str(first.get("message") or "")
    )


def is_for_now(status: int, refusal: Refusal) -> bool:
    """Whether the same request may succeed some seconds later."""
    if refusal.code == "REQUEST_LIMIT_EXCEEDED":
        return bool(CONCURRENT.search(refusal.message))
    return refusal.code not in SHORTER and is_temporary(status)


def error_of(status: int, refusal: Refusal, about: str) -> CollectorError:
    """The error for an answer that is no success.

    The message has Salesforce's code, but not its words: they may quote data.

    Args:
        status: the HTTP status.
        refusal: what the answer says.
        about: what was asked. The message begins with it.
    """
    code = refusal.code or f"HTTP {status}"
    if status == 401:
        return SessionExpiredError(f"{about}: {code}")
    if refusal.code in SHORTER:
        return ListTooLongError(f"{about}: {code}")
    if refusal.code == "INVALID_REPLICATION_DATE":
        return ListTrimmedError(f"{about}: {code}")
    if is_for_now(status, refusal):
        return CheckUnavailableError(
            f"{about}: Salesforce answers {code}; if this stays, look at"
            " https://status.salesforce.com"
        )
    if refusal.code == "REQUEST_LIMIT_EXCEEDED":
        return CheckUnavailableError(
            f"{about}: the org has used up its REST calls of the last 24 hours ({code}); find what"
            " else calls the API, or lower MAX_CHECK_CALLS"
        )
    no_rights, cure = CURES.get(refusal.code, (False, OTHER_CURE))
    return CheckRefusedError(
        f"{about}: Salesforce answers {code} – {cure}", refusal.code, no_rights=no_rights
    )
