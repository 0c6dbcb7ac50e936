#!/usr/bin/env python3
"""Load rows with another library: ``sweep_peers.py write_pandas|dlt ROWS``.

The script runs in an environment of its own, with the same settings as the app. It prints the
seconds or the error as JSON. Afterwards, each row is in the table ``t`` once.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from rows import COLUMNS, INSERT_NEW, TABLE, Rows, plain

PARTS = (
    "account",
    "user",
    "password",
    "warehouse",
    "database",
    "schema",
    "host",
    "port",
    "protocol",
)


def write_pandas(given: Rows, named: dict[str, str]) -> None:
    """Load the rows into a second table with ``write_pandas``, then insert the new ones."""
    import pandas
    import snowflake.connector
    from snowflake.connector.pandas_tools import write_pandas as write

    with snowflake.connector.connect(**named) as session:
        session.cursor().execute(TABLE)
        session.cursor().execute(TABLE.replace("TABLE t", "TEMPORARY TABLE s"))
        write(session, pandas.DataFrame(given, columns=COLUMNS), "s", quote_identifiers=False)
        session.cursor().execute(INSERT_NEW)


def dlt(given: Rows, named: dict[str, str]) -> None:
    """Merge the rows by their key with dlt, into the table that dlt creates."""
    import dlt as library

    credentials = {
        **{name: named[name] for name in ("warehouse", "database", "password")},
        "username": named["user"],
        "host": named["account"],
        "query": {name: named[name] for name in ("host", "port", "protocol")},
    }
    with tempfile.TemporaryDirectory() as folder:
        pipeline = library.pipeline(
            pipeline_name="deletes",
            pipelines_dir=folder,
            destination=library.destinations.snowflake(credentials=credentials),
            dataset_name=named["schema"],
        )
        deletes = (dict(zip(COLUMNS, row)) for row in given)
        pipeline.run(deletes, table_name="t", write_disposition="merge", primary_key="event_id")


def root(error: BaseException) -> BaseException:
    """Return the root cause of an error."""
    beneath = error.__cause__ or error.__context__
    return root(beneath) if beneath else error


if __name__ == "__main__":
    work: dict[str, Callable[[Rows, dict[str, str]], None]] = {
        "write_pandas": write_pandas,
        "dlt": dlt,
    }
    rows = plain(int(sys.argv[2]))
    began = time.monotonic()
    try:
        work[sys.argv[1]](rows, {part: os.environ[f"SNOWFLAKE_{part.upper()}"] for part in PARTS})
        told: dict[str, object] = {"seconds": time.monotonic() - began}
    except Exception as error:  # noqa: BLE001  (the result shows the error)
        told = {"error": f"{type(root(error)).__name__}: {root(error)}"}
    print(json.dumps(told))
