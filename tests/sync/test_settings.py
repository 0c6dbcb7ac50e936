"""The settings of the sync: accepted values, and the reports of problems."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from delete_sync.src.errors import SettingsError
from delete_sync.src.settings import read

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
DER = KEY.private_bytes(
    serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
ENCRYPTED = KEY.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.BestAvailableEncryption(b"sesame"),
).decode()
COMPLETE = {
    "EVENTS_STORAGE": "UseDevelopmentStorage=true",
    "SNOWFLAKE_ACCOUNT": "org-account",
    "SNOWFLAKE_USER": "delete_sync_svc",
    "SNOWFLAKE_PRIVATE_KEY": PEM,
    "SNOWFLAKE_WAREHOUSE": "delete_sync_wh",
    "SNOWFLAKE_DATABASE": "audit",
    "SNOWFLAKE_SCHEMA": "salesforce",
}
NO_KEY = {"SNOWFLAKE_PRIVATE_KEY": ""}


def problems(**changes: str) -> str:
    with pytest.raises(SettingsError) as raised:
        read({**COMPLETE, **changes})
    return "\n".join(raised.value.problems)


def test_every_problem_is_reported_at_once_by_setting_name() -> None:
    """An operator can correct all settings at once."""
    with pytest.raises(SettingsError) as raised:
        read({"MAX_MERGE_ROWS": "many"})
    names = (
        "EVENTS_STORAGE",
        "SNOWFLAKE_ACCOUNT",
        "SNOWFLAKE_USER",
        "SNOWFLAKE_AUTHENTICATOR",
        "SNOWFLAKE_WAREHOUSE",
    )
    for name in (*names, "SNOWFLAKE_DATABASE", "SNOWFLAKE_SCHEMA", "MAX_MERGE_ROWS"):
        assert f"- {name} " in str(raised.value)


def test_there_is_exactly_one_way_to_log_in() -> None:
    """No login and two logins are both reported. An empty setting counts as absent."""
    assert "exactly one of them: found none" in problems(**NO_KEY)
    two = problems(SNOWFLAKE_PASSWORD="secret", SNOWFLAKE_TOKEN="")
    assert "found SNOWFLAKE_PRIVATE_KEY and SNOWFLAKE_PASSWORD" in two
    assert "secret" not in two


@pytest.mark.parametrize(
    ("changes", "login"),
    [
        ({}, {"user": "delete_sync_svc", "authenticator": "SNOWFLAKE_JWT", "private_key": DER}),
        (
            {
                "SNOWFLAKE_PRIVATE_KEY": ENCRYPTED.replace("\n", "\\n"),
                "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE": "sesame",
            },
            {"user": "delete_sync_svc", "authenticator": "SNOWFLAKE_JWT", "private_key": DER},
        ),
        (
            {**NO_KEY, "SNOWFLAKE_TOKEN": "pat"},
            {
                "user": "delete_sync_svc",
                "authenticator": "PROGRAMMATIC_ACCESS_TOKEN",
                "token": "pat",
            },
        ),
        ({**NO_KEY, "SNOWFLAKE_PASSWORD": "p"}, {"user": "delete_sync_svc", "password": "p"}),
        (
            {**NO_KEY, "SNOWFLAKE_AUTHENTICATOR": "WORKLOAD_IDENTITY", "SNOWFLAKE_USER": ""},
            {"authenticator": "WORKLOAD_IDENTITY", "workload_identity_provider": "AZURE"},
        ),
    ],
    ids=["key", "encrypted key", "token", "password", "workload identity"],
)
def test_each_login_becomes_parameters_of_the_connector(
    changes: dict[str, str], login: dict[str, object]
) -> None:
    """A key becomes unencrypted PKCS8 in DER, which every version accepts."""
    assert read({**COMPLETE, **changes}).snowflake.login == login


def test_a_key_that_does_not_open_is_reported_with_the_reason() -> None:
    """A passphrase is missing, wrong or not needed, or the key is garbage."""
    assert (
        "SNOWFLAKE_PRIVATE_KEY is encrypted: it needs SNOWFLAKE_PRIVATE_KEY_PASSPHRASE"
        in problems(SNOWFLAKE_PRIVATE_KEY=ENCRYPTED)
    )
    wrong = problems(SNOWFLAKE_PRIVATE_KEY=ENCRYPTED, SNOWFLAKE_PRIVATE_KEY_PASSPHRASE="open")
    assert "SNOWFLAKE_PRIVATE_KEY does not open" in wrong
    assert "needs no SNOWFLAKE_PRIVATE_KEY_PASSPHRASE" in problems(
        SNOWFLAKE_PRIVATE_KEY_PASSPHRASE="sesame"
    )
    assert "SNOWFLAKE_PRIVATE_KEY is not a private key" in problems(SNOWFLAKE_PRIVATE_KEY="garbage")


def test_a_key_of_an_unsupported_type_is_reported_like_other_problems() -> None:
    """The key is on an unknown elliptic curve: the last number of the curve's name is changed."""
    key = ec.generate_private_key(ec.SECP256R1())
    der = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    known, unknown = (bytes.fromhex(f"06082a8648ce3d0301{last}") for last in ("07", "06"))
    pem = (
        "-----BEGIN PRIVATE KEY-----\n"
        f"{base64.b64encode(der.replace(known, unknown)).decode()}\n"
        "-----END PRIVATE KEY-----"
    )
    assert (
        problems(SNOWFLAKE_PRIVATE_KEY=pem)
        == "SNOWFLAKE_PRIVATE_KEY has a type that is not supported: create an RSA key"
    )


