"""The steps of the README alone take a newcomer from a clean clone to a poll and a sweep.

The tests use ``tests/launch.py`` instead of ``func``.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from local import workers

REPOSITORY = Path(__file__).resolve().parent.parent.parent
FUNC = re.compile(r"func start(?: --port \d+)?")


def quick_start(app: str) -> list[str]:
    """Return the README's commands for an app, without comments. The last is ``func start``."""
    section = (
        (REPOSITORY / "README.md").read_text().partition("## Quick start")[2].partition("\n## ")[0]
    )
    (block,) = re.findall(rf"```bash\n(cd {app}\n.*?)```", section, re.DOTALL)
    return [line for line in block.splitlines() if not line.startswith("#")]


def mock_alone() -> list[str]:
    """Return the commands of the mock's page that run it alone after a clone."""
    page = (REPOSITORY / "docs/mock-salesforce.md").read_text()
    (block,) = re.findall(r"```bash\n(cd salesforce_client\n.*?)```", page, re.DOTALL)
    return list(block.splitlines())


def clone(to: Path) -> Path:
    """Copy the files that git tracks, and new files that it does not ignore."""
    listed = [
        "git",
        "-C",
        str(REPOSITORY),
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "-z",
    ]
    names = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if name.startswith((*workers.APPS, "tests/launch.py", "tests/local/")):
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            (to / name).write_bytes((REPOSITORY / name).read_bytes())
            (to / name).chmod((REPOSITORY / name).stat().st_mode)
    return to


def test_the_steps_of_the_readme_end_in_a_poll_and_a_sweep(
    settings: Mapping[str, str], tmp_path: Path
) -> None:
    """The settings are those of the example. Only names, ports and the wait differ."""
    home = clone(tmp_path)
    for app in workers.APPS:
        *steps, last = quick_start(app)
        assert FUNC.fullmatch(last)
        prepared = subprocess.run(
            ["bash", "-e", "-c", "\n".join(steps)],
            cwd=home,
            env={**os.environ, "PYTHON": sys.executable},
            capture_output=True,
            text=True,
            check=False,
        )
        assert prepared.returncode == 0, prepared.stdout + prepared.stderr
        assert "setup_venv: done. Next:" in prepared.stdout
        local = home / app / "local.settings.json"
        values = json.loads(local.read_text())
        assert values == json.loads((home / app / "local.settings.example.json").read_text())
        mine = {name: value for name, value in settings.items() if name in values["Values"]}
        local.write_text(json.dumps({"Values": {**values["Values"], **mine}}))
        run = subprocess.run(
            [sys.executable, home / "tests/launch.py", home / app],
            capture_output=True,
            text=True,
            check=False,
            cwd=home,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        assert "files=" in run.stdout
    *steps, last = mock_alone()
    assert steps == [*quick_start("salesforce_client")[:2], "source .venv/bin/activate"]
    listed = subprocess.run(
        ["bash", "-e", "-c", f"{steps[0]}\n{steps[2]}\n{last} --faults"],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "silent: a stream is accepted" in listed.stdout, listed.stderr


def test_the_launcher_names_the_step_that_is_missing(tmp_path: Path) -> None:
    """The app's folder, its environment or its settings may be missing."""
    home = clone(tmp_path)
    launch = [sys.executable, str(home / "tests/launch.py")]
    app = home / "delete_sync"
    for argument, told in (
        (home, "name the folder of an app"),
        (app, "bash scripts/setup_venv.sh"),
    ):
        failed = subprocess.run(
            [*launch, str(argument)], capture_output=True, text=True, check=False
        )
        assert failed.returncode == 2
        assert told in failed.stderr
    (app / ".venv/bin").mkdir(parents=True)
    (app / ".venv/bin/python").touch()
    failed = subprocess.run([*launch, str(app)], capture_output=True, text=True, check=False)
    assert "cp local.settings.example.json local.settings.json" in failed.stderr


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            b'{\n  "Values": {\n    "EVENTS_STORAGE": "x"\n    "FULL_SWEEP": "true"\n  }\n}',
            ", line 4, column 5: Expecting ',' delimiter. Correct it, or begin again with a copy of"
            " local.settings.example.json",
        ),
        (
            b'{"Values": {"A": "x",}}',
            ", line 1, column 2",
        ),
        (b"", ", line 1, column 1: Expecting value. Correct it, or begin again with a copy"),
        (b'{"Values": {"A": "\xe4"}}', " is not UTF-8: save it as UTF-8"),
        (b"[]", ' has no object "Values" with the settings: correct it, or begin again'),
        (b'{"EVENTS_STORAGE": "x"}', ' has no object "Values" with the settings: correct it, or'),
        (b'{"Values": []}', ' has no object "Values" with the settings: correct it, or begin'),
        (
            b'{\n  "Values": {\n    "FULL_SWEEP": true\n  }\n}',
            ", line 3: the value of FULL_SWEEP is not a text: write it in double quotes,"
            ' for example "true"',
        ),
        (
            b'{\n  "Values": {\n    "MAX_MERGE_ROWS":\n 10\n  }\n}',
            ", line 3: the value of MAX_MERGE_ROWS is not a text: write it in double quotes,"
            ' for example "10"',
        ),
    ],
    ids=[
        *("a comma is missing", "a comma too many", "empty", "not UTF-8", "a list", "no Values"),
        *("a list of values", "true without quotes", "a number"),
    ],
)
def test_the_launcher_names_the_line_of_a_broken_settings_file(
    content: bytes, told: str, tmp_path: Path
) -> None:
    """Somebody edits the file by hand. The message has file, line and cure, and no trace."""
    app = clone(tmp_path) / "delete_sync"
    (app / ".venv/bin").mkdir(parents=True)
    (app / ".venv/bin/python").touch()
    settings = app / "local.settings.json"
    settings.write_bytes(content)
    launch = [sys.executable, str(tmp_path / "tests/launch.py"), str(app)]
    failed = subprocess.run(launch, capture_output=True, text=True, check=False)
    assert failed.returncode == 2
    assert failed.stderr.startswith(f"launch: {settings}{told}")
    assert len(failed.stderr.splitlines()) == 1


