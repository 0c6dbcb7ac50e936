"""Translates each statement of its input twice, and prints those that differ: see test_passes.py.

Once with all of fakesnow's passes, and once as the stand-in does.
"""

from __future__ import annotations

import json
import sys

from fakesnow.dialect import parse_one
from fakesnow.instance import FakeSnow
from local.snowflake import passes


def main() -> None:
    """Read a list of statements, and print the list of those whose results differ."""
    fake = FakeSnow()
    with fake.connect("AUDIT", "SALESFORCE") as connection, connection.cursor() as cursor:
        differ = []
        for sql in json.load(sys.stdin):
            every = cursor._transform(parse_one(sql), None)
            ours = passes.transformed(cursor, parse_one(sql))
            if (every.sql("duckdb"), every.args.keys()) != (ours.sql("duckdb"), ours.args.keys()):
                differ.append(sql)
    print(json.dumps(differ))


if __name__ == "__main__":
    main()
