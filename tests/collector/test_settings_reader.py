"""The kinds of settings that both apps use: accepted values, and the exact report of a problem."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from salesforce_client.src.app.errors import SettingsError
from salesforce_client.src.app.settings_reader import BlobAccount, SettingsReader

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
DER = KEY.private_bytes(
    serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)
ENCRYPTED_WITH_HEADERS = KEY.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.TraditionalOpenSSL,
    serialization.BestAvailableEncryption(b"sesame"),
).decode()
URI = "https://account.blob.core.windows.net"
UNRESOLVED = (
    "is a Key Vault reference that was not resolved: check that the secret exists and that the"
    " app's identity may read it (func start never resolves references)"
)


def test_a_value_is_read_without_the_blanks_around_it() -> None:
    """A value that was pasted often has blanks around it."""
    assert SettingsReader({"NAME": " \tvalue \n"}).text("NAME") == "value"


def test_settings_without_a_problem_raise_no_error() -> None:
    """An optional setting may be missing or empty."""
    reader = SettingsReader({"EMPTY": " "})
    assert reader.text("EMPTY") == reader.text("MISSING") == ""
    reader.raise_problems()


@pytest.mark.parametrize("value", [None, "", " "])
def test_a_required_setting_must_have_a_value(value: str | None) -> None:
    """An empty value counts as not set. The error lists the problem."""
    reader = SettingsReader({} if value is None else {"NAME": value})
    assert reader.text("NAME", required=True) == ""
    with pytest.raises(SettingsError) as raised:
        reader.raise_problems()
    assert raised.value.problems == ("NAME is missing: set it",)


def test_an_unresolved_key_vault_reference_counts_as_empty() -> None:
    """If the app may not read the secret, it receives the text of the reference."""
    reader = SettingsReader({"NAME": "@Microsoft.KeyVault(VaultName=v;SecretName=n)"})
    assert reader.text("NAME", required=True) == ""
    assert reader.problems == [f"NAME {UNRESOLVED}"]


def test_a_problem_is_listed_once() -> None:
    """A setting may be read twice, for example once to look at its form."""
    reader = SettingsReader({})
    assert reader.problem("NAME", "is odd", 1) == 1
    assert reader.problem("NAME", "is odd", 2) == 2
    assert reader.problems == ["NAME is odd"]


def problems_with(environ: dict[str, str], *names: str, required: bool = True) -> list[str]:
    """The problems after these names were read from the environment."""
    reader = SettingsReader(environ)
    for name in names:
        reader.text(name, required=required)
    with pytest.raises(SettingsError) as raised:
        reader.raise_problems()
    return list(raised.value.problems)


def test_a_misspelled_name_is_reported_instead_of_the_missing_setting() -> None:
    """One cause is one problem. Other missing settings are reported as before."""
    assert problems_with({"EVENT_CONTAINER": "a"}, "EVENTS_CONTAINER", "MAX_FILE_ROWS") == [
        "MAX_FILE_ROWS is missing: set it",
        "EVENT_CONTAINER is not a setting: rename it to EVENTS_CONTAINER, or remove it",
    ]


def test_a_misspelled_name_is_reported_although_the_setting_is_set() -> None:
    """Somebody may have changed the wrong one of the two."""
    both = {"EVENTS_CONTAINER": "a", "EVENT_CONTAINER": "b"}
    assert problems_with(both, "EVENTS_CONTAINER") == [
        "EVENT_CONTAINER is not a setting: rename it to EVENTS_CONTAINER, or remove it"
    ]
    assert problems_with({"EVENT_CONTAINER": "b"}, "EVENTS_CONTAINER", required=False) == [
        "EVENT_CONTAINER is not a setting: rename it to EVENTS_CONTAINER, or remove it"
    ]


def test_a_misspelled_name_is_reported_behind_a_name_of_another_tool() -> None:
    """Most names in the environment are of other tools."""
    assert problems_with({"AAA": "1", "EVENT_CONTAINER": "a"}, "EVENTS_CONTAINER") == [
        "EVENT_CONTAINER is not a setting: rename it to EVENTS_CONTAINER, or remove it"
    ]


def test_misspelled_names_are_reported_in_the_order_of_the_alphabet() -> None:
    """Two runs with the same settings report the same."""
    wrong = {"MAX_FILE_ROW": "1", "CURSOR_CONTAINER": "b", "EVENT_CONTAINER": "a"}
    found = problems_with(wrong, "EVENTS_CONTAINER", "CURSORS_CONTAINER", "MAX_FILE_ROWS")
    assert [problem.partition(" ")[0] for problem in found] == sorted(wrong)


def test_one_of_two_settings_is_not_missing_if_its_name_is_misspelled() -> None:
    """The same is true for each of the two."""
    for wrong, right in (
        ("EVENT_STORAGE", "EVENTS_STORAGE"),
        ("EVENTS_STORAGE_blobServiceUri", "EVENTS_STORAGE__blobServiceUri"),
    ):
        reader = SettingsReader({wrong: "x"})
        reader.storage()
        with pytest.raises(SettingsError):
            reader.raise_problems()
        assert reader.problems == [f"{wrong} is not a setting: rename it to {right}, or remove it"]


@pytest.mark.parametrize("value", ["", " "])
def test_a_misspelled_name_without_a_value_is_left_alone(value: str) -> None:
    """It has no effect under its right name either."""
    reader = SettingsReader({"EVENT_CONTAINER": value})
    reader.container("EVENTS_CONTAINER", "events")
    reader.raise_problems()


def test_names_in_upper_case_are_the_same_setting_on_windows() -> None:
    """Python's ``os.environ`` on Windows lists each name in upper case and finds it in any case."""
    name = "EVENTS_STORAGE__clientId"
    reader = SettingsReader({name: "x", name.upper(): "x "})
    assert reader.text(name) == "x"
    reader.raise_problems()
    for other in ({name: "y", name.upper(): "x"}, {name: "x", name.lower(): "x"}):
        assert len(problems_with(other, name)) == 1


