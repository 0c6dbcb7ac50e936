"""Fixtures of the behaviours: a mock Salesforce with faults, and the uploaded rows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import ContainerClient
from local import event_files
from local.faulty_org import HOURLY, NOW, Org, Rows

from salesforce_client.src.app.errors import RunFailedError
from salesforce_client.src.app.mock_salesforce import MockSalesforce
from salesforce_client.src.app.report import Report


@pytest.fixture
def salesforce(
    blob_settings: Mapping[str, str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., Org]]:
    """Start a mock with the faults that a test names.

    After the test, no secret may be in its logs or in an error that a poll raised.
    """
    caplog.set_level(logging.DEBUG, logger="salesforce_client")
    caplog.set_level(logging.INFO)
    started: list[MockSalesforce] = []
    told: list[str] = []
    original = Report.raise_if_failed

    def remember(report: Report) -> None:
        try:
            original(report)
        except RunFailedError as error:
            told.append(str(error))
            raise

    monkeypatch.setattr(Report, "raise_if_failed", remember)

    def start(faults: str = "", interval: float = HOURLY, **options: Any) -> Org:
        mock = MockSalesforce(interval, NOW, faults=faults, **{"keepalive_seconds": 0.2, **options})
        started.append(mock.__enter__())
        return Org(mock, blob_settings)

    yield start
    text = "\n".join([caplog.text, *told])
    for mock in started:
        key = Path(mock.settings["SALESFORCE_PRIVATE_KEY_FILE"]).read_text().splitlines()[1]
        mock.__exit__(None, None, None)
        for secret in (*mock.tokens.issued, key, "eyJ", "Record_Name__c", "AccountKey="):
            assert secret not in text


@pytest.fixture
def rows(events: ContainerClient, tmp_path: Path) -> Rows:
    """The rows of a table in all uploaded event files."""
    return lambda table="events": event_files.rows(events, tmp_path, table)
