"""Evaluates the Bicep files, and compares ``create.sh`` with them by values.

The committed snapshots are evaluated. ``in_bicep.py`` compares them with what the compiler makes.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from local import create_script
from local.bicep_compiler import AZURE, NAMES, Snapshot, committed
from local.create_script import Az

PEOPLE = "00000000-0000-0000-0000-000000000009"
# Microsoft Learn, "Naming rules and restrictions for Azure resources".
LIMITS = {
    "Storage/storageAccounts": r"[a-z0-9]{3,24}",
    "KeyVault/vaults": r"(?=.{3,24}$)[a-z](-?[a-z0-9])*",
    "Web/sites": r"(?=.{2,60}$)[a-z0-9][a-z0-9-]*[a-z0-9]",
    "Web/serverfarms": r"[a-z0-9-]{1,60}",
    "ManagedIdentity/userAssignedIdentities": r"[a-z0-9][a-z0-9-]{2,127}",
    "OperationalInsights/workspaces": r"(?=.{4,63}$)[a-z0-9][a-z0-9-]*[a-z0-9]",
    "Insights/components": r"[a-z0-9-]{1,260}",
    "Insights/actionGroups": r"[a-z0-9-]{1,260}",
    "Network/virtualNetworks": r"[a-z][a-z0-9-]{1,63}",
    "Network/natGateways": r"[a-z][a-z0-9-]{0,79}",
    "Network/publicIPAddresses": r"[a-z][a-z0-9-]{0,79}",
    "Network/privateEndpoints": r"[a-z][a-z0-9-]{1,63}",
}
OF_GITHUB = {"owner", "repository", "id"}


@functools.cache
def smallest() -> Snapshot:
    return committed("smallest")


def same(text: str) -> str:
    """The text in a form that is equal for Bicep and ``create.sh``.

    Names have ``#`` in place of the end that makes them unique. A value that only Azure knows
    becomes ``{kind name.value}``.
    """
    text = re.sub(r"\[format\('(\S+?)\{0\}(\S+?)', (reference\(.*\)\.\w+)\)\]", r"\1[\3]\2", text)
    text = re.sub(
        r"\[reference\('\S*/Microsoft\.(\w+)/\w+/([\w-]+)', '[\d-]+'\)\.([\w.]+)\]",
        lambda it: known(*it.groups()),
        text,
    )
    text = re.sub(
        r"<(\w+) [^<>]*?--(?:name|workspace-name) (\S+) [^<>]*--query ([\w.]+)[^<>]*>",
        lambda it: known(*it.groups()),
        text,
    )
    text = text.replace("<ad signed-in-user show --query id --output tsv>", "{person}")
    text = re.sub(r"\babc(data|sc|ds)[a-z0-9]{8}\b", r"abc\1#", text)
    return re.sub(r"\b(abc-(salesforce-client|delete-sync))-(hqjmhc|12345678)", r"\1-#", text)


def known(kind: str, name: str, value: str) -> str:
    """A value that only Azure knows, or that follows from the name of a storage account."""
    if value == "primaryEndpoints.blob":
        return f"https://{name}.blob.core.windows.net/"
    kind = {"ManagedIdentity": "identity", "Insights": "resource"}.get(kind, kind.lower())
    return f"{{{kind} {name}.{value.removeprefix('properties.').lower()}}}"


@pytest.mark.parametrize("name", NAMES)
def test_all_names_are_within_azures_limits(name: str) -> None:
    """Azure finds a wrong name only when half of the resources exist."""
    checked = set()
    for it in committed(name).resources:
        kind = it["type"].removeprefix("Microsoft.")
        if kind in LIMITS:
            checked.add(kind)
            assert re.fullmatch(LIMITS[kind], it["name"]), it["name"]
    assert checked == {
        kind for kind in LIMITS if name == "largest" or not kind.startswith("Network")
    }
    groups = committed(name).named("Insights/actionGroups").values()
    assert all(len(it["properties"]["groupShortName"]) <= 12 for it in groups)


@pytest.mark.parametrize("name", NAMES)
def test_each_role_is_on_the_smallest_scope(name: str) -> None:
    """No app has a role on another app's storage or vault, or on the whole data account."""
    snapshot = committed(name)
    out = snapshot.outputs
    data = f"Microsoft.Storage/storageAccounts/{out['dataAccount']}"
    expected = []
    for app, vault, containers, role in (
        ("collectorApp", "collectorVault", ("events", "cursors"), "Storage Blob Data Contributor"),
        ("syncApp", "syncVault", ("events",), "Storage Blob Data Reader"),
    ):
        who, own = f"{out[app]}-identity", out[vault]
        insights = f"Microsoft.Insights/components/{out[app].partition('-')[0]}-insights"
        expected += [
            (who, "Storage Blob Data Owner", f"Microsoft.Storage/storageAccounts/{own}"),
            (who, "Key Vault Secrets User", f"Microsoft.KeyVault/vaults/{own}"),
            (who, "Monitoring Metrics Publisher", insights),
            *((who, role, f"{data}/blobServices/default/containers/{it}") for it in containers),
        ]
        if name == "largest":
            github = f"{out[app].partition('-')[0]}-github"
            expected += [
                (github, "Website Contributor", f"Microsoft.Web/sites/{out[app]}"),
                (PEOPLE, "Key Vault Secrets Officer", f"Microsoft.KeyVault/vaults/{own}"),
            ]
    if name == "largest":
        expected.append((PEOPLE, "Storage Blob Data Contributor", data))
    assert sorted(snapshot.grants()) == sorted(expected)