@pytest.mark.parametrize("value", ["true", "True", "TRUE", "1", "yes", "YES"])
def test_true_may_be_written_as_true_1_or_yes(value: str) -> None:
    """Upper and lower case mean the same."""
    reader = SettingsReader({"NAME": value})
    assert reader.boolean("NAME") is True
    assert reader.problems == []


@pytest.mark.parametrize("value", ["", "false", "False", "FALSE", "0", "no", "NO"])
def test_false_may_be_written_as_false_0_or_no_or_left_empty(value: str) -> None:
    """A setting that is not set is false."""
    reader = SettingsReader({"NAME": value})
    assert reader.boolean("NAME") is False
    assert reader.problems == []


@pytest.mark.parametrize("value", ["on", "2", "truee"])
def test_any_other_word_for_true_or_false_is_reported(value: str) -> None:
    """The reader does not guess."""
    reader = SettingsReader({"NAME": value})
    assert reader.boolean("NAME") is False
    assert reader.problems == [f"NAME must be true or false, not '{value}'"]


def test_a_boolean_whose_reference_was_not_resolved_is_false() -> None:
    """The reference is the only problem."""
    reader = SettingsReader({"NAME": "@Microsoft.KeyVault(VaultName=v;SecretName=n)"})
    assert reader.boolean("NAME") is False
    assert reader.problems == [f"NAME {UNRESOLVED}"]


@pytest.mark.parametrize(
    ("value", "number"), [("", 30), ("10", 10), ("10.5", 10.5), ("1e3", 1000), (" 20 ", 20)]
)
def test_a_number_may_be_as_small_as_its_bound(value: str, number: float) -> None:
    """Without a value, the default counts."""
    reader = SettingsReader({"NAME": value})
    assert reader.number("NAME", 30, least=10) == number
    assert reader.problems == []


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("9.9", "NAME must be at least 10, not 9.9"),
        ("-20", "NAME must be at least 10, not -20"),
        ("inf", "NAME must be at least 10, not inf"),
        ("-inf", "NAME must be at least 10, not -inf"),
        ("nan", "NAME must be at least 10, not nan"),
        ("soon", "NAME must be a number, not 'soon'"),
        ("10 s", "NAME must be a number, not '10 s'"),
        ("1,000", "NAME must be a number, not '1,000'"),
    ],
)
def test_a_number_that_is_too_small_or_not_finite_is_reported(value: str, problem: str) -> None:
    """The reader continues with the default."""
    reader = SettingsReader({"NAME": value})
    assert reader.number("NAME", 30, least=10) == 30
    assert reader.problems == [problem]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("", "events"),
        ("events-2", "events-2"),
        ("abc", "abc"),
        ("a-b", "a-b"),
        ("0" * 63, "0" * 63),
        ("a" + "-b" * 31, "a" + "-b" * 31),
    ],
)
def test_a_container_has_a_name_that_azure_accepts(value: str, name: str) -> None:
    """Without a value, the default counts."""
    reader = SettingsReader({"NAME": value})
    assert reader.container("NAME", "events") == name
    assert reader.problems == []


