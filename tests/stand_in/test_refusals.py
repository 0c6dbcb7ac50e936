"""What the stand-in refuses as Snowflake does, and with which number.

The sources of the rules stand beside the rules, in ``tests/local/snowflake/``.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from local import emulators
from local.account import Account
from snowflake.connector.errors import IntegrityError

from .conftest import Connect, Session


@pytest.fixture
def session(connect: Connect) -> Session:
    """A session with an empty table ``t``."""
    opened: Session = connect()
    opened(
        "CREATE TABLE t (k INTEGER AUTOINCREMENT PRIMARY KEY, name VARCHAR(5) UNIQUE, "
        "more VARCHAR, moment TIMESTAMP_NTZ, v VARIANT)"
    )
    return opened


# -- constraints


def test_primary_key_and_unique_are_not_enforced(session: Session) -> None:
    """Source: page "Constraints"."""
    for _ in range(2):
        session("INSERT INTO t (k, name) SELECT 1 AS k, 'same' AS name")
    assert session.one("SELECT COUNT(*) AS n FROM t") == 2


def test_a_key_of_several_columns_is_not_enforced(connect: Connect) -> None:
    """All of its columns are NOT NULL."""
    session = connect()
    session("CREATE TABLE u (a INTEGER, b INTEGER, PRIMARY KEY (a, b), UNIQUE (b))")
    for _ in range(2):
        session("INSERT INTO u SELECT 1 AS a, 1 AS b")
    assert session.refused("INSERT INTO u (a) SELECT 1 AS a") == "100072"


def test_null_in_a_column_of_the_primary_key_is_refused(session: Session) -> None:
    """The connector raises an ``IntegrityError``, with the text of a live account."""
    with pytest.raises(
        IntegrityError,
        match=r"100072.*DML operation to table T failed on column K with error: NULL result",
    ):
        session("INSERT INTO t (k, name) SELECT NULL AS k, 'x' AS name")
    session("INSERT INTO t (name) SELECT 'x' AS name")
    assert session.refused("UPDATE t SET k = NULL") == "100072"


def test_a_text_that_is_too_long_is_refused(session: Session) -> None:
    """Also by UPDATE and MERGE, with the text of a live account. A text as long fits."""
    session("INSERT INTO t (name) SELECT 'fives' AS name")
    for statement in (
        "INSERT INTO t (name) SELECT 'sixsix' AS name",
        "UPDATE t SET name = 'sixsix'",
        "MERGE INTO t USING (SELECT 'sixsix' AS name) s ON t.name = s.name "
        "WHEN NOT MATCHED THEN INSERT (name) VALUES (s.name)",
    ):
        assert session.refused(statement) == "100078"
    with pytest.raises(
        Exception,
        match="DML operation to table T failed on column NAME with error: "
        "String 'sixsix' is too long and would be truncated",
    ):
        session("UPDATE t SET name = 'sixsix'")
    assert session("SELECT name FROM t") == [("fives",)]


def test_a_length_ends_with_its_table(connect: Connect) -> None:
    session = connect()
    session("CREATE TABLE u (name VARCHAR(1), other VARCHAR(1), k INTEGER)")
    session("CREATE OR REPLACE TABLE u (name VARCHAR, other VARIANT, k INTEGER)")
    assert session("INSERT INTO u (name) SELECT 'long' AS name") == [(1,)]
    session("ALTER TABLE u DROP COLUMN name")
    assert session("INSERT INTO u (other) SELECT PARSE_JSON('{}') AS other") == [(1,)]


def test_the_view_of_columns_tells_lengths_nulls_and_identity(session: Session) -> None:
    """A VARCHAR without a length has 16 MB. Source: page "COLUMNS View"."""
    session("CREATE TABLE made AS SELECT 'x' AS name")
    assert session(
        "SELECT table_name AS t, column_name AS c, data_type AS d, character_maximum_length AS l, "
        "is_nullable AS n, column_default AS f, is_identity AS i FROM information_schema.columns "
        "WHERE table_schema = CURRENT_SCHEMA() ORDER BY t, ordinal_position"
    ) == [
        ("MADE", "NAME", "TEXT", 16777216, "YES", None, "NO"),
        ("T", "K", "NUMBER", None, "NO", None, "YES"),
        ("T", "NAME", "TEXT", 5, "YES", None, "NO"),
        ("T", "MORE", "TEXT", 16777216, "YES", None, "NO"),
        ("T", "MOMENT", "TIMESTAMP_NTZ", None, "YES", None, "NO"),
        ("T", "V", "VARIANT", None, "YES", None, "NO"),
    ]


def test_a_text_column_may_grow_and_allow_null(session: Session) -> None:
    """Source: page "ALTER TABLE … ALTER COLUMN"."""
    session("ALTER TABLE t ALTER COLUMN name SET DATA TYPE VARCHAR(6)")
    session("INSERT INTO t (name) SELECT 'sixsix' AS name")
    session("ALTER TABLE t ALTER COLUMN k DROP NOT NULL")
    session("INSERT INTO t (k) SELECT NULL AS k")
    session("ALTER TABLE t ALTER COLUMN k SET DATA TYPE NUMBER(20, 0)")


def test_a_renamed_table_keeps_its_rows_and_lengths(session: Session) -> None:
    """Its old name is free."""
    session("INSERT INTO t (name) SELECT 'fives' AS name")
    session("ALTER TABLE t RENAME TO u")
    assert session("SELECT name FROM u") == [("fives",)]
    assert session.refused("UPDATE u SET name = 'sixsix'") == "100078"
    assert session.refused("SELECT name FROM t") == "002003"
    session("CREATE TABLE t (name VARCHAR)")
    session("INSERT INTO t SELECT 'sixsix' AS name")
    assert session.refused("ALTER TABLE t RENAME TO u") == "002002"


@pytest.mark.parametrize(
    "change",
    [
        "name SET DATA TYPE VARCHAR(4)",
        "more SET DATA TYPE VARCHAR(255)",
        "name SET DATA TYPE INTEGER",
        "k SET DATA TYPE NUMBER(38, 2)",
        "moment SET DATA TYPE VARCHAR",
        "name SET DEFAULT 'x'",
    ],
)
def test_other_changes_of_a_column_are_refused(session: Session, change: str) -> None:
    assert session.refused(f"ALTER TABLE t ALTER COLUMN {change}") == "002108"


# -- statements


@pytest.mark.parametrize(
    ("statement", "number"),
    [
        ("SELECT * FROM nowhere", "002003"),
        ("INSERT INTO nowhere SELECT 1 AS k", "002003"),
        ("UPDATE nowhere SET k = 1", "002003"),
        ("DELETE FROM nowhere", "002003"),
        ("MERGE INTO nowhere USING t s ON TRUE WHEN MATCHED THEN DELETE", "002003"),
        ("COPY INTO t FROM @nowhere/x/ FILE_FORMAT=(TYPE=JSON)", "002003"),
        ("LIST @nowhere", "002003"),
        ("PUT file:///tmp/x @nowhere", "002003"),
        ("DROP TABLE nowhere", "002003"),
        ("SELECT wrong FROM t", "000904"),
        ("INSERT INTO t (wrong) SELECT 1 AS k", "000904"),
        ("UPDATE t SET wrong = 1", "000904"),
        ("SELECT name FROM t a JOIN t b ON a.k = b.k", "002028"),
        ("SELEC 1", "001003"),
        ("SELECT (1", "001003"),
        ("CREATE TABLE t (k INTEGER)", "002002"),
        ("SELECT nothing_known(1) AS x", "002140"),
        ("SELECT 'x'::INTEGER AS x", "100038"),
        ("SELECT 'x'::BOOLEAN AS x", "100037"),
        ("SELECT 123456::NUMBER(5, 2) AS x", "100039"),
        ("SELECT 'x'::DATE AS x", "100040"),
        ("SELECT '2026-13-01'::DATE AS x", "100040"),
        ("SELECT 'x'::TIMESTAMP_NTZ AS x", "100035"),
        ("SELECT TO_TIMESTAMP_NTZ('2026-02-30') AS x", "100035"),
        ("INSERT INTO t (moment) SELECT 'x' AS moment", "100035"),
        ("SELECT PARSE_JSON('{') AS x", "100069"),
        ('SELECT PARSE_JSON(\'{"a": 1, "a": 2}\') AS x', "100069"),
        ('SELECT PARSE_JSON(\'{"b": {"a": 1, "a": 2}}\') AS x', "100069"),
        ('SELECT PARSE_JSON(c) AS x FROM (SELECT \'{"a": 1, "a": 2}\' AS c)', "100069"),
        ("INSERT INTO t (v) VALUES (PARSE_JSON('{}'))", "002014"),
        ("SELECT column1 AS v FROM VALUES (PARSE_JSON('{}'))", "002014"),
    ],
)
def test_a_refusal_has_snowflakes_number(session: Session, statement: str, number: str) -> None:
    """No refusal is an HTTP 500, which the connector would try again."""
    assert session.refused(statement) == number


def test_no_value_is_null_and_no_error_for_the_functions_that_try(session: Session) -> None:
    """PARSE_JSON of an empty text is NULL too. Source: pages "TRY_CAST", "PARSE_JSON"."""
    assert session(
        "SELECT TRY_CAST('x' AS TIMESTAMP_NTZ) AS a, TRY_CAST('x' AS INTEGER) AS b, "
        "TRY_TO_TIMESTAMP_NTZ('x') AS c, PARSE_JSON('') AS d, CHECK_JSON('{}') AS e"
    ) == [(None, None, None, None, None)]


def test_sums_of_integers_are_integers(session: Session) -> None:
    (row,) = session("SELECT SUM(IFF(TRUE, 1, 0)) AS a, SUM(column1) AS b FROM VALUES (1), (2)")
    assert row == (2, 3)
    assert {type(one) for one in row} == {int}


def test_in_is_refused_for_a_text_with_a_collation(session: Session, account: Account) -> None:
    """If the account sets DEFAULT_DDL_COLLATION, every text column has one. Source: page "IN"."""
    statement = "SELECT k FROM t WHERE name IN ('a', 'b')"
    assert session(statement) == []
    account.set(parameters={"DEFAULT_DDL_COLLATION": "en-ci"})
    assert session.refused(statement) == "000002"
    assert session.refused("SELECT k FROM t WHERE (name, k) IN (('a', 1))") == "000002"
    assert session.refused("SELECT k FROM t WHERE COALESCE(name, '') IN ('a')") == "000002"
    assert session("SELECT k FROM t WHERE v:name::VARCHAR IN ('a')") == []


def test_like_is_refused_for_a_text_with_a_collation(session: Session, account: Account) -> None:
    """If the collation has a language. Source: pages "LIKE" and "Collation support"."""
    statement = "SELECT k FROM t WHERE COALESCE(name, '') NOT LIKE '%*'"
    columns = "SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'NOTHING%'"
    assert session(statement) == []
    account.set(parameters={"DEFAULT_DDL_COLLATION": "en-ci"})
    for one in (statement, statement.replace("LIKE", "ILIKE")):
        assert session.refused(one) == "000002"
    assert session.refused("SELECT k FROM t WHERE name LIKE ANY ('a%', 'b%')") == "000002"
    assert session("SELECT k FROM t WHERE v:name::VARCHAR LIKE 'a%'") == []
    assert session(columns) == []


def test_a_file_with_a_key_twice_is_refused_by_copy(session: Session, tmp_path: Path) -> None:
    """Nothing of the file is loaded. Source: page "COPY INTO <table>", ALLOW_DUPLICATE."""
    session("CREATE STAGE s")
    session("CREATE TEMPORARY TABLE staging (v VARIANT)")
    copy = "COPY INTO staging FROM @s/x/ FILE_FORMAT=(TYPE=JSON)"
    for line, number in ((b'{"a": {"b": 1, "b": 2}}', "100069"), (b"no json", "100069")):
        file = tmp_path / "rows.gz"
        file.write_bytes(gzip.compress(b'{"a": 1}\n' + line + b"\n"))
        session(f"PUT file://{file} @s/x AUTO_COMPRESS=FALSE OVERWRITE=TRUE")
        assert session.refused(copy) == number
    assert session.one("SELECT COUNT(*) AS n FROM staging") == 0


# -- SHOW


def test_show_stages_without_a_schema_covers_the_database(connect: Connect, schema: str) -> None:
    """Of two stages with one name it shows that of the other schema. Source: "SHOW STAGES"."""
    name = f"{schema}_STAGE"
    mine, other = connect(), connect(schema=f"{schema}_OTHER")
    other(f"CREATE STAGE {name}")
    assert [row[1:4] for row in mine(f"SHOW STAGES LIKE '{name}'")] == [
        (name, "AUDIT", f"{schema}_OTHER")
    ]
    mine(f"CREATE STAGE {name}")
    assert [row[3] for row in mine(f"SHOW STAGES LIKE '{name}'")] == [f"{schema}_OTHER"]
    inside = f'SHOW STAGES IN SCHEMA "AUDIT"."{schema}"'
    assert [row[1:4] for row in mine(inside)] == [(name, "AUDIT", schema)]
    assert [row[1:4] for row in mine(f"SHOW STAGES LIKE '{name}' IN SCHEMA {schema}")] == [
        (name, "AUDIT", schema)
    ]


def test_the_path_of_list_and_remove_is_a_prefix(session: Session, tmp_path: Path) -> None:
    """So a path without a slash at its end takes files of other folders. Source: page "REMOVE"."""
    session("CREATE STAGE s")
    file = tmp_path / "x.gz"
    file.write_bytes(b"x")
    for folder in ("a", "ab"):
        session(f"PUT file://{file} @s/{folder} AUTO_COMPRESS=FALSE")
    assert [row[0] for row in session("LIST @s/a")] == ["s/a/x.gz", "s/ab/x.gz"]
    assert session("REMOVE @s/a/") == [("s/a/x.gz", "removed")]
    assert [row[0] for row in session('LIST @"S"')] == ["s/ab/x.gz"]


# -- faults that a test asks for


def test_a_fault_happens_once_and_only_to_its_statement(session: Session, account: Account) -> None:
    account.fault("refuse", "SELECT 2", number="090073")
    assert session("SELECT 1 AS x") == [(1,)]
    assert session.refused("SELECT 2 AS x") == "090073"
    assert session("SELECT 2 AS x") == [(2,)]
    assert account.happened() == {"refuse": 1}


def test_a_lost_answer_leaves_what_was_done(session: Session, account: Account) -> None:
    session("INSERT INTO t (name) SELECT 'x' AS name")
    account.fault("lose", "COMMIT")
    assert session.refused("COMMIT") == "000604"
    session("ROLLBACK")
    assert session.one("SELECT COUNT(*) AS n FROM t") == 1


def test_a_rollback_that_fails_keeps_the_transaction(session: Session, account: Account) -> None:
    """The next DDL then commits it."""
    session("INSERT INTO t (name) SELECT 'x' AS name")
    account.fault("refuse", "ROLLBACK")
    assert session.refused("ROLLBACK") == "000604"
    session("CREATE TABLE other (k INTEGER)")
    session("ROLLBACK")
    assert session.one("SELECT COUNT(*) AS n FROM t") == 1


def test_a_session_can_end(session: Session, account: Account, connect: Connect) -> None:
    session("INSERT INTO t (name) SELECT 'x' AS name")
    account.fault("end", "SELECT 1")
    assert session.refused("SELECT 1 AS x") == "390111"
    assert session.refused("SELECT 2 AS x") == "390111"
    assert connect().one("SELECT COUNT(*) AS n FROM t") == 0


@pytest.mark.parametrize(("when", "rows"), [("before", 1), ("after", 0)])
def test_a_transaction_is_aborted_at_a_statement(
    session: Session, account: Account, when: str, rows: int
) -> None:
    session("INSERT INTO t (name) SELECT 'x' AS name")
    account.fault("abort", "INSERT INTO t (more)", when=when)
    session("INSERT INTO t (more) SELECT 'y' AS more")
    assert session.one("SELECT COUNT(*) AS n FROM t") == rows


def test_a_delay_is_bounded_by_the_statements_time(connect: Connect, account: Account) -> None:
    session = connect(session_parameters={"STATEMENT_TIMEOUT_IN_SECONDS": 1})
    account.fault("delay", "SELECT 1", seconds=30)
    assert session.refused("SELECT 1 AS x") == "000630"


def test_random_faults_happen_until_they_are_cleared(session: Session, account: Account) -> None:
    account.random_faults(seed=1, rate=1, kinds=["refuse"])
    numbers = {session.refused("SELECT 1 AS x") for _ in range(40)}
    assert numbers == {"000604", "000630", "000625", "090073"}
    account.clear_faults()
    assert session("SELECT 1 AS x") == [(1,)]


def test_the_record_has_each_statement_with_its_outcome(session: Session, account: Account) -> None:
    account.forget_statements()
    session("SELECT 1\n  AS x")
    session.refused("SELECT * FROM nowhere")
    assert [(one.line, one.outcome) for one in account.statements()] == [
        ("SELECT 1 AS x", "ok"),
        ("SELECT * FROM nowhere", "002003"),
    ]
    assert len({one.session for one in account.statements()}) == 1


def test_a_request_that_comes_twice_is_run_once(
    session: Session, snowflake: emulators.Server
) -> None:
    """The connector repeats a request with the same id if the connection breaks."""
    import json
    import urllib.request

    token = session.connection.rest.token
    body = json.dumps({"sqlText": "INSERT INTO t (name) SELECT 'x' AS name"}).encode()
    url = f"http://127.0.0.1:{snowflake.port}/queries/v1/query-request?requestId=same"
    headers = {"Authorization": f'Snowflake Token="{token}"', "Content-Type": "application/json"}
    answers = [
        json.load(urllib.request.urlopen(urllib.request.Request(url, body, headers)))
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert session.one("SELECT COUNT(*) AS n FROM t") == 1
