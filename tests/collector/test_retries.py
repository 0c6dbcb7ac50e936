"""The decision whether to open another stream after an error, tested without waiting."""

from __future__ import annotations

from typing import Any

import pytest

from salesforce_client.src.app.errors import (
    AuthenticationError,
    LimitExceededError,
    ReplayIdRejectedError,
    RequestRefusedError,
    SalesforceUnavailableError,
    SessionExpiredError,
    StorageUnavailableError,
    TopicError,
)
from salesforce_client.src.app.model.positions import Position, Preset
from salesforce_client.src.app.retries import ATTEMPTS_PER_POSITION, Retries, Retry

HERE = Position(b"here", "2026-02-01T11:00:00.000Z", "e")
UNAVAILABLE = SalesforceUnavailableError("the stream broke")
EXPIRED = SessionExpiredError("the access token is not valid")
REJECTED = ReplayIdRejectedError("corrupted")


def test_retries_at_one_position_are_limited_and_their_pauses_grow() -> None:
    """When the position moves, the count starts again."""
    retries = Retries(10_000)
    for _ in range(2):
        pauses = [
            retries.after(UNAVAILABLE, HERE, 0).pause for _ in range(ATTEMPTS_PER_POSITION - 1)
        ]
        assert pauses == [1, 2, 4, 8]
        retries.moved()
    for _ in range(ATTEMPTS_PER_POSITION - 1):
        retries.after(UNAVAILABLE, HERE, 0)
    with pytest.raises(SalesforceUnavailableError, match="the stream broke"):
        retries.after(UNAVAILABLE, HERE, 0)


def test_there_is_no_retry_if_its_pause_would_reach_the_deadline() -> None:
    """The error is raised instead."""
    assert Retries(420).after(UNAVAILABLE, HERE, 418.9) == Retry(pause=1)
    with pytest.raises(SalesforceUnavailableError):
        Retries(420).after(UNAVAILABLE, HERE, 419)


@pytest.mark.parametrize("kind", [SalesforceUnavailableError, StorageUnavailableError])
def test_an_unavailable_service_is_retried(kind: Any) -> None:
    """The service is Salesforce or the storage."""
    assert Retries(420).after(kind("not now"), Preset.EARLIEST, 0) == Retry(pause=1)


@pytest.mark.parametrize(
    "kind", [LimitExceededError, TopicError, RequestRefusedError, AuthenticationError]
)
def test_an_error_that_no_retry_can_fix_ends_the_drain(kind: Any) -> None:
    """The error is raised at once."""
    with pytest.raises(kind, match="no"):
        Retries(420).after(kind("no"), HERE, 1)


def test_a_session_may_be_renewed_again_after_progress() -> None:
    """In some orgs a session ends every fifteen minutes."""
    retries = Retries(420)
    for _ in range(3):
        assert retries.after(EXPIRED, HERE, 1) == Retry(renew=True)
        retries.moved()


def test_a_session_that_is_refused_again_without_progress_needs_a_person() -> None:
    """Another renewal would not help. Other errors in between are no progress."""
    retries = Retries(420)
    retries.after(EXPIRED, HERE, 1)
    retries.after(UNAVAILABLE, HERE, 2)
    with pytest.raises(AuthenticationError) as raised:
        retries.after(EXPIRED, HERE, 4)
    assert raised.value.text == (
        "the access token is not valid – the access token is refused although it is new. If the org"
        " locks sessions to the IP address from which they originated (Setup, Session Settings),"
        " switch that off, or let the login and the Pub/Sub API leave from one address: the same"
        " proxy or NAT gateway"
    )


def test_a_renewal_does_not_count_as_an_attempt() -> None:
    """After a renewal, the position still has all its attempts."""
    retries = Retries(420)
    retries.after(EXPIRED, HERE, 1)
    assert retries.after(UNAVAILABLE, HERE, 1).pause == 1


def test_the_drain_starts_over_after_one_rejected_replay_id_and_ends_after_a_second() -> None:
    """The second rejected id may be another one, and there may be progress in between.

    A second reset would not help either.
    """
    retries = Retries(420)
    assert retries.after(REJECTED, HERE, 1) == Retry(lost=HERE)
    retries.moved()
    with pytest.raises(ReplayIdRejectedError):
        retries.after(REJECTED, HERE._replace(replay_id=b"another"), 2)


@pytest.mark.parametrize("start", Preset)
def test_a_rejection_without_a_replay_id_ends_the_drain(start: Preset) -> None:
    """There is no position to reset."""
    with pytest.raises(ReplayIdRejectedError):
        Retries(420).after(REJECTED, start, 1)
