"""Settings of the collector: which values are accepted, and how problems are reported."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from salesforce_client.src.app.errors import SettingsError
from salesforce_client.src.app.settings import Endpoint, Mock, Salesforce, read
from salesforce_client.src.app.settings_reader import BlobAccount

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
TRADITIONAL = KEY.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.TraditionalOpenSSL,
    serialization.NoEncryption(),
).decode()
COMPLETE = {
    "EVENTS_STORAGE": "UseDevelopmentStorage=true",
    "SALESFORCE_CLIENT_ID": "3MVG9",
    "SALESFORCE_USERNAME": "integration@example.com",
    "SALESFORCE_PRIVATE_KEY": PEM,
    "SALESFORCE_TOPICS": "/event/Delete_Event__e, /data/AccountChangeEvent",
}


def salesforce(**changes: str) -> Salesforce:
    found = read({**COMPLETE, **changes}).salesforce
    assert found
    return found


def problems(**changes: str) -> str:
    with pytest.raises(SettingsError) as raised:
        read({**COMPLETE, **changes})
    return "\n".join(raised.value.problems)


def test_the_required_settings_are_enough() -> None:
    """All other settings have a default."""
    settings = read(COMPLETE)
    assert settings.topics == ("/event/Delete_Event__e", "/data/AccountChangeEvent")
    assert settings.mock is None
    assert salesforce().login_url == salesforce().audience == "https://login.salesforce.com"
    assert salesforce().pubsub_endpoint == Endpoint("api.pubsub.salesforce.com:7443", tls=True)
    assert (settings.max_run_seconds, settings.idle_seconds, settings.max_file_rows) == (
        480,
        30,
        250_000,
    )
    assert settings.event_fields["record_id"] == "Record_Id__c"


def test_every_problem_is_reported_at_once_by_setting_name() -> None:
    """An operator can correct all of them in one go."""
    with pytest.raises(SettingsError) as raised:
        read({"MAX_RUN_SECONDS": "soon", "MOCK_MODE": "perhaps"})
    text = str(raised.value)
    names = (
        "EVENTS_STORAGE",
        "SALESFORCE_CLIENT_ID",
        "SALESFORCE_USERNAME",
        "SALESFORCE_PRIVATE_KEY",
        "SALESFORCE_TOPICS",
    )
    for name in (*names, "MAX_RUN_SECONDS", "MOCK_MODE"):
        assert f"- {name} " in text


def test_mock_mode_needs_no_salesforce_settings() -> None:
    """The mock supplies them."""
    settings = read({"MOCK_MODE": "true", "EVENTS_STORAGE": "UseDevelopmentStorage=true"})
    assert settings.mock == Mock(60, None, "", allowed_in_azure=False)
    assert settings.salesforce is None


@pytest.mark.parametrize(
    "key",
    [
        PEM,
        TRADITIONAL,
        PEM.replace("\n", "\\n"),
        PEM.replace("\n", "\\r\\n"),
        PEM.replace("\n", " "),
        base64.b64encode(PEM.encode()).decode(),
        f"\n{PEM}\n\n",
    ],
    ids=["pem", "traditional", "escapes", "windows escapes", "spaces", "base64", "blank lines"],
)
def test_a_private_key_is_accepted_however_it_was_pasted(key: str) -> None:
    """Settings forms and Key Vault lose line ends."""
    assert (
        salesforce(SALESFORCE_PRIVATE_KEY=key).private_key.private_numbers()
        == KEY.private_numbers()
    )


def test_a_private_key_may_be_in_a_file(tmp_path: Path) -> None:
    """``SALESFORCE_PRIVATE_KEY_FILE`` names the file."""
    (tmp_path / "key.pem").write_text(PEM)
    from_file = salesforce(
        SALESFORCE_PRIVATE_KEY="", SALESFORCE_PRIVATE_KEY_FILE=str(tmp_path / "key.pem")
    )
    assert from_file.private_key.private_numbers() == KEY.private_numbers()


def elliptic_with_another_curve() -> str:
    """A key on a curve that the library does not know."""
    key = ec.generate_private_key(ec.SECP256R1())
    der = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    prime256v1, prime192v2 = bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d030102")
    other = der.replace(prime256v1, prime192v2)
    with pytest.raises(UnsupportedAlgorithm):
        serialization.load_der_private_key(other, None)
    return (
        f"-----BEGIN PRIVATE KEY-----\n{base64.b64encode(other).decode()}\n"
        "-----END PRIVATE KEY-----\n"
    )


def test_an_unusable_private_key_is_reported_with_the_reason(tmp_path: Path) -> None:
    """The key is garbage, encrypted, of another kind or missing, or both settings are set."""
    encrypted = KEY.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"x"),
    )
    elliptic = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    assert "SALESFORCE_PRIVATE_KEY is not a private key in PEM form" in problems(
        SALESFORCE_PRIVATE_KEY="garbage"
    )
    assert "SALESFORCE_PRIVATE_KEY is encrypted" in problems(
        SALESFORCE_PRIVATE_KEY=encrypted.decode()
    )
    assert "SALESFORCE_PRIVATE_KEY must be an RSA key" in problems(
        SALESFORCE_PRIVATE_KEY=elliptic.decode()
    )
    unsupported = elliptic_with_another_curve()
    assert "SALESFORCE_PRIVATE_KEY is not a private key" in problems(
        SALESFORCE_PRIVATE_KEY=unsupported
    )
    missing = problems(
        SALESFORCE_PRIVATE_KEY="", SALESFORCE_PRIVATE_KEY_FILE=str(tmp_path / "none.pem")
    )
    assert "SALESFORCE_PRIVATE_KEY_FILE names a file that cannot be read" in missing
    assert "both set" in problems(SALESFORCE_PRIVATE_KEY_FILE=str(tmp_path / "none.pem"))


@pytest.mark.parametrize(
    "name", ["SALESFORCE_PRIVATE_KEY", "EVENTS_STORAGE", "SALESFORCE_CLIENT_ID"]
)
def test_an_unresolved_key_vault_reference_is_reported_as_such(name: str) -> None:
    """If the identity has no right to the secret, the app receives the text of the reference."""
    reference = "@Microsoft.KeyVault(SecretUri=https://vault.vault.azure.net/secrets/key/)"
    assert problems(**{name: reference}) == (
        f"{name} is a Key Vault reference that was not resolved: check that the secret exists "
        "and that the app's identity may read it (func start never resolves references)"
    )


@pytest.mark.parametrize(
    ("login_url", "audience"),
    [
        ("https://login.salesforce.com", "https://login.salesforce.com"),
        ("https://test.salesforce.com/", "https://test.salesforce.com"),
        ("https://acme.my.salesforce.com", "https://login.salesforce.com"),
        ("https://acme--dev.sandbox.my.salesforce.com", "https://test.salesforce.com"),
    ],
)
def test_the_audience_follows_from_the_login_host(login_url: str, audience: str) -> None:
    """Sandboxes have an audience of their own."""
    assert salesforce(SALESFORCE_LOGIN_URL=login_url).audience == audience


def test_a_given_audience_is_used_unchanged() -> None:
    """Experience Cloud sites need one."""
    assert (
        salesforce(SALESFORCE_AUDIENCE="https://site.example.com").audience
        == "https://site.example.com"
    )


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
    ],
)
def test_an_endpoint_uses_tls_unless_it_is_plaintext_to_this_machine(
    value: str, endpoint: Endpoint
) -> None:
    """Nothing leaves the machine unencrypted."""
    assert salesforce(SALESFORCE_PUBSUB_ENDPOINT=value).pubsub_endpoint == endpoint


def test_plaintext_to_another_machine_is_refused() -> None:
    """The rule protects tokens and events."""
    assert "SALESFORCE_PUBSUB_ENDPOINT must use TLS" in problems(
        SALESFORCE_PUBSUB_ENDPOINT="http://example.com:7443"
    )
    assert "SALESFORCE_LOGIN_URL must be https" in problems(
        SALESFORCE_LOGIN_URL="http://login.salesforce.com"
    )


def test_a_malformed_topic_is_reported() -> None:
    """The problem quotes the topic."""
    text = problems(SALESFORCE_TOPICS="/event/Delete_Event__e, Delete_Event__e, /data/Bad Name")
    assert "SALESFORCE_TOPICS has 'Delete_Event__e'" in text
    assert "SALESFORCE_TOPICS has '/data/Bad Name'" in text


def test_a_topic_that_is_listed_twice_is_drained_once() -> None:
    """Two drains of one topic would compete for its cursor."""
    assert read({**COMPLETE, "SALESFORCE_TOPICS": "/data/A,/data/B,/data/A"}).topics == (
        "/data/A",
        "/data/B",
    )


def test_event_fields_replace_single_defaults() -> None:
    """Fields that are not set keep their default names."""
    settings = read(
        {**COMPLETE, "SALESFORCE_EVENT_FIELDS": "record_id=RecordId__c, owner_id = Owner__c"}
    )
    assert settings.event_fields["record_id"] == "RecordId__c"
    assert settings.event_fields["owner_id"] == "Owner__c"
    assert settings.event_fields["object_name"] == "Object_Name__c"
    assert "SALESFORCE_EVENT_FIELDS has 'record=X__c'" in problems(
        SALESFORCE_EVENT_FIELDS="record=X__c"
    )


def test_storage_is_a_connection_string_or_an_identity() -> None:
    """Exactly one of them must be set."""
    uri = "https://account.blob.core.windows.net"
    identity = {
        "EVENTS_STORAGE": "",
        "EVENTS_STORAGE__blobServiceUri": uri,
        "EVENTS_STORAGE__clientId": "1234",
    }
    assert read({**COMPLETE, **identity}).storage == BlobAccount("", uri, "1234")
    assert "both set" in problems(EVENTS_STORAGE__blobServiceUri=uri)
    assert "EVENTS_STORAGE is missing" in problems(EVENTS_STORAGE="")
    assert "EVENTS_STORAGE is not a storage connection string" in problems(
        EVENTS_STORAGE="my-account"
    )


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    """Logs and a debugger's tracebacks may print settings."""
    secret = "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=c2VjcmV0"
    assert "c2VjcmV0" not in repr(read({**COMPLETE, "EVENTS_STORAGE": secret}))
    assert "PRIVATE" not in repr(read(COMPLETE)).replace("SALESFORCE_PRIVATE", "")
