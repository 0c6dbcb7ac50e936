"""Bicep's own compiler, if ``bicep`` is on PATH, and what it made of the set-up files.

``python3 -m tests.local.bicep_compiler`` writes the snapshots in ``tests/setup/azure`` again. A
snapshot has all resources of a deployment with their names, places and properties. Values that only
Azure knows are expressions in it.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .environments import REPOSITORY

AZURE = REPOSITORY / "docs/setup/azure"
SNAPSHOTS = REPOSITORY / "tests/setup/azure"
NAMES = ("smallest", "largest")
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
WHERE = ("--subscription-id", SUBSCRIPTION, "--resource-group", "sf-deletes")
# Microsoft Learn, "Azure built-in roles".
ROLES = {
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": "Storage Blob Data Reader",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": "Key Vault Secrets Officer",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
    "de139f84-1756-47ae-9be6-808fbbe84772": "Website Contributor",
}


def compiler() -> str | None:
    """The path of the compiler, or None."""
    return shutil.which("bicep")


def run(*arguments: str, folder: Path = AZURE) -> subprocess.CompletedProcess[str]:
    """Run the compiler."""
    return subprocess.run(
        ["bicep", *arguments], check=False, cwd=folder, capture_output=True, text=True
    )


def evaluate(name: str, location: str = "westeurope", **values: str) -> Snapshot:
    """Evaluate a parameter file of the tests. ``values`` replace parameters, as Bicep text.

    Raises:
        ValueError: the compiler refused it. The message is the compiler's.
    """
    text = (SNAPSHOTS / f"{name}.bicepparam").read_text()
    for parameter, value in values.items():
        text = re.sub(rf"(param {parameter} = ).*", rf"\g<1>{value}", text)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for path in [*AZURE.glob("*.bicep"), AZURE / "bicepconfig.json"]:
            shutil.copy(path, folder)
        (folder / "it.bicepparam").write_text(re.sub("using '.*'", "using './main.bicep'", text))
        mode = ("--mode", "overwrite", *WHERE, "--location", location)
        done = run("snapshot", "it.bicepparam", *mode, folder=folder)
        written = folder / "it.snapshot.json"
        if done.returncode or not written.exists():
            raise ValueError(done.stdout + done.stderr)
        return Snapshot(json.loads(written.read_text()))


def committed(name: str) -> Snapshot:
    """The snapshot that the repository has."""
    return Snapshot(json.loads((SNAPSHOTS / f"{name}.snapshot.json").read_text()))


@dataclass(frozen=True)
class Snapshot:
    """What a deployment would create."""

    json: dict[str, Any]

    @property
    def resources(self) -> list[dict[str, Any]]:
        """All resources, each with ``type``, ``name``, ``id`` and ``properties``."""
        found: list[dict[str, Any]] = self.json["predictedResources"]
        return found

    @property
    def outputs(self) -> dict[str, Any]:
        """The outputs of the deployment."""
        found: dict[str, Any] = self.json["outputs"]
        return found

    def named(self, kind: str) -> dict[str, dict[str, Any]]:
        """The resources of a type, by name."""
        return {it["name"]: it for it in self.resources if it["type"] == f"Microsoft.{kind}"}

    def settings(self, app: str) -> dict[str, str]:
        """The settings of an app."""
        found: dict[str, str] = self.named("Web/sites/config")[f"{app}/appsettings"]["properties"]
        return found

    def grants(self) -> Iterator[tuple[str, str, str]]:
        """Each role assignment as principal, role and scope.

        The principal is the name of an identity or an object id.
        """
        for it in self.named("Authorization/roleAssignments").values():
            given = it["properties"]
            identity = re.search(r"/userAssignedIdentities/([^']+)'", given["principalId"])
            scope = it["id"].partition("/providers/Microsoft.Authorization")[0]
            yield (
                identity[1] if identity else given["principalId"],
                ROLES[given["roleDefinitionId"].rpartition("/")[2]],
                scope.partition("/resourceGroups/sf-deletes/providers/")[2],
            )


def main() -> int:
    """Write the snapshots again."""
    for name in NAMES:
        made = evaluate(name).json
        made["outputs"] = dict(sorted(made["outputs"].items()))  # the compiler's order varies
        text = json.dumps(made, indent=2) + "\n"
        (SNAPSHOTS / f"{name}.snapshot.json").write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
