"""Settings of the collector: which values are accepted, and how problems are reported."""

from __future__ import annotations

import ssl
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from salesforce_client.src.app.errors import SettingsError
from salesforce_client.src.app.mock_salesforce import certificate
from salesforce_client.src.app.model.event_rules import EventRules
from salesforce_client.src.app.settings import Endpoint, Mock, Salesforce, Settings, read
from salesforce_client.src.app.settings_reader import BlobAccount, SettingsReader


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, passphrase: str = "") -> str:
    """The key as PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase.encode())
        if passphrase
        else serialization.NoEncryption(),
    ).decode()


KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = pem(KEY)
COMPLETE = {
    "EVENTS_STORAGE": "UseDevelopmentStorage=true",
    "SALESFORCE_CLIENT_ID": "3MVG9",
    "SALESFORCE_USERNAME": "integration@example.com",
    "SALESFORCE_PRIVATE_KEY": PEM,
    "SALESFORCE_TOPICS": "/event/Delete_Event__e, /data/AccountChangeEvent",
}
MOCKED = {"EVENTS_STORAGE": "UseDevelopmentStorage=true", "MOCK_MODE": "true"}
NO_KEY = {"SALESFORCE_PRIVATE_KEY": ""}


def salesforce(**changes: str) -> Salesforce:
    found = read({**COMPLETE, **changes}).salesforce
    assert found
    return found


def salesforce_at(login_url: str) -> Salesforce:
    """The org at this URL. The key is read once, because its check takes 40 ms."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(SettingsReader, "private_key", lambda *_: KEY)
        return salesforce(SALESFORCE_LOGIN_URL=login_url)


def problems(**changes: str) -> list[str]:
    """What an operator reads after these changes to complete settings."""
    with pytest.raises(SettingsError) as raised:
        read({**COMPLETE, **changes})
    return list(raised.value.problems)


def problems_of(name: str, value: str) -> list[str]:
    """What an operator reads if one value is wrong.

    MOCK_MODE has the same rules and needs no key. The check of a key would take 40 ms.
    """
    with pytest.raises(SettingsError) as raised:
        read({**MOCKED, name: value})
    return list(raised.value.problems)


def test_the_required_settings_are_enough() -> None:
    """All other settings have a default."""
    assert replace(read(COMPLETE), salesforce=None) == Settings(
        storage=BlobAccount("UseDevelopmentStorage=true"),
        events_container="events",
        cursors_container="cursors",
        salesforce=None,
        mock=None,
        topics=("/event/Delete_Event__e", "/data/AccountChangeEvent"),
        replay_preset="EARLIEST",
        event_rules={
            "/event/Delete_Event__e": EventRules(),
            "/data/AccountChangeEvent": EventRules(),
        },
        max_run_seconds=480,
        idle_seconds=30,
        max_file_rows=250_000,
        check_objects=None,
        check_hours=24,
        max_check_calls=500,
    )
    org = salesforce()
    assert (org.client_id, org.username) == ("3MVG9", "integration@example.com")
    assert org.login_url == org.audience == "https://login.salesforce.com"
    assert org.pubsub_endpoint == Endpoint("api.pubsub.salesforce.com:7443", tls=True)


def test_each_optional_setting_replaces_its_default() -> None:
    """The names are those of docs/settings.md."""
    optional = {
        "EVENTS_CONTAINER": "events-2",
        "CURSORS_CONTAINER": "cursors-2",
        "SALESFORCE_REPLAY_PRESET": "LATEST",
        "MAX_RUN_SECONDS": "300",
        "IDLE_SECONDS": "20",
        "MAX_FILE_ROWS": "1000",
        "CHECK_OBJECTS": "Account, My_Object__c,Account",
        "CHECK_HOURS": "12.5",
        "MAX_CHECK_CALLS": "50",
    }
    assert replace(read({**COMPLETE, **optional}), salesforce=None) == replace(
        read(COMPLETE),
        salesforce=None,
        events_container="events-2",
        cursors_container="cursors-2",
        replay_preset="LATEST",
        max_run_seconds=300,
        idle_seconds=20,
        max_file_rows=1000,
        check_objects=("Account", "My_Object__c"),
        check_hours=12.5,
        max_check_calls=50,
    )


