"""The mock's login host: the token endpoint of the JWT bearer flow, and ``userinfo``.

The token endpoint verifies a JWT as Salesforce does.
"""

from __future__ import annotations

import json
import secrets
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from .faults import Faults
from .login_answers import LOGIN_ANSWERS, LoginAnswer

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LONGEST_SECONDS = 300


class RefusedError(Exception):
    """The request is refused. The arguments are ``error`` and ``error_description``."""


class TokenEndpoint:
    """A context manager that serves on a free port of 127.0.0.1.

    Args:
        org_id: the id of the org, 18 characters.
        user_id: the id of the user that logs in, 18 characters.
        client_id, username: the values that an assertion must have.
        audience: the audience that an assertion must have: that of a production org, or that of a
            sandbox. The URL of this endpoint, which is the org's My Domain, is accepted too.
        public_key: the key that verifies the signature of an assertion.
        faults: the endpoint applies ``login_unavailable`` and ``login_answer``.
        instance_url: the URL of the REST API, which belongs to every session.
        tls: the context with which it serves https. Without one it serves http.
        port: the port. 0 means a free one.
    """

    def __init__(
        self,
        org_id: str,
        user_id: str,
        client_id: str,
        username: str,
        audience: str,
        public_key: RSAPublicKey,
        faults: Faults,
        instance_url: str,
        tls: ssl.SSLContext | None = None,
        port: int = 0,
    ) -> None:
        self._faults = faults
        self.org_id = org_id
        self._user_id = user_id
        self._client_id = client_id
        self._username = username
        self._public_key = public_key
        self.instance_url = instance_url
        self._tokens: set[str] = set()
        self.issued: list[str] = []  # all access tokens, also expired ones
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._server.server_address[1]}"
        self._audiences = (audience, self.url)

    def __enter__(self) -> TokenEndpoint:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def accepts(self, access_token: str, instance_url: str, org_id: str) -> bool:
        """Return whether the three headers of a Pub/Sub call belong to a session of this org."""
        return (
            access_token in self._tokens
            and instance_url == self.instance_url
            and org_id in (self.org_id, self.org_id[:15])
        )

    def has_session(self, access_token: str) -> bool:
        """Return whether an access token belongs to a session."""
        return access_token in self._tokens

    def expire_tokens(self) -> None:
        """End all sessions."""
        self._tokens.clear()

    def instead(self) -> LoginAnswer | None:
        """Return the answer that a fault gives to this request instead of the right one."""
        if self._faults.happens("login_unavailable"):
            return LoginAnswer(503, "")
        name, _, times = (self._faults.value("login_answer") or "").partition(":")
        limit = float("inf") if times in ("", "always") else float(times)
        happens = self._faults.happens("login_answer", times=limit)
        return LOGIN_ANSWERS[name] if happens else None

    def answer(self, form: dict[str, list[str]]) -> dict[str, str]:
        """Return the token response to a form.

        Raises:
            RefusedError: the form is refused, with the error that Salesforce returns.
        """
        if form.get("grant_type") != [GRANT_TYPE]:
            raise RefusedError("unsupported_grant_type", "grant type not supported")
        self._verify(form.get("assertion", [""])[0])
        return {
            "access_token": self.new_token(),
            "scope": "api",
            "instance_url": self.instance_url,
            "id": f"https://login.salesforce.com/id/{self.org_id}/{self._user_id}",
            "token_type": "Bearer",
        }

    def new_token(self) -> str:
        """Begin a session, and return its access token."""
        token = f"{self.org_id[:15]}!{secrets.token_urlsafe(48)}"
        self._tokens.add(token)
        self.issued.append(token)
        return token

    def user_info(self, authorization: str) -> dict[str, str]:
        """Return the user and org of a session.

        Some clients need this because they do not read the org from the token response.

        Raises:
            RefusedError: the access token belongs to no session.
        """
        if not self.has_session(authorization.partition("Bearer ")[2]):
            raise RefusedError("invalid_token", "the access token is not valid")
        return {
            "organization_id": self.org_id,
            "preferred_username": self._username,
            "user_id": self._user_id,
        }

    def _verify(self, assertion: str) -> None:
        try:
            said = jwt.decode(assertion, options={"verify_signature": False})
            if said.get("iss") != self._client_id:
                raise RefusedError("invalid_client_id", "client identifier invalid")
            # A library accepts a list of audiences. Salesforce documents one URL.
            options: Any = {"require": ["exp", "aud", "sub"], "verify_aud": False}
            claims = jwt.decode(assertion, self._public_key, algorithms=["RS256"], options=options)
        except jwt.ExpiredSignatureError:
            raise RefusedError("invalid_grant", "expired authorization code") from None
        except jwt.InvalidTokenError:
            raise RefusedError("invalid_grant", "invalid assertion") from None
        if claims["aud"] not in self._audiences:
            raise RefusedError("invalid_grant", "audience is invalid")
        if claims["exp"] > time.time() + LONGEST_SECONDS:
            raise RefusedError("invalid_grant", "expired authorization code")
        if claims["sub"] != self._username:
            raise RefusedError("invalid_grant", "user hasn't approved this consumer")

    def _handler(self) -> type[BaseHTTPRequestHandler]:  # noqa: C901  (counts its methods)
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = parse_qs(
                    self.rfile.read(int(self.headers.get("Content-Length", 0))).decode(
                        "utf-8", "replace"
                    )
                )
                if instead := endpoint.instead():
                    return self._answer(*instead)
                if self.path != "/services/oauth2/token":
                    return self._send(404, {"error": "not_found", "error_description": self.path})
                try:
                    return self._send(200, endpoint.answer(form))
                except RefusedError as refused:
                    error, description = refused.args
                    return self._send(400, {"error": error, "error_description": description})

            def do_GET(self) -> None:
                if self.path != "/services/oauth2/userinfo":
                    return self._send(404, {"error": "not_found", "error_description": self.path})
                try:
                    return self._send(
                        200, endpoint.user_info(self.headers.get("Authorization", ""))
                    )
                except RefusedError as refused:
                    return self._send(
                        403, {"error": refused.args[0], "error_description": refused.args[1]}
                    )

            def _send(self, status: int, answer: dict[str, str]) -> None:
                self._answer(status, json.dumps(answer), (("Content-Type", "application/json"),))

            def _answer(self, status: int, text: str, headers: tuple[tuple[str, str], ...]) -> None:
                body = text.encode()
                self.send_response(status)
                for name, value in (*headers, ("Content-Length", str(len(body)))):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Do not log requests."""

        return Handler
