"""``python -m local.snowflake PORT [THREADS]``: serve on this port of 127.0.0.1 until a signal.

THREADS is how many threads run a statement. Without it, it is one for each core.
"""

from __future__ import annotations

import gc
import sys

import anyio.to_thread
import uvicorn
import uvloop

from .server import THREADS, Server

# Objects between two garbage collections. A statement makes thousands, and few of them stay.
COLLECT_AFTER = 100_000


async def serve(port: int, threads: int | None = None) -> None:
    """Serve until the process gets a signal."""
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    config = uvicorn.Config(
        Server(threads).app,
        "127.0.0.1",
        port,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        lifespan="off",
    )
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    uvloop.run(serve(*map(int, sys.argv[1:])))
