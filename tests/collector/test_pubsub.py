"""The Pub/Sub adapter over real sockets, and the table of its errors."""

from __future__ import annotations

import contextlib
import functools
import queue
import threading
import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from salesforce_client.src.app.errors import (
    ActionNeededError,
    AuthenticationError,
    NetworkRefusedError,
    ReplayIdRejectedError,
    RequestRefusedError,
    SalesforceUnavailableError,
    SchemaError,
    SessionExpiredError,
    TopicError,
    TryAgainError,
)
from salesforce_client.src.app.mock_salesforce import MockSalesforce
from salesforce_client.src.app.mock_salesforce.org import replay_id
from salesforce_client.src.app.model.events import Event, Session
from salesforce_client.src.app.model.positions import Position, Preset, Start
from salesforce_client.src.app.salesforce import rpc_errors, subscription
from salesforce_client.src.app.salesforce.login import authenticate
from salesforce_client.src.app.salesforce.network import Route
from salesforce_client.src.app.salesforce.pubsub import PubSub
from salesforce_client.src.app.salesforce.subscription import Subscription
from salesforce_client.src.app.salesforce.wire import pubsub_api_pb2 as wire
from salesforce_client.src.app.settings import read

TOPIC = "/data/AccountChangeEvent"
EARLIEST = Preset.EARLIEST


def after(replay_id: bytes) -> Position:
    return Position(replay_id, None, "e")


@contextlib.contextmanager
def connected(mock: MockSalesforce) -> Iterator[PubSub]:
    """A session with the mock."""
    settings = read({**mock.settings, "EVENTS_STORAGE": "UseDevelopmentStorage=true"}).salesforce
    assert settings
    log_in = functools.partial(
        authenticate,
        settings.login_url,
        settings.audience,
        settings.client_id,
        settings.username,
        settings.private_key,
    )
    with PubSub(settings.pubsub_endpoint.target, tls=False, authenticate=log_in) as running:
        yield running


@pytest.fixture
def source(mock: MockSalesforce) -> Iterator[PubSub]:
    with connected(mock) as running:
        yield running


def drained(source: PubSub, topic: str, start: Start) -> tuple[list[Event], bytes]:
    """All events before the first empty response, and the replay id of that response."""
    events: list[Event] = []
    with source.subscribe(topic, start) as stream:
        while True:
            response = stream.next(5)
            assert response is not None
            if response.position:
                return events, response.position.replay_id
            events += response.events


def test_a_topic_that_does_not_exist_is_named(source: PubSub) -> None:
    """The error also has the rpc id, which Salesforce's support asks for."""
    with pytest.raises(
        TopicError, match=r"/event/Missing__e.*not found.*rpcId: .*topic\.not\.found"
    ):
        source.check_topic("/event/Missing__e")


def test_a_schema_is_fetched_by_its_id_and_an_unknown_id_is_a_schema_error(
    source: PubSub, mock: MockSalesforce
) -> None:
    """With this error, the collector can reject one event without failing its topic."""
    events, _ = drained(source, TOPIC, EARLIEST)
    assert '"AccountChangeEvent"' in source.schema(events[0].schema_id)
    for unknown in ("", "AAAAAAAAAAAAAAAAAAAAAA"):
        with pytest.raises(SchemaError):
            source.schema(unknown)


def test_a_backlog_arrives_whole_and_in_order(source: PubSub, mock: MockSalesforce) -> None:
    """A second stream from one of its replay ids brings all events behind that id."""
    events, _ = drained(source, "/data/ChangeEvents", EARLIEST)
    assert len(events) == 54
    assert len({event.event_id for event in events}) == 54
    again, _ = drained(source, "/data/ChangeEvents", after(events[9].replay_id))
    assert again == events[10:]


def test_a_stream_can_start_from_the_position_of_an_empty_response(
    source: PubSub, mock: MockSalesforce
) -> None:
    """The position is ahead of every event, and no event has it as its replay id."""
    events, position = drained(source, TOPIC, EARLIEST)
    assert position not in {event.replay_id for event in events}
    assert drained(source, TOPIC, after(position))[0] == []


class Answering:
    """A call that takes requests in a thread, as gRPC does, and answers each with 100 events."""

    def __init__(self, requests: Iterator[wire.FetchRequest], **_: Any) -> None:
        self.asked: list[int] = []
        self._taken: queue.SimpleQueue[bool] = queue.SimpleQueue()
        threading.Thread(target=self._take, args=(requests,)).start()

    def _take(self, requests: Iterator[wire.FetchRequest]) -> None:
        for request in requests:
            self.asked.append(request.num_requested)
            self._taken.put(True)
        self._taken.put(False)

    def __iter__(self) -> Iterator[wire.FetchResponse]:
        event = wire.ConsumerEvent(event=wire.ProducerEvent(payload=bytes(1000)))
        while self._taken.get():
            yield wire.FetchResponse(events=[event] * 100, latest_replay_id=b"1")

    def cancel(self) -> None:
        """Nothing to do: the call ends with its requests."""

    def asked_in_the_end(self, number: int) -> bool:
        """Whether the number of requests reaches ``number`` and stays there."""
        deadline = time.monotonic() + 10
        while len(self.asked) < number and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.3)
        return self.asked == [100] * number


