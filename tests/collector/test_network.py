"""Proxies and certificate authorities: the login and the Pub/Sub API take the same way.

A proxy on loopback leads the names of two hosts to the mock, which serves TLS.
"""

from __future__ import annotations

import functools
import gc
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from local.connect_proxy import ConnectProxy, connect_proxy
from local.emulators import free_port

from salesforce_client.src.app.errors import (
    AuthenticationError,
    CollectorError,
    NetworkRefusedError,
    SalesforceUnavailableError,
)
from salesforce_client.src.app.mock_salesforce import MockSalesforce, certificate
from salesforce_client.src.app.model.events import Session
from salesforce_client.src.app.model.positions import Preset
from salesforce_client.src.app.salesforce.login import authenticate
from salesforce_client.src.app.salesforce.network import Route, route_to
from salesforce_client.src.app.salesforce.pubsub import PubSub
from salesforce_client.src.app.settings import Salesforce, read

LOGIN, PUBSUB = certificate.HOSTS
LOGIN_AT, PUBSUB_AT = f"{LOGIN}:443", f"{PUBSUB}:7443"
TOPIC = "/data/AccountChangeEvent"
LOGIN_SETTING, PUBSUB_SETTING = "SALESFORCE_LOGIN_URL", "SALESFORCE_PUBSUB_ENDPOINT"
VARIABLES = (
    *("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "GRPC_PROXY", "NO_GRPC_PROXY"),
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"),
)
# urllib3 1.26, the release for Python 3.9, leaves its socket open if TLS or a tunnel fails.
LEAVES_SOCKETS_OPEN = sys.version_info < (3, 10)
if LEAVES_SOCKETS_OPEN:
    pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Without the proxies and bundles of the machine that runs the tests, and without pauses."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setattr("time.sleep", lambda _: None)
    yield
    if LEAVES_SOCKETS_OPEN:
        gc.collect()  # so that the warning comes here, and not in another file


@pytest.fixture(scope="module")
def org() -> Iterator[MockSalesforce]:
    with MockSalesforce(3600, tls=True, keepalive_seconds=0.2) as running:
        yield running


@pytest.fixture
def company(org: MockSalesforce) -> Iterator[ConnectProxy]:
    """The proxy. Only it knows the way to the two hosts."""
    ports = (
        urlsplit(org.tokens.url).port or 0,
        int(org.settings["SALESFORCE_PUBSUB_ENDPOINT"].rpartition(":")[2]),
    )
    with connect_proxy(dict(zip((LOGIN_AT, PUBSUB_AT), ports))) as running:
        yield running


def salesforce_of(org: MockSalesforce, **environ: str) -> Salesforce:
    found = read({**org.settings, "EVENTS_STORAGE": "UseDevelopmentStorage=true", **environ})
    assert found.salesforce
    return found.salesforce


def log_in(org: MockSalesforce, login_url: str = f"https://{LOGIN}", ca_file: str = "") -> Session:
    salesforce = salesforce_of(org)
    return authenticate(
        login_url,
        salesforce.audience,
        salesforce.client_id,
        salesforce.username,
        salesforce.private_key,
        ca_file or org.ca_file,
    )


def check(
    org: MockSalesforce,
    target: str = PUBSUB_AT,
    *,
    session: Session | None = None,
    ca_file: str = "",
) -> None:
    """Call the Pub/Sub API, with a session that is there already or with a login."""
    login = functools.partial(log_in, org)
    with PubSub(
        target,
        tls=True,
        authenticate=(lambda: session) if session else login,
        ca_file=ca_file or org.ca_file,
    ) as source:
        source.check_topic(TOPIC)
        with source.subscribe(TOPIC, Preset.EARLIEST) as stream:
            assert stream.next(5)


def given_session(org: MockSalesforce) -> Session:
    """A session without a login over the network."""
    return Session(org.tokens.new_token(), org.tokens.instance_url, org.org.org_id)


def error_of(call: Callable[[], object]) -> CollectorError:
    with pytest.raises(CollectorError) as raised:
        call()
    return raised.value


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize("form", ["http://127.0.0.1:{}", "http://127.0.0.1:{}/", "127.0.0.1:{}"])
def test_login_and_pubsub_use_the_same_proxy(
    org: MockSalesforce,
    company: ConnectProxy,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    form: str,
) -> None:
    """The client gRPC alone reads only some names, and only in small letters."""
    monkeypatch.setenv(name, form.format(company.port))
    check(org)
    assert company.asked == [LOGIN_AT, PUBSUB_AT]


def test_user_and_password_of_a_proxy_are_sent_and_never_shown(
    org: MockSalesforce, company: ConnectProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Special characters in them are escaped as in any URL."""
    company.authorization = "Basic dXNlcjpzZWM6QHJldA=="  # user:sec:@ret
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:sec%3A%40ret@127.0.0.1:{company.port}")
    check(org)
    company.refusal = 403
    for call in (lambda: log_in(org), lambda: check(org, session=given_session(org))):
        error = str(error_of(call))
        assert f"the proxy 127.0.0.1:{company.port} refuses the connection" in error
        assert "sec" not in error.replace("seconds", "")
        assert "user" not in error


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
@pytest.mark.parametrize("value", ["{}", "other.example, {}", ".salesforce.example", "*"])
def test_login_and_pubsub_leave_the_proxy_out_for_the_same_hosts(
    org: MockSalesforce,
    company: ConnectProxy,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
) -> None:
    """Nobody else knows the way to these hosts, so the calls fail without it."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{company.port}")
    monkeypatch.setenv(name, value.format(f"{LOGIN},{PUBSUB}"))
    for call in (lambda: log_in(org), lambda: check(org, session=given_session(org))):
        error = error_of(call)
        assert isinstance(error, SalesforceUnavailableError)
        assert "proxy" not in str(error)
    assert company.asked == []


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "grpc_proxy"])
def test_a_proxy_that_only_one_of_the_two_would_use_is_not_used(
    org: MockSalesforce, company: ConnectProxy, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The client gRPC alone would use it even for TLS."""
    monkeypatch.setenv(name, f"http://127.0.0.1:{company.port}")
    for call in (lambda: log_in(org), lambda: check(org, session=given_session(org))):
        assert isinstance(error_of(call), SalesforceUnavailableError)
    assert company.asked == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_reached_without_a_proxy(
    org: MockSalesforce, company: ConnectProxy, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """A proxy of the company cannot reach the mock."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{company.port}")
    session = log_in(org, org.tokens.url.replace("127.0.0.1", host))
    target = org.settings["SALESFORCE_PUBSUB_ENDPOINT"].replace("127.0.0.1", host)
    check(org, target, session=session)
    assert company.asked == []


