"""Microsoft's runtime, for all tests of this folder."""

from __future__ import annotations

import pytest
from local import apps, environments, workers


@pytest.fixture(scope="session")
def microsoft(tmp_path_factory: pytest.TempPathFactory) -> apps.Worker:
    """Microsoft's runtime with the packages that the workflow publishes."""
    try:
        return workers.microsoft_runtime(tmp_path_factory.mktemp("packages"))
    except environments.MissingInterpreterError as error:
        environments.not_run(f"Microsoft's runtime: {error}")
        raise
