"""``python -m local.snowflake PORT``: serve on this port of 127.0.0.1 until a signal."""

from __future__ import annotations

import sys

import anyio.to_thread
import uvicorn
import uvloop

from .server import THREADS, Server


async def serve(port: int) -> None:
    """Serve until the process gets a signal."""
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    config = uvicorn.Config(
        Server().app,
        "127.0.0.1",
        port,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        lifespan="off",
    )
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
