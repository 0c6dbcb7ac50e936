"""Who may do what: roles, users, warehouses and grants.

Source of the rules: Snowflake documentation, page "Access control privileges".
"""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from .conftest import Connect, Session


class Roles:
    """A schema with a table, a view and a stage, and a user with a role that may use the schema."""

    def __init__(self, connect: Connect, schema: str) -> None:
        name = uuid.uuid4().hex[:8].upper()
        self.role, self.user, self.warehouse = f"R_{name}", f"U_{name}", f"W_{name}"
        self.schema = schema
        self.admin: Session = connect()
        self._connect = connect
        for statement in (
            "USE ROLE SYSADMIN",
            "CREATE TABLE t (k INTEGER, text VARCHAR(5))",
            "CREATE VIEW v AS SELECT k FROM t",
            "CREATE STAGE s",
            f"CREATE WAREHOUSE {self.warehouse} WAREHOUSE_SIZE = XSMALL",
            "USE ROLE USERADMIN",
            f"CREATE ROLE {self.role}",
            f"CREATE USER {self.user} TYPE = SERVICE DEFAULT_ROLE = {self.role} "
            f"DEFAULT_WAREHOUSE = {self.warehouse} DEFAULT_SECONDARY_ROLES = ()",
            "USE ROLE SECURITYADMIN",
            f"GRANT ROLE {self.role} TO USER {self.user}",
        ):
            self.admin(statement)
        self.grant(f"USAGE ON WAREHOUSE {self.warehouse}")
        self.grant("USAGE ON DATABASE audit", f"USAGE ON SCHEMA audit.{schema}")

    def grant(self, *rights: str) -> None:
        """Grant rights to the role."""
        for right in rights:
            self.admin(f"GRANT {right} TO ROLE {self.role}")

    def session(self, **changes: str) -> Session:
        """Open a session of the user."""
        session: Session = self._connect(user=self.user, **changes)
        return session


@pytest.fixture
def roles(connect: Connect, schema: str) -> Roles:
    return Roles(connect, schema)


WHERE = "MERGE INTO t USING (SELECT 1 AS k) s ON t.k = s.k"


@pytest.mark.parametrize(
    ("statement", "rights"),
    [
        ("SELECT k FROM t", ["SELECT ON TABLE t"]),
        ("SELECT k FROM v", ["SELECT ON VIEW v"]),
        ("INSERT INTO t (k) SELECT 1 AS k", ["INSERT ON TABLE t"]),
        ("INSERT INTO t (k) SELECT k FROM v", ["INSERT ON TABLE t", "SELECT ON VIEW v"]),
        ("UPDATE t SET k = 1", ["SELECT, UPDATE ON TABLE t"]),
        ("DELETE FROM t", ["SELECT, DELETE ON TABLE t"]),
        (
            f"{WHERE} WHEN NOT MATCHED THEN INSERT (k) VALUES (s.k)",
            ["SELECT ON TABLE t", "INSERT ON TABLE t"],
        ),
        (f"{WHERE} WHEN MATCHED THEN DELETE", ["SELECT ON TABLE t", "DELETE ON TABLE t"]),
        (
            f"{WHERE} WHEN MATCHED THEN UPDATE SET t.k = 2",
            ["SELECT ON TABLE t", "UPDATE ON TABLE t"],
        ),
        ("TRUNCATE TABLE t", ["TRUNCATE ON TABLE t"]),
        ("LIST @s", ["READ ON STAGE s"]),
        ("REMOVE @s", ["READ ON STAGE s", "WRITE ON STAGE s"]),
        ("COPY INTO t FROM @s/x/", ["READ ON STAGE s", "INSERT ON TABLE t"]),
        ("CREATE TABLE IF NOT EXISTS t (k INTEGER)", ["CREATE TABLE ON SCHEMA audit.{}"]),
        ("CREATE TABLE other (k INTEGER)", ["CREATE TABLE ON SCHEMA audit.{}"]),
        ("CREATE STAGE IF NOT EXISTS s", ["CREATE STAGE ON SCHEMA audit.{}"]),
        (
            "CREATE VIEW other AS SELECT k FROM t",
            ["CREATE VIEW ON SCHEMA audit.{}", "SELECT ON TABLE t"],
        ),
        ("ALTER TABLE t ADD COLUMN more VARCHAR", ["OWNERSHIP ON TABLE t"]),
        ("DROP TABLE t", ["OWNERSHIP ON TABLE t"]),
        ("CREATE TEMPORARY TABLE t (k INTEGER)", ["OWNERSHIP ON TABLE t"]),
    ],
)
def test_a_statement_needs_each_of_its_rights(
    roles: Roles, statement: str, rights: list[str]
) -> None:
    """Without a right to the object 002003, with another right to it 003001."""
    session = roles.session()
    for right in rights:
        assert session.refused(statement) in ("002003", "003001")
        roles.grant(right.format(roles.schema))
    session(statement)


