"""The RPCs of the mock that other Pub/Sub clients use and the collector does not."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from salesforce_client.src.app.mock_salesforce import MockSalesforce, schemas
from salesforce_client.src.app.mock_salesforce.events import encode
from salesforce_client.src.app.mock_salesforce.faults import FAULTS, Faults
from salesforce_client.src.app.mock_salesforce.managed import DEVELOPER_NAME
from salesforce_client.src.app.salesforce.wire import pubsub_api_pb2 as wire
from salesforce_client.src.app.salesforce.wire.pubsub_api_pb2_grpc import PubSubStub

TOPIC = "/event/Delete_Event__e"
WITH_TEXT = {  # faults whose value is not a number
    *("error", "status", "split", "login_answer", "hide", "redelete", "merge", "empty_bin"),
    *("long_transaction", "filtered_channel", "rest_trim", "rest_session", "rest_error"),
    *("rest_down", "no_view_setup", "not_replicateable"),
}
SCHEMA_ID = schemas.schema_id(schemas.DELETE_EVENT)
PAYLOAD = encode(schemas.DELETE_EVENT, {"CreatedDate": 1, "CreatedById": "005"})
EVENT = wire.ProducerEvent(id="mine", schema_id=SCHEMA_ID, payload=PAYLOAD)


class Client:
    """A gRPC stub that has logged in."""

    def __init__(self, mock: MockSalesforce, channel: grpc.Channel) -> None:
        self.stub = PubSubStub(channel)
        token = mock.tokens.new_token()
        self.session = (
            ("accesstoken", token),
            ("instanceurl", mock.tokens.instance_url),
            ("tenantid", mock.org.org_id[:15]),
        )

    def stream(self, method: Any, *requests: Any) -> tuple[Any, queue.SimpleQueue[Any]]:
        """Open a stream. Return it and the queue of its further requests.

        A None in the queue ends the stream.
        """
        waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for request in requests:
            waiting.put(request)
        return method(iter(waiting.get, None), metadata=self.session, timeout=20), waiting


@contextlib.contextmanager
def connected(mock: MockSalesforce) -> Iterator[Client]:
    with grpc.insecure_channel(
        mock.settings["SALESFORCE_PUBSUB_ENDPOINT"].removeprefix("http://")
    ) as channel:
        yield Client(mock, channel)


@pytest.fixture
def client(mock: MockSalesforce) -> Iterator[Client]:
    with connected(mock) as one:
        yield one


def code(error: Any) -> str:
    (found,) = [value for key, value in error.trailing_metadata() if key == "error-code"]
    return str(found).removeprefix("sfdc.platform.eventbus.grpc.")


def test_a_published_event_is_delivered(client: Client) -> None:
    """A subscriber from LATEST receives the event with the publisher's event id."""
    first = wire.FetchRequest(topic_name=TOPIC, replay_preset=wire.LATEST, num_requested=1)
    stream, waiting = client.stream(client.stub.Subscribe, first)
    assert list(next(stream).events) == []
    answer = client.stub.Publish(
        wire.PublishRequest(topic_name=TOPIC, events=[EVENT]), metadata=client.session
    )
    response = next(response for response in stream if response.events)
    assert [(it.event.id, it.replay_id) for it in response.events] == [
        ("mine", answer.results[0].replay_id)
    ]
    assert response.pending_num_requested == 0
    waiting.put(None)
    stream.cancel()


def test_a_hundred_streams_leave_room_for_other_calls(client: Client) -> None:
    """A poll of many topics has a stream for each, and still asks for topics and schemas."""
    first = wire.FetchRequest(topic_name=TOPIC, replay_preset=wire.LATEST, num_requested=1)
    streams = [client.stream(client.stub.Subscribe, first) for _ in range(100)]
    asked = wire.TopicRequest(topic_name=TOPIC)
    answer = client.stub.GetTopic(asked, metadata=client.session, timeout=20)
    assert answer.topic_name == TOPIC
    assert all(list(next(stream).events) == [] for stream, _ in streams)
    for stream, waiting in streams:
        waiting.put(None)
        stream.cancel()


def test_a_publish_stream_answers_each_request(client: Client) -> None:
    """An event with a wrong schema gets its own error; the others are published."""
    wrong = wire.ProducerEvent(id="other", schema_id="x", payload=b"")
    stream, waiting = client.stream(
        client.stub.PublishStream, wire.PublishRequest(topic_name=TOPIC, events=[EVENT, wrong])
    )
    results = next(stream).results
    assert [(it.correlation_key, it.error.code) for it in results] == [
        ("mine", wire.UNKNOWN),
        ("other", wire.PUBLISH),
    ]
    waiting.put(wire.PublishRequest(topic_name=TOPIC))
    with pytest.raises(grpc.RpcError) as raised:
        next(stream)
    assert code(raised.value) == "publish.event.count.invalid"
    waiting.put(None)


def managed(**fields: Any) -> wire.ManagedFetchRequest:
    return wire.ManagedFetchRequest(**{"developer_name": DEVELOPER_NAME, **fields})