def test_every_problem_is_reported_at_once_by_setting_name() -> None:
    """An operator can correct all settings at once."""
    with pytest.raises(SettingsError) as raised:
        read({"MAX_RUN_SECONDS": "soon", "MOCK_MODE": "perhaps"})
    assert str(raised.value).splitlines() == [
        "the app's settings need attention. Until then no topic is read:",
        "  - MOCK_MODE must be true or false, not 'perhaps'",
        "  - EVENTS_STORAGE is missing: set it or EVENTS_STORAGE__blobServiceUri",
        "  - SALESFORCE_CLIENT_ID is missing: set it",
        "  - SALESFORCE_USERNAME is missing: set it",
        "  - SALESFORCE_PRIVATE_KEY is missing: set it or SALESFORCE_PRIVATE_KEY_FILE",
        "  - SALESFORCE_TOPICS is missing: set it",
        "  - MAX_RUN_SECONDS must be a number, not 'soon'",
        "Nothing is lost if a poll succeeds within 72 hours of the last good one",
    ]


def test_mock_mode_needs_no_salesforce_settings() -> None:
    """The mock supplies these settings."""
    settings = read(MOCKED)
    assert settings.mock == Mock(60, None, "", allowed_in_azure=False)
    assert settings.salesforce is None
    assert settings.topics == ()


def test_mock_mode_never_reaches_the_real_org() -> None:
    """The settings of the real org may stay when somebody switches MOCK_MODE on."""
    settings = read({**COMPLETE, "MOCK_MODE": "true"})
    assert settings.salesforce is None
    assert settings.topics == ("/event/Delete_Event__e", "/data/AccountChangeEvent")


def test_each_setting_of_the_mock_replaces_its_default() -> None:
    """The names are those of docs/settings.md."""
    optional = {
        "MOCK_INTERVAL_SECONDS": "0.001",
        "MOCK_NOW": "2026-01-31T12:00:00Z",
        "MOCK_FAULTS": "drop_stream=25",
        "MOCK_MODE_IN_AZURE": "true",
    }
    assert read({**MOCKED, **optional}).mock == Mock(
        interval_seconds=0.001,
        now=datetime(2026, 1, 31, 12, tzinfo=timezone.utc),
        faults="drop_stream=25",
        allowed_in_azure=True,
    )


@pytest.mark.parametrize(
    "value",
    ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00", "2026-01-31 12:00", "2026-01-31T14:00+02:00"],
)
def test_a_time_is_utc_unless_it_names_an_offset(value: str) -> None:
    """All these values mean the same moment."""
    mock = read({**MOCKED, "MOCK_NOW": value}).mock
    assert mock
    assert mock.now == datetime(2026, 1, 31, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("MAX_RUN_SECONDS", "9", "MAX_RUN_SECONDS must be at least 10, not 9"),
        ("IDLE_SECONDS", "0", "IDLE_SECONDS must be at least 0.1, not 0"),
        ("MAX_FILE_ROWS", "0.5", "MAX_FILE_ROWS must be at least 1, not 0.5"),
        ("MOCK_INTERVAL_SECONDS", "0", "MOCK_INTERVAL_SECONDS must be at least 0.001, not 0"),
        (
            "EVENTS_CONTAINER",
            "Events",
            "EVENTS_CONTAINER must be a container name"
            " (3 to 63 lower-case letters, digits and single hyphens), not 'Events'",
        ),
        (
            "CURSORS_CONTAINER",
            "events",
            "CURSORS_CONTAINER must not be the same as EVENTS_CONTAINER",
        ),
        (
            "SALESFORCE_REPLAY_PRESET",
            "CUSTOM",
            "SALESFORCE_REPLAY_PRESET must be EARLIEST or LATEST, not 'CUSTOM'",
        ),
        (
            "MOCK_NOW",
            "yesterday",
            "MOCK_NOW must be a time such as 2026-01-31T12:00:00Z, not 'yesterday'",
        ),
        ("MOCK_MODE_IN_AZURE", "on", "MOCK_MODE_IN_AZURE must be true or false, not 'on'"),
    ],
)
def test_a_value_that_cannot_be_used_is_reported_with_the_rule(
    name: str, value: str, problem: str
) -> None:
    """The sentence says what to write instead."""
    assert problems_of(name, value) == [problem]


