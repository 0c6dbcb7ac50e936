"""The package of an app holds what runs, and runs in a bare interpreter of each version.

It also runs with the packages that Microsoft's older workers load before the app's own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from local import apps, environments, truth, workers

from salesforce_client.src.app.mock_salesforce import DEFAULT_TOPICS
from salesforce_client.src.app.mock_salesforce.org import RETENTION, Org

NOW = datetime(2026, 2, 1, 12, 30, tzinfo=timezone.utc)
BARE = "bare"
# From Python 3.13 on, Microsoft's worker does not bring gRPC and protobuf.
WORKERS = [
    (version, packages)
    for version in environments.SUPPORTED
    for packages in (BARE, *(environments.WORKER_PACKAGES if version != "3.13" else []))
]


@pytest.fixture(scope="module")
def worker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, apps.Worker]:
    """A Python version, and its bare interpreter with both packages."""
    version: str = request.param
    try:
        return version, workers.bare(version, tmp_path_factory.mktemp("packages"))
    except environments.MissingInterpreterError as error:
        environments.not_run(f"the packages on Python {version}: {error}")
        raise


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


@pytest.mark.parametrize(("worker", "packages"), WORKERS, indirect=["worker"])
def test_the_packages_poll_and_sweep(
    packages: str,
    worker: tuple[str, apps.Worker],
    settings: Mapping[str, str],
    connection: Any,
) -> None:
    """The apps are loaded as ``__app__`` from their folders, with only what is in their package."""
    version, one = worker
    if packages != BARE:
        one = workers.older_worker(version, packages, one)
    polled = apps.poll({**settings, "MOCK_NOW": NOW.isoformat()}, worker=one)
    assert polled.succeeded, polled.log
    swept = apps.sweep(settings, worker=one)
    assert swept.succeeded, swept.log
    assert not truth.difference(connection, Org(3600), DEFAULT_TOPICS, NOW - RETENTION, NOW)
