"""A reverse proxy on loopback that acts when a chosen request passes.

With it a test causes a crash, an error or a delay at an exact moment.
"""

from __future__ import annotations

import contextlib
import gzip
import http.client
import os
import signal
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NOT_FORWARDED = {"host", "connection", "transfer-encoding", "content-length"}
TIMEOUT_SECONDS = 60
PORTION_BYTES = 65_536


@dataclass
class Request:
    """One request that passes the proxy."""

    method: str
    path: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def text(self) -> str:
        """The body as text, decompressed. Bytes that are not UTF-8 are replaced."""
        body = gzip.decompress(self.body) if self.body[:2] == b"\x1f\x8b" else self.body
        return body.decode("utf-8", "replace")


Answer = tuple[int, bytes]  # status and body that replace those of the server
Rule = Callable[[Request], "Answer | None"]


@contextlib.contextmanager
def slow_line(target_port: int, bytes_a_second: int) -> Iterator[int]:
    """Open a slow connection to ``127.0.0.1:target_port``; yield the port to use instead.

    Only the sending side is slow.
    """

    class Line(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", target_port)) as target:
                answers = threading.Thread(
                    target=_pass_on, args=(target, self.request, 0.0), daemon=True
                )
                answers.start()
                _pass_on(self.request, target, PORTION_BYTES / bytes_a_second)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Line, bind_and_activate=False) as server:
        server.daemon_threads = True
        server.block_on_close = False
        # With the default buffer, the system would accept megabytes at once.
        server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PORTION_BYTES)
        server.server_bind()
        server.server_activate()
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()


def _pass_on(source: socket.socket, sink: socket.socket, pause: float) -> None:
    with contextlib.suppress(OSError):
        while portion := source.recv(PORTION_BYTES):
            sink.sendall(portion)
            time.sleep(pause)


def _nothing(_: Request) -> None:
    return None


def _headers(content: bytes) -> list[tuple[str, str]]:
    """Return the headers of the proxy's own answer. Blob Storage declares its errors as XML."""
    return [("Content-Type", "application/xml")] if content.startswith(b"<?xml") else []


@dataclass
class Proxy:
    """A running proxy.

    Attributes:
        port: where it listens on 127.0.0.1.
        before: called with each request before the proxy forwards it.
        after: called with each forwarded request before the proxy returns the answer.
        seen: every request so far.
    """

    port: int
    before: Rule = _nothing
    after: Rule = _nothing
    seen: list[Request] = field(default_factory=list)


@contextlib.contextmanager
def proxy(target_port: int, *, keeps_host: bool = False) -> Iterator[Proxy]:
    """Run a proxy that forwards to ``127.0.0.1:target_port``.

    With ``keeps_host``, the addresses that the server names in its answers are the proxy's.
    """
    not_forwarded = NOT_FORWARDED - {"host"} if keeps_host else NOT_FORWARDED
    running = Proxy(0)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # With Nagle's algorithm, the body of an answer waits 40 ms after its headers.
        disable_nagle_algorithm = True

        def _forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = Request(self.command, self.path, body, dict(self.headers.items()))
            running.seen.append(request)
            answer = running.before(request)
            headers: list[tuple[str, str]] = []
            if answer is None:
                status, headers, content = self._fetch(body)
                answer = running.after(request) or (status, content)
            self._send(answer, headers or _headers(answer[1]))

        def _fetch(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            upstream = http.client.HTTPConnection("127.0.0.1", target_port, timeout=TIMEOUT_SECONDS)
            try:
                kept = {
                    name: value
                    for name, value in self.headers.items()
                    if name.lower() not in not_forwarded
                }
                upstream.request(
                    self.command, self.path, body, {**kept, "Content-Length": str(len(body))}
                )
                response = upstream.getresponse()
                return response.status, response.getheaders(), response.read()
            finally:
                upstream.close()

        def _send(self, answer: Answer, headers: list[tuple[str, str]]) -> None:
            status, content = answer
            given_length = next(
                (value for name, value in headers if name.lower() == "content-length"), "0"
            )
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in NOT_FORWARDED:
                    self.send_header(name, value)
            self.send_header(
                "Content-Length", given_length if self.command == "HEAD" else str(len(content))
            )
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # the client may be gone
                self.wfile.write(b"" if self.command == "HEAD" else content)

        # http.server prescribes the names.
        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _forward  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    # The tests kill clients on purpose, so a broken connection is not worth a traceback.
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    running.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def end(pid: int, by: signal.Signals) -> None:
    """Send the signal, and give the process time to end."""
    os.kill(pid, by)
    time.sleep(0.05)
