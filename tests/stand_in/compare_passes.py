"""Translates each statement of its input twice, and prints those that differ: see test_passes.py.

Once with all of fakesnow's passes, and once as the stand-in does.
"""

from __future__ import annotations

import json
import sys

from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.dialect import parse_one
from fakesnow.instance import FakeSnow
from local.snowflake import passes


def main() -> None:
    """Read a list of statements, and print the list of those whose results differ."""
    fake = FakeSnow()
    by_schema = {
        "SALESFORCE": json.load(sys.stdin),
        "INFORMATION_SCHEMA": ["SELECT * FROM databases"],
    }
    differ = []
    for schema, statements in by_schema.items():
        with fake.connect("AUDIT", schema) as connection, connection.cursor() as cursor:
            differ += [sql for sql in statements if _differs(cursor, sql)]
    print(json.dumps(differ))


def _differs(cursor: FakeSnowflakeCursor, sql: str) -> bool:
    every = cursor._transform(parse_one(sql), None)
    ours = passes.transformed(cursor, parse_one(sql))
    return (every.sql("duckdb"), every.args.keys()) != (ours.sql("duckdb"), ours.args.keys())


if __name__ == "__main__":
    main()
