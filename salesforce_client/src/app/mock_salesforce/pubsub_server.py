"""Serves the mock's Pub/Sub API over gRPC."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import grpc

from ..salesforce.wire import pubsub_api_pb2
from ..salesforce.wire.pubsub_api_pb2_grpc import PubSubServicer, add_PubSubServicer_to_server
from .certificate import Certificate

# On one connection; further calls wait (Salesforce "Pub/Sub API" guide, "Pub/Sub API Allocations").
MOST_STREAMS = 1_000


class Served(NamedTuple):
    """A server that runs.

    Attributes:
        endpoint: the value of ``SALESFORCE_PUBSUB_ENDPOINT``.
        reflects: whether gRPC's server reflection answers.
        stop: ends the server and all its streams.
    """

    endpoint: str
    reflects: bool
    stop: Callable[[], object]


def start(
    service: PubSubServicer, port: int, made: Certificate | None, *, with_reflection: bool
) -> Served:
    """Serve on a port of 127.0.0.1. 0 means a free one.

    Args:
        service: what answers.
        port: the port.
        made: the certificate for TLS. Without it the server speaks plain HTTP/2.
        with_reflection: answer server reflection, if the package for it is installed.
    """
    server = grpc.server(
        ThreadPoolExecutor(max_workers=2 * MOST_STREAMS),
        options=[
            ("grpc.max_concurrent_streams", MOST_STREAMS),
            ("grpc.max_receive_message_length", 4 * 1024 * 1024),
            ("grpc.so_reuseport", 0),
        ],
    )
    add_PubSubServicer_to_server(service, server)
    reflects = with_reflection and _reflect(server)
    address = f"127.0.0.1:{port}"
    if made:
        credentials = grpc.ssl_server_credentials([(made.key, made.chain)])
        bound = server.add_secure_port(address, credentials)
    else:
        bound = server.add_insecure_port(address)
    server.start()
    return Served(
        f"{'' if made else 'http://'}127.0.0.1:{bound}",
        reflects,
        lambda: server.stop(grace=0).wait(),
    )


def _reflect(server: grpc.Server) -> bool:
    """Answer server reflection. Return False if the package for it is not installed."""
    try:
        reflection = importlib.import_module("grpc_reflection.v1alpha.reflection")
    except ImportError:
        return False
    service = pubsub_api_pb2.DESCRIPTOR.services_by_name["PubSub"].full_name
    reflection.enable_server_reflection((service, reflection.SERVICE_NAME), server)
    return True
