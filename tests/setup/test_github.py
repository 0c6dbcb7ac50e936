"""Tests the workflows of GitHub and the scripts that they run."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from local import environments

REPOSITORY = Path(__file__).resolve().parent.parent.parent
GITHUB = REPOSITORY / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
APPS = ["delete_sync", "salesforce_client"]


def schema_problems(path: Path, schema: str) -> list[str]:
    """The problems that this schema of check-jsonschema finds."""
    command = [str(environments.dev()), "-m", "check_jsonschema", "--output-format", "json"]
    command += ["--builtin-schema", schema, str(path)]
    told = json.loads(subprocess.run(command, check=False, capture_output=True, text=True).stdout)
    return [error["message"] for error in told.get("errors", [])]


def test_every_action_has_one_digest_and_its_version_as_a_comment() -> None:
    """The update bot needs the comment to name the version. Two digests would be a slip."""
    used = [
        action
        for path in WORKFLOWS
        for action in re.findall(r"uses: ([^.\s]\S+ ?.*)", path.read_text())
    ]
    pinned = [re.fullmatch(r"([\w/-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)", it) for it in used]
    assert used
    assert all(pinned), used
    assert len({it[0] for it in pinned if it}) == len({it[1] for it in pinned if it})


def test_only_the_jobs_that_move_a_tag_or_make_a_release_may_write() -> None:
    """A job that runs code of foreign packages can neither write nor publish."""
    rights: dict[str, list[str]] = {}
    for path in WORKFLOWS:
        text = path.read_text()
        assert "\npermissions: {}\n" in text
        jobs = re.split(r"^  (\w+):\n", text.partition("\njobs:\n")[2], flags=re.MULTILINE)[1:]
        for name, job in zip(jobs[::2], jobs[1::2]):
            given = re.findall(r"^      ([\w-]+): (?:read|write)\b", job, re.MULTILINE)
            assert given, f"{path.name}: {name} has no permissions of its own"
            for right in re.findall(r"^      ([\w-]+): write\b", job, re.MULTILINE):
                rights.setdefault(right, []).append(f"{path.stem} {name}")
    assert rights == {
        "contents": ["deploy publish", "publish mark", "release release"],
        "id-token": ["deploy publish", "publish publish"],
    }


def test_workflows_run_on_a_named_image_with_every_supported_python() -> None:
    """GitHub moves ``ubuntu-latest`` to images for which there is no Python 3.9."""
    for path in WORKFLOWS:
        images = re.findall(r"runs-on: (\S+)", path.read_text())
        assert set(images) <= {"ubuntu-24.04"}, path
    workflow = (GITHUB / "workflows/ci.yml").read_text()
    matrix = re.search(r"python: \[(.*)\]", workflow)
    assert matrix
    assert re.findall(r'"(.*?)"', matrix[1]) == environments.SUPPORTED
    commands = re.findall(r"run: python3 tests/run\.py (\w+)", workflow)
    assert commands == ["lint", "types", "pages", "test"]
    installed = re.search(r"python-version: \|\n((?: +3\.\d+\n)+)", workflow)
    assert installed
    assert installed[1].split() == environments.SUPPORTED


def test_the_packages_are_built_with_the_python_of_the_apps() -> None:
    """Compiled code fits one Python version only."""
    parameter = (REPOSITORY / "docs/setup/azure/main.bicep").read_text()
    (version,) = re.findall(r"param pythonVersion string = '(3\.\d+)'", parameter)
    for name, script in (("publish.yml", "package.sh"), ("release.yml", "release.sh")):
        text = (GITHUB / "workflows" / name).read_text()
        (found,) = re.findall(rf'python-version: "(3\.\d+)"\n      - run: bash \S+{script}', text)
        assert found == version


def test_the_update_bot_reads_every_folder_with_dependencies() -> None:
    """A folder that moves would no longer be updated, and nobody would notice."""
    path = GITHUB / "dependabot.yml"
    assert schema_problems(path, "vendor.dependabot") == []
    folders = re.findall(r"^ +- (/.*)", path.read_text(), re.MULTILINE)
    with_npm = {it.parent for it in (REPOSITORY / "tests/local").rglob("package-lock.json")}
    assert {f"/{it.relative_to(REPOSITORY)}" for it in with_npm} == set(folders)


class Clone:
    """A repository with the script that decides what is published."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
        self.commit("delete_sync/x.py", "salesforce_client/x.py", "docs/x.md")

    def git(self, *arguments: str) -> str:
        """What this git command prints."""
        who = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
        command = ["git", *who, "-C", str(self.folder), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, *paths: str) -> str:
        """Change these files in a commit."""
        for path in paths:
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text((file.read_text() if file.exists() else "") + "x\n")
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", "x")
        return self.git("rev-parse", "HEAD")

    def published(self, *apps: str) -> None:
        """Mark HEAD as published."""
        for app in apps:
            self.git("tag", "--force", f"published/{app}", "HEAD")

    def to_publish(self, force: str = "false") -> list[str]:
        """The apps that the script prints."""
        decided = subprocess.run(
            ["bash", str(GITHUB / "scripts/to_publish.sh")],
            cwd=self.folder,
            env={**os.environ, "FORCE": force},
            capture_output=True,
            text=True,
            check=False,
        )
        assert decided.returncode == 0, decided.stderr
        found: list[str] = json.loads(decided.stdout)
        return found


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A repository with one commit, in which nothing is published."""
    return Clone(tmp_path)


def test_everything_is_published_first(clone: Clone) -> None:
    """There is no tag yet. The reader of event files comes before their writer."""
    assert clone.to_publish() == APPS
    clone.published("delete_sync")
    assert clone.to_publish() == ["salesforce_client"]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ("salesforce_client/src/x.py", ["salesforce_client"]),
        ("delete_sync/host.json", ["delete_sync"]),
        ("docs/x.md", []),
        ("docs/setup/azure/package.sh", APPS),
    ],
)
def test_an_app_that_differs_from_its_tag_is_published(
    changed: str, expected: list[str], clone: Clone
) -> None:
    """The script that makes the package counts as part of both apps."""
    clone.published(*APPS)
    clone.commit(changed)
    assert clone.to_publish() == expected


def test_a_change_behind_a_failed_run_is_published_later(clone: Clone) -> None:
    """The run of the first commit failed. The second commit does not touch the app."""
    clone.published(*APPS)
    clone.commit("delete_sync/x.py")
    clone.commit("docs/x.md")
    assert clone.to_publish() == ["delete_sync"]


def test_a_change_that_was_taken_back_is_not_published(clone: Clone) -> None:
    """The published app and the new commit have the same files."""
    clone.published(*APPS)
    clone.commit("delete_sync/x.py")
    clone.git("revert", "--no-edit", "HEAD")
    assert clone.to_publish() == []


def test_an_older_commit_does_not_replace_a_newer_one(clone: Clone) -> None:
    """The run of the newer commit was quicker. By hand, an older commit can be published."""
    older = clone.commit("delete_sync/x.py")
    clone.commit("delete_sync/x.py")
    clone.published(*APPS)
    clone.git("checkout", "--quiet", older)
    assert clone.to_publish() == []
    assert clone.to_publish(force="true") == APPS


def test_a_rewritten_history_is_compared_with_what_was_published(clone: Clone) -> None:
    """The tag keeps the commit that is no longer in the history of main."""
    first = clone.git("rev-parse", "HEAD")
    clone.commit("delete_sync/x.py")
    clone.published(*APPS)
    clone.git("reset", "--quiet", "--hard", first)
    clone.commit("docs/x.md")
    assert clone.to_publish() == ["delete_sync"]
    clone.commit("delete_sync/x.py")
    assert clone.to_publish() == []


def test_by_hand_both_apps_are_published(clone: Clone) -> None:
    """Also if nothing differs."""
    clone.published(*APPS)
    assert clone.to_publish(force="true") == APPS


@pytest.mark.parametrize(
    ("refused", "expected", "code"),
    [("", ["PATCH"], 0), ("PATCH", ["PATCH", "POST"], 0), ("P", ["PATCH", "POST"], 1)],
    ids=["moved", "new", "no right"],
)
def test_the_tag_is_moved_or_made(
    refused: str, expected: list[str], code: int, tmp_path: Path
) -> None:
    """GitHub answers PATCH with an error if there is no such tag. A second error is one."""
    gh = tmp_path / "gh"
    gh.write_text(
        '#!/bin/bash\necho "$*" >> "$RECORD"\n[ -z "$REFUSED" ] || [[ $4 != "$REFUSED"* ]]\n'
    )
    gh.chmod(0o755)
    ended = subprocess.run(
        ["bash", str(GITHUB / "scripts/mark_published.sh"), "me/it", "delete_sync", "abc"],
        env={
            "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
            "RECORD": str(tmp_path / "record"),
            "REFUSED": refused,
        },
        capture_output=True,
        check=False,
    )
    calls = {
        "PATCH": "api --silent --method PATCH repos/me/it/git/refs/tags/published/delete_sync"
        " -f sha=abc -F force=true",
        "POST": "api --silent --method POST repos/me/it/git/refs"
        " -f ref=refs/tags/published/delete_sync -f sha=abc",
    }
    assert (tmp_path / "record").read_text().splitlines() == [calls[it] for it in expected]
    assert ended.returncode == code