def test_the_optional_parts_exist_only_if_they_are_asked_for() -> None:
    """GitHub's identity, the key pair and the network are optional."""
    few, many = smallest(), committed("largest")
    extra = {it["type"] for it in many.resources} - {it["type"] for it in few.resources}
    assert {it.split("/")[0] for it in extra} == {"Microsoft.Network", "Microsoft.ManagedIdentity"}
    assert few.outputs["githubClientId"] == few.outputs["outboundAddress"] == ""
    without = few.settings(few.outputs["syncApp"])
    with_key = many.settings(many.outputs["syncApp"])
    assert without["SNOWFLAKE_AUTHENTICATOR"] == "WORKLOAD_IDENTITY"
    assert "SNOWFLAKE_PRIVATE_KEY" not in without
    assert with_key["SNOWFLAKE_USER"] == "DELETE_SYNC"
    assert with_key["SNOWFLAKE_PRIVATE_KEY"] == (
        f"@Microsoft.KeyVault(VaultName={many.outputs['syncVault']};"
        "SecretName=snowflake-private-key)"
    )


def test_with_a_network_storage_and_vaults_refuse_other_addresses() -> None:
    """Each account and vault has a private address, and the apps leave by one address."""
    snapshot = committed("largest")
    closed = {
        **snapshot.named("Storage/storageAccounts"),
        **snapshot.named("KeyVault/vaults"),
    }
    assert len(closed) == 3  # each app's vault has the name of its storage account
    guarded = [
        it
        for it in snapshot.resources
        if it["type"] in ("Microsoft.Storage/storageAccounts", "Microsoft.KeyVault/vaults")
    ]
    connected = {
        it["properties"]["privateLinkServiceConnections"][0]["properties"]["privateLinkServiceId"]
        for it in snapshot.named("Network/privateEndpoints").values()
    }
    assert connected == {it["id"] for it in guarded}
    for it in guarded:
        rules = it["properties"]["networkAcls"]
        assert (rules["defaultAction"], rules["ipRules"]) == ("Deny", [{"value": "203.0.113.7"}])
    (network,) = snapshot.named("Network/virtualNetworks").values()
    (nat,) = snapshot.named("Network/natGateways").values()
    apps = network["properties"]["subnets"][0]["properties"]
    assert apps["natGateway"]["id"] == nat["id"]
    for app in snapshot.named("Web/sites").values():
        assert app["properties"]["virtualNetworkSubnetId"] == f"{network['id']}/subnets/apps"
    assert "natGateways" in json.dumps(nat)


@pytest.fixture(scope="module")
def az(tmp_path_factory: pytest.TempPathFactory) -> Az:
    """What ``create.sh`` runs with the values of the smallest snapshot."""
    return create_script.run(tmp_path_factory.mktemp("az"), prefix="abc", unique="12345678")


def test_the_commands_grant_the_roles_that_bicep_grants(az: Az) -> None:
    """``create.sh`` also grants the roles of the person who is logged in."""
    places = {"Storage": "storage", "KeyVault": "keyvault", "Insights": "resource"}

    def place(scope: str) -> str:
        _, kind, _, name, below = re.fullmatch(
            r"(Microsoft)\.(\w+)/(\w+)/([\w-]+)(.*)", scope
        ).groups()  # type: ignore[union-attr]
        return same(f"{{{places[kind]} {name}.id}}{below}")

    in_bicep = sorted(
        (f"{{identity {same(who)}.principalid}}", role, place(scope))
        for who, role, scope in smallest().grants()
    )
    made = [
        (same(call["assignee-object-id"][0]), call["role"][0], same(call["scope"][0]))
        for call in az.options("role", "assignment", "create")
    ]
    assert sorted(it for it in made if it[0] != "{person}") == in_bicep
    assert sorted(it[1:] for it in made if it[0] == "{person}") == [
        ("Key Vault Secrets Officer", "{keyvault abcds#.id}"),
        ("Key Vault Secrets Officer", "{keyvault abcsc#.id}"),
        ("Storage Blob Data Contributor", "{storage abcdata#.id}"),
    ]
    for call in az.options("role", "assignment", "create"):
        person = same(call["assignee-object-id"][0]) == "{person}"
        assert call["assignee-principal-type"] == ["User" if person else "ServicePrincipal"]


