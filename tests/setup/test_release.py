"""Makes a release as the workflow does, without the network."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from local import environments, requirements, workers

REPOSITORY = Path(__file__).resolve().parent.parent.parent
SCRIPT = ".github/scripts/release.sh"
VERSION = requirements.project()["project"]["version"]


def test_a_release_has_packages_licences_lists_and_digests(tmp_path: Path) -> None:
    """Each package in the zip file is in both lists, and has a licence."""
    try:
        environment = workers.from_wheels("3.13")
    except environments.MissingInterpreterError as error:
        environments.not_run(f"the release: {error}")
    made = subprocess.run(
        ["bash", str(REPOSITORY / SCRIPT), f"v{VERSION}", str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    for app in workers.APPS:
        name = f"{app}-{VERSION}"
        with zipfile.ZipFile(tmp_path / f"{name}.zip") as content:
            there = {
                re.sub(r"[-_.]+", "-", it).lower()
                for it in re.findall(
                    r"site-packages/([\w.]+)-[^/]+\.dist-info/METADATA",
                    "\n".join(content.namelist()),
                )
            }
        bom = json.loads((tmp_path / f"{name}.cdx.json").read_text())
        assert {it["purl"].split("/")[1].split("@")[0] for it in bom["components"]} == there
        assert "cryptography" in there
        licences = (tmp_path / f"{name}-licences.txt").read_text()
        found = re.findall(
            r"^([\w.-]+)\n\d[\w.]*\n(.+)\n(?:http|UNKNOWN\n)", licences, re.MULTILINE
        )
        assert {re.sub(r"[-_.]+", "-", package).lower() for package, _ in found} == there
        assert not [package for package, licence in found if licence == "UNKNOWN"]
    sums = (tmp_path / "SHA256SUMS").read_text().splitlines()
    digests = {name: digest for digest, name in (line.split("  ") for line in sums)}
    files = {it.name for it in tmp_path.iterdir()} - {"SHA256SUMS", "notes.md"}
    assert len(files) == 6
    assert digests == {
        name: hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in files
    }
    notes = (tmp_path / "notes.md").read_text()
    assert "### delete_sync" in notes
    assert "\n## " not in notes


@pytest.mark.parametrize(
    ("tag", "heading", "told"),
    [
        ("v9.9.9", f"## {VERSION} (x)", "the tag v9.9.9 is not the version in pyproject.toml"),
        (f"v{VERSION}", "## 9.9.9 (x)", f"CHANGELOG.md has no section '## {VERSION}': move the"),
        (f"v{VERSION}", f"## {VERSION}1 (x)", "CHANGELOG.md has no section"),
    ],
)
def test_a_tag_without_its_version_or_its_notes_is_no_release(
    tag: str, heading: str, told: str, tmp_path: Path
) -> None:
    """Somebody tagged the wrong commit, or forgot the changelog. Nothing is built."""
    script = tmp_path / SCRIPT
    script.parent.mkdir(parents=True)
    shutil.copy(REPOSITORY / SCRIPT, script)
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n{heading}\n\n- A line.\n")
    made = subprocess.run(
        ["bash", str(script), tag, str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 1
    assert made.stderr.startswith(f"release.sh: {told}")
