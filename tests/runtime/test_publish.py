"""The published folder holds only what runs.

It also runs with the packages that Microsoft's older workers load before the app's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from local import apps, environments, truth, workers

from salesforce_client.src.app.mock_salesforce import DEFAULT_TOPICS
from salesforce_client.src.app.mock_salesforce.org import RETENTION, Org

NOW = datetime(2026, 2, 1, 12, 30, tzinfo=timezone.utc)


def test_only_what_runs_is_published(tmp_path: Path) -> None:
    """Settings, environments and scripts are not published, but the SQL is."""
    for app in ("salesforce_client", "delete_sync"):
        source = tmp_path / "source" / app
        source.mkdir(parents=True)
        for name in (
            ".venv/lib/x.py",
            ".env",
            "local.settings.json",
            "src/__pycache__/x.pyc",
            "tests/test_x.py",
            "src/x.sql",
        ):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_text("secret")
        (source / ".funcignore").write_text(
            (environments.REPOSITORY / app / ".funcignore").read_text()
        )
        left = workers.publish(app, tmp_path / "published", source=tmp_path / "source")
        assert [str(path.relative_to(left)) for path in left.rglob("*") if path.is_file()] == [
            "src/x.sql"
        ]
    real = workers.publish("delete_sync", tmp_path)
    files = {str(path.relative_to(real)) for path in real.rglob("*") if path.is_file()}
    assert {
        "host.json",
        "requirements.txt",
        "SnowflakePusher/function.json",
        "src/warehouse/sql/merge.sql",
    } <= files
    assert not [
        name
        for name in files
        if name.endswith(".md") or "local.settings" in name or name.startswith("scripts")
    ]


@pytest.mark.parametrize("packages", environments.WORKER_PACKAGES)
@pytest.mark.parametrize("version", environments.SUPPORTED[:-1])
def test_the_published_apps_run_with_the_workers_own_grpc_and_protobuf(
    version: str, packages: str, settings: Mapping[str, str], connection: Any, tmp_path: Path
) -> None:
    """The apps are loaded as ``__app__`` from their folders, with only their requirements."""
    try:
        worker = workers.older_worker(version, packages, tmp_path)
    except environments.MissingInterpreterError as error:
        environments.not_run(f"the worker of Python {version}: {error}")
    polled = apps.poll({**settings, "MOCK_NOW": NOW.isoformat()}, worker=worker)
    assert polled.succeeded, polled.log
    # The sync uses neither package. Its sweep tests the Python version.
    swept = apps.sweep(settings, worker=worker)
    assert swept.succeeded, swept.log
    assert not truth.difference(connection, Org(3600), DEFAULT_TOPICS, NOW - RETENTION, NOW)