def prepared(home: Path, script: str, settings: bytes) -> Path:
    """An app whose Python is this shell script, with these settings."""
    app = clone(home) / "delete_sync"
    (app / ".venv/bin").mkdir(parents=True)
    python = app / ".venv/bin/python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    (app / "local.settings.json").write_bytes(settings)
    return app


def launched(home: Path, app: str, folder: Path, **environ: str) -> str:
    """What an app prints that is launched in this folder."""
    launch = [sys.executable, os.path.relpath(home / "tests/launch.py", folder), app]
    environment = {**os.environ, **environ}
    return subprocess.run(
        launch, cwd=folder, env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_the_launcher_reads_a_settings_file_with_a_byte_order_mark(tmp_path: Path) -> None:
    """Editors on Windows write one. The environment counts before the file, as for ``func``."""
    settings = b'\xef\xbb\xbf{"Values": {"FULL_SWEEP": "true"}}'
    prepared(tmp_path, 'echo "full=$FULL_SWEEP"', settings)
    assert launched(tmp_path, "delete_sync", tmp_path) == "full=true\n"
    assert launched(tmp_path, "delete_sync", tmp_path, FULL_SWEEP="false") == "full=false\n"


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        (".", "delete_sync"),
        ("tests", "delete_sync"),
        ("delete_sync", "delete_sync"),
        ("delete_sync", "."),
        ("salesforce_client/src", "../../delete_sync/"),
        ("..", "delete_sync"),
    ],
)
def test_the_launcher_works_from_any_folder(folder: str, name: str, tmp_path: Path) -> None:
    """The app runs in its own folder, because paths in its settings count from there."""
    home = tmp_path / "clone"
    app = prepared(home, 'echo "$PWD $2 $3"', b'{"Values": {}}')
    assert launched(home, name, home / folder) == f"{app} {app} SnowflakePusher\n"


@pytest.mark.parametrize(
    ("version", "told"),
    [("3.8", "Python 3.8 is not supported"), ("3.14", "Python 3.14 is not supported")],
)
def test_setup_venv_refuses_a_python_version_that_the_app_does_not_support(
    version: str, told: str, tmp_path: Path
) -> None:
    """The script names the problem and creates nothing."""
    home = clone(tmp_path)
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho {version}\n")
    python.chmod(0o755)
    script = ["bash", str(home / "delete_sync/scripts/setup_venv.sh")]
    failed = subprocess.run(
        script,
        env={**os.environ, "PYTHON": str(python)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert failed.returncode == 1
    assert told in failed.stderr
    absent = subprocess.run(
        script,
        env={**os.environ, "PYTHON": "python-of-nobody"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "'python-of-nobody' is not on PATH" in absent.stderr
    assert not (home / "delete_sync/.venv").exists()


def test_the_example_settings_use_the_ports_of_demo_keep() -> None:
    """``func start`` finds the emulators that ``python3 tests/demo.py --keep`` leaves running."""
    demo = (REPOSITORY / "tests/demo.py").read_text()
    ports = re.search(r"BLOB_PORT, SNOWFLAKE_PORT = (\d+), (\d+)", demo)
    assert ports
    assert ports[1] == "10000"  # what UseDevelopmentStorage=true means
    for app in workers.APPS:
        values = json.loads((REPOSITORY / app / "local.settings.example.json").read_text())[
            "Values"
        ]
        assert (
            values["EVENTS_STORAGE"]
            == values["AzureWebJobsStorage"]
            == "UseDevelopmentStorage=true"
        )
        assert values.get("SNOWFLAKE_PORT", ports[2]) == ports[2]
