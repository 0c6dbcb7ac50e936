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

from salesforce_client.src.app.errors import (
    AuthenticationError,
    CollectorError,
    NetworkRefusedError,
    SalesforceUnavailableError,
)
from salesforce_client.src.app.mock_salesforce import (
    CLIENT_ID,
    PRODUCTION,
    SANDBOX,
    USERNAME,
    MockSalesforce,
)
from salesforce_client.src.app.mock_salesforce.login_answers import LOGIN_ANSWERS
from salesforce_client.src.app.model.events import Session
from salesforce_client.src.app.model.ids import with_checksum
from salesforce_client.src.app.salesforce import token_answers
from salesforce_client.src.app.salesforce.login import authenticate, claims
from salesforce_client.src.app.settings import read

OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def log_in(mock: MockSalesforce, **changes: object) -> Session:
    salesforce = read({**mock.settings, "EVENTS_STORAGE": "UseDevelopmentStorage=true"}).salesforce
    assert salesforce
    arguments = {
        "login_url": mock.tokens.url,
        "audience": PRODUCTION,
        "client_id": CLIENT_ID,
        "username": USERNAME,
    }
    return authenticate(
        **{**arguments, "private_key": salesforce.private_key, **changes}  # type: ignore[arg-type]
    )


@contextlib.contextmanager
def answering(*answers: tuple[int, object], location: str = "") -> Iterator[str]:
    """A login host that gives these answers in turn, and repeats the last one."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            status, body = left.pop(0) if len(left) > 1 else left[0]
            content = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            if location:
                self.send_header("Location", location)
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
    return authenticate(url, PRODUCTION, CLIENT_ID, USERNAME, OTHER_KEY)


def test_a_signed_assertion_is_exchanged_for_a_session(mock: MockSalesforce) -> None:
    """The session has the org's 18-character id, from the identity URL."""
    session = log_in(mock)
    assert session.org_id == mock.org.org_id
    assert session.user_id.startswith("005")
    assert len(session.user_id) == 18
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


@pytest.mark.parametrize(
    ("faults", "right", "wrong"), [("", PRODUCTION, SANDBOX), ("sandbox", SANDBOX, PRODUCTION)]
)
def test_the_mock_accepts_only_the_audience_of_its_kind_of_org(
    faults: str, right: str, wrong: str
) -> None:
    """The address of its My Domain is accepted too, but no other spelling and no list."""
    with MockSalesforce(3600, faults=faults) as org:
        assert org.settings["SALESFORCE_AUDIENCE"] == right
        for accepted in (right, org.settings["SALESFORCE_LOGIN_URL"]):
            assert log_in(org, audience=accepted).org_id == org.org.org_id
        refused: list[object] = [wrong, f"{right}/", right.upper(), right[8:], [right], ""]
        for audience in refused:
            with pytest.raises(AuthenticationError, match="audience is invalid"):
                log_in(org, audience=audience)


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


TOKEN = {
    "access_token": "00D000000000001!x",
    "instance_url": "https://x.my.salesforce.com",
    "id": "https://login.salesforce.com/id/00D000000000001EAA/005000000000001AAA",
}


@pytest.mark.parametrize("body", [{}, {"instance_url": "https://x"}, {"access_token": "t!x"}])
def test_a_token_response_that_lacks_something_is_an_authentication_error(body: object) -> None:
    """An incomplete session would fail later, far from its cause."""
    words = "lacks access_token or instance_url: check that SALESFORCE_LOGIN_URL"
    with answering((200, body)) as url, pytest.raises(AuthenticationError, match=words):
        at(url)


@pytest.mark.parametrize("token", ["t!x", "eyJhbGciOi.x.y"])
def test_a_token_response_that_names_no_org_is_an_authentication_error(token: str) -> None:
    """An access token may also be a JWT, which does not begin with the org id."""
    body = {**TOKEN, "access_token": token}
    with answering((200, body)) as url:
        assert at(url).org_id == "00D000000000001EAA"
    nameless = {**body, "id": "https://x/id/nonsense/y"}
    with (
        answering((200, nameless)) as url,
        pytest.raises(AuthenticationError, match="names no org"),
    ):
        at(url)