def test_two_malformed_names_of_containers_are_two_problems() -> None:
    """The two names do not also count as the same container."""
    rule = "must be a container name (3 to 63 lower-case letters, digits and single hyphens)"
    assert problems(EVENTS_CONTAINER="A", CURSORS_CONTAINER="A") == [
        f"EVENTS_CONTAINER {rule}, not 'A'",
        f"CURSORS_CONTAINER {rule}, not 'A'",
    ]


@pytest.mark.parametrize("value", ["none", "None", " NONE "])
def test_no_object_is_checked_if_the_setting_says_none(value: str) -> None:
    """An object of this name does not exist."""
    assert read({**MOCKED, "CHECK_OBJECTS": value}).check_objects == ()


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("Account;Contact", "has 'Account;Contact': an object looks like Account or My_Object__c"),
        ("Delete_Event__e", "has 'Delete_Event__e': an object looks like Account or My_Object__c"),
        (
            "AccountChangeEvent",
            "has 'AccountChangeEvent': an object looks like Account or My_Object__c",
        ),
        (",", "names no object: set at least one, or none"),
        ("Account,none", "has none beside objects: remove one or the other"),
    ],
)
def test_a_name_that_no_object_can_have_is_a_problem(value: str, problem: str) -> None:
    """Salesforce would only say that there is no such object."""
    assert problems_of("CHECK_OBJECTS", value) == [f"CHECK_OBJECTS {problem}"]


def test_checks_must_come_before_a_day_leaves_the_reach() -> None:
    """Each day is listed once more before that."""
    assert read({**MOCKED, "CHECK_HOURS": "72"}).check_hours == 72
    assert problems_of("CHECK_HOURS", "72.1") == [
        "CHECK_HOURS must be at most 72: Salesforce lists the deletes of 15 days only"
    ]
    assert problems_of("CHECK_HOURS", "0") == ["CHECK_HOURS must be at least 0.1, not 0"]
    assert problems_of("MAX_CHECK_CALLS", "0") == ["MAX_CHECK_CALLS must be at least 1, not 0"]


def test_the_smallest_values_are_accepted() -> None:
    """A test or a trial may need short runs and small files."""
    smallest = {"MAX_RUN_SECONDS": "10", "IDLE_SECONDS": "0.1", "MAX_FILE_ROWS": "1"}
    settings = read({**COMPLETE, **smallest})
    assert (settings.max_run_seconds, settings.idle_seconds) == (10, 0.1)
    assert settings.max_file_rows == 1


def test_the_time_to_idle_is_at_most_a_third_of_a_run() -> None:
    """A run waits for silence several times."""
    assert read({**COMPLETE, "MAX_RUN_SECONDS": "90", "IDLE_SECONDS": "30"}).idle_seconds == 30
    assert problems(MAX_RUN_SECONDS="90", IDLE_SECONDS="30.1") == [
        "IDLE_SECONDS must be at most a third of MAX_RUN_SECONDS: a poll waits for silence several"
        " times"
    ]


