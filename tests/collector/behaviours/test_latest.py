"""Starting from LATEST

With ``SALESFORCE_REPLAY_PRESET=LATEST``, the first poll of a topic reads only events that are
published after the poll began.
The collector requests ``LATEST`` once for each topic.
A second request would start later, and the events between the two would be lost.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from local.faulty_org import ACCOUNT, EVENT, NOW, Org, Rows, keys

from salesforce_client.src.app.errors import SalesforceUnavailableError


@pytest.mark.parametrize("faults", ["", "latest_immediate", "keepalive=3"])
def test_latest_leaves_no_hole_between_the_first_polls(
    salesforce: Callable[..., Org], rows: Rows, faults: str
) -> None:
    """The second poll starts exactly where the first one ended. This holds whether Salesforce
    answers ``LATEST`` at once or only after some silence.
    """
    org = salesforce(faults)
    org.poll(SALESFORCE_TOPICS=EVENT, SALESFORCE_REPLAY_PRESET="LATEST").raise_if_failed()
    org.set_clock(NOW + timedelta(hours=9))
    org.poll(
        SALESFORCE_TOPICS=EVENT, SALESFORCE_REPLAY_PRESET="LATEST", IDLE_SECONDS="4"
    ).raise_if_failed()
    assert keys(rows()) == org.published(NOW, (EVENT,))


def test_latest_whose_stream_breaks_loses_nothing(
    salesforce: Callable[..., Org], rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    """If the stream from ``LATEST`` breaks before a position arrived, the collector continues from
    ``EARLIEST`` and logs that.
    """
    org = salesforce("schema_unavailable=1")
    began = time.monotonic()
    org.mock.org.now = lambda: NOW + timedelta(hours=5 * (time.monotonic() - began))
    org.poll(
        SALESFORCE_TOPICS=ACCOUNT, SALESFORCE_REPLAY_PRESET="LATEST", MAX_RUN_SECONDS="10"
    ).raise_if_failed()
    assert f"topic={ACCOUNT} start=EARLIEST" in caplog.text
    org.set_clock(org.mock.org.now())
    org.poll(SALESFORCE_TOPICS=ACCOUNT, SALESFORCE_REPLAY_PRESET="LATEST").raise_if_failed()
    assert set(keys(rows())) >= set(org.published(NOW, (ACCOUNT,)))


def test_latest_without_any_position_is_a_failure(salesforce: Callable[..., Org]) -> None:
    """If the first poll from ``LATEST`` receives no position, the topic fails. The next poll then
    starts from ``EARLIEST``.
    """
    report = salesforce("silent").poll(
        SALESFORCE_TOPICS=EVENT, SALESFORCE_REPLAY_PRESET="LATEST", MAX_RUN_SECONDS="10"
    )
    assert isinstance(report.topics[EVENT].error, SalesforceUnavailableError)
