"""Answers of a login host that were reported, by name, for the fault ``login_answer``.

The last three come from something between the collector and Salesforce.
"""

from __future__ import annotations

import json
from typing import NamedTuple


class LoginAnswer(NamedTuple):
    """An HTTP answer."""

    status: int
    body: str
    headers: tuple[tuple[str, str], ...] = ()


def _refused(error: str, description: str, status: int = 400) -> LoginAnswer:
    body = json.dumps({"error": error, "error_description": description})
    return LoginAnswer(status, body, (("Content-Type", "application/json"),))


PAGE = (("Content-Type", "text/html"),)
LOGIN_ANSWERS = {
    "retry": _refused("unknown_error", "retry your request"),
    "server_error": _refused("server_error", "an internal error occurred"),
    "login_rate": _refused("invalid_grant", "login rate exceeded"),
    "too_many": _refused("rate_limit_exceeded", "too many requests", 403),
    "maintenance": LoginAnswer(200, "<title>Maintenance</title>We will be back soon.", PAGE),
    "moved": LoginAnswer(301, "", (("Location", "https://acme.my.salesforce.com/services"),)),
    "ip_restricted": _refused("invalid_grant", "ip restricted or invalid login hours"),
    "inactive_user": _refused("invalid_grant", "inactive user"),
    "inactive_org": _refused("inactive_org", "organization is not active"),
    "not_installed": _refused("OAUTH_EC_APP_NOT_FOUND", "app must be installed into org"),
    "not_admin_approved": _refused(
        "invalid_app_access", "user is not admin approved to access this app"
    ),
    "authentication_failure": _refused("invalid_grant", "authentication failure"),
    "blocked": LoginAnswer(403, "<title>Blocked</title>Ask your administrator.", PAGE),
    "proxy_login": LoginAnswer(407, "", ()),
    "portal": LoginAnswer(302, "", (("Location", "https://portal.example/login?for=you"),)),
}
