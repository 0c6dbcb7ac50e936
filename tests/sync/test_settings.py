"""The settings of the sync: accepted values, and the reports of problems."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from local.environments import REPOSITORY

from delete_sync.src.errors import SettingsError, StorageRefusedError
from delete_sync.src.private_key import NOTHING
from delete_sync.src.run import run
from delete_sync.src.settings import Settings, Snowflake, read
from delete_sync.src.settings_reader import BlobAccount
from delete_sync.src.warehouse.names import BESIDE

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
    "SNOWFLAKE_PASSWORD": "hush-hush",
    "SNOWFLAKE_WAREHOUSE": "delete_sync_wh",
    "SNOWFLAKE_DATABASE": "audit",
    "SNOWFLAKE_SCHEMA": "salesforce",
}
NO_LOGIN = {"SNOWFLAKE_PASSWORD": ""}
WAYS_TO_LOG_IN = (
    "SNOWFLAKE_AUTHENTICATOR or SNOWFLAKE_PRIVATE_KEY or SNOWFLAKE_PRIVATE_KEY_FILE"
    " or SNOWFLAKE_TOKEN or SNOWFLAKE_PASSWORD"
)


def problems(**changes: str) -> list[str]:
    """What an operator reads after these changes to complete settings."""
    with pytest.raises(SettingsError) as raised:
        read({**COMPLETE, **changes})
    return list(raised.value.problems)


def test_the_required_settings_are_enough() -> None:
    """All other settings have a default."""
    assert read(COMPLETE) == Settings(
        storage=BlobAccount("UseDevelopmentStorage=true"),
        events_container="events",
        snowflake=Snowflake(
            account="org-account",
            login={"user": "delete_sync_svc", "password": "hush-hush"},
            warehouse="delete_sync_wh",
            role="",
            database='"AUDIT"',
            schema='"SALESFORCE"',
            table='"DELETE_TRACKER"',
            server={},
        ),
        full_sweep=False,
        max_run_seconds=480,
        max_merge_rows=1_000_000,
        max_backlog_hours=48,
        max_silence_hours=24,
    )


def test_each_optional_setting_replaces_its_default() -> None:
    """The names are those of docs/settings.md. The numbers are the smallest that are accepted."""
    optional = {
        "EVENTS_CONTAINER": "events-2",
        "SNOWFLAKE_ROLE": "delete_sync_role",
        "FULL_SWEEP": "true",
        "MAX_RUN_SECONDS": "10",
        "MAX_MERGE_ROWS": "1",
        "MAX_BACKLOG_HOURS": "0",
        "MAX_SILENCE_HOURS": "0",
    }
    default = read(COMPLETE)
    assert read({**COMPLETE, **optional}) == replace(
        default,
        events_container="events-2",
        snowflake=replace(default.snowflake, role="delete_sync_role"),
        full_sweep=True,
        max_run_seconds=10,
        max_merge_rows=1,
        max_backlog_hours=0,
        max_silence_hours=0,
    )


def test_every_problem_is_reported_at_once_by_setting_name() -> None:
    """An operator can correct all settings at once."""
    with pytest.raises(SettingsError) as raised:
        read({"MAX_MERGE_ROWS": "many"})
    assert str(raised.value).splitlines() == [
        "the app's settings need attention. Until then no event file is loaded:",
        "  - EVENTS_STORAGE is missing: set it or EVENTS_STORAGE__blobServiceUri",
        "  - SNOWFLAKE_ACCOUNT is missing: set it",
        f"  - {WAYS_TO_LOG_IN} must be set, exactly one of them: found none",
        "  - SNOWFLAKE_USER is missing: set it",
        "  - SNOWFLAKE_WAREHOUSE is missing: set it",
        "  - SNOWFLAKE_DATABASE is missing: set it",
        "  - SNOWFLAKE_SCHEMA is missing: set it",
        "  - MAX_MERGE_ROWS must be a number, not 'many'",
        "Nothing is lost: a later sweep loads the files that are still pending",
    ]


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("MAX_RUN_SECONDS", "9", "MAX_RUN_SECONDS must be at least 10, not 9"),
        ("MAX_MERGE_ROWS", "0", "MAX_MERGE_ROWS must be at least 1, not 0"),
        ("MAX_BACKLOG_HOURS", "-1", "MAX_BACKLOG_HOURS must be at least 0, not -1"),
        ("MAX_SILENCE_HOURS", "-1", "MAX_SILENCE_HOURS must be at least 0, not -1"),
        *(
            (
                "SNOWFLAKE_PORT",
                port,
                f"SNOWFLAKE_PORT must be a number from 1 to 65535, not '{port}'",
            )
            for port in ("0", "-1", "65536", "443.5", "https")
        ),
        ("SNOWFLAKE_PROTOCOL", "ftp", "SNOWFLAKE_PROTOCOL must be http or https, not 'ftp'"),
        ("FULL_SWEEP", "on", "FULL_SWEEP must be true or false, not 'on'"),
        (
            "EVENTS_CONTAINER",
            "Events",
            "EVENTS_CONTAINER must be a container name"
            " (3 to 63 lower-case letters, digits and single hyphens), not 'Events'",
        ),
    ],
)
def test_a_value_that_cannot_be_used_is_reported_with_the_rule(
    name: str, value: str, problem: str
) -> None:
    """The sentence says what to write instead."""
    assert problems(**{name: value}) == [problem]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        (NO_LOGIN, "none"),
        ({"SNOWFLAKE_TOKEN": "secret"}, "SNOWFLAKE_TOKEN and SNOWFLAKE_PASSWORD"),
        (
            {**NO_LOGIN, "SNOWFLAKE_PRIVATE_KEY": PEM, "SNOWFLAKE_TOKEN": "secret"},
            "SNOWFLAKE_PRIVATE_KEY and SNOWFLAKE_TOKEN",
        ),
        (
            {**NO_LOGIN, "SNOWFLAKE_PRIVATE_KEY_FILE": "key.pem", "SNOWFLAKE_TOKEN": "secret"},
            "SNOWFLAKE_PRIVATE_KEY_FILE and SNOWFLAKE_TOKEN",
        ),
        (
            {"SNOWFLAKE_AUTHENTICATOR": "WORKLOAD_IDENTITY", "SNOWFLAKE_PRIVATE_KEY": " "},
            "SNOWFLAKE_AUTHENTICATOR and SNOWFLAKE_PASSWORD",
        ),
    ],
    ids=["none", "token and password", "key and token", "file and token", "identity and password"],
)
def test_there_is_exactly_one_way_to_log_in(changes: dict[str, str], found: str) -> None:
    """The sentence names what is set, but quotes no secret. An empty setting counts as absent."""
    reported = problems(**changes)
    assert reported[0] == f"{WAYS_TO_LOG_IN} must be set, exactly one of them: found {found}"
    assert "secret" not in str(reported)
    assert "hush-hush" not in str(reported)


def test_an_unknown_authenticator_is_reported() -> None:
    """The other ways to log in have settings of their own."""
    changes = {**NO_LOGIN, "SNOWFLAKE_AUTHENTICATOR": "externalbrowser"}
    assert problems(**changes) == [
        "SNOWFLAKE_AUTHENTICATOR must be WORKLOAD_IDENTITY or unset, not 'externalbrowser'"
    ]


@pytest.mark.parametrize(
    ("changes", "login"),
    [
        (
            {**NO_LOGIN, "SNOWFLAKE_PRIVATE_KEY": PEM},
            {"user": "delete_sync_svc", "authenticator": "SNOWFLAKE_JWT", "private_key": DER},
        ),
        (
            {
                **NO_LOGIN,
                "SNOWFLAKE_PRIVATE_KEY": ENCRYPTED.replace("\n", "\\n"),
                "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE": "sesame",
            },
            {"user": "delete_sync_svc", "authenticator": "SNOWFLAKE_JWT", "private_key": DER},
        ),
        (
            {**NO_LOGIN, "SNOWFLAKE_TOKEN": "pat"},
            {
                "user": "delete_sync_svc",
                "authenticator": "PROGRAMMATIC_ACCESS_TOKEN",
                "token": "pat",
            },
        ),
        ({"SNOWFLAKE_PASSWORD": "p"}, {"user": "delete_sync_svc", "password": "p"}),
        (
            {**NO_LOGIN, "SNOWFLAKE_AUTHENTICATOR": "WORKLOAD_IDENTITY", "SNOWFLAKE_USER": ""},
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


def test_a_key_may_be_in_a_file(tmp_path: Path) -> None:
    """``SNOWFLAKE_PRIVATE_KEY_FILE`` names the file."""
    (tmp_path / "key.pem").write_text(PEM)
    from_file = {**NO_LOGIN, "SNOWFLAKE_PRIVATE_KEY_FILE": str(tmp_path / "key.pem")}
    assert read({**COMPLETE, **from_file}).snowflake.login == {
        "user": "delete_sync_svc",
        "authenticator": "SNOWFLAKE_JWT",
        "private_key": DER,
    }


def test_a_key_on_an_elliptic_curve_is_accepted() -> None:
    """Snowflake accepts the curves P-256, P-384 and P-521."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem, der = (
        key.private_bytes(form, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        for form in (serialization.Encoding.PEM, serialization.Encoding.DER)
    )
    login = {**NO_LOGIN, "SNOWFLAKE_PRIVATE_KEY": pem.decode()}
    assert read({**COMPLETE, **login}).snowflake.login["private_key"] == der


