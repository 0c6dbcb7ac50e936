"""Whether a broken stream is worth another one: scripted errors, no waiting."""

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
from salesforce_client.src.app.model import Position, Preset
from salesforce_client.src.app.retries import ATTEMPTS_PER_POSITION, Retries, Retry

HERE = Position(b"here", "2026-02-01T11:00:00.000Z", "e")
UNAVAILABLE = SalesforceUnavailableError("the stream broke")
EXPIRED = SessionExpiredError("the access token is not valid")
REJECTED = ReplayIdRejectedError("corrupted")


def test_tries_at_one_position_are_bounded_and_further_and_further_apart() -> None:
    """And begin anew once it has moved."""
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


def test_there_is_no_try_for_which_there_is_no_time() -> None:
    """The pause would reach the deadline."""
    assert Retries(420).after(UNAVAILABLE, HERE, 418.9) == Retry(pause=1)
    with pytest.raises(SalesforceUnavailableError):
        Retries(420).after(UNAVAILABLE, HERE, 419)


@pytest.mark.parametrize("kind", [SalesforceUnavailableError, StorageUnavailableError])
def test_what_may_be_better_in_a_moment_is_tried_again(kind: Any) -> None:
    """Whoever is unavailable."""
    assert Retries(420).after(kind("not now"), Preset.EARLIEST, 0) == Retry(pause=1)


@pytest.mark.parametrize(
    "kind", [LimitExceededError, TopicError, RequestRefusedError, AuthenticationError]
)
def test_what_no_retry_would_mend_ends_the_drain(kind: Any) -> None:
    """At once."""
    with pytest.raises(kind, match="no"):
        Retries(420).after(kind("no"), HERE, 1)


def test_a_session_may_be_renewed_again_after_progress() -> None:
    """Some orgs end one every fifteen minutes."""
    retries = Retries(420)
    for _ in range(3):
        assert retries.after(EXPIRED, HERE, 1) == Retry(renew=True)
        retries.moved()


def test_a_session_that_is_refused_after_a_renewal_without_progress_is_for_a_person() -> None:
    """Another renewal would not help. What else breaks in between is no progress."""
    retries = Retries(420)
    retries.after(EXPIRED, HERE, 1)
    retries.after(UNAVAILABLE, HERE, 2)
    with pytest.raises(
        AuthenticationError, match=r"not valid.*refused again after the session was renewed"
    ):
        retries.after(EXPIRED, HERE, 4)


def test_a_renewal_is_no_try() -> None:
    """It costs none of those that a position has."""
    retries = Retries(420)
    retries.after(EXPIRED, HERE, 1)
    assert retries.after(UNAVAILABLE, HERE, 1).pause == 1


def test_one_rejected_replay_id_is_lost_and_a_second_one_ends_the_drain() -> None:
    """Even if it is another one, and there was progress: the first reset has not helped."""
    retries = Retries(420)
    assert retries.after(REJECTED, HERE, 1) == Retry(lost=HERE)
    retries.moved()
    with pytest.raises(ReplayIdRejectedError):
        retries.after(REJECTED, HERE._replace(replay_id=b"another"), 2)


@pytest.mark.parametrize("start", Preset)
def test_a_rejection_without_a_replay_id_ends_the_drain(start: Preset) -> None:
    """There is nothing to reset."""
    with pytest.raises(ReplayIdRejectedError):
        Retries(420).after(REJECTED, start, 1)