@pytest.mark.parametrize(
    "proxy", ["https://proxy.example:443", "socks5h://me:secret@proxy.example"]
)
def test_a_proxy_of_a_kind_that_grpc_does_not_know_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    """The client gRPC alone would go past it, without a word."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    kind, _, rest = proxy.partition("://")
    with pytest.raises(NetworkRefusedError) as raised:
        route_to(f"https://{PUBSUB_AT}", PUBSUB_SETTING)
    assert raised.value.text == (
        f"{PUBSUB_AT}: HTTPS_PROXY names the proxy {rest.rpartition('@')[2]} with {kind}://, which"
        " gRPC does not support: write http://"
    )


@pytest.mark.parametrize(
    "proxy",
    ["http://", "http://:3128", "http://me:secret@proxy.example:port", "proxy.example:70000"],
)
def test_a_malformed_proxy_is_refused_at_once(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """The value is not shown, because it may contain a password."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(NetworkRefusedError) as raised:
        route_to(f"https://{PUBSUB_AT}", PUBSUB_SETTING)
    assert raised.value.text == (
        f"{PUBSUB_AT}: HTTPS_PROXY is not the URL of a proxy: write http://<host>:<port>"
    )


@pytest.mark.parametrize(
    ("proxy", "url"),
    [
        ("proxy.example", "http://proxy.example:80"),
        ("http://me:pass%40word@proxy.example/", "http://me:pass%40word@proxy.example:80"),
        ("http://[::1]:3128", "http://[::1]:3128"),
    ],
)
def test_a_proxy_without_a_port_is_the_same_one_for_both(
    monkeypatch: pytest.MonkeyPatch, proxy: str, url: str
) -> None:
    """The client gRPC alone would try the port of https, and requests that of http."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    assert route_to(f"https://{PUBSUB_AT}", PUBSUB_SETTING).proxy == url


@pytest.mark.parametrize("status", [302, 403, 404, 405, 407])
def test_a_proxy_that_refuses_needs_a_person_and_is_named(
    org: MockSalesforce, company: ConnectProxy, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """The advice is the same for the login and for the Pub/Sub API."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{company.port}")
    company.refusal = status
    for host, call in (
        (LOGIN, lambda: log_in(org)),
        (PUBSUB_AT, lambda: check(org, session=given_session(org))),
    ):
        error = error_of(call)
        assert isinstance(error, NetworkRefusedError)
        who = f"the proxy 127.0.0.1:{company.port}"
        cure = (
            f"{who} wants a login: write user and password into HTTPS_PROXY"
            " (http://<user>:<password>@<host>:<port>)"
            if status == 407
            else f"{who} refuses the connection: allow {host} there, or name it in NO_PROXY if it"
            " can be reached directly"
        )
        assert error.text.endswith(f" – {cure}")
        assert str(status) in str(error).partition(" – ")[0]