@pytest.mark.parametrize(
    ("key", "passphrase", "problem"),
    [
        (ENCRYPTED, "", "is encrypted: it needs SNOWFLAKE_PRIVATE_KEY_PASSPHRASE"),
        (ENCRYPTED, "open", "does not open with SNOWFLAKE_PRIVATE_KEY_PASSPHRASE"),
        (PEM, "sesame", "needs no SNOWFLAKE_PRIVATE_KEY_PASSPHRASE"),
        ("garbage", "", NOTHING),
        ("garbage", "sesame", NOTHING),
    ],
    ids=[
        *("no passphrase", "wrong passphrase", "needless passphrase", "garbage"),
        "garbage and a passphrase",
    ],
)
def test_a_key_that_does_not_open_is_reported_with_the_reason(
    key: str, passphrase: str, problem: str, tmp_path: Path
) -> None:
    """The sentence begins with the setting that holds the key or names its file."""
    login = {**NO_LOGIN, "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE": passphrase}
    assert problems(**login, SNOWFLAKE_PRIVATE_KEY=key) == [f"SNOWFLAKE_PRIVATE_KEY {problem}"]
    (tmp_path / "key.pem").write_text(key)
    assert problems(**login, SNOWFLAKE_PRIVATE_KEY_FILE=str(tmp_path / "key.pem")) == [
        f"SNOWFLAKE_PRIVATE_KEY_FILE {problem}"
    ]


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
    assert problems(SNOWFLAKE_TABLE=name) == [
        "SNOWFLAKE_TABLE must be a name of letters, digits and underscores,"
        f" or a name in double quotes, not {name!r}"
    ]


