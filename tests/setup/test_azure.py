"""Tests the set-up files for Azure: parameters, settings and values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from local import bicep, create_script

from delete_sync.src.settings import read as read_sync
from salesforce_client.src.app.settings import read as read_collector

REPOSITORY = Path(__file__).resolve().parent.parent.parent
AZURE = REPOSITORY / "docs/setup/azure"
OF_THE_HOST = re.compile(
    r"AzureWebJobsStorage__\w+|APPLICATIONINSIGHTS_\w+|POLL_SCHEDULE|SYNC_SCHEDULE"
    r"|MANAGED_IDENTITY_CLIENT_ID|MALLOC_ARENA_MAX"
)


def test_the_parameter_file_has_every_required_parameter_and_no_unknown_one() -> None:
    """An operator can use the example after filling in the values."""
    declared = bicep.parse(AZURE / "main.bicep")["parameters"]
    given = set(
        re.findall(r"^param (\w+) =", (AZURE / "main.bicepparam").read_text(), re.MULTILINE)
    )
    assert given <= set(declared)
    assert given >= {name for name, parameter in declared.items() if parameter["default"] is None}


@pytest.fixture(scope="module")
def az(tmp_path_factory: pytest.TempPathFactory) -> create_script.Az:
    """The commands that ``create.sh`` runs, with a recorder in place of ``az``."""
    return create_script.run(tmp_path_factory.mktemp("az"), unique="4711")


@pytest.mark.parametrize(
    ("app", "module"), [("salesforce-client", "collector"), ("delete-sync", "sync")]
)
def test_the_settings_are_known_to_the_app(app: str, module: str, az: create_script.Az) -> None:
    """The app accepts the settings. Those of Bicep are the same."""
    read: Any = read_collector if module == "collector" else read_sync
    given = az.settings(f"sfdeletes-{app}-4711")
    own = {name: value for name, value in given.items() if not OF_THE_HOST.fullmatch(name)}
    pem = (
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    key = rsa.generate_private_key(65537, 2048).private_bytes(*pem).decode()
    filled = {
        "collector": {"SALESFORCE_PRIVATE_KEY": key},
        "sync": {"SNOWFLAKE_ACCOUNT": "organization-account"},  # create.sh has a placeholder
    }
    read({**own, **filled[module]})
    known = (REPOSITORY / "docs/settings.md").read_text()
    assert not [name for name in own if f"`{name}`" not in known]
