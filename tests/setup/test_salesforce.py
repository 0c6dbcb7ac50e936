"""Tests the SFDX project that an admin deploys.

The key script is run. ``in_salesforce.py`` checks the files by Salesforce's own tools.
"""

from __future__ import annotations

import json
import re
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from local import metadata
from local.command_line import command

from salesforce_client.src.app.decoding.event_plan import OPERATION, plan
from salesforce_client.src.app.mock_salesforce import USERNAME, MockSalesforce, schemas
from salesforce_client.src.app.model.event_rules import DEFAULT_EVENT_FIELDS, EventRules

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PROJECT = REPOSITORY / "docs/setup/salesforce"
README = (PROJECT / "README.md").read_text()
METADATA = sorted(PROJECT.rglob("*-meta.xml"))
PARTS = [
    *("integration-user", "change-events", "trigger-events", "example-trigger"),
    "external-client-app",
]
# The names that Salesforce gives an app that somebody creates in Setup. The org has one policy of
# each kind for an app: a file with another name fails with "duplicate value found".
PARTS_OF_THE_APP = {
    "ExternalClientApplication:Delete_Tracker",
    "ExtlClntAppGlobalOauthSettings:Delete_Tracker_glbloauth",
    "ExtlClntAppOauthSettings:Delete_Tracker_oauth",
    "ExtlClntAppOauthConfigurablePolicies:Delete_Tracker_oauthPlcy",
    "ExtlClntAppConfigurablePolicies:Delete_Tracker_plcy",
}
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]


def values(path: Path, name: str) -> list[str]:
    return [
        element.text or "" for element in ET.parse(path).getroot().iter(metadata.NAMESPACE + name)
    ]


def test_every_part_of_the_project_exists_and_no_source_is_outside_a_part() -> None:
    """The README deploys exactly these parts with ``sf project deploy start --source-dir``."""
    project = json.loads((PROJECT / "sfdx-project.json").read_text())
    assert [directory["path"] for directory in project["packageDirectories"]] == PARTS
    assert {*PARTS} == {
        path.name
        for path in PROJECT.iterdir()
        if path.is_dir() and path.name not in ("templates", "scripts")
    }
    assert set(re.findall(r"--source-dir (\S+)", README)) == {*PARTS}


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


def rights(part: str, name: str) -> Path:
    return PROJECT / part / f"permissionsets/{name}.permissionset-meta.xml"


def objects_of(files: Iterable[Path], tag: str) -> set[str]:
    return {name.removesuffix("ChangeEvent") for path in files for name in values(path, tag)}


MEMBERS = sorted(PROJECT.rglob("*.platformEventChannelMember-meta.xml"))
TRIGGERS = {
    match[1]
    for path in PROJECT.rglob("*.trigger")
    if (match := re.search(r"^trigger \w+ on (\w+) \(", path.read_text(), re.MULTILINE))
}


def test_the_user_sees_every_record_of_the_objects_on_the_channel_and_of_the_triggers() -> None:
    """Salesforce silently leaves an object out of the channel if the user lacks View All on it.

    A check of an object proves nothing without it.
    """
    of_channel = rights("change-events", "Delete_Change_Event_Subscriber")
    of_triggers = rights("example-trigger", "Delete_Trigger_Objects")
    assert set(values(of_channel, "object")) == objects_of(MEMBERS, "selectedEntity")
    assert set(values(of_triggers, "object")) == TRIGGERS
    for path in (of_channel, of_triggers):
        assert set(values(path, "viewAllRecords")) == {"true"}
    assert {one for path in MEMBERS for one in values(path, "eventChannel")} == {
        "Delete_Tracking__chn"
    }


def test_the_user_can_change_nothing() -> None:
    """No permission set lets the collector write, and each has only the rights that it needs."""
    sets = sorted(PROJECT.rglob("*.permissionset-meta.xml"))
    tags = ("modifyAllRecords", "allowCreate", "allowEdit", "allowDelete")
    assert {one for path in sets for tag in tags for one in values(path, tag)} == {"false"}
    # ViewSetup is View Setup and Configuration: a check reads the user's rights and the channels.
    assert {path.name.partition(".")[0]: values(path, "name") for path in sets} == {
        "Delete_Tracker_Login": ["ApiEnabled"],
        "Delete_Tracker_Check": ["ViewSetup"],
        "Delete_Change_Event_Subscriber": [],
        "Delete_Event_Subscriber": [],
        "Delete_Trigger_Objects": [],
    }


