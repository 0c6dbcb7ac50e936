"""Tests the SFDX project that an admin deploys.

A checker reads the Apex. The metadata is compared with Salesforce's types. The key script is run.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from local import metadata, node

from salesforce_client.src.app.decoding.event_plan import OPERATION, plan
from salesforce_client.src.app.mock_salesforce import schemas
from salesforce_client.src.app.model.event_rules import DEFAULT_EVENT_FIELDS, EventRules

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PROJECT = REPOSITORY / "docs/setup/salesforce"
METADATA = sorted(PROJECT.rglob("*-meta.xml"))
# Folder and suffix of each type (npm @salesforce/source-deploy-retrieve, metadataRegistry.json).
PLACES = {
    "CustomObject": ("objects", "object"),
    "CustomField": ("fields", "field"),
    "ApexClass": ("classes", "cls"),
    "ApexTrigger": ("triggers", "trigger"),
    "PermissionSet": ("permissionsets", "permissionset"),
    "PlatformEventChannel": ("platformEventChannels", "platformEventChannel"),
    "PlatformEventChannelMember": ("platformEventChannelMembers", "platformEventChannelMember"),
    "ExternalClientApplication": ("externalClientApps", "eca"),
    "ExtlClntAppOauthSettings": ("extlClntAppOauthSettings", "ecaOauth"),
    "ExtlClntAppGlobalOauthSettings": ("extlClntAppGlobalOauthSets", "ecaGlblOauth"),
    "ExtlClntAppOauthConfigurablePolicies": ("extlClntAppOauthPolicies", "ecaOauthPlcy"),
    "ExtlClntAppConfigurablePolicies": ("extlClntAppPolicies", "ecaPlcy"),
}


def values(path: Path, name: str) -> list[str]:
    return [
        element.text or "" for element in ET.parse(path).getroot().iter(metadata.NAMESPACE + name)
    ]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project."""
    return Path(shutil.copytree(PROJECT, tmp_path / "project"))


def test_apex_has_no_problem_that_is_visible_without_an_org(project: Path) -> None:
    """Grammar, types, methods and fields of the Apex are valid, also the fields of the event."""
    assert len(list(project.rglob("*.cls"))) == 3
    assert node.check_apex(project) == []


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        (
            "DeleteEventPublisher.cls",
            "for (SObject record : records) {",
            "for (SObject record in records) {",
        ),
        ("DeleteEventPublisher.cls", "event.Record_Id__c =", "event.RecordId__c ="),
        ("DeleteEventPublisher.cls", "EventBus.publish(events)", "EventBus.publsh(events)"),
        ("DeleteEventPublisherTest.cls", "Integer place", "Integer number"),
        (
            "DeleteEventPublisher.cls",
            "event.Operation__c =",
            "event.Operation =",
        ),
        ("AccountDeleteEvent.trigger", "(after delete,", "(after deleted,"),
        ("AccountDeleteEvent.trigger", "after undelete)", "after undeleted)"),
        ("AccountDeleteEvent.trigger", "Publisher.publish(", "Publisher.send("),
        ("AccountDeleteEvent.trigger", "Publisher.publishRestored(", "Publisher.publishUndeleted("),
    ],
)
def test_a_mistake_in_apex_is_found(name: str, right: str, wrong: str, project: Path) -> None:
    """If the checker missed mistakes, the test above would prove nothing."""
    (source,) = project.rglob(name)
    text = source.read_text()
    assert right in text
    source.write_text(text.replace(right, wrong, 1))
    assert node.check_apex(project)


@pytest.mark.parametrize("path", METADATA, ids=lambda path: path.name)
def test_metadata_matches_its_type_and_is_in_the_right_folder(path: Path) -> None:
    """Elements, values, folder and suffix of each file are those of its type."""
    assert metadata.problems(path) == []
    folder, suffix = PLACES[ET.parse(path).getroot().tag.removeprefix(metadata.NAMESPACE)]
    assert path.name.endswith(f".{suffix}-meta.xml")
    where = [part.name for part in path.parents]
    assert where[0] == folder or where[1] == folder or where[0] == "templates"


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("Delete_Event__e.object-meta.xml", "PublishAfterCommit", "AfterCommit"),
        ("Record_Id__c.field-meta.xml", "<length>18</length>", "<length>long</length>"),
        ("Delete_Event_Subscriber.permissionset-meta.xml", "allowRead", "allowReads"),
        ("Delete_Tracking__chn.platformEventChannel-meta.xml", "</label>", "</lable>"),
        (
            "Delete_Tracker_oauth_defaultPolicy.ecaOauthPlcy-meta.xml",
            "AdminApprovedPreAuthorized",
            "Everyone",
        ),
        (
            "Delete_Tracker_glbloauth.ecaGlblOauth-meta.xml",
            "<isPkceRequired>true",
            "<isPkceRequired>yes",
        ),
    ],
)
def test_a_mistake_in_metadata_is_found(name: str, right: str, wrong: str, tmp_path: Path) -> None:
    """If the check missed mistakes, the test above would prove nothing."""
    (source,) = [path for path in METADATA if path.name == name]
    assert right in source.read_text()
    (tmp_path / name).write_text(source.read_text().replace(right, wrong))
    assert metadata.problems(tmp_path / name)