def test_the_number_tells_whether_the_role_has_another_right(roles: Roles) -> None:
    session = roles.session()
    assert session.refused("SELECT k FROM t") == "002003"
    roles.grant("INSERT ON TABLE t")
    assert session.refused("SELECT k FROM t") == "003001"
    roles.admin(f"REVOKE INSERT ON TABLE t FROM ROLE {roles.role}")
    assert session.refused("SELECT k FROM t") == "002003"


def test_a_view_is_read_with_the_rights_of_its_owner(roles: Roles) -> None:
    """So a reader of the view need not read its table. Future grants begin with the view."""
    roles.grant("SELECT ON ALL VIEWS IN SCHEMA audit." + roles.schema)
    roles.grant("SELECT ON FUTURE VIEWS IN SCHEMA audit." + roles.schema)
    roles.admin("CREATE VIEW later AS SELECT k FROM t")
    roles.admin("INSERT INTO t (k) SELECT 1 AS k")
    session = roles.session()
    assert session("SELECT k FROM v") == session("SELECT k FROM later") == []
    assert session.refused("SELECT k FROM t") == "002003"
    roles.admin("COMMIT")
    assert session("SELECT k FROM later") == [(1,)]


def test_future_grants_of_a_schema_switch_those_of_the_database_off(roles: Roles) -> None:
    """Also those to another role. Source: page "GRANT <privileges>", "Future grants"."""
    other = f"{roles.role}_OTHER"
    roles.admin(f"CREATE ROLE {other}")
    roles.grant("SELECT ON FUTURE VIEWS IN DATABASE audit")
    roles.admin("CREATE VIEW before AS SELECT k FROM t")
    roles.admin(f"GRANT SELECT ON FUTURE VIEWS IN SCHEMA audit.{roles.schema} TO ROLE {other}")
    roles.admin("CREATE VIEW after AS SELECT k FROM t")
    session = roles.session()
    assert session("SELECT k FROM before") == []
    assert session.refused("SELECT k FROM after") == "002003"


def test_a_temporary_table_needs_no_right_but_the_schema(roles: Roles) -> None:
    """Its owner may do everything with it."""
    session = roles.session()
    session("CREATE OR REPLACE TEMPORARY TABLE own (k INTEGER)")
    session("INSERT INTO own SELECT 1 AS k")
    session("UPDATE own SET k = 2")
    assert session("SELECT k FROM own") == [(2,)]


def test_the_role_that_makes_a_table_may_do_everything_with_it(roles: Roles) -> None:
    roles.grant(f"CREATE TABLE ON SCHEMA audit.{roles.schema}")
    session = roles.session()
    session("CREATE TABLE own (k INTEGER)")
    session("INSERT INTO own SELECT 1 AS k")
    session("ALTER TABLE own ADD COLUMN more VARCHAR")
    session("DROP TABLE own")


def test_a_role_inherits_the_rights_of_a_role_that_is_granted_to_it(roles: Roles) -> None:
    roles.admin("USE ROLE USERADMIN")
    roles.admin(f"CREATE ROLE {roles.role}_INNER")
    roles.admin("USE ROLE SECURITYADMIN")
    roles.admin(f"GRANT SELECT ON TABLE t TO ROLE {roles.role}_INNER")
    session = roles.session()
    assert session.refused("SELECT k FROM t") == "002003"
    roles.admin(f"GRANT ROLE {roles.role}_INNER TO ROLE {roles.role}")
    assert session("SELECT k FROM t") == []


def test_secondary_roles_count_until_they_are_switched_off(roles: Roles) -> None:
    """A user without DEFAULT_SECONDARY_ROLES = () has ALL. Source: page "CREATE USER"."""
    roles.admin("USE ROLE ACCOUNTADMIN")
    roles.admin(f"CREATE ROLE {roles.role}_2")
    roles.admin(f"CREATE OR REPLACE USER {roles.user} DEFAULT_ROLE = {roles.role}")
    for role in (roles.role, f"{roles.role}_2"):
        roles.admin(f"GRANT ROLE {role} TO USER {roles.user}")
    roles.admin(f"GRANT SELECT ON TABLE t TO ROLE {roles.role}_2")
    roles.admin(f"GRANT USAGE ON WAREHOUSE {roles.warehouse} TO ROLE {roles.role}_2")
    session = roles.session(warehouse=roles.warehouse)
    assert session("SELECT k FROM t") == []
    session("USE SECONDARY ROLES NONE")
    assert session.refused("SELECT k FROM t") == "002003"
    session(f"USE ROLE {roles.role}_2")
    assert session.one("SELECT CURRENT_ROLE() AS r") == f"{roles.role}_2"


