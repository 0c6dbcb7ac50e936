"""Tests the workflows of GitHub and the scripts that they run."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from local import environments

REPOSITORY = Path(__file__).resolve().parent.parent.parent
GITHUB = REPOSITORY / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))


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
        "contents": ["deploy publish", "publish publish", "release release"],
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
    assert commands == ["lint", "types", "pages", "test", "browser", "versions"]
    installed = re.findall(r"python-version: \|\n((?: +3\.\d+\n)+)", workflow)
    assert [versions.split() for versions in installed] == [environments.SUPPORTED] * 2


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
