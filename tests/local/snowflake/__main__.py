"""``python -m local.snowflake PORT``: serve on this port of 127.0.0.1 until a signal."""

from __future__ import annotations

import asyncio
import sys

import anyio.to_thread
import uvicorn

from .server import THREADS, Server


async def serve(port: int) -> None:
    """Serve until the process gets a signal."""
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    config = uvicorn.Config(Server().app, "127.0.0.1", port, log_level="warning")
    await uvicorn.Server(config).serve()


asyncio.run(serve(int(sys.argv[1])))