def test_every_part_of_the_project_exists_and_no_source_is_outside_a_part() -> None:
    """The README deploys exactly these parts with ``sf project deploy start --source-dir``."""
    project = json.loads((PROJECT / "sfdx-project.json").read_text())
    parts = {directory["path"] for directory in project["packageDirectories"]}
    assert parts == {
        path.name
        for path in PROJECT.iterdir()
        if path.is_dir() and path.name not in ("templates", "scripts")
    }
    assert set(re.findall(r"--source-dir (\S+)", (PROJECT / "README.md").read_text())) == parts


def test_the_event_has_the_fields_that_collector_and_mock_expect() -> None:
    """The metadata, the Apex class, the collector and the mock use the same field names.

    The operation is not a column. It says whether the event is a restore.
    """
    fields = {
        path.name.partition(".")[0]
        for path in (PROJECT / "trigger-events").rglob("*.field-meta.xml")
    }
    assert fields == {*DEFAULT_EVENT_FIELDS.values(), OPERATION}
    mocked = {field["name"] for field in json.loads(schemas.DELETE_EVENT)["fields"]}
    assert set(DEFAULT_EVENT_FIELDS.values()) <= mocked
    assigned = set(
        re.findall(
            r"event\.(\w+__c)",
            (PROJECT / "trigger-events/classes/DeleteEventPublisher.cls").read_text(),
        )
    )
    assert assigned == fields


def test_the_collector_reads_what_the_class_writes_as_the_operation() -> None:
    """By default, without a filter, an event of the class is a delete or a restore."""
    source = (PROJECT / "trigger-events/classes/DeleteEventPublisher.cls").read_text()
    written = dict(re.findall(r"String (DELETED|RESTORED) = '(\w+)';", source))
    fields = [*DEFAULT_EVENT_FIELDS.values(), OPERATION]
    found = plan(EventRules(), "/event/Delete_Event__e", "s", fields)
    assert {name: found.kind({OPERATION: value}) for name, value in written.items()} == {
        "DELETED": "delete",
        "RESTORED": "restore",
    }
    assert found.kind({OPERATION: None}) == "delete", "events of the older class have no operation"


def test_apex_publishes_in_system_mode() -> None:
    """From API version 67 on, each user who deletes would need a right to the event."""
    versions = {version for path in METADATA for version in values(path, "apiVersion")}
    assert (
        versions
        == {"64.0"}
        == {json.loads((PROJECT / "sfdx-project.json").read_text())["sourceApiVersion"]}
    )


def test_the_integration_user_may_see_every_object_on_the_channel_and_log_in_to_the_app() -> None:
    """Salesforce silently leaves an object out of the channel if the user lacks View All on it."""
    members = {name for path in METADATA for name in values(path, "selectedEntity")}
    channel = {name for path in METADATA for name in values(path, "eventChannel")}
    rights = (
        PROJECT
        / "change-events/permissionsets/Delete_Change_Event_Subscriber.permissionset-meta.xml"
    )
    assert {name.replace("ChangeEvent", "") for name in members} == set(values(rights, "object"))
    assert set(values(rights, "viewAllRecords")) == {"true"}
    # ViewSetup is View Setup and Configuration: a check reads the user's rights and the channel.
    assert values(rights, "name") == ["ApiEnabled", "ViewSetup"]
    assert channel == {"Delete_Tracking__chn"}
    assert set(
        values(rights, "modifyAllRecords")
        + values(rights, "allowEdit")
        + values(rights, "allowDelete")
    ) == {"false"}
    (policy,) = PROJECT.rglob("*.ecaOauthPlcy-meta.xml")
    (allowed,) = values(policy, "commaSeparatedPermissionSet")
    assert list(PROJECT.rglob(f"{allowed}.permissionset-meta.xml"))


def test_the_key_script_makes_a_pair_and_puts_the_certificate_into_the_app(
    project: Path, tmp_path: Path
) -> None:
    """The key matches the certificate, only its owner may read it, and no run overwrites it."""
    keys = tmp_path / "keys"
    keys.mkdir()
    script = ["bash", str(project / "scripts/new_key.sh"), str(keys)]
    told = subprocess.run(script, check=True, capture_output=True, text=True).stdout
    (made,) = project.rglob("extlClntAppGlobalOauthSets/*")
    assert metadata.problems(made) == []
    certificate = x509.load_pem_x509_certificate(values(made, "certificate")[0].encode())
    key = serialization.load_pem_private_key((keys / "delete_tracker.key").read_bytes(), None)
    pem = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert certificate.public_key().public_bytes(*pem) == key.public_key().public_bytes(*pem)
    assert (keys / "delete_tracker.key").stat().st_mode & 0o077 == 0
    assert str(made) in told
    again = subprocess.run(script, check=False, capture_output=True, text=True)
    assert again.returncode == 1
    assert "exists; move it away first" in again.stderr