@pytest.mark.parametrize("app", ["salesforce-client", "delete-sync"])
def test_the_commands_make_the_settings_of_bicep(app: str, az: Az) -> None:
    """Names and values are equal; what only Azure knows comes from the same resource."""
    in_bicep = smallest().settings(f"abc-{app}-hqjmhc")
    made = az.settings(f"abc-{app}-12345678")
    assert {name: same(value) for name, value in made.items() if value} == {
        name: same(value) for name, value in in_bicep.items() if value
    }
    (deleted,) = [
        call["setting-names"]
        for call in az.options("functionapp", "config", "appsettings", "delete")
        if call["name"] == [f"abc-{app}-12345678"]
    ]
    assert deleted == ["AzureWebJobsStorage"]  # the connection string with a key that az sets


def test_the_commands_make_the_storage_of_bicep(az: Az) -> None:
    """No account accepts a shared key. Containers, retention and the rule for old files agree."""
    made = {
        same(call["name"][0]): (
            call["sku"][0],
            call["kind"][0],
            call["min-tls-version"][0],
            call["allow-blob-public-access"][0] == "true",
            call["allow-shared-key-access"][0] == "true",
            call["https-only"][0] == "true",
        )
        for call in az.options("storage", "account", "create")
    }
    assert len(made) == 3
    assert made == {
        same(name): (
            it["sku"]["name"],
            it["kind"],
            it["properties"]["minimumTlsVersion"],
            it["properties"]["allowBlobPublicAccess"],
            it["properties"]["allowSharedKeyAccess"],
            it["properties"]["supportsHttpsTrafficOnly"],
        )
        for name, it in smallest().named("Storage/storageAccounts").items()
    }
    assert not any(shared for *_, shared, _ in made.values())
    containers = az.options("storage", "container-rm", "create")
    assert sorted(
        same(f"{it['storage-account'][0]}/default/{it['name'][0]}") for it in containers
    ) == (sorted(map(same, smallest().named("Storage/storageAccounts/blobServices/containers"))))
    (kept,) = az.options("storage", "account", "blob-service-properties", "update")
    services = smallest().named("Storage/storageAccounts/blobServices")
    (data,) = [it["properties"] for name, it in services.items() if "data" in name]
    for option, name in (
        ("delete-retention", "deleteRetentionPolicy"),
        ("container-delete-retention", "containerDeleteRetentionPolicy"),
    ):
        days = int(kept[f"{option}-days"][0])
        assert {"enabled": kept[f"enable-{option}"] == ["true"], "days": days} == data[name]
    (call,) = az.options("storage", "account", "management-policy", "create")
    policy = json.loads(call["policy"][0])
    (rules,) = smallest().named("Storage/storageAccounts/managementPolicies").values()
    assert policy == rules["properties"]["policy"]
    action = policy["rules"][0]["definition"]["actions"]["baseBlob"]["delete"]
    assert action == {"daysAfterCreationGreaterThan": 365}  # no later change makes a file young


def test_the_commands_make_the_apps_vaults_and_logs_of_bicep(az: Az) -> None:
    """Runtime, size, TLS, publishing credentials, vaults and the retention of logs agree."""
    resources = smallest().named("Web/sites")
    for call in az.options("functionapp", "create"):
        (name,) = [it for it in resources if same(it) == same(call["name"][0])]
        app = resources[name]["properties"]
        size = app["functionAppConfig"]["scaleAndConcurrency"]
        assert app["functionAppConfig"]["runtime"] == {
            "name": call["runtime"][0],
            "version": call["runtime-version"][0],
        }
        assert size == {
            "instanceMemoryMB": int(call["instance-memory"][0]),
            "maximumInstanceCount": int(call["maximum-instance-count"][0]),
        }
        assert app["httpsOnly"] == (call["https-only"] == ["true"])
        credentials = {
            it["name"][0]: it["set"]
            for it in az.options("resource", "update")
            if it.get("parent") == [f"sites/{call['name'][0]}"]
        }
        assert credentials == {
            policy.rpartition("/")[2]: [
                f"properties.allow={str(it['properties']['allow']).lower()}"
            ]
            for policy, it in smallest()
            .named("Web/sites/basicPublishingCredentialsPolicies")
            .items()
            if policy.startswith(name)
        }
        assert set(credentials) == {"scm", "ftp"}
    for call in az.options("functionapp", "config", "set"):
        assert {it["properties"]["siteConfig"]["minTlsVersion"] for it in resources.values()} == {
            call["min-tls-version"][0]
        }
    vaults = smallest().named("KeyVault/vaults")
    made = az.options("keyvault", "create")
    assert sorted(same(call["name"][0]) for call in made) == sorted(map(same, vaults))
    for call in made:
        assert {
            (
                it["properties"]["enableRbacAuthorization"],
                it["properties"]["enablePurgeProtection"],
                it["properties"]["softDeleteRetentionInDays"],
            )
            for it in vaults.values()
        } == {
            (
                call["enable-rbac-authorization"] == ["true"],
                call["enable-purge-protection"] == ["true"],
                int(call["retention-days"][0]),
            )
        }
    (logs,) = smallest().named("OperationalInsights/workspaces").values()
    (call,) = az.options("monitor", "log-analytics", "workspace", "create")
    assert logs["properties"]["retentionInDays"] == int(call["retention-time"][0])