def test_an_unresolved_key_vault_reference_is_reported_as_one() -> None:
    """If the app may not read the secret, it receives the text of the reference."""
    reference = "@Microsoft.KeyVault(VaultName=v;SecretName=n)"
    assert problems(**NO_LOGIN, SNOWFLAKE_PRIVATE_KEY=reference) == [
        "SNOWFLAKE_PRIVATE_KEY is a Key Vault reference that was not resolved: check that the"
        " secret exists and that the app's identity may read it (func start never resolves"
        " references)"
    ]


@pytest.mark.parametrize(
    ("protocol", "host"),
    [
        ("http", "127.0.0.1"),
        ("http", "localhost"),
        ("http", "::1"),
        ("https", "org-account.privatelink.snowflakecomputing.com"),
    ],
)
def test_another_address_of_snowflake_may_be_set(protocol: str, host: str) -> None:
    """The local emulator uses plain http."""
    server = {"SNOWFLAKE_HOST": host, "SNOWFLAKE_PORT": "10085", "SNOWFLAKE_PROTOCOL": protocol}
    assert read({**COMPLETE, **server}).snowflake.server == {
        "host": host,
        "port": 10085,
        "protocol": protocol,
    }


@pytest.mark.parametrize(
    "host", ["https://host.example.com", "host.example.com:443", "host.example.com/", "a b"]
)
def test_a_host_of_snowflake_is_a_name_alone(host: str) -> None:
    """Protocol and port have settings of their own."""
    wanted = "SNOWFLAKE_HOST must be a host name without https://, port and path"
    assert problems(SNOWFLAKE_HOST=host) == [f"{wanted}, not {host!r}"]


def test_a_password_in_the_host_is_not_quoted() -> None:
    """A message goes to the log."""
    for name in ("SNOWFLAKE_HOST", "SNOWFLAKE_ACCOUNT"):
        (problem,) = problems(**{name: "https://me:topsecret@host.example.com"})
        assert problem.endswith("not 'https://…@host.example.com'")