@pytest.mark.parametrize("status", [408, 425, 429, 502, 503])
def test_a_proxy_that_fails_for_now_is_named_and_tried_again(
    org: MockSalesforce, company: ConnectProxy, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """The next run tries again."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{company.port}")
    company.refusal = status
    for call in (lambda: log_in(org), lambda: check(org, session=given_session(org))):
        error = error_of(call)
        assert isinstance(error, SalesforceUnavailableError)
        assert f"{status}" in str(error)
        assert f"(through the proxy 127.0.0.1:{company.port})" in str(error)


def test_a_proxy_that_is_not_there_is_named_and_tried_again(
    org: MockSalesforce, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its name, the message would look as if Salesforce were down."""
    port = free_port()
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
    for call in (lambda: log_in(org), lambda: check(org, session=given_session(org))):
        error = error_of(call)
        assert isinstance(error, SalesforceUnavailableError)
        assert f"(through the proxy 127.0.0.1:{port})" in str(error)


def test_a_refusal_of_salesforce_is_none_of_the_proxy(
    org: MockSalesforce, company: ConnectProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session is the cause, and the error does not mention the proxy."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{company.port}")
    useless = Session("x", "https://elsewhere.my.salesforce.com", org.org.org_id)
    error = error_of(lambda: check(org, session=useless))
    assert isinstance(error, AuthenticationError)
    assert "through the proxy" not in str(error)


def at_home(org: MockSalesforce) -> tuple[str, str]:
    """The login URL and the Pub/Sub target of the mock, without a proxy."""
    return org.tokens.url, org.settings["SALESFORCE_PUBSUB_ENDPOINT"]


UNKNOWN_AUTHORITY = (
    "the certificate was not issued by a known authority: if your company inspects TLS, set"
    " REQUESTS_CA_BUNDLE to a PEM file with its authority"
)
OTHER_AUTHORITY = (
    "the certificate was not issued by an authority in the file of REQUESTS_CA_BUNDLE or"
    " SSL_CERT_FILE: add the authority to this file"
)


@pytest.mark.parametrize("with_file", [True, False])
def test_a_certificate_that_is_not_trusted_needs_a_person(
    org: MockSalesforce, tmp_path: Path, with_file: bool
) -> None:
    """The advice names the setting of the bundle."""
    ca_file = ""
    if with_file:
        (tmp_path / "other.pem").write_bytes(certificate.make().authority)
        ca_file = str(tmp_path / "other.pem")
    url, target = at_home(org)
    key = salesforce_of(org).private_key
    calls: tuple[Callable[[], object], ...] = (
        lambda: authenticate(url, "a", "c", "u", key, ca_file),
        lambda: PubSub(
            target, tls=True, authenticate=lambda: given_session(org), ca_file=ca_file
        ).check_topic(TOPIC),
    )
    for call in calls:
        error = error_of(call)
        assert isinstance(error, NetworkRefusedError)
        assert error.text.endswith(f" – {OTHER_AUTHORITY if with_file else UNKNOWN_AUTHORITY}")
        assert str(error).count("CERTIFICATE_VERIFY_FAILED") == 1


def test_a_certificate_of_another_host_points_to_the_setting_of_the_host(
    org: MockSalesforce, company: ConnectProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The authority is trusted, so the bundle is not the cause."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{company.port}")
    company.leads_to = {
        "login.example:443": company.leads_to[LOGIN_AT],
        "pubsub.example:7443": company.leads_to[PUBSUB_AT],
    }
    for setting, call in (
        (LOGIN_SETTING, lambda: log_in(org, "https://login.example")),
        (PUBSUB_SETTING, lambda: check(org, "pubsub.example:7443", session=given_session(org))),
    ):
        error = error_of(call)
        assert isinstance(error, NetworkRefusedError)
        assert error.text.endswith(f" – the certificate is that of another host: check {setting}")


def test_another_service_at_the_endpoint_points_to_its_setting(
    org: MockSalesforce, mock: MockSalesforce
) -> None:
    """One port serves another protocol over TLS. The other one serves no TLS."""
    plain = mock.settings["SALESFORCE_PUBSUB_ENDPOINT"].partition("//")[2]
    for setting, call in (
        (PUBSUB_SETTING, lambda: check(org, at_home(org)[0][8:], session=given_session(org))),
        (PUBSUB_SETTING, lambda: check(org, plain, session=given_session(org))),
        (LOGIN_SETTING, lambda: log_in(org, f"https://{plain}")),
    ):
        error = error_of(call)
        assert isinstance(error, NetworkRefusedError)
        assert f": check {setting}, and whether a proxy or firewall inspects" in str(error)


@pytest.mark.parametrize(
    "reason",
    [
        "Hostname mismatch, certificate is not valid for 'login.example'.",
        "Hostname Verification Check failed.",
        "Peer name pubsub.example is not in peer certificate",
    ],
)
def test_each_release_of_the_clients_words_the_certificate_of_another_host(reason: str) -> None:
    """The last one is the text of the gRPC that some Functions workers bring."""
    told = f"last error: {reason} CERTIFICATE_VERIFY_FAILED"
    assert Route("host:7443", PUBSUB_SETTING).cure(told) == (
        f"the certificate is that of another host: check {PUBSUB_SETTING}"
    )


@pytest.mark.parametrize(
    ("status", "needs_a_person"),
    [
        *((200, True), (403, True), (404, True)),
        *((408, False), (425, False), (429, False), (502, False)),
    ],
)
def test_an_answer_of_http_alone_is_not_one_of_salesforce(
    status: int, needs_a_person: bool
) -> None:
    """By its status, 403 would be a missing right on the topic."""
    reason = f"Received http2 header with status: {status}"
    assert bool(Route("host:7443", PUBSUB_SETTING).cure(reason)) == needs_a_person
