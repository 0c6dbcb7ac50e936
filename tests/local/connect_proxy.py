"""A company's proxy on loopback: it tunnels connections (CONNECT), or refuses them."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class ConnectProxy:
    """A running proxy.

    Attributes:
        port: where it listens on 127.0.0.1.
        leads_to: the port on 127.0.0.1 for each ``host:port`` that a client may ask for.
        refusal: if set, the status of its answer to each request, instead of a tunnel.
        authorization: if set, the ``Proxy-Authorization`` that a request must have.
        asked: each ``host:port`` that a client has asked for.
    """

    port: int
    leads_to: Mapping[str, int]
    refusal: int = 0
    authorization: str = ""
    asked: list[str] = field(default_factory=list)


@contextlib.contextmanager
def connect_proxy(leads_to: Mapping[str, int]) -> Iterator[ConnectProxy]:
    """Run a proxy."""
    running = ConnectProxy(0, leads_to)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_CONNECT(self) -> None:
            running.asked.append(self.path)
            if running.refusal:
                return self._refuse(running.refusal)
            if self.headers.get("Proxy-Authorization", "") != running.authorization:
                return self._refuse(407)
            if self.path not in running.leads_to:
                return self._refuse(502)
            with socket.create_connection(("127.0.0.1", running.leads_to[self.path])) as target:
                self.send_response_only(200)
                self.end_headers()
                back = threading.Thread(
                    target=_pass_on, args=(target, self.connection), daemon=True
                )
                back.start()
                _pass_on(self.connection, target)
                back.join()
            self.close_connection = True
            return None

        def _refuse(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
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


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    """Pass on what one side sends, until it or the other side ends the connection."""
    with contextlib.suppress(OSError):
        while portion := source.recv(65_536):
            sink.sendall(portion)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
