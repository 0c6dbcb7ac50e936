"""Where a command finds its settings. The module is a twin file, also tested for the sync."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from salesforce_client.src.app.errors import SettingsError
from salesforce_client.src.app.settings_sources import FILE, Gathered, gather, with_cures

DECRYPT = (
    "run 'func settings decrypt' in its folder, as the user and on the machine that fetched it;"
    " or set the settings as environment variables"
)
SHOW = "az keyvault secret show --vault-name"
TSV = "--query value --output tsv"


def written(folder: Path, values: Any, **more: Any) -> Path:
    file = folder / FILE
    file.write_text(json.dumps({"IsEncrypted": False, "Values": values, **more}))
    return file


def problem(file: Path) -> str:
    with pytest.raises(SettingsError) as raised:
        gather({}, file, file.parent)
    (told,) = raised.value.problems
    return told


def test_without_a_file_the_environment_counts_alone(tmp_path: Path) -> None:
    """No file is needed."""
    assert gather({"A": "1"}, None, tmp_path) == Gathered({"A": "1"}, None, ())
    assert gather({"A": "1"}, None, tmp_path).told == "the environment"


def test_the_file_in_the_apps_folder_is_read_if_it_is_there(tmp_path: Path) -> None:
    """It is the one that ``func`` reads and fetches."""
    file = written(tmp_path, {"A": "1"})
    gathered = gather({}, None, tmp_path)
    assert gathered == Gathered({"A": "1"}, file, [])
    assert gathered.told == f"the environment and {file}"


def test_the_environment_counts_before_the_file_and_that_is_told(tmp_path: Path) -> None:
    """So it is for ``func``. Names are told, and no values."""
    file = written(tmp_path, {"A": "secret", "B": "2", "C": "3"})
    gathered = gather({"A": "hidden", "B": "2"}, None, tmp_path)
    assert gathered.values == {"A": "hidden", "B": "2", "C": "3"}
    assert gathered.told == (
        f"the environment and {file} (the environment has another A, which counts)"
    )


def test_another_file_can_be_named(tmp_path: Path) -> None:
    """The one in the app's folder is then not read."""
    written(tmp_path, {"A": "1"})
    other = tmp_path / "production.json"
    other.write_text('\ufeff{"Values": {"B": "2"}}', encoding="utf-8")
    assert gather({}, other, tmp_path).values == {"B": "2"}


def test_paths_in_the_file_count_from_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``func`` runs in the app's folder, and a command perhaps not. A pasted key is no path."""
    monkeypatch.chdir("/")
    key = "-----BEGIN PRIVATE KEY-----"
    written(tmp_path, {"A_FILE": "key.pem", "B_FILE": "/k.pem", "C_FILE": "", "D_FILE": key})
    assert gather({}, None, tmp_path).values == {
        "A_FILE": str(tmp_path / "key.pem"),
        "B_FILE": "/k.pem",
        "C_FILE": "",
        "D_FILE": key,
    }


def test_an_encrypted_file_says_how_to_decrypt_it(tmp_path: Path) -> None:
    """``func azure functionapp fetch-app-settings`` may write such a file."""
    file = written(tmp_path, {"A": "CfDJ8…"}, IsEncrypted=True)
    assert problem(file) == f"{file} is encrypted (IsEncrypted is true): {DECRYPT}"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"Values": {"A": 1}}', "A in {} is not a text: write it in double quotes"),
        (b'{"Values"\n: }', "{} is not JSON: Expecting value in line 2, column 3: correct it"),
        (b"\xff", "{} is not UTF-8: save it as UTF-8"),
        (b"[]", '{} has no object "Values": begin again with a copy of the example beside it'),
        (b"{}", '{} has no object "Values": begin again with a copy of the example beside it'),
        (None, "{} cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, content: bytes | None, expected: str
) -> None:
    """A file that the person names must be there."""
    file = tmp_path / FILE
    if content is not None:
        file.write_bytes(content)
    assert problem(file) == expected.format(file)


@pytest.mark.parametrize(
    ("reference", "command"),
    [
        ("SecretUri=https://v.vault.azure.net/secrets/s/", f"{SHOW} v --name s {TSV}"),
        ("SecretUri=https://v.vault.azure.net/secrets/s", f"{SHOW} v --name s {TSV}"),
        (
            "SecretUri=https://v.vault.azure.net/secrets/s/0a1b",
            f"{SHOW} v --name s --version 0a1b {TSV}",
        ),
        ("VaultName=v-1;SecretName=s", f"{SHOW} v-1 --name s {TSV}"),
        (
            "VaultName=v;SecretName=s;SecretVersion=0a1b",
            f"{SHOW} v --name s --version 0a1b {TSV}",
        ),
        ("odd", f"{SHOW} <vault> --name <secret> {TSV}"),
    ],
)
def test_a_key_vault_reference_says_which_setting_and_how_to_get_it(
    reference: str, command: str
) -> None:
    """A fetched file has the references. Only Azure resolves them."""
    gathered = Gathered({"KEY": f"@Microsoft.KeyVault({reference})", "B": ""}, None, ())
    error = SettingsError(["KEY is a Key Vault reference that was not resolved", "B is missing"])
    assert with_cures(error, gathered).problems == (
        "KEY is a Key Vault reference, which only Azure resolves: set it in the environment,"
        f' for example with export KEY="$({command})"',
        "B is missing",
    )
