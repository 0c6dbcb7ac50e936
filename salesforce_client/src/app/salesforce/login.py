"""Logs in with the OAuth 2.0 JWT bearer flow: it exchanges a signed assertion for an access token.

Source: Salesforce Help, "OAuth 2.0 JWT Bearer Flow for Server-to-Server Integration".
"""

from __future__ import annotations

import re
import time
from typing import Any
from urllib.parse import urlsplit

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from ..errors import AuthenticationError, SalesforceUnavailableError
from ..model import Session, with_checksum

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# One page of Salesforce gives 3 minutes as the maximum, another one 5. This value is below both, so
# that a clock may be slightly wrong.
LIFETIME_SECONDS = 170
TIMEOUT_SECONDS = (10, 30)  # connect, read
ATTEMPTS = 3

# What the operator must check. Each entry has an ``error``, a part of the ``error_description``,
# and the advice (Salesforce Help, "OAuth 2.0 Flow Errors").
ADVICE = (
    (
        "invalid_grant",
        "approved",
        "pre-authorize the user: set the app's policy 'Admin approved users are pre-authorized' and"
        " give SALESFORCE_USERNAME a permission set or profile of the app",
    ),
    (
        "invalid_grant",
        "audience",
        "check SALESFORCE_AUDIENCE: https://test.salesforce.com for a sandbox,"
        " else https://login.salesforce.com",
    ),
    (
        "invalid_grant",
        "expired",
        "check this machine's clock: the assertion is valid for three minutes",
    ),
    (
        "invalid_grant",
        "assertion",
        "check that SALESFORCE_PRIVATE_KEY belongs to the certificate that was uploaded to the app",
    ),
    ("invalid_grant", "inactive", "unlock or activate SALESFORCE_USERNAME"),
    ("invalid_grant", "locked", "unlock or activate SALESFORCE_USERNAME"),
    ("invalid_grant", "user", "check SALESFORCE_USERNAME and SALESFORCE_LOGIN_URL"),
    ("invalid_app_access", "", "give SALESFORCE_USERNAME access to the app in its policies"),
    (
        "invalid_client",
        "",
        "check SALESFORCE_CLIENT_ID (the consumer key) and that OAuth is enabled for the app",
    ),
)


def claims(
    client_id: str,
    username: str,
    audience: str,
    now: float,
    lifetime_seconds: int = LIFETIME_SECONDS,
) -> dict[str, Any]:
    """The claims of the assertion. ``now`` and ``exp`` are seconds since 1970."""
    return {"iss": client_id, "sub": username, "aud": audience, "exp": int(now) + lifetime_seconds}


def authenticate(
    login_url: str,
    audience: str,
    client_id: str,
    username: str,
    private_key: RSAPrivateKey,
    lifetime_seconds: int = LIFETIME_SECONDS,
) -> Session:
    """Sign a new assertion and exchange it for a session.

    Raises:
        AuthenticationError: Salesforce refuses. The message quotes Salesforce and says what to
            check.
        SalesforceUnavailableError: ``ATTEMPTS`` attempts brought no usable answer.
    """
    failure = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(2.0**attempt)
        assertion = jwt.encode(
            claims(client_id, username, audience, time.time(), lifetime_seconds),
            private_key,
            algorithm="RS256",
        )
        try:
            response = requests.post(
                f"{login_url}/services/oauth2/token",
                data={"grant_type": GRANT_TYPE, "assertion": assertion},
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            failure = _reason(error)
            if "CERTIFICATE_VERIFY_FAILED" in failure:
                raise AuthenticationError(
                    f"TLS to {login_url} failed: {failure} – check SALESFORCE_LOGIN_URL"
                ) from None
            continue
        if response.status_code == 429 or response.status_code >= 500:
            failure = f"HTTP {response.status_code}"
            continue
        return _session(login_url, response)
    raise SalesforceUnavailableError(
        f"no access token from {login_url} after {ATTEMPTS} attempts: {failure} – nothing is lost"
        " if a poll succeeds within 72 hours; if this stays, check SALESFORCE_LOGIN_URL and the"
        " network"
    )


def _reason(error: Exception) -> str:
    """The innermost of the wrapped connection errors, without addresses of Python objects."""
    while isinstance(error.args[0] if error.args else None, Exception):
        error = error.args[0]
    text = re.sub(r"<[^>]* at 0x[0-9a-f]+>", "", str(getattr(error, "reason", error)))
    return f"{type(error).__name__}: {text}"


def _session(login_url: str, response: requests.Response) -> Session:
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise AuthenticationError(
            f"{login_url} answered HTTP {response.status_code} without JSON:"
            " check that SALESFORCE_LOGIN_URL is the login host"
        )
    if response.status_code != 200:
        error, description = str(answer.get("error", "")), str(answer.get("error_description", ""))
        raise AuthenticationError(
            f"{login_url} refused the JWT: {error}: {description}{_advice(error, description)}"
        )
    token, instance_url = answer.get("access_token"), answer.get("instance_url")
    if not token or not instance_url:
        raise AuthenticationError(
            f"the token response of {login_url} lacks access_token or instance_url:"
            " check that SALESFORCE_LOGIN_URL is the login host"
        )
    return Session(
        str(token), str(instance_url).rstrip("/"), _org_id(str(answer.get("id", "")), str(token))
    )


def _advice(error: str, description: str) -> str:
    for code, words, advice in ADVICE:
        if error.startswith(code) and words in description.lower():
            return f" – {advice}"
    return ""


def _org_id(identity_url: str, token: str) -> str:
    """The org's 18-character id.

    It is a part of the identity URL ``…/id/<org>/<user>``. If the URL does not have it, the
    function takes the text before the ``!`` in the token.
    """
    segments = urlsplit(identity_url).path.split("/")
    for candidate in (segments[-2] if len(segments) > 2 else "", token.partition("!")[0]):
        if re.fullmatch(r"00D[A-Za-z0-9]{12}([A-Z0-5]{3})?", candidate):
            return with_checksum(candidate[:15])
    raise AuthenticationError(
        "the token response names no org: neither its id URL nor its access token has a 00D… id."
        " Check that SALESFORCE_LOGIN_URL is the login host"
    )
