"""The packages of the apps in an interpreter of each version: ``python3 tests/run.py versions``.

They also run with the packages that Microsoft's older workers load before the app's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
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