def test_the_app_accepts_the_users_with_the_right_to_log_in() -> None:
    """The permission set that the app names is deployed before it, in a part for every set-up."""
    (policy,) = PROJECT.rglob("*.ecaOauthPlcy-meta.xml")
    assert values(policy, "commaSeparatedPermissionSet") == ["Delete_Tracker_Login"]
    assert rights("integration-user", "Delete_Tracker_Login").exists()


def test_no_delete_is_reported_twice_if_all_parts_are_deployed() -> None:
    """No object has both a trigger and a place on the channel. An org selects five at most."""
    assert TRIGGERS
    assert not TRIGGERS & objects_of(MEMBERS, "selectedEntity")
    assert len(MEMBERS) <= 5


def test_restores_are_published() -> None:
    """The trigger runs after an undelete, and no member of the channel has a filter."""
    for path in PROJECT.rglob("*.trigger"):
        assert "(after delete, after undelete)" in path.read_text()
    assert not [path for path in MEMBERS if values(path, "filterExpression")]
    assert "changeType = 'DELETE' OR ChangeEventHeader.changeType = 'UNDELETE'" in README


def test_all_templates_have_the_topic_of_one_way() -> None:
    """Bicep, ``create.sh``, the local settings and the page begin with change events."""
    templates = [
        "docs/setup/azure/main.bicepparam",
        "docs/setup/azure/create.sh",
        "salesforce_client/local.settings.example.json",
        "docs/setup/salesforce/README.md",
    ]
    for name in templates:
        found = re.search(
            r"""(?i)SALESFORCE_?TOPICS["'` ]*[:=]["'` ]*(/[\w/]+)""",
            (REPOSITORY / name).read_text(),
        )
        assert found, name
        assert found[1] == "/data/Delete_Tracking__chn", name


def test_the_page_names_the_objects_to_check_if_a_topic_tells_none() -> None:
    """A platform event does not tell its objects. A list has to name all objects."""
    given = [
        (topics.split(","), set(objects.split(",")))
        for topics, objects in re.findall(
            r"SALESFORCE_TOPICS=(\S*/event/[^\s`]+)\W+(?:export|and) `?CHECK_OBJECTS=([\w,]+)",
            README,
        )
    ]
    assert given == [
        (
            ["/data/Delete_Tracking__chn", "/event/Delete_Event__e"],
            TRIGGERS | objects_of(MEMBERS, "selectedEntity"),
        ),
        (["/event/Delete_Event__e"], TRIGGERS),
    ]


def test_the_doctor_says_what_the_page_expects_of_it() -> None:
    """The doctor finds nothing in the org to mend, before there is any storage."""
    with MockSalesforce(3600, keepalive_seconds=0.2) as mock:
        settings = {
            **mock.settings,
            "SALESFORCE_TOPICS": "/data/Delete_Tracking__chn",
            "EVENTS_STORAGE": "UseDevelopmentStorage=true",
        }
        told = command(settings, "doctor", "--yes").out.splitlines()
    block = README.partition("## 6.")[2].partition("```text\n")[2].partition("```")[0]
    expected = block.replace("integration@example.com", USERNAME).splitlines()
    assert len(expected) == 6
    assert [line for line in expected if line not in told] == []
    about_storage = ("container", "last poll", "versions")
    others = [line for line in told if not line.startswith("ok") and "→" not in line]
    assert not [
        line for line in others[:-1] if not line.split(maxsplit=1)[1].startswith(about_storage)
    ]


def new_key(project: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    script = ["bash", str(project / "scripts/new_key.sh"), str(folder)]
    return subprocess.run(script, check=False, capture_output=True, text=True)


def test_the_key_script_makes_a_pair_and_puts_the_certificate_into_the_app(
    project: Path, tmp_path: Path
) -> None:
    """The key matches the certificate, only its owner may read it, and no run overwrites it."""
    keys = tmp_path / "keys"
    keys.mkdir()
    told = new_key(project, keys).stdout
    (made,) = project.rglob("extlClntAppGlobalOauthSets/*")
    certificate = x509.load_pem_x509_certificate(values(made, "certificate")[0].encode())
    key = serialization.load_pem_private_key((keys / "delete_tracker.key").read_bytes(), None)
    pem = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert certificate.public_key().public_bytes(*pem) == key.public_key().public_bytes(*pem)
    assert (keys / "delete_tracker.key").stat().st_mode & 0o077 == 0
    assert str(made) in told
    again = new_key(project, keys)
    assert again.returncode == 1
    assert "exists; move it away first" in again.stderr
