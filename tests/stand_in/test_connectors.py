"""Both majors of Snowflake's connector work with the stand-in."""

from __future__ import annotations

import gzip
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from local import emulators, environments

from .conftest import Connect

HERE = Path(__file__).resolve().parent
GOLDEN = HERE.parent / "contract/golden/v2.db"
both_majors = pytest.mark.parametrize(("group", "major"), [("dev", "4"), ("connector5", "5")])


def told_by(group: str, script: str, *arguments: object) -> Any:
    """Run a script in an environment, and return its output, read as JSON."""
    done = subprocess.run(
        [environments.group(group), HERE / script, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@both_majors
def test_the_loader_of_the_sync_works_with_a_connector(
    snowflake: emulators.Server, schema: str, tmp_path: Path, group: str, major: str
) -> None:
    """It uses only what the two versions have in common."""
    told = told_by(group, "load_a_batch.py", snowflake.port, schema, GOLDEN, tmp_path)
    assert told.pop("version").startswith(f"{major}.")
    assert told == {
        "inserted": [2, 0],
        "records": [None],
        "duplicates": [],
        "topics": ["/data/AccountChangeEvent", "/event/Delete_Event__e"],
        "newest": "events_20260201T000000Z.db",
        "error": "WarehouseRefusedError",
    }


@both_majors
def test_a_connector_loads_rows(
    snowflake: emulators.Server, schema: str, tmp_path: Path, group: str, major: str
) -> None:
    """Version 5 needs more fields in the answers, and sends AUTOCOMMIT as a text."""
    file = tmp_path / "rows.gz"
    file.write_bytes(gzip.compress(b'{"k": 1}\n{"k": 2}\n'))
    told = told_by(group, "load_some_rows.py", snowflake.port, schema, file)
    assert told.pop("version").startswith(f"{major}.")
    status = [["Statement executed successfully."]]
    assert told == {
        "copied": 2,
        "committed": status,
        "merged": [[2]],
        "rolled back": status,
        "then": [[0, None]],
        "merged again": [[2]],
        "updated": [[2, 0]],
        "at last": [[2, "2026-02-01 00:00:00.5"]],
        "SELECT": [2003, "02000"],
        "INSERT": [100078, "22000"],
    }


def test_values_are_bound_in_the_order_of_the_text(connect: Connect) -> None:
    """Also if a question mark is inside an expression, and another one is not."""
    with connect(paramstyle="qmark").connection.cursor() as cursor:
        cursor.execute(
            "SELECT ? AS a, UPPER(LEFT(?, 1)) AS b FROM (SELECT 1 AS k) "
            "WHERE k < 1 + (? + 1) AND ? = 'd' QUALIFY COUNT(*) OVER (PARTITION BY k) < ?",
            ("a", "bc", 2, "d", 5),
        )
        assert cursor.fetchall() == [("a", "B")]
