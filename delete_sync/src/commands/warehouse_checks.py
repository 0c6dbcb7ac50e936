"""The doctor's checks of Snowflake: everything that a sweep needs there."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..adapters import App
from ..errors import TableError
from ..warehouse.columns import Found
from ..warehouse.inspection import RIGHTS, Books, Inspection, Who
from .findings import Finding, failure, looked, ok, skipped, warning

SET_UP = "run 1_tables.sql and 2_access.sql of docs/setup/snowflake"
NOT_THERE = "it does not exist, or the role has no right on it"
VIEWS = "run 3_views.sql of docs/setup/snowflake, and grant the role SELECT on the views"
ALLOW = "allow it with --yes, or answer the question with y"


def place(app: App, who: Who) -> Iterator[Finding]:
    """The session has its warehouse, database and schema."""
    names, wanted = app.names, app.settings.snowflake.warehouse
    for check, setting, name, found in (
        ("warehouse", "SNOWFLAKE_WAREHOUSE", wanted, who.warehouse),
        ("database", "SNOWFLAKE_DATABASE", names["database"].name, who.database),
        ("schema", "SNOWFLAKE_SCHEMA", names["schema"].name, who.schema),
    ):
        # A warehouse has the name that the login has given it.
        if found and (check == "warehouse" or found == name):
            yield ok(check, found)
        else:
            yield failure(
                check,
                f"{name} does not exist, or the role {who.role} has no USAGE on it",
                f"check {setting}, and GRANT USAGE ON {check.upper()} {name} TO ROLE {who.role}",
            )
            if check == "database":  # without it there is no schema either
                return


def tables(inspection: Inspection, role: str | None) -> Iterator[Finding]:
    """Each table has its columns, and the role has each right on it. So has the stage."""
    there = inspection.columns()
    if not there:
        yield warning(
            "tables",
            "none exists, or the role has no right on any",
            f"{SET_UP}; a role with CREATE TABLE and CREATE STAGE creates them in its first sweep",
        )
        return
    for part in RIGHTS:
        name, found = inspection.name(part), there.get(part)
        yield _columns(inspection, part, found)
        if found is not None:
            rights = functools.partial(_rights, inspection, part, found, role)
            yield looked(f"rights on {name}", rights, ", ".join(RIGHTS[part]))
    if "lock" in there:
        yield looked("lock", functools.partial(_lock, inspection), "one row")
    yield from stage(inspection, role)


def columns(inspection: Inspection) -> Iterator[Finding]:
    """Each table has its columns."""
    there = inspection.columns()
    for part in RIGHTS:
        yield _columns(inspection, part, there.get(part))


def _columns(inspection: Inspection, part: str, found: Mapping[str, Found] | None) -> Finding:
    check = f"table {inspection.name(part)}"
    if found is None:
        return failure(check, NOT_THERE, SET_UP)
    problems = inspection.problems(part, found)
    if not problems:
        return ok(check, f"{len(found)} columns")
    seen, cures = [], []
    for problem in problems:
        told, _, cure = problem.partition("; ")
        seen.append(told)
        cures.append(cure)
    return failure(check, "; ".join(seen), "; ".join(dict.fromkeys(cures)))


def _rights(
    inspection: Inspection, part: str, found: Mapping[str, Found], role: str | None
) -> Finding | None:
    lacking, name = inspection.lacking(part, found), inspection.name(part)
    if not lacking:
        return None
    rights = ", ".join(lacking)
    return failure(
        f"rights on {name}",
        f"the role {role} has no {rights}",
        f"GRANT {rights} ON TABLE {name} TO ROLE {role}; 2_access.sql has every right",
    )


def _lock(inspection: Inspection) -> Finding | None:
    try:
        inspection.lock_token()
    except TableError as error:
        return failure("lock", "the lock table has not exactly one row", error.text)
    return None


def stage(inspection: Inspection, role: str | None) -> Iterator[Finding]:
    """The stage is there, and the role has its rights on it."""
    name = inspection.name("stage")
    if not inspection.stage_is_there():
        yield failure(f"stage {name}", NOT_THERE, SET_UP)
        return
    yield ok(f"stage {name}", "is there")

    def rights() -> Finding | None:
        lacking = ", ".join(inspection.lacking_on_stage())
        if not lacking:
            return None
        return failure(
            f"rights on {name}",
            f"the role {role} has no {lacking}",
            f"GRANT {lacking} ON STAGE {name} TO ROLE {role}; grant READ before WRITE",
        )

    yield looked(f"rights on {name}", rights, "READ, WRITE")


def upload(inspection: Inspection, folder: Path, *, allowed: bool) -> Finding:
    """A file arrives on the stage and in a temporary table, as those of a sweep do."""
    check = f"upload to {inspection.name('stage')}"
    if not allowed:
        return skipped(check, "nothing may be written", ALLOW)

    def look() -> Finding | None:
        inspection.try_upload(folder)
        return None

    return looked(check, look, "a line was uploaded, copied and removed")


def rows(found: Books, table: str) -> Finding:
    """The table has the rows that the load records say, less those that erasing has removed.

    Load records that were made anew do not count rows that were removed before.
    """
    told = f"{found.rows_there:,} rows of events, {found.rows_loaded:,} by the load records"
    missing = found.rows_loaded - found.rows_there
    if found.rows_removed:
        told += f", {found.rows_removed:,} of them erased"
    if missing < 0:
        return warning(
            "rows",
            f"{told}: {-missing:,} more",
            f"find out whether another program writes into {table}, or load records were removed",
        )
    if missing > found.rows_removed:
        return failure(
            "rows",
            f"{told}: {missing - found.rows_removed:,} are missing",
            "find out why; sweep --full inserts them again from the event files that there are",
        )
    return ok("rows", told)


def duplicates(keys: list[str], table: str) -> Finding | None:
    """No key is in the table twice."""
    if not keys:
        return None
    return failure(
        "duplicates",
        f"{table} has {len(keys)} keys more than once, such as {keys[0]}",
        "see DuplicateRowsError in docs/operations.md",
    )
