"""Loads a file as the sync does, with whichever connector this Python has: see test_connectors.py.

It prints what happened as JSON.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")  # version 5 warns of parameters that version 4 does not know

import snowflake.connector  # noqa: E402  (version 5 warns as it is imported)


def main(port: str, schema: str, file: str) -> None:
    """Stage, merge twice, roll back once and commit once. Then fail and close."""
    connection = snowflake.connector.connect(
        account="local",
        user="local",
        password="local",
        host="127.0.0.1",
        port=int(port),
        protocol="http",
        database="AUDIT",
        schema=schema,
        autocommit=False,
        login_timeout=20,
        network_timeout=60,
        platform_detection_timeout_seconds=0.0,
        session_parameters={"TIMEZONE": "UTC"},
    )

    def run(sql: str) -> list[list[object]]:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return [list(row) for row in cursor.fetchall()]

    merge = (
        "MERGE INTO t USING (SELECT v:k::INTEGER AS k FROM staging) s ON t.k = s.k "
        "WHEN NOT MATCHED THEN INSERT (k, at_utc) VALUES (s.k, '2026-02-01T00:00:00.5Z')"
    )
    count = "SELECT COUNT(*) AS n, MAX(at_utc)::VARCHAR AS at_utc FROM t"
    run("CREATE TABLE t (k INTEGER, text VARCHAR(3), at_utc TIMESTAMP_NTZ)")
    run("CREATE STAGE s")
    run("CREATE TEMPORARY TABLE staging (v VARIANT)")
    run(f"PUT 'file://{Path(file).as_posix()}' '@s/x' AUTO_COMPRESS=FALSE OVERWRITE=TRUE")
    told = {
        "copied": run("COPY INTO staging FROM @s/x/ FILE_FORMAT=(TYPE=JSON) PURGE=TRUE")[0][3],
        "committed": run("COMMIT"),
        "merged": run(merge),
        "rolled back": run("ROLLBACK"),
        "then": run(count),
        "merged again": run(merge),
        "updated": run("UPDATE t SET text = 'x'"),
    }
    connection.commit()
    told["at last"] = run(count)
    for sql in ("SELECT * FROM nowhere", "INSERT INTO t (text) SELECT 'long' AS text"):
        try:
            run(sql)
        except snowflake.connector.errors.Error as error:
            told[sql.split()[0]] = [error.errno, error.sqlstate]
    connection.close()
    print(json.dumps({"version": snowflake.connector.__version__, **told}))


main(*sys.argv[1:])
