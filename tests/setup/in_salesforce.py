"""Checks the SFDX project by Salesforce's own tools.

A checker reads the Apex. The metadata is compared with Salesforce's types. The Salesforce CLI's own
library packs the files, and its parser reads the commands.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from local import metadata, node, salesforce_cli

from .test_salesforce import METADATA, PAGES, PARTS, PARTS_OF_THE_APP, PROJECT, new_key


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
        ("LeadDeleteEvent.trigger", "(after delete,", "(after deleted,"),
        ("LeadDeleteEvent.trigger", "after undelete)", "after undeleted)"),
        ("LeadDeleteEvent.trigger", "Publisher.publish(", "Publisher.send("),
        ("LeadDeleteEvent.trigger", "Publisher.publishRestored(", "Publisher.publishUndeleted("),
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
def test_metadata_matches_its_type(path: Path) -> None:
    """Elements and values of each file are those of its type."""
    assert metadata.problems(path) == []


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("Delete_Event__e.object-meta.xml", "PublishAfterCommit", "AfterCommit"),
        ("Record_Id__c.field-meta.xml", "<length>18</length>", "<length>long</length>"),
        ("Delete_Event_Subscriber.permissionset-meta.xml", "allowRead", "allowReads"),
        ("Delete_Tracking__chn.platformEventChannel-meta.xml", "</label>", "</lable>"),
        (
            "Delete_Tracker_oauthPlcy.ecaOauthPlcy-meta.xml",
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


@pytest.mark.parametrize("part", PARTS)
def test_the_cli_deploys_every_file(part: str, project: Path, tmp_path: Path) -> None:
    """The CLI's own library knows each file's type by its folder and name, and sends it."""
    new_key(project, tmp_path)
    deployed = salesforce_cli.deployed(project / part, tmp_path / "package")
    read = {path for files in deployed.components.values() for path in files if path.is_file()}
    assert read == {path for path in (project / part).rglob("*") if path.is_file()}
    assert "package.xml" in deployed.files
    sent = [name for name in deployed.components if not name.startswith("CustomField:")]
    for name in sent:  # a field is sent inside its object
        assert any(Path(file).name.startswith(name.split(":")[1]) for file in deployed.files), name
    if part == "external-client-app":
        assert set(deployed.components) == PARTS_OF_THE_APP
        (made,) = project.rglob("extlClntAppGlobalOauthSets/*")
        assert metadata.problems(made) == []


def test_a_file_of_an_unknown_type_is_not_deployed(project: Path, tmp_path: Path) -> None:
    """If the library took any file, the test above would prove nothing."""
    policy = (
        project / "external-client-app/extlClntAppPolicies/Delete_Tracker_plcy.ecaPlcy-meta.xml"
    )
    policy.rename(policy.with_name("Delete_Tracker_plcy.plcy-meta.xml"))
    with pytest.raises(RuntimeError, match="found the following close matches"):
        salesforce_cli.deployed(project / "external-client-app", tmp_path / "package")


def test_the_cli_understands_every_command_of_the_pages() -> None:
    """Names, flags and values are those of the CLI's plugins, and what is named exists."""
    given = [words for page in PAGES for words in salesforce_cli.commands(page.read_text())]
    assert len(given) >= 15
    assert salesforce_cli.problems(given) == []
    for words in given:
        flags = list(zip(words, words[1:]))
        for flag, value in flags:
            if flag == "--source-dir":
                assert (PROJECT / value).is_dir()
            if flag == "--tests":
                assert list(PROJECT.rglob(f"{value}.cls")), value
            if flag == "--metadata":
                assert value in PARTS_OF_THE_APP
            if flag == "--name" and words[2] == "permset":
                assert list(PROJECT.rglob(f"{value}.permissionset-meta.xml")), value


@pytest.mark.parametrize(
    "slip",
    [
        "org assign permsets --name A --target-org o",
        "org assign permset --named A --target-org o",
        "org assign permset --target-org o",
        "org assign permset A --name A --target-org o",
        "project deploy start --source-dir a --metadata B --target-org o",
        "project deploy start --source-dir a --test-level Some --target-org o",
        "project retrieve start --metadata A --unzip --target-org o",
    ],
)
def test_a_mistake_in_a_command_is_found(slip: str) -> None:
    """If the parser missed mistakes, the test above would prove nothing."""
    assert salesforce_cli.problems([slip.split()])
