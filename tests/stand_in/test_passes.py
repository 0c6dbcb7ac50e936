"""The passes of fakesnow that the stand-in leaves out change nothing."""

from __future__ import annotations

import json
import os
import subprocess

from local import environments, warehouse

TESTS = environments.REPOSITORY / "tests"
FILES = ("1_tables.sql", "3_views.sql")
OTHERS = (
    "SELECT RANDOM(7), SHA2(a, 256), TO_DATE(b), c:x::VARCHAR, ARRAY_AGG(d) FROM t SAMPLE (10)",
    "SELECT f.value::VARCHAR FROM t, LATERAL FLATTEN(input => t.v:list) f",
    "SELECT DATEADD(day, 1, '2026-01-01'), OBJECT_CONSTRUCT('a', 1)",
    "SELECT DATEDIFF(day, '2026-01-01', a) FROM t",
    "CREATE TABLE n (a NUMBER, b VARCHAR(5), c VARIANT, d TIMESTAMP_NTZ) COMMENT = 'x'",
    "ALTER TABLE t ADD COLUMN a VARCHAR(7)",
    "SHOW TABLES",
    "SHOW COLUMNS IN TABLE t",
    "SHOW PRIMARY KEYS IN TABLE t",
    "USE SCHEMA salesforce",
    "SELECT * FROM information_schema.tables",
    'SELECT * FROM "INFORMATION_SCHEMA".databases',
    "SELECT RANDOM() FROM a JOIN b ON c = d",
    "SELECT a AS b, x.c FROM t JOIN x ON b = 1",
    "SELECT OBJECT_CONSTRUCT('a', 1) AS o FROM t WHERE o IS NULL",
    "SELECT seq.nextval",
    'SELECT seq."nextval"',
    "SELECT * FROM TABLE(RESULT_SCAN('a'))",
    "SELECT * FROM IDENTIFIER('a.b')",
    "SET a = 1",
    "ALTER TABLE t CLUSTER BY (a)",
    "ALTER TABLE t DROP CLUSTERING KEY",
    "ALTER TABLE t SUSPEND RECLUSTER",
    'SELECT "a", b.C, \'d\' AS "é" FROM "x"."y" z',
    "DROP SCHEMA other",
)


def test_a_statement_becomes_the_same_with_fewer_passes() -> None:
    """The statements of the sync and of the set-up, and one of most kinds of pass."""
    text = (TESTS / "sync/statements.sql").read_text().replace("%s", "'a'")
    sent = [one.strip() for one in text.split(";\n") if one.strip() and not _names_a_stage(one)]
    sent += [one for name in FILES for one in warehouse.statements(name) if not _names_a_stage(one)]
    compared = subprocess.run(
        [str(environments.group("fakesnow")), str(TESTS / "stand_in/compare_passes.py")],
        input=json.dumps([*sent, *OTHERS]),
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert compared.returncode == 0, compared.stderr
    assert len(sent) > 100
    assert json.loads(compared.stdout) == []


def _names_a_stage(statement: str) -> bool:
    """Whether a statement is about a stage: its translation has the time or a new folder."""
    words = ("PUT", "REMOVE", "LIST", "CREATE STAGE")
    return any(f"\n{word} " in f"\n{statement}" for word in words)