def test_a_private_key_may_be_in_a_file(tmp_path: Path) -> None:
    """``SALESFORCE_PRIVATE_KEY_FILE`` names the file."""
    (tmp_path / "key.pem").write_text(PEM)
    from_file = salesforce(
        SALESFORCE_PRIVATE_KEY="", SALESFORCE_PRIVATE_KEY_FILE=str(tmp_path / "key.pem")
    )
    assert from_file.private_key.private_numbers() == KEY.private_numbers()


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("garbage", "holds no private key: "),
        (pem(KEY, "sesame"), "is encrypted: store it without a passphrase"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "holds a key that is not RSA: "),
    ],
    ids=["garbage", "encrypted", "elliptic curve"],
)
def test_a_private_key_that_cannot_be_used_is_reported_with_the_reason(
    key: str, problem: str, tmp_path: Path
) -> None:
    """The sentence begins with the setting that holds the key or names its file."""
    (found,) = problems(SALESFORCE_PRIVATE_KEY=key)
    assert found.startswith(f"SALESFORCE_PRIVATE_KEY {problem}")
    (tmp_path / "key.pem").write_text(key)
    from_file = {**NO_KEY, "SALESFORCE_PRIVATE_KEY_FILE": str(tmp_path / "key.pem")}
    (found,) = problems(**from_file)
    assert found.startswith(f"SALESFORCE_PRIVATE_KEY_FILE {problem}")


def test_a_key_file_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    """The sentence names the setting of the file."""
    missing = {**NO_KEY, "SALESFORCE_PRIVATE_KEY_FILE": str(tmp_path / "none.pem")}
    assert problems(**missing) == [
        "SALESFORCE_PRIVATE_KEY_FILE names a file that cannot be read: No such file or directory"
    ]


def test_a_key_and_the_path_of_a_key_are_not_set_together(tmp_path: Path) -> None:
    """The collector does not choose one."""
    (tmp_path / "key.pem").write_text(PEM)
    assert problems(SALESFORCE_PRIVATE_KEY_FILE=str(tmp_path / "key.pem")) == [
        "SALESFORCE_PRIVATE_KEY and SALESFORCE_PRIVATE_KEY_FILE are both set: remove one of them"
    ]


@pytest.mark.parametrize(
    "name", ["SALESFORCE_PRIVATE_KEY", "EVENTS_STORAGE", "SALESFORCE_CLIENT_ID"]
)
def test_an_unresolved_key_vault_reference_is_reported_as_such(name: str) -> None:
    """If the identity has no right to the secret, the app receives the text of the reference."""
    reference = "@Microsoft.KeyVault(SecretUri=https://vault.vault.azure.net/secrets/key/)"
    assert problems(**{name: reference}) == [
        f"{name} is a Key Vault reference that was not resolved: check that the secret exists "
        "and that the app's identity may read it (func start never resolves references)"
    ]


LABEL = st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,4}){0,2}", fullmatch=True)
DOMAIN = st.sampled_from(["com", "mil"])
SANDBOX = st.builds(  # host names that Salesforce gives to sandboxes and scratch orgs
    "".join,
    st.one_of(
        st.tuples(st.just("test.salesforce."), DOMAIN),
        st.tuples(LABEL, st.just("--"), LABEL, st.just(".sandbox.my.salesforce."), DOMAIN),
        st.tuples(LABEL, st.just(".scratch.my.salesforce."), DOMAIN),
        st.tuples(LABEL, st.just("--"), LABEL, st.just(".my.salesforce."), DOMAIN),
        st.tuples(LABEL, st.just("--"), LABEL, st.just(".cs42.my.salesforce.com")),
        st.tuples(LABEL, st.just(".cs4.my.salesforce.com")),
        st.tuples(st.just("cs123.salesforce.com")),
    ),
)
PRODUCTION = st.builds(  # all other hosts, also those that only look like a sandbox
    "".join,
    st.one_of(
        st.tuples(st.just("login.salesforce."), DOMAIN),
        st.tuples(LABEL, st.just(".my.salesforce."), DOMAIN),
        st.tuples(LABEL, st.just(".develop.my.salesforce.com")),
        st.tuples(LABEL, st.just(".trailblaze.my.salesforce.com")),
        st.tuples(
            st.sampled_from(["sandbox", "scratch", "test", "cs42"]), st.just(".my.salesforce.com")
        ),
        st.tuples(st.just("test.salesforce.com."), LABEL, st.just(".example")),
        st.tuples(LABEL, st.just("-cs42.my.salesforce.com")),
        st.tuples(LABEL, st.just("test.salesforce.com")),
        st.tuples(LABEL, st.just(".sandbox.example.com")),
    ),
)


