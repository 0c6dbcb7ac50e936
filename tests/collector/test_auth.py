"""The JWT bearer flow, tested with the mock's token endpoint and with servers that misbehave."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from local.emulators import free_port

from salesforce_client.src.app.errors import AuthenticationError, SalesforceUnavailableError
from salesforce_client.src.app.mock_salesforce import AUDIENCES, CLIENT_ID, USERNAME, MockSalesforce
from salesforce_client.src.app.model import Session, with_checksum
from salesforce_client.src.app.salesforce.login import authenticate, claims
from salesforce_client.src.app.settings import read

OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def log_in(mock: MockSalesforce, **changes: object) -> Session:
    salesforce = read({**mock.settings, "EVENTS_STORAGE": "UseDevelopmentStorage=true"}).salesforce
    assert salesforce
    arguments = {
        "login_url": mock.tokens.url,
        "audience": AUDIENCES[0],
        "client_id": CLIENT_ID,
        "username": USERNAME,
    }
    return authenticate(
        **{**arguments, "private_key": salesforce.private_key, **changes}  # type: ignore[arg-type]
    )


@contextlib.contextmanager
def answering(*answers: tuple[int, object]) -> Iterator[str]:
    """A login host that gives these answers in turn, and repeats the last one."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            status, body = left.pop(0) if len(left) > 1 else left[0]
            content = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def at(url: str) -> Session:
    return authenticate(url, AUDIENCES[0], CLIENT_ID, USERNAME, OTHER_KEY)


def test_a_signed_assertion_is_exchanged_for_a_session(mock: MockSalesforce) -> None:
    """The session has the org's 18-character id, from the identity URL."""
    session = log_in(mock)
    assert session.org_id == mock.org.org_id
    assert mock.tokens.accepts(session.access_token, session.instance_url, session.org_id)


def test_the_assertion_expires_within_three_minutes_in_whole_seconds() -> None:
    """Three minutes is the strictest published limit. Milliseconds would mean a date far ahead."""
    said = claims("id", "user", "https://login.salesforce.com", 1_700_000_000.9)
    assert said == {
        "iss": "id",
        "sub": "user",
        "aud": "https://login.salesforce.com",
        "exp": 1_700_000_170,
    }


@pytest.mark.parametrize(
    ("changes", "words", "advice"),
    [
        ({"audience": "https://example.com"}, "audience is invalid", "SALESFORCE_AUDIENCE"),
        (
            {"username": "stranger@example.com"},
            "user hasn't approved this consumer",
            "SALESFORCE_USERNAME",
        ),
        ({"client_id": "wrong"}, "client identifier invalid", "SALESFORCE_CLIENT_ID"),
        ({"private_key": OTHER_KEY}, "invalid assertion", "SALESFORCE_PRIVATE_KEY"),
    ],
)
def test_a_refused_login_shows_salesforces_words_and_the_setting_to_check(
    mock: MockSalesforce, changes: dict[str, object], words: str, advice: str
) -> None:
    """The audience, the user, the app or the key is wrong."""
    with pytest.raises(AuthenticationError) as raised:
        log_in(mock, **changes)
    assert words in str(raised.value)
    assert advice in str(raised.value)


def test_an_expired_assertion_points_to_the_clock(mock: MockSalesforce) -> None:
    """Only this refusal has its cause on this machine."""
    with pytest.raises(AuthenticationError, match="clock"):
        log_in(mock, lifetime_seconds=-60)


def test_a_login_is_retried_during_an_outage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If the outage lasts, the error says that Salesforce is unavailable."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    token = {
        "access_token": "00D000000000001!x",
        "instance_url": "https://x.my.salesforce.com",
        "id": "x",
    }
    with answering((503, ""), (429, ""), (200, token)) as url:
        assert at(url).org_id == "00D000000000001EAA"
    with answering((500, "")) as url, pytest.raises(SalesforceUnavailableError, match="HTTP 500"):
        at(url)
    with pytest.raises(SalesforceUnavailableError, match="Connection"):
        at(f"http://127.0.0.1:{free_port()}")


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, "<html>", "without JSON"),
        (404, "not here", "without JSON"),
        (302, "", "without JSON"),
        (200, {"instance_url": "https://x"}, "lacks access_token"),
        (
            200,
            {"access_token": "t!x", "instance_url": "https://x", "id": "https://x/id/nonsense/y"},
            "names no org",
        ),
    ],
)
def test_an_answer_without_a_complete_session_is_an_authentication_error(
    status: int, body: object, words: str
) -> None:
    """An incomplete session would fail later, far from its cause."""
    with answering((status, body)) as url, pytest.raises(AuthenticationError, match=words):
        at(url)


def test_a_printed_session_or_error_shows_no_token_and_no_assertion(mock: MockSalesforce) -> None:
    """Whoever reads a token or an assertion can log in with it."""
    session = log_in(mock)
    assert session.access_token not in repr(session)
    with pytest.raises(AuthenticationError) as raised:
        log_in(mock, private_key=OTHER_KEY)
    assert "eyJ" not in str(raised.value)


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("00D000000000001", "00D000000000001EAA"),
        ("001D000000IqhSL", "001D000000IqhSLIAZ"),
        ("005A0000001vZ9y", "005A0000001vZ9yIAE"),
    ],
)
def test_the_checksum_of_an_id_encodes_the_case_of_its_letters(short: str, long: str) -> None:
    """The checksum has three characters, one for each five characters of the id."""
    assert with_checksum(short) == long