@pytest.mark.parametrize(
    "value",
    ["ab", "0" * 64, "a" + "-b" * 40, "Events", "my_events", "a--b", "-abc", "abc-"],
)
def test_a_container_name_that_azure_would_refuse_is_reported(value: str) -> None:
    """The report states the rule."""
    reader = SettingsReader({"NAME": value})
    assert reader.container("NAME", "events") == "events"
    assert reader.problems == [
        "NAME must be a container name (3 to 63 lower-case letters, digits and single hyphens),"
        f" not '{value}'"
    ]


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("values", [("a", ""), ("", "b")])
def test_one_of_two_alternative_settings_is_enough(values: tuple[str, str], required: bool) -> None:
    """An empty setting counts as not set."""
    reader = SettingsReader({"ONE": values[0], "OTHER": values[1]})
    assert reader.either("ONE", "OTHER", required=required) == values
    assert reader.problems == []


@pytest.mark.parametrize("required", [True, False])
def test_two_alternative_settings_must_not_both_be_set(required: bool) -> None:
    """The reader does not choose one."""
    reader = SettingsReader({"ONE": "a", "OTHER": "b"})
    reader.either("ONE", "OTHER", required=required)
    assert reader.problems == ["ONE and OTHER are both set: remove one of them"]


def test_two_alternative_settings_may_both_be_missing_only_if_none_is_required() -> None:
    """The report names both."""
    reader = SettingsReader({})
    assert reader.either("ONE", "OTHER", required=False) == ("", "")
    assert reader.problems == []
    assert reader.either("ONE", "OTHER", required=True) == ("", "")
    assert reader.problems == ["ONE is missing: set it or OTHER"]


def test_an_unresolved_reference_is_not_reported_as_missing_too() -> None:
    """One cause is one problem, even if an earlier setting has a problem as well."""
    reader = SettingsReader({"OTHER": "@Microsoft.KeyVault(VaultName=v;SecretName=n)"})
    reader.text("EARLIER", required=True)
    reader.either("ONE", "OTHER", required=True)
    assert reader.problems == ["EARLIER is missing: set it", f"OTHER {UNRESOLVED}"]


@pytest.mark.parametrize(
    ("environ", "account"),
    [
        (
            {"EVENTS_STORAGE": "UseDevelopmentStorage=true"},
            BlobAccount("UseDevelopmentStorage=true", "", ""),
        ),
        (
            {"EVENTS_STORAGE": "AccountName=a;AccountKey=c2VjcmV0"},
            BlobAccount("AccountName=a;AccountKey=c2VjcmV0", "", ""),
        ),
        ({"EVENTS_STORAGE__blobServiceUri": URI}, BlobAccount("", URI, "")),
        (
            {"EVENTS_STORAGE__blobServiceUri": URI, "EVENTS_STORAGE__clientId": "1234"},
            BlobAccount("", URI, "1234"),
        ),
        (
            {"EVENTS_STORAGE__blobServiceUri": URI, "AZURE_CLIENT_ID": "5678"},
            BlobAccount("", URI, "5678"),
        ),
        (
            {
                "EVENTS_STORAGE__blobServiceUri": URI,
                "EVENTS_STORAGE__clientId": "1234",
                "AZURE_CLIENT_ID": "5678",
            },
            BlobAccount("", URI, "1234"),
        ),
    ],
    ids=[
        *("Azurite", "connection string", "identity of the app", "user-assigned identity"),
        *("the name of Azure's libraries", "our own name first"),
    ],
)
def test_storage_is_a_connection_string_or_an_address_for_an_identity(
    environ: dict[str, str], account: BlobAccount
) -> None:
    """The names are those of a storage connection in Azure Functions."""
    reader = SettingsReader(environ)
    assert reader.storage() == account
    assert reader.problems == []


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({}, "EVENTS_STORAGE is missing: set it or EVENTS_STORAGE__blobServiceUri"),
        (
            {"EVENTS_STORAGE": "AccountName=a", "EVENTS_STORAGE__blobServiceUri": URI},
            "EVENTS_STORAGE and EVENTS_STORAGE__blobServiceUri are both set: remove one of them",
        ),
        (
            {"EVENTS_STORAGE": "my-account"},
            "EVENTS_STORAGE is not a storage connection string (Name=value;…)",
        ),
        (
            {"EVENTS_STORAGE__blobServiceUri": "http://account.blob.core.windows.net"},
            "EVENTS_STORAGE__blobServiceUri must be https://<account>.blob.core.windows.net,"
            " not 'http://account.blob.core.windows.net'",
        ),
    ],
    ids=["missing", "both", "no connection string", "plaintext"],
)
def test_a_storage_account_that_cannot_be_reached_is_reported(
    environ: dict[str, str], problem: str
) -> None:
    """A connection string is not quoted, because it contains a key."""
    reader = SettingsReader(environ)
    reader.storage()
    assert reader.problems == [problem]