def test_a_managed_subscription_keeps_its_cursor_on_the_server(client: Client) -> None:
    """The next client receives the events after the committed one."""
    stream, waiting = client.stream(client.stub.ManagedSubscribe, managed(num_requested=5))
    events = next(stream).events
    assert len(events) == 5
    waiting.put(
        wire.ManagedFetchRequest(
            commit_replay_id_request=wire.CommitReplayRequest(
                commit_request_id="c", replay_id=events[1].replay_id
            )
        )
    )
    answer = next(
        response for response in stream if response.HasField("commit_response")
    ).commit_response
    assert (answer.commit_request_id, answer.replay_id) == ("c", events[1].replay_id)
    waiting.put(None)
    stream.cancel()
    assert first_managed_event(client).event.id == events[2].event.id


def first_managed_event(client: Client) -> Any:
    """Return the first event of a new stream.

    The server may need a moment to notice that the previous client has gone.
    """
    for _ in range(50):
        stream, waiting = client.stream(client.stub.ManagedSubscribe, managed(num_requested=1))
        try:
            return next(stream).events[0]
        except grpc.RpcError:
            time.sleep(0.1)
        finally:
            waiting.put(None)
            stream.cancel()
    raise AssertionError("the subscription is still in use by the previous client")


def test_a_managed_subscription_serves_one_client_at_a_time(client: Client) -> None:
    """A second client gets the documented error."""
    stream, waiting = client.stream(client.stub.ManagedSubscribe, managed(num_requested=1))
    next(stream)
    with pytest.raises(grpc.RpcError) as raised:
        next(client.stream(client.stub.ManagedSubscribe, managed(num_requested=1))[0])
    assert code(raised.value) == "managed.subscription.already.active"
    waiting.put(None)
    stream.cancel()


@pytest.mark.parametrize(
    ("request_", "suffix"),
    [
        (wire.ManagedFetchRequest(num_requested=1), "id.or.developer.name.empty"),
        (managed(developer_name="Other", num_requested=1), "developer.name.not.found"),
        (
            wire.ManagedFetchRequest(subscription_id="short", num_requested=1),
            "subscription.id.invalid",
        ),
        (
            managed(commit_replay_id_request=wire.CommitReplayRequest()),
            "fetch.request.commit.request.restricted",
        ),
    ],
)
def test_a_managed_subscription_refuses_an_invalid_first_request(
    client: Client, request_: Any, suffix: str
) -> None:
    """Each mistake has its documented code."""
    with pytest.raises(grpc.RpcError) as raised:
        next(client.stream(client.stub.ManagedSubscribe, request_)[0])
    assert code(raised.value) == f"managed.subscription.{suffix}"


@pytest.mark.parametrize(
    ("second", "suffix"),
    [
        (wire.FetchRequest(num_requested=0), "requested.events.invalid"),
        (wire.FetchRequest(topic_name="/data/ChangeEvents", num_requested=1), "topic.mismatch"),
    ],
)
def test_a_stream_refuses_invalid_later_requests(client: Client, second: Any, suffix: str) -> None:
    """A later request without credit or with another topic ends the stream with an error."""
    first = wire.FetchRequest(topic_name=TOPIC, replay_preset=wire.EARLIEST, num_requested=1)
    stream, _ = client.stream(client.stub.Subscribe, first, second)
    with pytest.raises(grpc.RpcError) as raised:
        list(stream)
    assert code(raised.value) == f"subscription.fetch.{suffix}"


def test_credit_adds_up_to_a_hundred_at_most(client: Client, mock: MockSalesforce) -> None:
    """Two requests for 90 events give credit for 100.

    The replay preset of the second is ignored.
    """
    first = wire.FetchRequest(topic_name=TOPIC, replay_preset=wire.LATEST, num_requested=90)
    stream, waiting = client.stream(client.stub.Subscribe, first)
    waiting.put(wire.FetchRequest(replay_preset=wire.EARLIEST, num_requested=90))
    response = next(stream)
    assert (list(response.events), response.pending_num_requested) == ([], 100)
    waiting.put(None)
    stream.cancel()


def test_keepalives_come_after_60_to_270_seconds_on_a_fast_clock() -> None:
    """Each silence has a length of its own. The clock of the streams is 400 times as fast."""
    faults = "keepalive=60-270,fast=400,delay_first=200"
    with MockSalesforce(36_000, faults=faults) as mock, connected(mock) as client:
        first = wire.FetchRequest(topic_name=TOPIC, replay_preset=wire.LATEST, num_requested=1)
        began = time.monotonic()
        stream, waiting = client.stream(client.stub.Subscribe, first)
        arrived = [began]
        for response in stream:
            assert not response.events
            arrived.append(time.monotonic())
            if len(arrived) == 9:
                break
        waiting.put(None)
        stream.cancel()
    assert arrived[1] - began >= 200 / 400
    silences = [400 * (after - before) for before, after in zip(arrived[1:], arrived[2:])]
    assert min(silences) > 50
    assert max(silences) < 270 + 400 * 0.5
    assert max(silences) - min(silences) > 20


def test_every_fault_works_without_a_value() -> None:
    """The name alone switches a fault on, with its default.

    ``@`` and a topic limit it to that topic.
    """
    numbers = {name for name, (value, _) in FAULTS.items() if value and name not in WITH_TEXT}
    for name in FAULTS:
        faults = Faults(name)
        assert faults.on(name, "/event/X__e")
        if name in numbers:
            assert faults.number(name, "/event/X__e") is not None
    limited = Faults("silent@/event/A__e, corrupt=2")
    assert (limited.on("silent", "/event/A__e"), limited.on("silent", "/event/B__e")) == (
        True,
        False,
    )
    assert [limited.happens("corrupt") for _ in range(3)] == [True, True, False]
