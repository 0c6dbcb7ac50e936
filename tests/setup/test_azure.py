"""Tests the set-up files for Azure and the queries in the docs.

Bicep is checked by its grammar and by Azure's resource types. ``create.sh`` runs against a recorder
in place of ``az``.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from local import bicep, node
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
# azure-cli-extensions, ScheduleQueryCondition.g4.
CONDITION = re.compile(
    r"count 'rows' > 0 (where \w+ includes \* (and \w+ includes \* )*)?"
    "at least 1 violations out of 1 aggregated points"
)
# Microsoft Learn, "Azure built-in roles".
ROLES = {
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": "Storage Blob Data Reader",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
    "de139f84-1756-47ae-9be6-808fbbe84772": "Website Contributor",
}


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


class Az:
    """The ``az`` commands that ``create.sh`` calls, with their words, options and values."""

    def __init__(self, lines: list[str]) -> None:
        self.commands = [shlex.split(line) for line in lines]

    def options(self, *words: str) -> list[dict[str, list[str]]]:
        """The options of each call of this command."""
        found = []
        for command in self.commands:
            if command[: len(words)] == list(words):
                options: dict[str, list[str]] = {}
                for word in command[len(words) :]:
                    if word.startswith("--"):
                        values = options.setdefault(word[2:], [])
                    else:
                        values.append(word)
                found.append(options)
        return found

    def settings(self, app: str) -> dict[str, str]:
        """The final settings of an app."""
        calls = self.options("functionapp", "config", "appsettings", "set")
        return dict(
            it.split("=", 1) for call in calls if call["name"] == [app] for it in call["settings"]
        )


# ``show`` of a vault or an app fails, because at first neither exists.
RECORDER = r"""#!/usr/bin/env bash
printf "%q " "$@" | tr "\n" " " >> "$RECORD"; echo >> "$RECORD"
if [ "$2" = show ] && [[ "$1" =~ ^(keyvault|functionapp)$ ]]; then exit 3; fi
echo "<$3 $5>"
"""


@pytest.fixture(scope="module")
def az(tmp_path_factory: pytest.TempPathFactory) -> Az:
    """The commands that ``create.sh`` runs, with a recorder in place of ``az``.

    The recorder answers each command with words of the command.
    """
    folder = tmp_path_factory.mktemp("az")
    recorder = folder / "az"
    recorder.write_text(RECORDER)
    recorder.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "RECORD": str(folder / "record"),
    }
    subprocess.run(
        ["bash", str(AZURE / "create.sh")], check=True, env=environment, capture_output=True
    )
    return Az((folder / "record").read_text().splitlines())


@pytest.mark.parametrize("prefix", ["A1-", "1ab", "a-b", "ab", "abcdefghijkl"])
def test_a_prefix_that_no_name_may_have_is_refused_before_anything_is_created(
    prefix: str, tmp_path: Path
) -> None:
    """Otherwise, Azure refuses the names of some resources after others are created."""
    script = tmp_path / "create.sh"
    text = (AZURE / "create.sh").read_text()
    script.write_text(text.replace("prefix=sfdeletes\n", f"prefix={prefix}\n", 1))
    (tmp_path / "az").write_text('#!/usr/bin/env bash\ntouch "$(dirname "$0")/called"\n')
    (tmp_path / "az").chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", str(script)],
        check=False,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "prefix must begin with a letter and have 3 to 11" in ended.stderr
    assert not (tmp_path / "called").exists()


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


def test_the_commands_make_the_alerts_that_bicep_makes(az: Az) -> None:
    """Bicep and ``create.sh`` agree on each alert: name, severity, times, query and columns."""
    minutes = {"m": "PT{}M", "h": "PT{}H", "d": "P{}D"}
    made = {}
    for call in az.options("monitor", "scheduled-query", "create"):
        every, window = (
            minutes[call[name][0][-1]].format(call[name][0][:-1])
            for name in ("evaluation-frequency", "window-size")
        )
        made[call["name"][0].partition("-")[2]] = {
            "severity": int(call["severity"][0]),
            "every": every,
            "window": window,
            "query": call["condition-query"][0].partition("=")[2],
            "shown": re.findall(r"(\w+) includes \*", call["condition"][0]),
        }
        assert call["disabled"] == ["true"]
        assert CONDITION.fullmatch(call["condition"][0])
    in_bicep = alerts("sfdeletes-salesforce-client-4711", "sfdeletes-delete-sync-4711")
    for alert in in_bicep.values():
        del alert["name"], alert["description"]
    assert made == in_bicep
    assert "param alertsOn bool = false\n" in (AZURE / "main.bicep").read_text()


def test_the_commands_grant_the_roles_that_bicep_grants(az: Az) -> None:
    """Bicep and ``create.sh`` grant the same roles; only Bicep also grants one to GitHub."""
    in_bicep = {
        role
        for path in BICEP
        for role in re.findall(r"'([0-9a-f]{8}-[0-9a-f-]{27})'", path.read_text())
    }
    assert in_bicep == set(ROLES)
    granted = {call["role"][0] for call in az.options("role", "assignment", "create")}
    assert granted == set(ROLES.values()) - {"Website Contributor"}
    page = (AZURE / "README.md").read_text()
    assert not [name for name in ROLES.values() if name not in page]


def test_the_sync_can_only_read_the_event_files(az: Az) -> None:
    """The collector writes both containers. The sync changes no blob, so it may change none."""
    granted = [
        (call["role"][0], call["scope"][0].rpartition("/")[2])
        for call in az.options("role", "assignment", "create")
        if "/containers/" in call["scope"][0]
    ]
    assert granted == [
        ("Storage Blob Data Contributor", "events"),
        ("Storage Blob Data Contributor", "cursors"),
        ("Storage Blob Data Reader", "events"),
    ]
    modules = bicep.parse(AZURE / "main.bicep")["modules"]
    params = {app: bicep.body(modules[app]["config"])["params"] for app in ("collector", "sync")}
    assert {app: it["writesData"] for app, it in params.items()} == {
        "collector": True,
        "sync": False,
    }


def test_event_files_are_removed_by_their_age_since_creation(az: Az) -> None:
    """No blob changes after its upload, and a change must not make an old file young."""
    (call,) = az.options("storage", "account", "management-policy", "create")
    policy = call["policy"][0].removeprefix("$").replace("\\n", "")  # bash quotes lines so
    (rule,) = json.loads(policy)["rules"]
    assert rule["definition"]["actions"] == {
        "baseBlob": {"delete": {"daysAfterCreationGreaterThan": 365}}
    }
    assert (
        "delete: { daysAfterCreationGreaterThan: keepEventFilesDays }"
        in (AZURE / "main.bicep").read_text()
    )


@pytest.mark.parametrize(
    ("app", "module"), [("salesforce-client", "collector"), ("delete-sync", "sync")]
)
def test_the_settings_are_known_to_the_app_and_complete(app: str, module: str, az: Az) -> None:
    """The app accepts the settings of Bicep and of ``create.sh``."""
    read: Any = read_collector if module == "collector" else read_sync
    given = az.settings(f"sfdeletes-{app}-4711")
    own = {name: value for name, value in given.items() if not OF_THE_HOST.fullmatch(name)}
    params = bicep.body(bicep.parse(AZURE / "main.bicep")["modules"][module]["config"])["params"]
    text = json.dumps(params)
    in_bicep = set(
        re.findall(r'"((?:SALESFORCE|SNOWFLAKE|EVENTS)_\w+|POLL_SCHEDULE|SYNC_SCHEDULE)":', text)
    )
    shared = set(re.findall(r"^ {8}(\w+): ", (AZURE / "app.bicep").read_text(), re.MULTILINE))
    assert set(given) - shared - {"AzureWebJobsStorage__accountName"} <= in_bicep
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
    assert not [name for name in [*own, *in_bicep] if f"`{name}`" not in known]
    if module == "collector":
        assert given["SALESFORCE_PRIVATE_KEY"].startswith(
            "@Microsoft.KeyVault(SecretUri=https://sfdeletessc"
        )


def test_no_storage_account_accepts_a_shared_key(az: Az) -> None:
    """Neither the data account nor the hosts' accounts accept one, in Bicep and ``create.sh``."""
    accounts = az.options("storage", "account", "create")
    assert len(accounts) == 3
    assert {call["allow-shared-key-access"][0] for call in accounts} == {"false"}
    assert "AzureWebJobsStorage" in [
        call["setting-names"][0]
        for call in az.options("functionapp", "config", "appsettings", "delete")
    ]
    text = "".join(path.read_text() for path in BICEP)
    assert (
        text.count("allowSharedKeyAccess: false")
        == len(re.findall(r"storageAccounts@\S+' = ", text))
        == 2
    )
