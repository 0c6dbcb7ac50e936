"""Tests the set-up files for Azure and the queries in the docs.

Bicep is checked by its grammar and by Azure's resource types; ``test_bicep.py`` evaluates it.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from local import bicep, create_script, node
from local.alerts import alerts

from delete_sync.src.settings import read as read_sync
from salesforce_client.src.app.settings import read as read_collector

REPOSITORY = Path(__file__).resolve().parent.parent.parent
AZURE = REPOSITORY / "docs/setup/azure"
BICEP = sorted(AZURE.glob("*.bicep"))
OF_THE_HOST = re.compile(
    r"AzureWebJobsStorage__\w+|APPLICATIONINSIGHTS_\w+|POLL_SCHEDULE|SYNC_SCHEDULE"
    r"|MANAGED_IDENTITY_CLIENT_ID"
)


@pytest.mark.parametrize("path", BICEP, ids=lambda path: path.name)
def test_bicep_is_valid(path: Path) -> None:
    """Each file has valid grammar, resources, values and module parameters, and nothing unused."""
    assert bicep.problems(path) == []


@pytest.mark.parametrize(
    ("name", "right", "wrong", "problem"),
    [
        (
            "app.bicep",
            "sku: { tier: 'FlexConsumption'",
            "sku: { teir: 'FlexConsumption'",
            "no property teir",
        ),
        (
            "app.bicep",
            "functionAppConfig: {",
            "functionAppConfg: {",
            "no property functionAppConfg",
        ),
        (
            "app.bicep",
            "Microsoft.KeyVault/vaults@",
            "Microsoft.KeyVault/vault@",
            "no resource type",
        ),
        (
            "app.bicep",
            "identity: { type: 'UserAssigned'",
            "identity: { type: 'UserAsigned'",
            "not one of",
        ),
        ("main.bicep", "allowSharedKeyAccess: false", "allowSharedKeyAccess: 'no'", "not a bool"),
        ("main.bicep", "sku: { name: 'Standard_ZRS' }", "tags: {}", "lacks sku"),
        ("main.bicep", "    email: alertEmail\n", "", "lacks email"),
        (
            "main.bicep",
            "    pythonVersion: pythonVersion\n",
            "    python: pythonVersion\n",
            "no parameter python",
        ),
        (
            "alerts.bicep",
            "param workspaceId string",
            "param workspaceId string\nparam more string",
            "more is never used",
        ),
        ("github.bicep", "for name in appNames", "for name appNames", "github.bicep"),
    ],
)
def test_a_mistake_in_bicep_is_found(
    name: str, right: str, wrong: str, problem: str, tmp_path: Path
) -> None:
    """If the checker missed mistakes, the test above would prove nothing."""
    for path in BICEP:
        shutil.copy(path, tmp_path)
    text = (AZURE / name).read_text()
    assert right in text
    (tmp_path / name).write_text(text.replace(right, wrong, 1))
    assert problem in "\n".join(bicep.problems(tmp_path / name))


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


def test_the_queries_are_valid(tmp_path: Path) -> None:
    """The queries of the alerts and of the docs use columns that the tables have."""
    written = []
    texts = [alert["query"] for alert in alerts("c", "d").values()]
    for page in sorted((REPOSITORY / "docs").rglob("*.md")):
        texts += re.findall(r"```kusto\n(.*?)```", page.read_text(), re.DOTALL)
    for number, text in enumerate(texts):
        written.append(tmp_path / f"{number}.kql")
        written[-1].write_text(text)
    assert len(written) > 6
    assert node.check(*written) == []


@pytest.mark.parametrize(
    "slip",
    ["AppTraces | where Mesage has 'x'", "AppTrace | take 1", "AppRequests | summarise count()"],
)
def test_a_mistake_in_a_query_is_found(slip: str, tmp_path: Path) -> None:
    """The checker finds wrong columns, wrong tables and wrong grammar."""
    (tmp_path / "x.kql").write_text(slip)
    assert node.check(tmp_path / "x.kql")


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
