"""Logs in with the OAuth 2.0 JWT bearer flow: it exchanges a signed assertion for an access token.

Source: Salesforce Help, "OAuth 2.0 JWT Bearer Flow for Server-to-Server Integration".
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from ..errors import AuthenticationError, NetworkRefusedError, SalesforceUnavailableError
from ..model.events import Session
from ..model.ids import with_checksum
from .network import Route, route_to
from .token_answers import refusal, token_of

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# One page of Salesforce gives 3 minutes as the maximum, another one 5. This value is below both, so
# that a clock may be slightly wrong.
LIFETIME_SECONDS = 170
TIMEOUT_SECONDS = (10, 30)  # connect, read
ATTEMPTS = 3


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
    ca_file: str = "",
    lifetime_seconds: int = LIFETIME_SECONDS,
) -> Session:
    """Sign a new assertion and exchange it for a session.

    ``ca_file`` is the path of a PEM file with the trusted certificate authorities. If it is empty,
    requests uses its own.

    Raises:
        AuthenticationError: Salesforce refuses. The message quotes Salesforce and says what to
            check.
        NetworkRefusedError: a proxy refuses, or the certificate of the host is not trusted.
        SalesforceUnavailableError: ``ATTEMPTS`` attempts brought no usable answer.
    """
    route = route_to(login_url, "SALESFORCE_LOGIN_URL", ca_file)
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
            answer = _post(login_url, assertion, route)
        except (requests.RequestException, ValueError) as error:  # the latter: a broken Location
            failure = _reason(error)
            if cure := route.cure(failure):
                raise NetworkRefusedError(f"{login_url}: {failure} – {cure}") from None
            failure += route.through
            continue
        token = token_of(answer)
        if token is not None:
            return _session(login_url, token)
        refused = refusal(answer, login_url, route)
        if not isinstance(refused, str):
            raise refused
        failure = refused
    raise SalesforceUnavailableError(
        f"no access token from {login_url} after {ATTEMPTS} attempts: {failure} – if this"
        " stays, check SALESFORCE_LOGIN_URL and the network"
    )


def _post(login_url: str, assertion: str, route: Route) -> requests.Response:
    """Send an assertion. The route decides about proxies and certificates, as it does for gRPC."""
    with requests.Session() as session:
        session.trust_env = False
        return session.post(
            f"{login_url}/services/oauth2/token",
            data={"grant_type": GRANT_TYPE, "assertion": assertion},
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,
            proxies={"http": route.proxy, "https": route.proxy} if route.proxy else {},
            verify=route.ca_file or True,
        )


def _reason(error: Exception) -> str:
    """The innermost of the wrapped connection errors, without addresses of Python objects."""
    while isinstance(error.args[0] if error.args else None, Exception):
        error = error.args[0]
    text = re.sub(r"<[^>]* at 0x[0-9a-f]+>", "", str(getattr(error, "reason", error)))
    return f"{type(error).__name__}: {text}"


def _session(login_url: str, answer: Mapping[str, Any]) -> Session:
    token, instance_url = answer.get("access_token"), answer.get("instance_url")
    if not token or not instance_url:
        raise AuthenticationError(
            f"the token response of {login_url} lacks access_token or instance_url:"
            " check that SALESFORCE_LOGIN_URL is the login host"
        )
    identity_url = str(answer.get("id", ""))
    return Session(
        str(token),
        str(instance_url).rstrip("/"),
        _org_id(identity_url, str(token)),
        _user_id(identity_url),
    )


def _user_id(identity_url: str) -> str:
    """The user's 18-character id, the last part of the identity URL. Empty if it is not there."""
    last = urlsplit(identity_url).path.rpartition("/")[2]
    return with_checksum(last[:15]) if re.fullmatch(r"005[A-Za-z0-9]{12,15}", last) else ""


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