@pytest.mark.parametrize("kind", ["components", "scheduledQueryRules"])
def test_the_commands_make_the_insights_and_the_alerts_of_bicep(kind: str, az: Az) -> None:
    """Each property agrees. Only the descriptions of the alerts are shorter."""
    made = {}
    for call in az.options("resource", "create"):
        if call["resource-type"] == [f"Microsoft.Insights/{kind}"]:
            assert call["is-full-object"] == []
            whole = {"apiVersion": call["api-version"][0], **json.loads(call["properties"][0])}
            made[call["name"][0]] = comparable(whole)
    in_bicep = smallest().named(f"Insights/{kind}")
    assert made == {name: comparable(it) for name, it in in_bicep.items()}
    assert not any(it["properties"].get("enabled") for it in in_bicep.values())


def comparable(resource: Mapping[str, Any]) -> Any:
    """A resource without id, name, type and description. Of other resources it has the names."""
    properties = {**resource["properties"], "description": ""}
    kept = {name: resource[name] for name in ("apiVersion", "location", "kind")}
    text = re.sub(
        r"/subscriptions/[^\"]*/providers/Microsoft\.\w+/\w+/([\w-]+)",
        r"{monitor \1.id}",
        same(json.dumps({**kept, "properties": properties})),
    )
    return json.loads(text)


@pytest.mark.parametrize("prefix", ["A1-", "1ab", "a-b", "ab", "abcdefghijkl"])
def test_a_prefix_that_no_name_may_have_is_refused_before_anything_is_created(
    prefix: str, tmp_path: Path
) -> None:
    """Otherwise, Azure refuses the names of some resources after others are created."""
    with pytest.raises(create_script.RefusedError) as refused:
        create_script.run(tmp_path, prefix=prefix)
    assert str(refused.value) == (
        "create: prefix must begin with a letter and have 3 to 11 lower-case letters or digits\n"
    )
    assert refused.value.calls == []


def test_a_region_without_the_plan_is_refused_before_anything_is_created(tmp_path: Path) -> None:
    """Otherwise, the apps fail after all storage is created."""
    with pytest.raises(create_script.RefusedError) as refused:
        create_script.run(tmp_path, location="westcentralus")
    assert str(refused.value) == (
        "create: location westcentralus has no Flex Consumption plan. Choose one of"
        " 'az functionapp list-flexconsumption-locations --output table'\n"
    )
    assert len(refused.value.calls) == 1


def test_two_subscriptions_do_not_get_the_same_names(tmp_path: Path) -> None:
    """Names of apps, storage accounts and vaults are unique in the whole world."""
    names: set[str] = set()
    for group in ("one", "two", "one"):
        folder = tmp_path / f"{len(names)}-{group}"
        folder.mkdir(exist_ok=True)
        (call, *_) = create_script.run(folder, group=group).options("functionapp", "create")
        names.add(call["name"][0])
        assert re.fullmatch(r"sfdeletes-salesforce-client-\d{6,8}", call["name"][0])
    assert len(names) == 2


def test_the_commands_print_the_outputs_of_bicep(az: Az) -> None:
    """The pages name them, whatever way was used. Two outputs belong to parts only Bicep has."""
    printed = dict(re.findall(r"^  (\w+) +(.*)$", az.output, re.MULTILINE))
    assert set(printed) == set(smallest().outputs) - {"githubClientId", "outboundAddress"}
    for name in ("collectorApp", "collectorVault", "syncApp", "syncVault", "dataAccount"):
        assert same(printed[name]) == same(smallest().outputs[name])


def test_every_placeholder_of_the_page_is_an_output() -> None:
    """A reader has a source for each value that the commands need."""
    page = (AZURE / "README.md").read_text()
    placeholders = set(re.findall(r"<(\w+)>", page)) - OF_GITHUB
    assert len(placeholders) > 5
    assert placeholders <= set(smallest().outputs)
    listed = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert listed == set(smallest().outputs)
