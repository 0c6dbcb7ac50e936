"""What the answers of the token endpoint mean, and what a person must do about them.

Sources: Salesforce Help, "OAuth 2.0 Flow Errors" and "OAuth 2.0 JWT Bearer Flow for
Server-to-Server Integration"; answers that users have reported.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any, Optional, Union
from urllib.parse import urlsplit

from requests import Response

from ..errors import (
    AuthenticationError,
    CollectorError,
    NetworkRefusedError,
)
from .network import Route, is_temporary

# Refusals that another attempt may cure, whatever their HTTP status.
FOR_NOW = re.compile(
    r"unknown_error|(server|internal)[_ ]error|(temporarily|server|service)[_ ]unavailable"
    r"|(rate|request)_limit_exceeded|rate exceeded|too many (requests|logins)"
    r"|retry your request|try again|already being processed",
    re.IGNORECASE,
)
# The page of a service that is down, as people see it in a browser.
MAINTENANCE = re.compile(r"maintenance|temporarily|unavailable|try again|be back", re.IGNORECASE)
SHOWN_CHARACTERS = 120
LOGIN_HISTORY = (
    "look at Setup, Login History: it has the reason for each login of SALESFORCE_USERNAME"
)
# Each entry has a pattern for "<error>: <error_description>", and the advice. The first entry that
# matches counts.
ADVICE = (
    (
        r"ip restricted|login hours|restricted ip",
        "the profile of SALESFORCE_USERNAME does not allow a login from this address or at this"
        " time: add the app's outbound addresses to the profile's Login IP Ranges, check its Login"
        " Hours, or relax the IP restrictions in the policies of the app",
    ),
    (
        r"inactive.org|organization is (not active|inactive|locked|suspended|closed)|org is locked",
        "the org is closed or suspended: check SALESFORCE_LOGIN_URL, or ask Salesforce",
    ),
    (
        r"inactive.user|user is (inactive|not active)|\blocked|\bfrozen",
        "activate, unlock or unfreeze SALESFORCE_USERNAME",
    ),
    (
        r"not.installed|must be installed|app_not_found",
        "the app is not in this org: deploy it there, and check SALESFORCE_CLIENT_ID and"
        " SALESFORCE_LOGIN_URL",
    ),
    (
        r"invalid_app_access|app_access_denied|not admin approved",
        "give SALESFORCE_USERNAME the permission set or profile that the app's policies name",
    ),
    (r"\bblocked|_blocked", "unblock the app: Setup, Connected Apps OAuth Usage"),
    (
        r"approved this consumer|approval",
        "pre-authorize the user: set the app's policy 'Admin approved users are pre-authorized' and"
        " give SALESFORCE_USERNAME a permission set or profile of the app",
    ),
    (
        r"invalid_grant: .*audience",
        "check SALESFORCE_AUDIENCE: https://test.salesforce.com for a sandbox,"
        " else https://login.salesforce.com",
    ),
    (
        r"invalid_grant: .*expired auth",
        "check this machine's clock: the assertion is valid for three minutes",
    ),
    (
        r"expired",
        "a password or certificate has expired: check SALESFORCE_USERNAME and the certificate that"
        " was uploaded to the app",
    ),
    (
        r"invalid_grant: .*assertion",
        "check that SALESFORCE_PRIVATE_KEY belongs to the certificate that was uploaded to the app",
    ),
    (
        r"api is (not enabled|disabled)|api.?disabled",
        "give SALESFORCE_USERNAME the permission 'API Enabled'; the edition must have the API",
    ),
    (
        r"unsupported_grant_type|unauthorized_client",
        "enable the JWT bearer flow for the app: Enable JWT Bearer Flow, with its certificate",
    ),
    (r"scope", "give the app the scopes 'api' and 'refresh_token, offline_access'"),
    (
        r"invalid_client",
        "check SALESFORCE_CLIENT_ID (the consumer key), that OAuth is enabled for the app, and that"
        " SALESFORCE_LOGIN_URL belongs to its org; a new app needs up to ten minutes",
    ),
    (r"invalid_grant: .*user", "check SALESFORCE_USERNAME and SALESFORCE_LOGIN_URL"),
    (r"", LOGIN_HISTORY),
)


def token_of(answer: Response) -> Optional[Mapping[str, Any]]:
    """The JSON object of a successful answer. None if the login failed.

    An answer that names an error is none, whatever its HTTP status.
    """
    content = _json(answer)
    if answer.status_code != 200 or not isinstance(content, dict) or _said(content)[0]:
        return None
    return content


def refusal(answer: Response, login_url: str, route: Route) -> Union[CollectorError, str]:
    """The error for an answer without a token. It names the URL and says what a person must do.

    If another attempt may succeed, this is no error but a text that says what was answered.

    Args:
        answer: what came from the token endpoint, or from something on the way to it.
        login_url: the URL that was asked.
        route: the route to that URL.
    """
    status, content = answer.status_code, _json(answer)
    said = f"{login_url} answered HTTP {status}"
    if 300 <= status < 400:
        return _redirect(said, answer.headers.get("Location", ""), route)
    if isinstance(content, list) and content:  # the form of Salesforce's other REST services
        content = content[0]
    if not isinstance(content, dict):
        return _page(said, answer, route)
    text = _shown(": ".join(_said(content)))
    if is_temporary(status) or FOR_NOW.search(text):
        return f"HTTP {status}, {text}"
    return AuthenticationError(f"{login_url} refused the JWT: {text} – {advice(text)}")


def advice(text: str) -> str:
    """What a person must do about ``<error>: <error_description>``."""
    return next(told for words, told in ADVICE if re.search(words, text, re.IGNORECASE))


def _said(content: Mapping[str, Any]) -> tuple[str, str]:
    """The error that an answer names, and its description. Both are empty if it names none."""
    return (
        str(content.get("error") or content.get("errorCode") or ""),
        str(content.get("error_description") or content.get("message") or ""),
    )


def _json(answer: Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _redirect(said: str, location: str, route: Route) -> CollectorError:
    """Only a host of Salesforce knows where the login is."""
    parts = urlsplit(location)
    host = parts.hostname or ""
    # The query may hold a secret.
    to = _shown(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}")
    if re.search(r"(^|\.)salesforce\.[a-z]+$", host):
        return AuthenticationError(
            f"{said} with the Location {to}: set SALESFORCE_LOGIN_URL to https://{host}"
        )
    if host:
        return NetworkRefusedError(
            f"{said} with the Location {to}, which is no host of Salesforce –"
            f" {route.cure_of_status(302)}"
        )
    return AuthenticationError(
        f"{said} with the Location {_shown(parts.path)!r}:"
        " check that SALESFORCE_LOGIN_URL is the login host"
    )


def _page(said: str, answer: Response, route: Route) -> Union[CollectorError, str]:
    """What ``refusal`` returns for an answer without JSON. Its text is for people, or empty."""
    status, text = answer.status_code, answer.text
    shown = _words(text)
    with_text = f" without JSON ({shown})" if shown else " without JSON"
    if status in (403, 407):
        return NetworkRefusedError(f"{said}{with_text} – {route.cure_of_status(status)}")
    if is_temporary(status) or MAINTENANCE.search(text):
        return f"HTTP {status}{with_text}{route.through}"
    return AuthenticationError(
        f"{said}{with_text}{route.through}: check that SALESFORCE_LOGIN_URL is the login host"
    )


def _words(page: str) -> str:
    """The title of a page, or the beginning of its text."""
    title = re.search(r"<title[^>]*>(.*?)</title>", page, re.IGNORECASE | re.DOTALL)
    text = title[1] if title else re.sub(r"<[^>]*>", " ", page)
    return _shown(html.unescape(text))


def _shown(text: str) -> str:
    """The beginning of a text from outside, in one line."""
    return " ".join(text.split())[:SHOWN_CHARACTERS]