FOR_A_MOMENT = {
    "a page of a service that is down": (503, "<html>"),
    "too many requests": (429, ""),
    "a page about maintenance": (200, "<title>Down for maintenance</title>"),
    "another page about maintenance": (404, "<p>We will be back soon.</p>"),
    "a form of other REST services": (420, [{"errorCode": "SERVER_UNAVAILABLE", "message": "x"}]),
    "an error of the server as JSON": (500, {"error": "x"}),
    "too many requests as JSON": (429, {"error": "x"}),
    **{
        f"HTTP {status}: {json.dumps(body)}": (status, body)
        for status in (408, 425)
        for body in ("", "<title>Request Timeout</title>", {"error": "x"})
    },
    "an error with the status of a success": (200, {"error": "unknown_error"}),
    "an error of other REST services, too": (200, {"errorCode": "SERVER_UNAVAILABLE"}),
    **{
        f"{error}: {words}": (400, {"error": error, "error_description": words})
        for error, words in (
            ("unknown_error", "retry your request"),
            ("UNKNOWN_ERROR", ""),
            ("server_error", ""),
            ("x", "an internal error occurred"),
            ("internal_error", ""),
            ("internal_server_error", ""),
            ("service_unavailable", "Service Unavailable"),
            ("x", "Service Unavailable"),
            ("invalid_grant", "token request is already being processed"),
            ("temporarily_unavailable", ""),
            ("rate_limit_exceeded", "x"),
            ("REQUEST_LIMIT_EXCEEDED", "x"),
            ("invalid_grant", "login rate exceeded"),
            ("invalid_grant", "too many requests"),
            ("invalid_request", "Please try again later"),
            ("x", "the service is temporarily unavailable"),
            ("x", "retry your request"),
        )
    },
}


