"""The mock as a product.

Its history depends on time alone, it checks every call, and any client can use it.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import grpc
import pytest

from salesforce_client.src.app.mock_salesforce import MockSalesforce
from salesforce_client.src.app.mock_salesforce.org import RETENTION, TOPICS, Org
from salesforce_client.src.app.model.ids import with_checksum
from salesforce_client.src.app.salesforce.wire import pubsub_api_pb2 as wire
from salesforce_client.src.app.salesforce.wire.pubsub_api_pb2_grpc import PubSubStub

REPOSITORY = Path(__file__).resolve().parent.parent.parent
NOW = datetime(2026, 2, 1, 12, 30, tzinfo=timezone.utc)
EVERY_TOPIC = tuple(TOPICS)


def org(now: datetime = NOW) -> Org:
    return Org(3600, lambda: now)


def test_two_mocks_have_the_same_history() -> None:
    """Cursors stay valid after a restart and on another machine, without stored state."""
    assert org().events("/data/ChangeEvents", org().earliest(), 1000) == org().events(
        "/data/ChangeEvents", org().earliest(), 1000
    )
    earlier, later = org(), org(NOW + timedelta(hours=5))
    past = earlier.events("/data/ChangeEvents", earlier.earliest(), 1000)
    assert later.events("/data/ChangeEvents", past[-2].position, 1000)[0] == past[-1]


def test_a_change_has_the_same_id_on_every_channel() -> None:
    """A change that arrives on two channels becomes one row."""
    on_account = {
        event.event_id for event in org().events("/data/AccountChangeEvent", org().earliest(), 1000)
    }
    on_all = {
        event.event_id for event in org().events("/data/ChangeEvents", org().earliest(), 1000)
    }
    assert on_account
    assert on_account < on_all


def test_record_ids_are_realistic() -> None:
    """A record id has 18 characters, the object's key prefix and a correct checksum."""
    prefixes = {"Account": "001", "Contact": "003", "Opportunity": "006", "Case": "500"}
    deletes = org().deletes(EVERY_TOPIC, NOW - RETENTION, NOW)
    for deleted in deletes:
        assert deleted.record_id.startswith(prefixes[deleted.object_name])
        assert deleted.deleted_by.startswith("005")
        assert with_checksum(deleted.record_id[:15]) == deleted.record_id
    assert len({deleted.record_id for deleted in deletes}) == len(deletes)


def test_the_history_contains_more_than_single_deletes() -> None:
    """The history also has creates, updates, and events that name several records."""
    mock = org()
    events = mock.events("/data/ChangeEvents", mock.earliest(), 1000)
    assert any(not event.deleted for event in events)
    assert any(len(event.deleted) > 5 for event in events)


def test_replay_ids_have_ten_bytes_and_a_keepalive_names_an_unused_one() -> None:
    """As on live orgs, replay ids rise, and a keepalive names a position after every event."""
    mock = org()
    ids = [
        mock.replay_id(event.position)
        for event in mock.events("/data/ChangeEvents", mock.earliest(), 1000)
    ]
    assert {len(one) for one in ids} == {10}
    assert ids == sorted(set(ids))
    told = [mock.keepalive_position() for _ in range(3)]
    assert told == sorted(set(told))
    assert mock.events("/data/ChangeEvents", told[0], 1000) == []


@pytest.mark.parametrize("missing", ["accesstoken", "instanceurl", "tenantid"])
def test_a_call_without_one_of_the_three_headers_is_refused(
    mock: MockSalesforce, missing: str
) -> None:
    """The error has the documented code, and its message has the rpc id."""
    headers = {"accesstoken": "x", "instanceurl": "https://x", "tenantid": "00D"}
    headers.pop(missing)
    target = mock.settings["SALESFORCE_PUBSUB_ENDPOINT"].removeprefix("http://")
    with grpc.insecure_channel(target) as channel, pytest.raises(grpc.RpcError) as raised:
        PubSubStub(channel).GetTopic(
            wire.TopicRequest(topic_name="/event/Delete_Event__e"), metadata=tuple(headers.items())
        )
    error: object = raised.value
    assert isinstance(error, grpc.Call)
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert "rpcId: " in (error.details() or "")
    assert ("error-code", "sfdc.platform.eventbus.grpc.service.auth.headers.invalid") in {
        tuple(it) for it in error.trailing_metadata()
    }