def test_no_more_events_are_requested_while_too_many_bytes_wait() -> None:
    """Bytes count, not responses, as a response may have a few kB or 3 MB.

    The waiting reader thread ends when the stream is closed.
    """
    calls: list[Answering] = []

    def method(requests: Iterator[wire.FetchRequest], **options: Any) -> Answering:
        calls.append(Answering(requests, **options))
        return calls[0]

    session = Session("x", "https://x.my.salesforce.com", "00D")
    with Subscription(method, TOPIC, EARLIEST, session, Route(), ahead_bytes=250_000) as stream:
        assert calls[0].asked_in_the_end(3)
        for number in range(4, 8):
            assert stream.next(5)
            assert calls[0].asked_in_the_end(number)
        (reader,) = [thread for thread in threading.enumerate() if thread.name == f"read {TOPIC}"]
    reader.join(5)
    assert not reader.is_alive()


def test_a_caller_that_waits_gets_a_response_after_the_next_request_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise the request is often sent only after the caller has decoded the response."""
    monkeypatch.setattr(subscription, "SENT_SECONDS", 60)
    sent: list[int] = []
    first = threading.Event()

    class Call:
        """Sends slowly. Answers the first request with a hundred events."""

        def __init__(self, requests: Iterator[wire.FetchRequest], **_: Any) -> None:
            threading.Thread(target=self._send, args=(requests,)).start()

        def __iter__(self) -> Iterator[wire.FetchResponse]:
            assert first.wait(5)
            yield wire.FetchResponse(events=[wire.ConsumerEvent()] * 100)

        @staticmethod
        def _send(requests: Iterator[wire.FetchRequest]) -> None:
            for request in requests:
                time.sleep(0.1)
                sent.append(request.num_requested)
                first.set()

        def cancel(self) -> None:
            """Nothing to do: the call ends with its requests."""

    session = Session("x", "https://x.my.salesforce.com", "00D")
    with Subscription(Call, TOPIC, EARLIEST, session, Route()) as stream:
        assert stream.next(5)
        assert sent == [100, 100]


def test_a_caller_gets_a_response_although_the_next_request_cannot_be_sent() -> None:
    """The server may accept no more bytes for a time."""

    class Call:
        """Takes the first request alone, and answers it with a hundred events."""

        def __init__(self, requests: Iterator[wire.FetchRequest], **_: Any) -> None:
            self._requests = requests

        def __iter__(self) -> Iterator[wire.FetchResponse]:
            next(self._requests)
            yield wire.FetchResponse(events=[wire.ConsumerEvent()] * 100)

        def cancel(self) -> None:
            """Nothing to do."""

    session = Session("x", "https://x.my.salesforce.com", "00D")
    with Subscription(Call, TOPIC, EARLIEST, session, Route()) as stream:
        assert stream.next(5)


@pytest.mark.parametrize("bad", [b"garbage", b"\0" * 8, replay_id(1), b"\xff" * 8 + b"\0\0"])
def test_an_unknown_replay_id_is_recognized_by_its_error_code(source: PubSub, bad: bytes) -> None:
    """Only this error code may reset a cursor."""
    with (
        source.subscribe(TOPIC, after(bad)) as stream,
        pytest.raises(ReplayIdRejectedError, match="within the retention window"),
    ):
        stream.next(5)


@pytest.mark.parametrize("start", [after(b""), *Preset])
def test_a_replay_id_that_was_not_sent_is_not_rejected(start: Start) -> None:
    """A reset would record a gap that does not exist, and read all retained events again."""
    fault = "error=subscription.fetch.replayid.validation.failed"
    with (
        MockSalesforce(3600, faults=fault) as mock,
        connected(mock) as source,
        source.subscribe(TOPIC, start) as stream,
        pytest.raises(RequestRefusedError, match=r"replayid\.validation\.failed"),
    ):
        stream.next(5)


def test_a_sent_replay_id_is_rejected_with_either_documented_code() -> None:
    """The documentation calls the second code one for requests without a replay id."""
    with (
        MockSalesforce(3600, faults="refuse_replay_id") as mock,
        connected(mock) as source,
        source.subscribe(TOPIC, after(replay_id(1))) as stream,
        pytest.raises(ReplayIdRejectedError, match=r"replayid\.validation\.failed"),
    ):
        stream.next(5)


def test_an_expired_session_is_renewed_once_for_a_unary_call(
    source: PubSub, mock: MockSalesforce
) -> None:
    """A stream raises an error instead, and its caller renews the session."""
    before = source.session
    mock.tokens.expire_tokens()
    with source.subscribe(TOPIC, EARLIEST) as stream, pytest.raises(SessionExpiredError):
        stream.next(5)
    source.check_topic(TOPIC)
    assert source.session is not before
    renewed = source.session
    source.renew(before)  # as another thread may do late: the new session stays
    assert source.session is renewed
    source.check_topic(TOPIC)


def test_a_new_session_that_is_refused_needs_a_person(mock: MockSalesforce) -> None:
    """The session is not renewed without end."""
    useless = Session("x", "https://elsewhere.my.salesforce.com", mock.org.org_id)
    target = mock.settings["SALESFORCE_PUBSUB_ENDPOINT"].removeprefix("http://")
    with (
        PubSub(target, tls=False, authenticate=lambda: useless) as source,
        pytest.raises(AuthenticationError, match=r"although it is new.*Session Settings"),
    ):
        source.check_topic(TOPIC)


def test_waiting_for_a_response_ends_after_the_timeout(source: PubSub) -> None:
    """The iterator of gRPC would wait for ever."""
    with source.subscribe(TOPIC, Preset.LATEST) as stream:
        assert stream.next(0.01) is None
        response = stream.next(5)
    assert response
    assert not response.events
    assert response.position


def failure(
    status: grpc.StatusCode, code: str, details: str = "what Salesforce says\nrpcId: 1"
) -> grpc.RpcError:
    """An error as gRPC raises it."""
    error: Any = grpc.RpcError()
    error.code = lambda: status
    error.details = lambda: details
    error.trailing_metadata = lambda: (("error-code", code),) if code else None
    return error  # type: ignore[no-any-return]


@pytest.mark.parametrize("suffix", rpc_errors.ERRORS_BY_CODE)
def test_a_documented_error_code_decides_whatever_its_status(suffix: str) -> None:
    """For several codes the status is undocumented."""
    for status in grpc.StatusCode:
        error = rpc_errors.translate(
            failure(status, rpc_errors.ERROR_CODE_PREFIX + suffix), "/event/X__e", Route()
        )
        assert type(error) is rpc_errors.ERRORS_BY_CODE[suffix]
        told = f"/event/X__e: what Salesforce says rpcId: 1 ({status.name}, "
        told += f"sfdc.platform.eventbus.grpc.{suffix})"
        cure = rpc_errors.CURES.get(type(error))
        assert error.text == (f"{told} – {cure}" if cure else told)


def test_every_error_of_a_call_that_needs_a_person_says_what_to_do() -> None:
    """The others that end a poll say when to act. The rest is handled inside the run."""
    kinds = {
        *rpc_errors.ERRORS_BY_CODE.values(),
        *rpc_errors.ERRORS_BY_STATUS.values(),
        RequestRefusedError,
    }
    shown = (ActionNeededError, TryAgainError)
    assert {kind for kind in kinds if issubclass(kind, shown)} == set(rpc_errors.CURES)


@pytest.mark.parametrize("status", list(grpc.StatusCode))
def test_a_status_without_a_known_error_code_never_resets_a_cursor(status: grpc.StatusCode) -> None:
    """The code is missing, new, or not one of Salesforce's."""
    for code in ("", rpc_errors.ERROR_CODE_PREFIX + "something.new", "elsewhere"):
        error = rpc_errors.translate(failure(status, code), "/event/X__e", Route())
        assert type(error) is rpc_errors.ERRORS_BY_STATUS.get(status, RequestRefusedError)


@pytest.mark.parametrize("details", ["Received http2 header with status: 403", "no route to host"])
def test_an_error_with_salesforces_code_is_none_of_the_network(details: str) -> None:
    """Without the code, the first text comes from a proxy, and the second one names it."""
    route = Route("api.pubsub.salesforce.com:7443", "SETTING", "http://proxy.example:3128")
    unavailable = grpc.StatusCode.UNAVAILABLE
    code = rpc_errors.ERROR_CODE_PREFIX + "service.unavailable"
    told = rpc_errors.translate(failure(unavailable, code, details), "/event/X__e", route)
    assert isinstance(told, SalesforceUnavailableError)
    cure = rpc_errors.CURES[SalesforceUnavailableError]
    assert told.text == f"/event/X__e: {details} (UNAVAILABLE, {code}) – {cure}"
    told = rpc_errors.translate(failure(unavailable, "", details), "/event/X__e", route)
    assert isinstance(told, NetworkRefusedError) == ("403" in details)
    assert ("through the proxy proxy.example:3128" in str(told)) == ("403" not in details)
    assert told.text.endswith(rpc_errors.NO_SERVER) == ("403" not in details)
