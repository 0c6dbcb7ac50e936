"""Asks a Snowflake that falls silent, through whichever connector this Python has.

See test_silence.py. It prints the error, and how long the call and the end of its session took.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

warnings.simplefilter("ignore")  # version 5 warns of parameters that version 4 does not know
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

import snowflake.connector  # noqa: E402  (found through the lines above)

from delete_sync.src.budget import Budget  # noqa: E402
from delete_sync.src.errors import SyncError  # noqa: E402
from delete_sync.src.warehouse.names import Identifier, names_of  # noqa: E402
from delete_sync.src.warehouse.session import Session  # noqa: E402


def main(port: str, schema: str, what: str, seconds: str) -> None:
    """Open a session early in a sweep, and ask when the sweep has some seconds left."""
    names = names_of(Identifier("DELETE_TRACKER"), Identifier("AUDIT"), Identifier(schema))
    parameters = {
        "account": "local",
        "user": "local",
        "password": "local",
        "host": "127.0.0.1",
        "port": int(port),
        "protocol": "http",
        "database": "AUDIT",
        "schema": schema,
    }
    later = 0.0
    budget = Budget(0, time.monotonic() + 1000, lambda: time.monotonic() + later)
    session = None
    if what != "login":
        session = Session(parameters, names, sweep_id="s1", budget=budget)
        session.rows("create_lock")
        session.rows("create_stage")
    later = 1000 - float(seconds)
    begun = time.monotonic()
    told: dict[str, object] = {"version": snowflake.connector.__version__}
    try:
        if session is None:
            Session(parameters, names, sweep_id="s1", budget=budget)
        elif what == "put":
            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / "rows_0.gz").write_bytes(b"rows")
                session.rows("put", files=f"file://{folder}/rows_*.gz", path="s1")
        else:
            with session.transaction():
                session.change("take_lock", ["token"])
    except SyncError as error:
        told["error"] = f"{type(error).__name__}: {error}"
    told["seconds"] = time.monotonic() - begun
    if session:
        session.close()
    told["with the end"] = time.monotonic() - begun
    print(json.dumps(told), flush=True)
    os._exit(0)  # the connector's own threads would wait for the silent server


main(*sys.argv[1:])
