"""Checks the commands and the dashboard's project by Snowflake's command line."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from local import dashboard, environments, pages, warehouse
from local.environments import REPOSITORY


def snow_says(commands: Sequence[Sequence[str]], home: Path) -> str:
    """What Snowflake's command line finds wrong in these commands."""
    done = subprocess.run(
        [str(environments.group("snow")), "-P", str(REPOSITORY / "tests/local/snow_parser.py")],
        input=json.dumps(commands), text=True, capture_output=True, check=False, cwd=REPOSITORY,
        env={**os.environ, "SNOWFLAKE_HOME": str(home)},
    )  # fmt: skip
    assert not done.returncode or done.stdout, done.stderr
    return done.stdout


def test_snowflakes_command_line_knows_the_commands_of_the_pages(tmp_path: Path) -> None:
    """It also looks whether the files are there. No command is run."""
    found = [words[1:] for _, words in pages.commands() if words[0] == "snow"]
    assert len(found) > 1
    assert snow_says(found, tmp_path) == ""
    wrong = [["sql", "--filenme", "README.md"], ["sql", "--filename", "no.sql"], ["stremlit"]]
    assert len(snow_says(wrong, tmp_path).splitlines()) == 3


def test_snowflake_yml_has_the_form_that_the_command_line_knows() -> None:
    """It uploads every file of the folder except itself, and its names are those of the set-up."""
    script = Path(dashboard.__file__).with_name("snowflake_project.py")
    done = subprocess.run(
        [str(environments.group("snow")), "-P", str(script), str(dashboard.FOLDER)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    project = json.loads(done.stdout.splitlines()[-1])
    there = {
        str(path.relative_to(dashboard.FOLDER))
        for path in dashboard.FOLDER.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert set(project.pop("files")) == there - {"snowflake.yml"}
    assert project == {
        "name": "audit.salesforce.delete_tracker_dashboard",
        "main_file": "streamlit_app.py",
        "query_warehouse": "delete_tracker_dashboard_wh",
        "grants": [["USAGE", "delete_tracker_reader"]],
    }
    access = (warehouse.SET_UP / "2_access.sql").read_text()
    assert f"WAREHOUSE IF NOT EXISTS {project['query_warehouse']}" in access
