"""Checks the Bicep files by Azure's resource types, and by Bicep's compiler if it is on PATH."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from local import bicep, bicep_compiler
from local.bicep_compiler import AZURE, NAMES, committed

BICEP = sorted(AZURE.glob("*.bicep"))
FILES = [*BICEP, AZURE / "main.bicepparam"]


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


@pytest.fixture
def compiler() -> None:
    """Bicep's compiler. The summary of the tests says so if it is not there."""
    if not bicep_compiler.compiler():
        pytest.skip("not run: Bicep's compiler is not on PATH")


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_compiler_finds_nothing(path: Path) -> None:
    """Neither its linter nor its formatter would change the files."""
    linted = bicep_compiler.run("lint", str(path))
    assert (linted.returncode, linted.stdout + linted.stderr) == (0, "")
    assert bicep_compiler.run("format", str(path), "--stdout").stdout == path.read_text()


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("name", NAMES)
def test_the_snapshot_is_what_the_compiler_makes(name: str) -> None:
    """After a change: ``python3 -m tests.local.bicep_compiler``, and read the difference."""
    assert bicep_compiler.evaluate(name).json == committed(name).json


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"prefix": "'A1-'"}, "prefix must begin with a letter and have only lower-case letters"),
        ({"prefix": "'1ab'"}, "prefix must begin with a letter and have only lower-case letters"),
        ({"location": "westus"}, "location must be a region with the Flex Consumption plan"),
    ],
)
def test_bicep_refuses_a_wrong_prefix_and_region(given: dict[str, str], message: str) -> None:
    """Bicep's ``fail`` ends the deployment before it begins."""
    with pytest.raises(ValueError, match=message):
        bicep_compiler.evaluate("smallest", **given)