def test_without_a_warehouse_the_first_query_fails_and_not_the_login(roles: Roles) -> None:
    """Also with one that does not exist, or that the role may not use."""
    roles.grant("SELECT ON TABLE t")
    for warehouse in ("NOWHERE", "W_OTHER"):
        session = roles.session(warehouse=warehouse)
        assert session.refused("SELECT k FROM t") == "000606"
        session("SHOW STAGES")
        session(f"USE WAREHOUSE {roles.warehouse}")
        assert session("SELECT k FROM t") == []
        assert session.refused("USE WAREHOUSE nowhere") == "002043"


@pytest.mark.parametrize(("role", "number"), [("NO_SUCH_ROLE", 390189), ("PUBLIC", 390186)])
def test_a_login_with_a_wrong_role_is_refused(roles: Roles, role: str, number: int) -> None:
    from snowflake.connector.errors import DatabaseError

    with pytest.raises(DatabaseError) as raised:
        roles.session(role=role)
    assert raised.value.errno == number


def test_another_users_role_cannot_be_used(roles: Roles) -> None:
    session = roles.session()
    assert session.refused("USE ROLE SYSADMIN") == "003013"
    assert session.refused("USE ROLE no_such_role") == "002043"


@pytest.mark.parametrize(
    ("kind", "name", "number"),
    [("SCHEMA", "audit.{}", "090106"), ("DATABASE", "audit", "090105")],
)
def test_a_session_without_a_right_to_its_schema_has_no_current_schema(
    roles: Roles, schema: str, kind: str, name: str, number: str
) -> None:
    """The login succeeds; a query of an unqualified name fails. So it is with the database."""
    name = name.format(schema)
    roles.admin(f"REVOKE USAGE ON {kind} {name} FROM ROLE {roles.role}")
    roles.grant("SELECT ON TABLE t")
    session = roles.session()
    assert session.refused("SELECT k FROM t") == number
    assert session.refused(f"SELECT k FROM audit.{schema}.t") == "002003"


def test_objects_without_a_right_are_not_shown(roles: Roles) -> None:
    session = roles.session()
    columns = (
        "SELECT DISTINCT table_name AS t FROM information_schema.columns "
        "WHERE table_schema = CURRENT_SCHEMA()"
    )
    show = f'SHOW STAGES IN SCHEMA "AUDIT"."{roles.schema}"'
    assert (session(columns), session(show)) == ([], [])
    roles.grant("INSERT ON TABLE t", "READ ON STAGE s")
    assert session(columns) == [("T",)]
    assert len(session(show)) == 1


def test_write_on_a_stage_comes_after_read(roles: Roles) -> None:
    grant = f"GRANT WRITE ON STAGE s TO ROLE {roles.role}"
    assert roles.admin.refused(grant) == "003001"
    roles.grant("READ ON STAGE s")
    roles.admin(grant)


def test_a_put_needs_write(roles: Roles, tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("x")
    session = roles.session()
    put = f"PUT file://{file} @s"
    roles.grant("READ ON STAGE s")
    assert session.refused(put) == "003001"
    roles.grant("WRITE ON STAGE s")
    assert session(put)[0][6] == "UPLOADED"


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("SYSADMIN", "CREATE ROLE another"),
        ("SYSADMIN", "CREATE USER another"),
        ("USERADMIN", "CREATE WAREHOUSE another"),
        ("USERADMIN", "GRANT SELECT ON TABLE t TO ROLE {}"),
        ("SYSADMIN", "GRANT ROLE {} TO ROLE SYSADMIN"),
    ],
)
def test_an_administrators_role_may_not_do_everything(
    roles: Roles, role: str, statement: str
) -> None:
    """Source: page "Overview of Access Control", system-defined roles."""
    roles.admin(f"USE ROLE {role}")
    assert roles.admin.refused(statement.format(roles.role)) == "003001"


@pytest.mark.parametrize(
    "statement",
    [
        "GRANT SELECT ON TABLE nowhere TO ROLE {}",
        "GRANT READ ON STAGE nowhere TO ROLE {}",
        "GRANT USAGE ON WAREHOUSE nowhere TO ROLE {}",
        "GRANT USAGE ON SCHEMA audit.nowhere TO ROLE {}",
        "GRANT SELECT ON TABLE t TO ROLE nobody",
        "GRANT ROLE nobody TO ROLE {}",
        "GRANT ROLE {} TO USER nobody",
    ],
)
def test_a_grant_of_what_does_not_exist_is_refused(roles: Roles, statement: str) -> None:
    assert roles.admin.refused(statement.format(roles.role)) == "002003"
