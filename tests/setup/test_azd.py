"""``azd up`` in ``docs/setup/azure``, and the script that stores a secret.

No package has the schema of ``azure.yaml``, so the keys that the file uses are checked here. In
November 2026 the file was valid by the published schema, ``schemas/v1.0/azure.yaml.json``.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from local import azure_cli
from local.bicep_compiler import AZURE, committed
from ruamel.yaml import YAML

ID = "/subscriptions/1/resourceGroups/g/providers/Microsoft.Web/sites/a"
AZ = (
    r"""#!/usr/bin/env bash
printf "%q " "$@" >> "$RECORD"; echo >> "$RECORD"
"""
    + azure_cli.PRINT_WORDS
    + r""" >> "$RECORD.words"
if [ "$1 $2" = "keyvault secret" ] && [ "$(grep -c keyvault "$RECORD")" -le "${REFUSALS:-0}" ]; then
    exit 1
fi
"""
)


def project() -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load((AZURE / "azure.yaml").read_text())
    return found


def test_azd_finds_the_files_and_the_apps() -> None:
    """Azd finds an app by the tag ``azd-service-name``, and publishes the folder of its service."""
    file = project()
    assert set(file) == {"name", "infra", "services", "hooks"}
    assert file["infra"] == {"provider": "bicep", "path": ".", "module": "main"}
    apps = committed("smallest").named("Web/sites")
    tags = {it["tags"]["azd-service-name"]: name for name, it in apps.items()}
    assert set(tags) == set(file["services"])
    for name, service in file["services"].items():
        assert set(service) <= {"project", "language", "host", "uses"}
        assert (service["language"], service["host"]) == ("py", "function")
        assert (AZURE / service["project"] / "host.json").exists()
        assert name in tags[name]


def run(script: str, folder: Path, *arguments: str, **more: str) -> tuple[int, str, list[str]]:
    """Run a script with a recorder as ``az``. Return its code, its errors and the commands."""
    (folder / "az").write_text(AZ)
    (folder / "sleep").write_text("#!/bin/sh\n")
    for name in ("az", "sleep"):
        (folder / name).chmod(0o755)
    record = folder / "record"
    record.touch()
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "-c", script, "script", *arguments],
        check=False,
        cwd=AZURE,
        env={**os.environ, **more, "PATH": path, "RECORD": str(record)},
        capture_output=True,
        text=True,
    )
    return ended.returncode, ended.stderr, record.read_text().splitlines()


STORE = '. ./store_secret.sh "$@"'


def test_the_hook_stores_the_keys_that_are_named(tmp_path: Path) -> None:
    """Without a file it does nothing. The hook's variables are outputs of the deployment."""
    (hook,) = project()["hooks"].values()
    assert hook["shell"] == "sh"
    used = set(re.findall(r"\$(\w+)", hook["run"])) - {
        "SALESFORCE_PRIVATE_KEY_FILE",
        "SNOWFLAKE_PRIVATE_KEY_FILE",
    }
    outputs = committed("smallest").outputs
    assert used == {"collectorVault", "collectorAppId", "syncVault", "syncAppId"} <= set(outputs)
    key = tmp_path / "a key"
    key.write_text("secret")
    variables = {name: outputs[name] for name in used}
    assert run(hook["run"], tmp_path, **variables) == (0, "", [])
    files = {f"{name}_PRIVATE_KEY_FILE": str(key) for name in ("SALESFORCE", "SNOWFLAKE")}
    code, _, commands = run(hook["run"], tmp_path, **variables, **files)
    assert code == 0
    stored = [it for it in commands if it.startswith("keyvault")]
    assert [it.split("--name ")[1].split()[0] for it in stored] == [
        "salesforce-private-key",
        "snowflake-private-key",
    ]


def test_a_secret_is_stored_without_printing_it_and_its_references_are_read_again(
    tmp_path: Path,
) -> None:
    """A role that is new refuses for some minutes."""
    key = tmp_path / "key"
    key.write_text("secret")
    code, error, commands = run(STORE, tmp_path, "v", "s", str(key), ID, REFUSALS="2")
    assert (code, error) == (0, "")
    assert (
        commands[:3]
        == [f"keyvault secret set --vault-name v --name s --file {key} --output none "] * 3
    )
    url = f"https://management.azure.com{ID}/config/configreferences/appsettings"
    refresh, show = (it.replace("\\", "") for it in commands[3:])
    assert refresh == (
        f"rest --method post --url {url}/refresh?api-version=2022-03-01 --output none "
    )
    assert show.startswith(f"rest --method get --url {url}?api-version=2022-03-01 --output table ")


@pytest.mark.parametrize(
    ("arguments", "refusals", "code", "message"),
    [
        (["v", "s"], 0, 2, "expected a vault, the name of the secret, a file and the app's id"),
        (
            ["v", "s", "missing", ID],
            0,
            1,
            "file missing cannot be read; nothing was stored. Check the path",
        ),
        (
            ["v", "s", "main.bicep", ID],
            99,
            1,
            "vault v refuses the secret s; the app cannot log in."
            " Assign the role Key Vault Secrets Officer on the vault, and run this again",
        ),
    ],
    ids=["arguments", "file", "role"],
)
def test_a_secret_that_cannot_be_stored_is_an_error(
    arguments: list[str], refusals: int, code: int, message: str, tmp_path: Path
) -> None:
    """The message says what is lost and what to do."""
    ended = run(STORE, tmp_path, *arguments, REFUSALS=str(refusals))
    assert ended[:2] == (code, f"store_secret: {message}\n")
