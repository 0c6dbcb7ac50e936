"""The requirements files agree with the dependency groups in ``pyproject.toml``."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from local import environments, requirements
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parent.parent
REPAIR = "run python3 tests/run.py lock"


def declared(group: str) -> list[Requirement]:
    """What a group asks for, and the groups that it includes."""
    found: list[Requirement] = []
    for entry in requirements.groups()[group]:
        if isinstance(entry, dict):
            found += declared(entry["include-group"])
        else:
            found.append(Requirement(str(entry)))
    return found


def exported(path: Path) -> list[Requirement]:
    """The requirements of a file, without comments and hashes."""
    text = re.sub(r"\s*\\\n\s*--hash=\S+", "", path.read_text())
    return [Requirement(line) for line in text.splitlines() if line and line[0] != "#"]


def versions(pins: list[Requirement], python: str) -> dict[str, str]:
    """The pinned version of each package on a Python version."""
    environment = {"python_version": python, "python_full_version": f"{python}.18"}
    return {
        canonicalize_name(it.name): str(it.specifier).lstrip("=")
        for it in pins
        if it.marker is None or it.marker.evaluate(environment)
    }


@pytest.mark.parametrize("group", requirements.groups())
def test_every_export_fulfils_its_group(group: str) -> None:
    """On each Python that the group supports, the export has each package in an allowed version."""
    supported = (
        requirements.project()["tool"]["uv"]["dependency-groups"]
        .get(group, {})
        .get("requires-python", "")
    )
    pins = exported(environments.requirements_file(group))
    for python in environments.SUPPORTED:
        if not Requirement(f"python{supported}").specifier.contains(python):
            continue
        found = versions(pins, python)
        for wanted in declared(group):
            if wanted.marker is None or wanted.marker.evaluate({"python_version": python}):
                version = found.get(canonicalize_name(wanted.name), "none")
                assert version != "none", f"{wanted} is not in {group}.txt: {REPAIR}"
                assert wanted.specifier.contains(version), f"{wanted}, not {version}: {REPAIR}"


@pytest.mark.parametrize("group", requirements.groups())
def test_every_export_is_pinned_with_hashes_and_names_no_registry(group: str) -> None:
    """Because of the hash, pip and uv refuse a changed package.

    Their own configuration names the registry.
    """
    text = environments.requirements_file(group).read_text()
    assert "://" not in text
    assert "--index" not in text
    entries = re.split(r"\n(?=\w)", text)[1:]
    assert entries
    for entry in entries:
        assert re.match(r"[\w.-]+==[\w.]+", entry), entry
        assert "--hash=sha256:" in entry, entry


@pytest.mark.parametrize(("group", "app"), requirements.APPS.items())
def test_an_app_is_deployed_with_what_was_tested(group: str, app: str) -> None:
    """Azure installs the versions of the development environment, without hashes."""
    required = exported(REPOSITORY / app / "requirements.txt")
    ranges = [it for it in required if str(it.specifier)[:2] != "=="]
    assert [it.name for it in ranges] == [requirements.NOT_PINNED]
    assert [str(it) for it in ranges] == [
        str(it) for it in declared(group) if it.name == requirements.NOT_PINNED
    ]
    of_group, of_dev = (exported(environments.requirements_file(name)) for name in (group, "dev"))
    for python in environments.SUPPORTED:
        found = versions(required, python)
        del found[requirements.NOT_PINNED]
        expected = versions(of_group, python)
        del expected[requirements.NOT_PINNED]
        assert found == expected, REPAIR
        assert found.items() <= versions(of_dev, python).items()


@pytest.mark.parametrize("group", requirements.APPS)
def test_microsofts_runtime_fits_beside_an_app(group: str) -> None:
    """From Python 3.13 on, both are in one environment."""
    runtime = versions(exported(environments.requirements_file("runtime")), "3.13")
    app = versions(exported(environments.requirements_file(group)), "3.13")
    assert runtime["protobuf"]
    assert {name: runtime[name] for name in runtime.keys() & app.keys()}.items() <= app.items()