NAMES = ("KEY", "KEY_FILE")


def test_a_key_is_read_from_its_setting_or_from_a_file(tmp_path: Path) -> None:
    """The setting and the file have the same content. A file may also be a DER."""
    (tmp_path / "key.pem").write_text(PEM)
    (tmp_path / "key.der").write_bytes(DER)
    reader = SettingsReader({})
    for values in (
        (PEM, ""),
        ("", str(tmp_path / "key.pem")),
        ("garbage", str(tmp_path / "key.pem")),
        ("", str(tmp_path / "key.der")),
    ):
        key = reader.private_key(NAMES, values)
        assert key
        assert key.private_numbers() == KEY.private_numbers()
    assert reader.problems == []


def test_a_key_file_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    """The operating system says why the file cannot be read."""
    reader = SettingsReader({})
    assert reader.private_key(NAMES, ("", str(tmp_path / "none.pem"))) is None
    assert reader.problems == [
        "KEY_FILE names a file that cannot be read: No such file or directory"
    ]


def test_a_key_that_was_pasted_where_its_path_belongs_is_not_printed() -> None:
    """The log must not contain a private key."""
    reader = SettingsReader({})
    assert reader.private_key(NAMES, ("", PEM)) is None
    assert reader.problems == ["KEY_FILE holds a key, and not the path of a file: set KEY instead"]


@pytest.mark.parametrize("in_file", [False, True])
def test_a_problem_of_a_key_names_the_setting_that_was_used(tmp_path: Path, in_file: bool) -> None:
    """The report does not quote the text, because it may be a part of a key."""
    (tmp_path / "key.pem").write_text("garbage")
    reader = SettingsReader({})
    values = ("", str(tmp_path / "key.pem")) if in_file else ("garbage", "")
    assert reader.private_key(NAMES, values) is None
    (problem,) = reader.problems
    assert problem.startswith(f"{'KEY_FILE' if in_file else 'KEY'} holds no private key: ")


def test_an_encrypted_key_opens_with_the_passphrase_of_its_setting() -> None:
    """Without a setting for the passphrase, the key must not be encrypted."""
    reader = SettingsReader({"PASSPHRASE": "sesame"})
    values = (ENCRYPTED_WITH_HEADERS, "")
    assert reader.private_key(NAMES, values, passphrase_name="PASSPHRASE")
    assert reader.problems == []
    assert reader.private_key(NAMES, values) is None
    assert SettingsReader.private_key(reader, NAMES, values, passphrase_name="OTHER") is None
    assert reader.problems == [
        "KEY is encrypted: store it without a passphrase",
        "KEY is encrypted: it needs OTHER",
    ]


def test_a_key_on_an_elliptic_curve_is_accepted_only_where_it_is_allowed() -> None:
    """Salesforce needs RSA. Snowflake accepts both."""
    elliptic = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    reader = SettingsReader({})
    assert reader.private_key(NAMES, (elliptic.decode(), ""), elliptic=True)
    assert reader.private_key(NAMES, (elliptic.decode(), "")) is None
    assert reader.problems == [
        "KEY holds a key that is not RSA: create an RSA key of at least 2048 bits"
    ]