@pytest.mark.parametrize("port", ["1", "65535"])
def test_the_first_and_the_last_port_are_accepted(port: str) -> None:
    """Without a port, the connector takes 443."""
    assert read({**COMPLETE, "SNOWFLAKE_PORT": port}).snowflake.server == {"port": int(port)}


@pytest.mark.parametrize(
    "account",
    [
        *("org-account", "org-my_account", "ORG-ACCOUNT-2", "local", "xy12345"),
        *("xy12345.eu-central-1", "xy12345.west-europe.azure", "org-account.privatelink"),
    ],
)
def test_each_form_of_an_account_identifier_is_accepted(account: str) -> None:
    """An account locator has its region, and sometimes its cloud."""
    assert read({**COMPLETE, "SNOWFLAKE_ACCOUNT": account}).snowflake.account == account


@pytest.mark.parametrize(
    ("value", "account"),
    [
        ("org-account.snowflakecomputing.com", "org-account"),
        ("https://xy12345.snowflakecomputing.com", "xy12345"),
        ("http://xy12345.snowflakecomputing.com:443/", "xy12345"),
        ("https://xy12345.west-europe.azure.snowflakecomputing.com/x", "xy12345.west-europe.azure"),
        ("ORG-ACCOUNT.SNOWFLAKECOMPUTING.COM", "ORG-ACCOUNT"),
        ("org-account.snowflakecomputing.cn", "org-account"),
        ("org-account.privatelink.snowflakecomputing.com", "org-account.privatelink"),
        ("https://app.snowflake.com/myorg/my_account/#/worksheets", "myorg-my_account"),
    ],
)
def test_an_address_of_the_account_is_reported_with_the_part_to_write(
    value: str, account: str
) -> None:
    """The connector appends the domain itself. The address is in the browser and in emails."""
    assert problems(SNOWFLAKE_ACCOUNT=value) == [
        f"SNOWFLAKE_ACCOUNT is an address: write {account}"
    ]


@pytest.mark.parametrize(
    "value", ["my account", "org/account", "https://example.com", "-a", "a..b"]
)
def test_a_text_that_is_no_account_identifier_is_reported(value: str) -> None:
    """The problem quotes the value."""
    assert problems(SNOWFLAKE_ACCOUNT=value) == [
        f"SNOWFLAKE_ACCOUNT must be the account identifier, <organization>-<account>, not {value!r}"
    ]


@pytest.mark.parametrize("host", ["", "example.com", "127.0.0.1.example.com"])
def test_plain_http_is_allowed_only_for_this_machine(host: str) -> None:
    """The rule protects the login and the rows."""
    assert problems(SNOWFLAKE_PROTOCOL="http", SNOWFLAKE_HOST=host) == [
        "SNOWFLAKE_PROTOCOL is http, which is allowed only for this machine"
        " (SNOWFLAKE_HOST=localhost)"
    ]


def test_the_page_of_the_settings_has_every_name_in_snowflake() -> None:
    page = (REPOSITORY / "docs/settings.md").read_text()
    section = page.partition("### Names in Snowflake\n")[2].partition("\n### ")[0]
    assert sorted(re.findall(r"`<table>_(\w+)`", section)) == sorted(BESIDE)


def test_a_sweep_that_the_host_would_end_is_refused() -> None:
    """The host ends an invocation after ten minutes, and the last batch gets one of them."""
    with pytest.raises(SettingsError) as raised:
        run({**COMPLETE, "MAX_RUN_SECONDS": "540.5"})
    assert raised.value.problems == (
        "MAX_RUN_SECONDS must be at most 540, not 540.5: the host ends the invocation after 600 "
        "seconds (functionTimeout in host.json), and the last batch needs some time",
    )


def test_the_longest_sweep_that_the_host_allows_is_accepted() -> None:
    """The error comes from the next step: there is no storage at this address."""
    storage = {"EVENTS_STORAGE": "BlobEndpoint=https://./;SharedAccessSignature=sig"}
    with pytest.raises(StorageRefusedError, match="the storage account"):
        run({**COMPLETE, **storage, "MAX_RUN_SECONDS": "540"})


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    """Logs and tracebacks of debuggers contain no secret."""
    shown = repr(read({**COMPLETE, "EVENTS_STORAGE": "AccountName=a;AccountKey=c2VjcmV0"}))
    assert "hush-hush" not in shown
    assert "c2VjcmV0" not in shown
