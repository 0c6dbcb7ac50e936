"""An identity endpoint on loopback, from which the apps get tokens for Blob Storage."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Optional
from urllib.parse import parse_qs, urlsplit

import jwt


class IdentityEndpoint:
    """An identity endpoint, as Azure runs it beside each app.

    Azure gives a token only to a caller that sends the right header (App Service, "How to use
    managed identities"). This endpoint gives a token to every caller, and records the header.

    Attributes:
        asked: the parameters of each request, and its header.
        given: all tokens.
        refusal: if it is set, the status and body of every answer. If the status is 0, the endpoint
            closes the connection without an answer.
    """

    def __init__(self, *, audience: str = "https://storage.azure.com") -> None:
        self.asked: list[dict[str, str]] = []
        self.given: list[str] = []
        self.refusal: Optional[tuple[int, bytes]] = None
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = {
                    name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()
                }
                endpoint.asked.append(
                    {**asked, "header": self.headers.get("X-IDENTITY-HEADER", "")}
                )
                if endpoint.refusal:
                    self._answer(*endpoint.refusal)
                    return
                now = int(time.time())
                claims = {
                    "aud": audience,
                    "iss": "https://sts.windows.net/t/",
                    "iat": now,
                    "nbf": now - 60,
                    "exp": now + 3600,
                }
                token = jwt.encode(claims, "not checked by Azurite, but long enough", "HS256")
                endpoint.given.append(token)
                body = {
                    "access_token": token,
                    "expires_on": str(now + 3600),
                    "resource": asked["resource"],
                    "token_type": "Bearer",
                }
                self._answer(200, json.dumps(body).encode())

            def _answer(self, status: int, body: bytes) -> None:
                if not status:
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.settings = {
            "IDENTITY_ENDPOINT": f"http://127.0.0.1:{self._server.server_port}/",
            "IDENTITY_HEADER": "only-this-app",
        }

    def __enter__(self) -> IdentityEndpoint:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
