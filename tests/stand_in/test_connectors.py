"""Both majors of Snowflake's connector work with the stand-in."""

from __future__ import annotations

import gzip
import json
import subprocess
from pathlib import Path

import pytest
from local import emulators, environments

SCRIPT = Path(__file__).with_name("load_some_rows.py")


@pytest.mark.parametrize(("group", "major"), [("dev", "4"), ("connector5", "5")])
def test_a_connector_loads_rows(
    snowflake: emulators.Server, schema: str, tmp_path: Path, group: str, major: str
) -> None:
    """Version 5 needs more fields in the answers, and sends AUTOCOMMIT as a text."""
    file = tmp_path / "rows.gz"
    file.write_bytes(gzip.compress(b'{"k": 1}\n{"k": 2}\n'))
    done = subprocess.run(
        [environments.group(group), SCRIPT, str(snowflake.port), schema, file],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
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