@pytest.mark.parametrize("answer", FOR_A_MOMENT.values(), ids=FOR_A_MOMENT)
def test_an_answer_that_is_only_for_now_is_retried(
    monkeypatch: pytest.MonkeyPatch, answer: tuple[int, object]
) -> None:
    """If it stays, the next run tries again. The error has the last answer."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    with answering(answer, answer, (200, TOKEN)) as url:
        assert at(url).org_id == "00D000000000001EAA"
    with answering(answer) as url, pytest.raises(SalesforceUnavailableError) as raised:
        at(url)
    assert str(raised.value).startswith(
        f"no access token from {url} after 3 attempts: HTTP {answer[0]}"
    )


PERMISSION_SET = (
    "give SALESFORCE_USERNAME the permission set or profile that the app's policies name"
)
REFUSALS = {  # Salesforce's words, and how the advice for them begins
    "invalid_grant: ip restricted": "the profile of SALESFORCE_USERNAME does not allow",
    "invalid_grant: ip restricted or invalid login hours": "the profile of SALESFORCE_USERNAME",
    "invalid_grant: IP Restricted": "the profile of SALESFORCE_USERNAME",
    "invalid_grant: inactive user": "activate, unlock or unfreeze SALESFORCE_USERNAME",
    "inactive_user: user is inactive": "activate, unlock or unfreeze SALESFORCE_USERNAME",
    "invalid_grant: user is locked": "activate, unlock or unfreeze SALESFORCE_USERNAME",
    "invalid_grant: user is frozen": "activate, unlock or unfreeze SALESFORCE_USERNAME",
    "inactive_org: organization is not active": "the org is closed or suspended: check",
    "invalid_grant: inactive organization": "the org is closed or suspended: check",
    "OAUTH_EC_APP_NOT_FOUND: app must be installed into org": "the app is not in this org",
    "invalid_client_id: app is not installed in this org": "the app is not in this org",
    "invalid_app_access: user is not admin approved to access this app": PERMISSION_SET,
    "OAUTH_APP_ACCESS_DENIED: user is not admin approved": PERMISSION_SET,
    "OAUTH_APP_BLOCKED: this app is blocked by admin": "unblock the app: Setup, Connected Apps",
    "invalid_grant: user hasn't approved this consumer": "pre-authorize the user: set the app's",
    "invalid_grant: audience is invalid": "check SALESFORCE_AUDIENCE: https://test.salesforce",
    "invalid_grant: Audience validation failed": "check SALESFORCE_AUDIENCE: https://test",
    "invalid_grant: expired authorization code": "check this machine's clock: the assertion",
    "invalid_grant: expired password": "a password or certificate has expired: check",
    "invalid_grant: invalid assertion": "check that SALESFORCE_PRIVATE_KEY belongs to the",
    "invalid_grant: API is not enabled for this Organization or Partner": "give SALESFORCE_USERNAME"
    " the permission 'API Enabled'",
    "unsupported_grant_type: grant type not supported": "enable the JWT bearer flow for the app",
    "unauthorized_client: x": "enable the JWT bearer flow for the app",
    "invalid_scope: the requested scope is not allowed": "give the app the scopes 'api' and",
    "invalid_client_id: client identifier invalid": "check SALESFORCE_CLIENT_ID (the consumer key)",
    "invalid_client: x": "check SALESFORCE_CLIENT_ID (the consumer key)",
    "invalid_grant: user not found": "check SALESFORCE_USERNAME and SALESFORCE_LOGIN_URL",
    "invalid_grant: authentication failure": "look at Setup, Login History: it has the reason",
    "something_new: nobody knows": "look at Setup, Login History: it has the reason",
}


@pytest.mark.parametrize(("words", "cure"), REFUSALS.items(), ids=REFUSALS)
def test_each_refusal_of_salesforce_has_its_own_advice(words: str, cure: str) -> None:
    """The advice names the setting or the page in Setup."""
    assert token_answers.advice(words).startswith(cure)


def test_every_advice_is_for_a_refusal_that_was_documented_or_reported() -> None:
    """An entry that no refusal reaches would say nothing."""
    assert {token_answers.advice(words) for words in REFUSALS} == {
        told for _, told in token_answers.ADVICE
    }


def test_a_refusal_is_told_once_with_salesforces_words_and_the_advice() -> None:
    """It is not retried, because only a person can change it."""
    body = {"error": "invalid_grant", "error_description": "inactive user"}
    with answering((400, body), (200, TOKEN)) as url, pytest.raises(AuthenticationError) as raised:
        at(url)
    assert raised.value.text == (
        f"{url} refused the JWT: invalid_grant: inactive user –"
        " activate, unlock or unfreeze SALESFORCE_USERNAME"
    )


def test_a_refusal_with_the_status_of_a_success_is_told_with_salesforces_words() -> None:
    """That a token is missing would hide the reason."""
    body = {"error": "invalid_grant", "error_description": "inactive user"}
    words = "refused the JWT: invalid_grant: inactive user – activate, unlock or unfreeze"
    with (
        answering((200, body), (200, TOKEN)) as url,
        pytest.raises(AuthenticationError, match=words),
    ):
        at(url)


PROXY = "a proxy or firewall on the way"
PROXY_REFUSES = (
    f"{PROXY} refuses the connection: allow HOST there, or name it in NO_PROXY if it can be reached"
    " directly"
)


@pytest.mark.parametrize(
    ("status", "body", "location", "kind", "told"),
    [
        (
            301,
            "",
            "https://acme.my.salesforce.com/services/oauth2/token?for=x",
            AuthenticationError,
            "answered HTTP 301 with the Location"
            " https://acme.my.salesforce.com/services/oauth2/token:"
            " set SALESFORCE_LOGIN_URL to https://acme.my.salesforce.com",
        ),
        (
            302,
            "<html>",
            "https://me:secret@portal.example/login?for=x",
            NetworkRefusedError,
            "answered HTTP 302 with the Location https://portal.example/login, which is no host of"
            f" Salesforce – {PROXY_REFUSES}",
        ),
        (
            302,
            "",
            "https://notsalesforce.com/",
            NetworkRefusedError,
            "answered HTTP 302 with the Location https://notsalesforce.com/, which is no host of"
            f" Salesforce – {PROXY_REFUSES}",
        ),
        (
            302,
            "",
            "/elsewhere?for=x",
            AuthenticationError,
            "answered HTTP 302 with the Location '/elsewhere': check that SALESFORCE_LOGIN_URL is"
            " the login host",
        ),
        (
            307,
            "",
            "",
            AuthenticationError,
            "answered HTTP 307 with the Location '': check that SALESFORCE_LOGIN_URL is the login"
            " host",
        ),
        (
            403,
            "This site is unavailable by the rules of your company.",
            "",
            NetworkRefusedError,
            "answered HTTP 403 without JSON (This site is unavailable by the rules of your"
            f" company.) – {PROXY_REFUSES}",
        ),
        (
            401,
            [{"errorCode": "APP_NOT_FOUND", "message": "no such app"}],
            "",
            AuthenticationError,
            "refused the JWT: APP_NOT_FOUND: no such app – the app is not in this org: deploy it"
            " there, and check SALESFORCE_CLIENT_ID and SALESFORCE_LOGIN_URL",
        ),
        (
            400,
            {"error": "x", "error_description": f"two\nlines {'y' * 500}"},
            "",
            AuthenticationError,
            f"refused the JWT: x: two lines {'y' * 107} – look at Setup, Login History: it"
            " has the reason for each login of SALESFORCE_USERNAME",
        ),
        (
            403,
            "<html><title>Blocked &amp;\n logged</title>x</html>",
            "",
            NetworkRefusedError,
            f"answered HTTP 403 without JSON (Blocked & logged) – {PROXY_REFUSES}",
        ),
        (
            407,
            "",
            "",
            NetworkRefusedError,
            f"answered HTTP 407 without JSON – {PROXY} wants a login: write user and password into"
            " HTTPS_PROXY (http://<user>:<password>@<host>:<port>)",
        ),
        (
            200,
            f"<html><b>Welcome</b> {'x' * 500}</html>",
            "",
            AuthenticationError,
            f"answered HTTP 200 without JSON (Welcome {'x' * 112}): check that"
            " SALESFORCE_LOGIN_URL is the login host",
        ),
        (
            404,
            "[]",
            "",
            AuthenticationError,
            "answered HTTP 404 without JSON ([]): check that SALESFORCE_LOGIN_URL is the login"
            " host",
        ),
    ],
    ids=[
        *("another host", "a portal", "a host with a similar name", "no host"),
        *("no Location", "a page with the word of an outage"),
        *("a form of other REST services", "a long description"),
        *("a page of a proxy", "a proxy wants a login", "a page", "no object"),
    ],
)
def test_an_answer_that_is_not_one_of_salesforce_is_named_with_its_status(
    status: int, body: object, location: str, kind: type[CollectorError], told: str
) -> None:
    """Neither the query of a Location nor the text of a long page is shown."""
    with answering((status, body), location=location) as url, pytest.raises(kind) as raised:
        at(url)
    host = url.partition("://")[2]
    assert raised.value.text == f"{url} {told.replace('HOST', host)}"


def test_a_location_that_is_no_url_is_an_answer_for_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client requests parses it, although it does not follow it."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    with (
        answering((302, ""), location="https://[::1") as url,
        pytest.raises(SalesforceUnavailableError, match="Invalid IPv6 URL"),
    ):
        at(url)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((name, SalesforceUnavailableError) for name in ("retry", "server_error", "login_rate")),
        *((name, SalesforceUnavailableError) for name in ("too_many", "maintenance")),
        *((name, AuthenticationError) for name in ("moved", "ip_restricted", "inactive_user")),
        *((name, AuthenticationError) for name in ("inactive_org", "not_installed")),
        *((name, AuthenticationError) for name in ("not_admin_approved", "authentication_failure")),
        *((name, NetworkRefusedError) for name in ("blocked", "proxy_login", "portal")),
    ],
)
def test_the_mock_gives_each_answer_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, kind: type[Exception]
) -> None:
    """The fault ``login_answer`` gives it always or for a number of times."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    assert name in LOGIN_ANSWERS
    with MockSalesforce(3600, faults=f"login_answer={name}") as mock:
        for _ in range(2):
            with pytest.raises(kind):
                log_in(mock)
    with MockSalesforce(3600, faults=f"login_answer={name}:1") as mock:
        if kind is not SalesforceUnavailableError:
            with pytest.raises(kind):
                log_in(mock)
        assert log_in(mock).org_id == mock.org.org_id


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
