"""How many events the collector requests on a stream: the credit that Salesforce may still use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesforce_client.src.app.salesforce.credits import MAX_CREDITS, TOP_UP_AT, Credits


def stream(*responses: tuple[int, int]) -> Credits:
    """A stream that has requested 100 events and received these responses.

    A response is the number of its events, and the number of events that it says are pending.
    """
    credit = Credits()
    credit.grant()
    for received, pending in responses:
        credit.settle(received, pending)
    return credit


def test_a_new_stream_requests_100_events() -> None:
    """No event is outstanding before that request."""
    credit = Credits()
    assert credit.outstanding == 0
    assert credit.grant() == 100
    assert credit.outstanding == 100


@pytest.mark.parametrize(
    ("received", "outstanding", "requested"), [(0, 100, 0), (49, 51, 0), (50, 50, 50), (90, 10, 90)]
)
def test_more_events_are_requested_when_50_or_fewer_are_outstanding(
    received: int, outstanding: int, requested: int
) -> None:
    """The request fills the credit up to 100 again."""
    credit = stream((received, 100 - received))
    assert credit.outstanding == outstanding
    assert credit.grant() == requested
    assert credit.outstanding == outstanding + requested


def test_a_request_counts_as_credit_before_salesforce_has_received_it() -> None:
    """If the request did not count, the collector would request the same events again."""
    credit = stream((50, 50))
    assert credit.grant() == 50
    credit.settle(10, 40)
    assert credit.outstanding == 90, "Salesforce sent this response before it got the request"
    credit.settle(10, 80)
    assert credit.outstanding == 80, "Salesforce sent this one after it got the request"


def test_several_requests_may_be_under_way() -> None:
    """Each response confirms as many requests as its pending number contains."""
    credit = stream((50, 50))
    assert credit.grant() == 50
    credit.settle(50, 0)
    assert credit.grant() == 50
    credit.settle(10, 40)
    assert credit.outstanding == 90, "one is confirmed, one is under way"
    credit.settle(40, 50)
    assert credit.outstanding == 50, "both are confirmed"


def test_one_response_may_confirm_several_requests() -> None:
    """Salesforce got both requests before it sent the response."""
    credit = stream((50, 50))
    credit.grant()
    credit.settle(50, 0)
    credit.grant()
    credit.settle(1, 99)
    assert credit.outstanding == 99
    credit.settle(49, 50)
    assert credit.outstanding == 50


@pytest.mark.parametrize(("pending", "outstanding"), [(25, 25), (0, 0), (-1, 0)])
def test_the_servers_count_of_credit_wins_if_the_counts_differ(
    pending: int, outstanding: int
) -> None:
    """The server sends only what its own count allows.

    After that, no request counts as under way.
    """
    credit = stream((10, pending))
    assert credit.outstanding == outstanding
    assert credit.grant() == 100 - outstanding
    assert credit.outstanding == 100


@given(st.data())
def test_credit_never_exceeds_its_limit_and_never_runs_out(data: st.DataObject) -> None:
    """The server answers in parts of any size, and requests may still be under way."""
    account, on_the_wire, server = Credits(), [], 0
    on_the_wire.append(account.grant())
    for _ in range(data.draw(st.integers(1, 60))):
        for _ in range(data.draw(st.integers(0, len(on_the_wire)))):
            server += on_the_wire.pop(0)
        assert server <= MAX_CREDITS
        sent = data.draw(st.integers(0, server))
        server -= sent
        account.settle(sent, server)
        assert account.outstanding == server + sum(on_the_wire)
        more = account.grant()
        if more:
            on_the_wire.append(more)
        assert TOP_UP_AT < server + sum(on_the_wire) <= MAX_CREDITS
