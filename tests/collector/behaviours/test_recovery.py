"""Errors of Salesforce

What the collector does depends on the ``error-code`` that Salesforce sends.
If the code is missing or unknown, it depends on the gRPC status.

The collector retries after temporary errors until the deadline.
It waits longer before each further retry, and each wait is partly random.
The next stream starts behind the last whole group.
If five attempts fail without progress, the topic fails.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from azure.storage.blob import ContainerClient
from local.faulty_org import ACCOUNT, EVENT, NOW, Org, Rows, keys

from salesforce_client.src.app.errors import (
    AuthenticationError,
    GapError,
    LimitExceededError,
    NetworkRefusedError,
    RequestRefusedError,
    RunFailedError,
    TopicError,
)
from salesforce_client.src.app.mock_salesforce.org import RETENTION


@pytest.mark.parametrize("fault", ["reject_replay_id=1", "refuse_replay_id=1"])
def test_only_a_documented_code_resets_a_cursor(
    salesforce: Callable[..., Org], rows: Rows, cursors: ContainerClient, fault: str
) -> None:
    """The collector gives up a cursor only if Salesforce sends the code
    ``…subscription.fetch.replayid.corrupted`` or ``…replayid.validation.failed`` for its replay id.
    It reads again from ``EARLIEST``, and records a gap when it has the first new position. The poll
    fails, so that a person notices, and the next poll succeeds.
    """
    org = salesforce(fault)
    org.poll(SALESFORCE_TOPICS=EVENT).raise_if_failed()
    report = org.poll(SALESFORCE_TOPICS=EVENT)
    assert isinstance(report.topics[EVENT].error, GapError)
    assert [gap["reason"] for gap in rows("gaps")] == ["expired_cursor"]
    assert set(keys(rows())) == set(org.published(topics=(EVENT,)))
    org.poll(SALESFORCE_TOPICS=EVENT).raise_if_failed()


def test_a_cursor_older_than_retention_leaves_a_gap(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """Salesforce keeps events for 72 hours. If a cursor is older, the gap begins at the time of the
    cursor's position. The collector reads again all events that Salesforce still has.
    """
    org = salesforce("strict_retention")
    org.poll(SALESFORCE_TOPICS=EVENT).raise_if_failed()
    org.set_clock(NOW + timedelta(hours=200))
    with pytest.raises(RunFailedError, match="GapError"):
        org.poll(SALESFORCE_TOPICS=EVENT).raise_if_failed()
    (gap,) = rows("gaps")
    assert gap["from_time"] < gap["to_time"]
    retained = org.published(NOW + timedelta(hours=200) - RETENTION, (EVENT,))
    assert set(keys(rows())) >= set(retained)


@pytest.mark.parametrize(
    "fault",
    [
        "status=INVALID_ARGUMENT",
        "error=subscription.fetch.overflow",
        "error=subscription.fetch.replayid.corrupted",
        "error=subscription.fetch.replayid.validation.failed",
    ],
)
def test_another_invalid_argument_does_not_reset_the_cursor(
    salesforce: Callable[..., Org], cursors: ContainerClient, fault: str
) -> None:
    """If Salesforce answers ``INVALID_ARGUMENT`` with another code or without one, the topic fails
    and its cursor stays unchanged. The same applies if it rejects a replay id, but the collector
    has sent none. If the topic has no cursor, the poll only stores when it first tried.
    """
    org = salesforce(f"{fault}@{ACCOUNT}")
    report = org.poll(SALESFORCE_TOPICS=ACCOUNT)
    assert isinstance(report.topics[ACCOUNT].error, RequestRefusedError)
    (blob,) = cursors.list_blobs()
    stored = json.loads(cursors.download_blob(blob.name).readall())
    assert (stored["replay_id"], stored["state"]) == (None, "not_read")


@pytest.mark.parametrize("fault", ["expire_session=5", "revoke_session=5, drop_stream=9"])
def test_a_session_that_ends_in_mid_stream_is_renewed_once(
    salesforce: Callable[..., Org], rows: Rows, fault: str
) -> None:
    """If the session ends while a stream is open, the collector logs in again once and continues
    behind the last whole group. This works whether or not Salesforce ends the stream together with
    the session.
    """
    org = salesforce(fault)
    org.poll(SALESFORCE_TOPICS=EVENT).raise_if_failed()
    assert keys(rows()) == org.published(topics=(EVENT,))
    assert len(org.mock.tokens.issued) == 2


def test_a_session_that_is_always_refused_fails_the_topics(salesforce: Callable[..., Org]) -> None:
    """If Salesforce also refuses the new session before the cursor could move, the topics fail with
    ``AuthenticationError``. A person must act. The usual cause is an org that locks sessions to an
    IP address, and the message names this setting.
    """
    org = salesforce("refuse_session")
    report = org.poll()
    assert {type(topic.error) for topic in report.topics.values()} == {AuthenticationError}
    assert all("Session Settings" in str(topic.error) for topic in report.topics.values())


@pytest.mark.parametrize(
    "fault", ["login_unavailable=2", "login_answer=retry:1", "login_answer=maintenance:1"]
)
def test_a_login_is_retried_if_the_login_host_is_down_for_a_moment(
    salesforce: Callable[..., Org], fault: str
) -> None:
    """If the login host is down for a moment, the collector retries, with a new JWT each time. The
    host may say so with a status (408, 425, 429, 5xx), with an error such as ``unknown_error:
    retry your request``, or with a page for people.
    """
    salesforce(fault).poll(SALESFORCE_TOPICS=EVENT).raise_if_failed()


@pytest.mark.parametrize(
    ("answer", "kind", "cure"),
    [
        ("ip_restricted", AuthenticationError, "Login IP Ranges"),
        ("not_installed", AuthenticationError, "the app is not in this org"),
        (
            "moved",
            AuthenticationError,
            "set SALESFORCE_LOGIN_URL to https://acme.my.salesforce.com",
        ),
        ("blocked", NetworkRefusedError, "a proxy or firewall on the way refuses"),
    ],
)
def test_a_refused_login_says_what_to_change(
    salesforce: Callable[..., Org], answer: str, kind: type[Exception], cure: str
) -> None:
    """If Salesforce refuses the login, the poll fails at once with ``AuthenticationError``. If
    something on the way answers in its place, the error is ``NetworkRefusedError``. The message
    says what to change.
    """
    report = salesforce(f"login_answer={answer}").poll(SALESFORCE_TOPICS=EVENT)
    assert isinstance(report.error, kind)
    assert cure in str(report.error)


@pytest.mark.parametrize(
    "fault",
    [
        "drop_stream=6",
        "error=subscription.internal.error:6:2",
        "error=service.unavailable:0:2",
        "topic_unavailable=2",
    ],
)
def test_a_transient_error_is_retried_behind_the_last_whole_group(
    salesforce: Callable[..., Org], rows: Rows, fault: str
) -> None:
    """The collector retries if a stream breaks, if Salesforce reports an internal error, or if the
    service or a topic is unavailable for a moment. No delete is lost or stored twice.
    """
    org = salesforce(fault)
    org.poll(SALESFORCE_TOPICS=EVENT).raise_if_failed()
    assert keys(rows()) == org.published(topics=(EVENT,))


def test_a_stream_that_fails_again_and_again_still_makes_progress(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """If every stream fails after a few events, each retry continues behind the last whole group.
    All events arrive, and the poll ends in time.
    """
    org = salesforce("error=subscription.internal.error:6", batch_size=6)
    began = time.monotonic()
    report = org.poll(SALESFORCE_TOPICS=EVENT, MAX_RUN_SECONDS="60")
    assert time.monotonic() - began < 60
    assert report.topics[EVENT].cursor == "moved"
    assert keys(rows()) == org.published(topics=(EVENT,))


def test_an_exceeded_delivery_limit_stops_the_topic_until_the_next_poll(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """If the delivery limit of the org is exceeded, the topic fails at once, because no retry would
    help. The whole groups that arrived before are stored, and the next poll continues behind them.
    """
    org = salesforce("delivery_limit=10", batch_size=5)
    began = time.monotonic()
    report = org.poll(SALESFORCE_TOPICS=EVENT)
    assert time.monotonic() - began < 5
    assert isinstance(report.topics[EVENT].error, LimitExceededError)
    assert (len(rows()), report.topics[EVENT].cursor) == (9, "moved")


def test_a_topic_without_permission_fails_and_names_the_permission(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """Before the collector subscribes, it asks Salesforce about the topic (``GetTopic``). If the
    user may not subscribe, the error names the missing permission, and the rows of the other topics
    are stored.
    """
    org = salesforce(f"deny_topic@{ACCOUNT}")
    report = org.poll(SALESFORCE_TOPICS=f"{ACCOUNT},{EVENT}")
    error = report.topics[ACCOUNT].error
    assert isinstance(error, TopicError)
    assert "View All on the object" in str(error)
    assert keys(rows()) == org.published(topics=(EVENT,))
