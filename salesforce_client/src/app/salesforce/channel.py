"""Opens the gRPC channel to the Pub/Sub API: TLS, proxy, limits and pings.

Sources: the Salesforce "Pub/Sub API" guide, page "Pub/Sub API Allocations"; gRPC's guides
"Keepalive" and "Default HTTP Proxy Mapper".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc

from .network import Route

OPTIONS: tuple[tuple[str, Any], ...] = (
    # A response has up to 3 MB. gRPC's own default is 4 MB.
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    ("grpc.max_send_message_length", 4 * 1024 * 1024),
    # Azure's outbound NAT forgets a silent connection after 4 minutes, so pings must come sooner.
    # But a server with gRPC's default ping policy treats too frequent pings on a quiet topic as
    # abuse. These pings are rare enough.
    ("grpc.keepalive_time_ms", 100_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.enable_retries", 0),  # the drain retries, because it knows the position
)


def open_channel(target: str, *, tls: bool, route: Route) -> grpc.Channel:
    """Open a channel. It connects at the first call.

    Args:
        target: ``host:port``.
        tls: whether to use TLS.
        route: the route to the target. gRPC's own choice of a proxy has no effect, because gRPC
            reads other environment variables than the login does.
    """
    proxy = ("grpc.http_proxy", route.proxy) if route.proxy else ("grpc.enable_http_proxy", 0)
    options = [*OPTIONS, proxy]
    if not tls:
        return grpc.insecure_channel(target, options=options)
    authorities = Path(route.ca_file).read_bytes() if route.ca_file else None
    return grpc.secure_channel(target, grpc.ssl_channel_credentials(authorities), options=options)