def written(host: str, data: st.DataObject) -> str:
    """A URL with this host, in the ways in which people write it."""
    host = data.draw(st.sampled_from([host, host.upper(), host.title()]))
    return f"https://{host}{data.draw(st.sampled_from(['', '/', ':443', ':8443/']))}"


@given(host=SANDBOX, data=st.data())
def test_the_audience_of_a_sandbox_or_scratch_org_is_that_of_sandboxes(
    host: str, data: st.DataObject
) -> None:
    """The host name alone decides, in capitals too and with any port."""
    assert salesforce_at(written(host, data)).audience == "https://test.salesforce.com"


@given(host=PRODUCTION, data=st.data())
def test_the_audience_of_every_other_host_is_that_of_production(
    host: str, data: st.DataObject
) -> None:
    """Developer orgs and Trailhead playgrounds count as production."""
    assert salesforce_at(written(host, data)).audience == "https://login.salesforce.com"


def test_a_given_audience_is_used_unchanged() -> None:
    """Experience Cloud sites need an audience of their own."""
    assert (
        salesforce(SALESFORCE_AUDIENCE="https://site.example.com").audience
        == "https://site.example.com"
    )


BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def test_the_first_bundle_of_authorities_that_is_set_counts(tmp_path: Path) -> None:
    """The client requests also prefers its own names to that of OpenSSL."""
    authority = certificate.make().authority
    given = {name: str(tmp_path / name) for name in BUNDLES}
    for path in given.values():
        Path(path).write_bytes(authority)
    for name in BUNDLES:
        assert salesforce(**given).ca_file == given.pop(name)
    assert salesforce().ca_file == ""


@pytest.mark.parametrize("name", BUNDLES)
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "which cannot be read: No such file or directory"),
        ("", "which holds no certificate in PEM form"),
        ("garbage", "which holds no certificate in PEM form"),
    ],
)
def test_a_bundle_that_cannot_be_used_is_reported(
    tmp_path: Path, name: str, content: str | None, problem: str
) -> None:
    """Without this check, gRPC would fall back to its own authorities or hide the reason."""
    path = tmp_path / "bundle.pem"
    if content is not None:
        path.write_text(content)
    assert problems_of(name, str(path)) == [f"{name} names {path}, {problem}"]


