"""The mock's REST API on a port of its own: sessions, headers, and the faults of the connection."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .faults import Faults
from .org import Org
from .rest_calls import RestCalls
from .rest_errors import RestError, fail

JSON, HTML = "application/json;charset=UTF-8", "text/html"
MAINTENANCE = b"<html><title>Maintenance</title>We will be back soon.</html>"


class RestApi:
    """A context manager that serves on a free port of 127.0.0.1.

    Args:
        org: the org. Its clock is in the header ``Date`` of every answer.
        calls: answers the calls.
        has_session: returns whether an access token belongs to a session.
        expire_sessions: ends all sessions.
        faults: the API applies those whose names begin with ``rest_``.
        tls: the context with which it serves https. Without one it serves http.

    Attributes:
        url: the URL of the API: the ``instance_url`` of all sessions.
    """

    def __init__(
        self,
        org: Org,
        calls: RestCalls,
        has_session: Callable[[str], bool],
        expire_sessions: Callable[[], None],
        faults: Faults,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._org = org
        self._calls = calls
        self._has_session = has_session
        self._expire_sessions = expire_sessions
        self._faults = faults
        self._answered = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> RestApi:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, target: str, headers: dict[str, str]) -> tuple[int, str, bytes]:
        """Return status, content type and body of the answer to a request."""
        time.sleep(self._faults.number("rest_slow") or 0)
        down = self._faults.value("rest_down")
        if down == "page":
            return 503, HTML, MAINTENANCE
        try:
            if down:
                fail("SERVER_UNAVAILABLE")
            if method != "GET":
                fail("METHOD_NOT_ALLOWED")
            self._check_session(headers.get("Authorization", ""))
            found = self._calls.answer(target, headers)
        except RestError as error:
            return error.status, JSON, error.body()
        return 200, JSON, json.dumps(found).encode()

    def _check_session(self, authorization: str) -> None:
        scheme, _, token = authorization.partition(" ")
        if scheme not in ("Bearer", "OAuth") or not self._has_session(token):
            raise RestError("INVALID_SESSION_ID")
        calls, _, times = (self._faults.value("rest_session") or "").partition(":")
        self._answered += 1
        if calls and self._answered > int(calls):
            self._answered = 0
            limit = float("inf") if times == "always" else float(times or 1)
            if self._faults.happens("rest_session", times=limit):
                self._expire_sessions()
                raise RestError("INVALID_SESSION_ID")

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # one write an answer: a second one waits 40 ms for the client

            def do_GET(self) -> None:
                self._serve()

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self._serve()

            def _serve(self) -> None:
                if api._faults.value("rest_down") == "close":
                    self.close_connection = True
                    return
                headers = {name.title(): value for name, value in self.headers.items()}
                status, kind, body = api.answer(self.command, self.path, headers)
                self.send_response(status)
                for name, value in (("Content-Type", kind), ("Content-Length", str(len(body)))):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def date_time_string(self, timestamp: float | None = None) -> str:
                """Return the time of the org's clock, for the header ``Date``."""
                del timestamp
                return super().date_time_string(int(api._org.now().timestamp()))

            def log_message(self, *_: object) -> None:
                """Do not log requests."""

        return Handler
