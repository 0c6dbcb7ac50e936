"""The package of an app holds what runs. ``in_versions.py`` runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from local import environments, workers


@pytest.mark.parametrize("app", workers.APPS)
def test_only_what_runs_is_in_a_package(app: str, tmp_path: Path) -> None:
    """Settings, environments, tests and scripts are not, but the SQL is."""
    source = tmp_path / app
    names = [
        *(".venv/x.py", ".env", "local.settings.json", "src/__pycache__/x.pyc", "tests/x.py"),
        *("scripts/x.sh", "README.md", "src/x.sql", "src/a name.py", "host.json"),
    ]
    for name in names:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("")
    (source / "requirements.txt").write_text("")
    shutil.copy(environments.REPOSITORY / app / ".funcignore", source)
    script = tmp_path / workers.BUILD
    script.parent.mkdir(parents=True)
    shutil.copy(environments.REPOSITORY / workers.BUILD, script)
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    subprocess.run(["git", "-C", str(tmp_path), "add", "--force", "."], check=True)
    (source / "src/new.py").write_text("")
    built = subprocess.run(
        ["bash", str(script), app, str(tmp_path / "x.zip")],
        env={**os.environ, "PYTHON": str(environments.interpreter(environments.RUNNING))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    shutil.unpack_archive(tmp_path / "x.zip", tmp_path / "found")
    found = {
        str(path.relative_to(tmp_path / "found"))
        for path in (tmp_path / "found").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert found == {*("src/x.sql", "src/a name.py", "src/new.py", "host.json", "requirements.txt")}


@pytest.mark.parametrize(
    ("python", "app", "told"),
    [
        ("echo Darwin arm64", "delete_sync", "Azure cannot run packages for Darwin arm64: run"),
        ("exit 3", "delete_sync", "does not run: set PYTHON to the Python version of the app."),
        ("echo Linux x86_64", "delete_snc", "delete_snc: No such file or directory"),
    ],
    ids=["another system", "no Python", "no app"],
)
def test_a_package_that_azure_cannot_run_is_not_built(
    python: str, app: str, told: str, tmp_path: Path
) -> None:
    """Compiled code of another system fails only when the app starts."""
    (tmp_path / "python").write_text(f"#!/bin/sh\n{python}\n")
    (tmp_path / "python").chmod(0o755)
    built = subprocess.run(
        ["bash", str(environments.REPOSITORY / workers.BUILD), app, str(tmp_path / "x.zip")],
        env={**os.environ, "PYTHON": str(tmp_path / "python")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 1
    assert told in built.stderr
    assert not (tmp_path / "x.zip").exists()