def with_negative_serial_number(pem: str) -> str:
    """The certificate with a number that breaks a rule. Its signature no longer matches."""
    found = x509.load_pem_x509_certificate(pem.encode())
    serial = found.serial_number
    number = serial.to_bytes(serial.bit_length() // 8 + 1, "big")  # as DER has it
    der = found.public_bytes(serialization.Encoding.DER)
    at = der.index(number)
    return ssl.DER_cert_to_PEM_cert(der[:at] + bytes([number[0] | 128]) + der[at + 1 :])


AUTHORITY = certificate.make().authority.decode()
DAMAGED = AUTHORITY.replace("MII", "AAA")


@pytest.mark.parametrize(
    "content",
    [with_negative_serial_number(AUTHORITY), AUTHORITY.replace(" CERT", " TRUSTED CERT")],
    ids=["negative number", "trusted"],
)
def test_a_bundle_may_have_what_openssl_accepts(tmp_path: Path, content: str) -> None:
    """Lists of authorities have such certificates, and no warning about them is of use."""
    path = tmp_path / "bundle.pem"
    path.write_text(content)
    assert salesforce(REQUESTS_CA_BUNDLE=str(path)).ca_file == str(path)


def test_a_bundle_with_a_damaged_certificate_is_reported(tmp_path: Path) -> None:
    """OpenSSL refuses the whole file."""
    path = tmp_path / "bundle.pem"
    path.write_text(AUTHORITY + DAMAGED)
    (problem,) = problems_of("REQUESTS_CA_BUNDLE", str(path))
    assert problem == f"REQUESTS_CA_BUNDLE names {path}, which holds no certificate in PEM form"


def test_a_bundle_must_be_a_file(tmp_path: Path) -> None:
    """The client requests accepts a folder, but gRPC does not."""
    (problem,) = problems_of("REQUESTS_CA_BUNDLE", str(tmp_path))
    assert problem == f"REQUESTS_CA_BUNDLE names {tmp_path}, which cannot be read: Is a directory"


@pytest.mark.parametrize(
    ("value", "endpoint"),
    [
        (
            "api.deu.pubsub.salesforce.com:443",
            Endpoint("api.deu.pubsub.salesforce.com:443", tls=True),
        ),
        ("api.pubsub.salesforce.com", Endpoint("api.pubsub.salesforce.com:7443", tls=True)),
        ("http://127.0.0.1:5000", Endpoint("127.0.0.1:5000", tls=False)),
        ("http://localhost:5000", Endpoint("localhost:5000", tls=False)),
        ("http://[::1]:5000", Endpoint("[::1]:5000", tls=False)),
        ("https://[::1]/", Endpoint("[::1]:7443", tls=True)),
    ],
)
def test_an_endpoint_uses_tls_unless_it_is_plaintext_to_this_machine(
    value: str, endpoint: Endpoint
) -> None:
    """Nothing leaves the machine unencrypted."""
    assert salesforce(SALESFORCE_PUBSUB_ENDPOINT=value).pubsub_endpoint == endpoint


@pytest.mark.parametrize(
    "host", ["example.com", "10.0.0.1", "127.0.0.1.example.com", "localhost.example.com"]
)
def test_plaintext_to_another_machine_is_refused(host: str) -> None:
    """The rule protects tokens and events."""
    assert problems_of("SALESFORCE_PUBSUB_ENDPOINT", f"http://{host}:7443") == [
        f"SALESFORCE_PUBSUB_ENDPOINT must use TLS to reach {host}: write https://"
        " (http:// is for this machine only)"
    ]
    assert problems_of("SALESFORCE_LOGIN_URL", f"http://{host}") == [
        f"SALESFORCE_LOGIN_URL must be https://<host>, not 'http://{host}'"
        " (http:// is accepted for this machine only)"
    ]


@pytest.mark.parametrize(
    "value",
    [
        "api.pubsub.salesforce.com:7443/PubSub",
        "api.pubsub.salesforce.com/X",
        "grpc://api.pubsub.salesforce.com:7443",
        "https://:7443",
        "https://[::1",
    ],
)
def test_an_endpoint_without_a_host_and_port_is_reported(value: str) -> None:
    """The problem quotes the value."""
    assert problems_of("SALESFORCE_PUBSUB_ENDPOINT", value) == [
        f"SALESFORCE_PUBSUB_ENDPOINT must be <host>:<port>, not '{value}'"
    ]


@pytest.mark.parametrize(
    ("value", "login_url"),
    [
        ("https://acme.my.salesforce.com//", "https://acme.my.salesforce.com"),
        ("https://LOGIN.EXAMPLE.MX", "https://LOGIN.EXAMPLE.MX"),
        ("http://localhost:5000", "http://localhost:5000"),
        ("http://127.0.0.1:5000/", "http://127.0.0.1:5000"),
    ],
)
def test_a_login_url_is_used_without_the_slash_at_its_end(value: str, login_url: str) -> None:
    """The collector appends a path to the URL. Plaintext is accepted for this machine."""
    assert salesforce(SALESFORCE_LOGIN_URL=value).login_url == login_url


@pytest.mark.parametrize("value", ["login.salesforce.com", "https://", "https://[::1"])
def test_a_login_url_without_a_scheme_or_a_host_is_reported(value: str) -> None:
    """The problem quotes the value."""
    assert problems_of("SALESFORCE_LOGIN_URL", value) == [
        f"SALESFORCE_LOGIN_URL must be https://<host>, not '{value.rstrip('/')}'"
        " (http:// is accepted for this machine only)"
    ]


@pytest.mark.parametrize(
    ("value", "what", "shown"),
    [
        ("https://acme.my.salesforce.com/services", "path", None),
        ("http://127.0.0.1:5000/services", "path", None),
        ("https://acme.my.salesforce.com?x=1", "query", "https://acme.my.salesforce.com?…"),
        ("https://acme.my.salesforce.com/#top", "fragment", None),
        (
            "https://me:hush-hush@acme.my.salesforce.com/a?b",
            "user and password and path and query",
            "https://…@acme.my.salesforce.com/a?…",
        ),
    ],
)
def test_a_login_url_that_is_more_than_a_host_is_reported(
    value: str, what: str, shown: str | None
) -> None:
    """The problem quotes the value, but no password and no query."""
    assert problems_of("SALESFORCE_LOGIN_URL", value) == [
        f"SALESFORCE_LOGIN_URL must be https://<host> without {what}, not '{shown or value}'"
    ]


@pytest.mark.parametrize("port", ["0", "65536", "0065536", "70000", "-1", "port", "443:443"])
def test_a_port_that_does_not_exist_is_reported(port: str) -> None:
    """The rule is the same for both addresses of Salesforce."""
    problem = f"has the port {port}: a port is a number from 1 to 65535"
    for name, scheme in (("SALESFORCE_LOGIN_URL", "https://"), ("SALESFORCE_PUBSUB_ENDPOINT", "")):
        assert problems_of(name, f"{scheme}example.com:{port}") == [f"{name} {problem}"]


@pytest.mark.parametrize("port", ["1", "65535"])
def test_the_first_and_the_last_port_are_accepted(port: str) -> None:
    """A tunnel or a proxy may listen on any port."""
    org = salesforce(
        SALESFORCE_LOGIN_URL=f"https://a.example.com:{port}",
        SALESFORCE_PUBSUB_ENDPOINT=f"a.example.com:{port}",
    )
    assert org.login_url == f"https://a.example.com:{port}"
    assert org.pubsub_endpoint == Endpoint(f"a.example.com:{port}", tls=True)


def test_a_user_name_and_a_consumer_key_that_are_swapped_are_reported() -> None:
    """A user name of Salesforce has the form of an email address, and a consumer key never has."""
    swapped = {"SALESFORCE_CLIENT_ID": "me@example.com", "SALESFORCE_USERNAME": "3MVG9"}
    assert problems(**swapped) == [
        "SALESFORCE_CLIENT_ID must be the consumer key of the app, not a user name",
        "SALESFORCE_USERNAME must be a user name such as integration@example.com, not '3MVG9'",
    ]


def test_topics_whose_reference_was_not_resolved_are_one_problem() -> None:
    """One cause is reported once."""
    reference = "@Microsoft.KeyVault(VaultName=v;SecretName=n)"
    (problem,) = problems(SALESFORCE_TOPICS=reference)
    assert problem.startswith("SALESFORCE_TOPICS is a Key Vault reference that was not resolved:")


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    """Logs and a debugger's tracebacks may print settings."""
    secret = "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=c2VjcmV0"
    assert "c2VjcmV0" not in repr(read({**COMPLETE, "EVENTS_STORAGE": secret}))
    assert "PRIVATE" not in repr(read(COMPLETE)).replace("SALESFORCE_PRIVATE", "")