@pytest.mark.parametrize("passphrase", ["", "sesame"])
def test_a_text_that_is_not_a_key_is_reported_with_and_without_a_passphrase(
    passphrase: str,
) -> None:
    """Another passphrase would not help."""
    garbage = {"SNOWFLAKE_PRIVATE_KEY": "garbage", "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE": passphrase}
    assert (
        problems(**garbage)
        == "SNOWFLAKE_PRIVATE_KEY is not a private key in PEM form (BEGIN PRIVATE KEY …)"
    )


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("audit", '"AUDIT"'),
        ("Audit_1$", '"AUDIT_1$"'),
        ('"Audit log"', '"Audit log"'),
        ('"a""b"', '"a""b"'),
    ],
)
def test_a_name_means_the_same_as_in_snowflake(name: str, identifier: str) -> None:
    """A name without quotes becomes upper case. A name in quotes stays unchanged."""
    assert read({**COMPLETE, "SNOWFLAKE_TABLE": name}).snowflake.table == identifier


@pytest.mark.parametrize(
    "name", ["audit; DROP TABLE x", "a.b", '"open', '"a"b"', "1st", "a b", '"50%"']
)
def test_a_name_that_could_change_the_sql_is_refused(name: str) -> None:
    """The sync writes these names into SQL statements."""
    assert "SNOWFLAKE_TABLE must be a name" in problems(SNOWFLAKE_TABLE=name)


def test_an_unresolved_key_vault_reference_is_reported_as_one() -> None:
    """The app sees the reference's own text if its identity may not read the secret."""
    reference = "@Microsoft.KeyVault(VaultName=v;SecretName=n)"
    assert problems(SNOWFLAKE_PRIVATE_KEY=reference).startswith(
        "SNOWFLAKE_PRIVATE_KEY is a Key Vault reference that was not resolved"
    )


def test_plain_http_is_allowed_only_for_this_machine() -> None:
    """The local emulator uses it."""
    local = {"SNOWFLAKE_HOST": "127.0.0.1", "SNOWFLAKE_PORT": "10085", "SNOWFLAKE_PROTOCOL": "http"}
    assert read({**COMPLETE, **local}).snowflake.server == {
        "host": "127.0.0.1",
        "port": 10085,
        "protocol": "http",
    }
    assert "SNOWFLAKE_PROTOCOL is http" in problems(
        SNOWFLAKE_PROTOCOL="http", SNOWFLAKE_HOST="example.com"
    )


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    """Logs and tracebacks of debuggers contain no secret."""
    shown = repr(
        read(
            {
                **COMPLETE,
                **NO_KEY,
                "SNOWFLAKE_PASSWORD": "hush-hush",
                "EVENTS_STORAGE": "AccountKey=c2VjcmV0",
            }
        )
    )
    assert "hush-hush" not in shown
    assert "c2VjcmV0" not in shown
