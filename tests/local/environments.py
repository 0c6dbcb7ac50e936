"""Python environments for the tests and the demo, installed on first use.

``pyproject.toml`` names what each environment needs, and uv installs it below ``.local``. Each
environment remembers the requirements that it was made from, so a second start takes no time.
This module uses only the standard library, because it installs everything else.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from . import screen

REPOSITORY = Path(__file__).resolve().parent.parent.parent
LOCAL = REPOSITORY / ".local"
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
SUPPORTED = ["3.9", "3.10", "3.11", "3.12", "3.13"]
# The groups with the packages that the worker of Python 3.12 and older brings.
WORKER_PACKAGES = ["worker-2025", "worker-2026"]
# Some groups need packages that lack wheels for some Python versions. These versions have all.
NEWER = ["3.11", "3.12", "3.13"]
VERSIONS = {
    "azure-cli": NEWER,
    "connector5": NEWER,
    "dashboard": NEWER,
    "fakesnow": NEWER,
    "java": NEWER,
    "mutants": NEWER,
    "operator": NEWER,
    "runtime": ["3.13"],
    "snow": NEWER,
    "stubs": ["3.11", "3.12"],
    "telemetry": NEWER,
    "zizmor": NEWER,
}


# Surrounds each installation. pytest hides what a test prints, so tests/conftest.py replaces it.
visibly: Callable[[], contextlib.AbstractContextManager[object]] = contextlib.nullcontext


class MissingInterpreterError(RuntimeError):
    """No Python of the versions that an environment needs is on PATH or in pyenv."""


def dev() -> Path:
    """Python of the environment with both apps and the tests' tools, on the running version.

    ``.venv`` links to it, for editors and for ``pytest`` by hand.
    """
    python = group("dev")
    _link(REPOSITORY / ".venv", python.parent.parent)
    return python


def go_on_in_dev() -> None:
    """Replace this process by the same command in the development environment."""
    python = dev()
    if Path(sys.prefix) != python.parent.parent:
        os.execv(python, [str(python), *sys.argv])


def group(name: str) -> Path:
    """Python of the environment with this dependency group.

    Raises:
        MissingInterpreterError: no Python version that it needs is there.
    """
    versions = VERSIONS.get(name, [RUNNING])
    return _environment(name, versions, [requirements_file(name)], "--require-hashes")


def has_group(name: str) -> bool:
    """Whether ``group`` would install nothing."""
    versions = VERSIONS.get(name, [RUNNING])
    return any(is_complete(LOCAL / f"{name}-{it}", [requirements_file(name)]) for it in versions)


def interpreter(version: str) -> Path:
    """The path of an installed Python of this version.

    Raises:
        MissingInterpreterError: this version is not there.
    """
    return Path(_interpreter([version])[1])


def wheels(version: str) -> Path:
    """A folder with the wheels from which the apps' packages are built, without the network.

    On 3.13, with which releases are made, it also has the tools of a release.

    Raises:
        MissingInterpreterError: this version is not there.
    """
    python = interpreter(version)
    groups = ["collector", "sync", *(["release"] if version == "3.13" else [])]
    files = [requirements_file(name) for name in groups]
    home = LOCAL / f"wheels-{version}"

    def build() -> None:
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
        for file in files:
            install([*pip, "--require-hashes", "--dest", str(home), "--requirement", str(file)])

    once(home, files, f"the wheels of the apps for Python {version}", build)
    return home


def worker_packages(version: str, name: str) -> Path:
    """A folder with the gRPC and protobuf that the group ``name`` has, for this Python version.

    Raises:
        MissingInterpreterError: this version is not there.
    """
    python, file = interpreter(version), requirements_file(name)
    home = LOCAL / f"{name}-{version}"
    once(
        home,
        [file],
        f"the packages of {name} for Python {version}",
        lambda: _install_packages(python, [file], "--target", str(home)),
    )
    return home


def requirements_file(name: str) -> Path:
    """The exported requirements of a dependency group."""
    return REPOSITORY / f"tests/requirements/{name}.txt"


def uv() -> str:
    """The path of uv: from PATH, else from PyPI."""
    if found := shutil.which("uv"):
        return found
    home, file = LOCAL / "uv", requirements_file("uv")

    def build() -> None:
        install([sys.executable, "-m", "venv", "--clear", str(home)])
        pip = [str(home / "bin/python"), "-m", "pip", "--disable-pip-version-check"]
        install([*pip, "install", "--quiet", "--require-hashes", "-r", str(file)])

    once(home, [file], "uv, which installs the environments", build)
    return str(home / "bin/uv")


def not_run(what: str) -> None:
    """Skip a test because an interpreter is missing; if ``CI`` is set, fail it."""
    import pytest

    if os.environ.get("CI"):
        pytest.fail(f"not run: {what}")
    pytest.skip(f"not run: {what}")


def _environment(name: str, versions: Sequence[str], files: Sequence[Path], *options: str) -> Path:
    versions = sorted(versions, key=lambda version: version != RUNNING)
    for version in versions:
        home = LOCAL / f"{name}-{version}"
        if is_complete(home, files):
            return home / "bin/python"
    version, interpreter = _interpreter(versions)
    home = LOCAL / f"{name}-{version}"

    def build() -> None:
        install([uv(), "venv", "--quiet", "--clear", "--python", interpreter, str(home)])
        _install_packages(home / "bin/python", files, *options)

    once(home, files, f"the environment {name} with Python {version}", build)
    return home / "bin/python"


def _interpreter(versions: Sequence[str]) -> tuple[str, str]:
    """The first of these versions that uv finds, and the path of its interpreter.

    uv looks beside the running Python, in pyenv's versions and on PATH. It does not look among
    pyenv's shims, which exist even for versions that pyenv refuses to run.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    folders = [f"{sys.base_prefix}/bin", *map(str, sorted(pyenv.glob("versions/3.*/bin")))]
    on_path = os.environ.get("PATH", "").split(os.pathsep)
    folders += [folder for folder in on_path if Path(folder) != pyenv / "shims"]
    environment = {**os.environ, "PATH": os.pathsep.join(folders)}
    for version in versions:
        find = [uv(), "python", "find", "--no-python-downloads", "--system", "--no-project"]
        found = subprocess.run(
            [*find, version], check=False, capture_output=True, text=True, env=environment
        )
        if found.returncode == 0:
            return version, found.stdout.strip()
    raise MissingInterpreterError(f"needs Python {' or '.join(versions)}, on PATH or in pyenv")


def _link(link: Path, target: Path) -> None:
    """Make or move a symbolic link. A real folder of that name is the user's own and stays."""
    if link.is_symlink() or not link.exists():
        new = link.with_name(f"{link.name}-{os.getpid()}")
        new.symlink_to(target)
        new.replace(link)


def _install_packages(python: Path, files: Sequence[Path], *options: str) -> None:
    named = [part for file in files for part in ("--requirements", str(file))]
    # Without --quiet, uv lists every package.
    install([uv(), "pip", "install", "--quiet", "--python", str(python), *options, *named])


def install(command: Sequence[str], **options: Any) -> None:
    """Run an installer. If it fails, it prints the reason.

    Raises:
        SystemExit: it failed.
    """
    with screen.working("installing"):
        installed = subprocess.run(command, check=False, **options)
    if installed.returncode:
        sys.exit(
            f"Installing failed; the reason is above. The command was:\n  {' '.join(command)}\n"
            "Behind a proxy or a mirror, configure both pip, which installs uv, and uv."
        )


def once(home: Path, files: Sequence[Path], what: str, build: Callable[[], None]) -> None:
    """Run ``build``, unless ``home`` was already made from these files.

    Other processes wait meanwhile. ``what`` names the content of ``home`` for the user, who waits
    for it.
    """
    if is_complete(home, files):
        return
    with visibly(), _locked(home.with_name(f"{home.name}.lock")):
        if not is_complete(home, files):
            say(f"installing {what} …")
            began = time.monotonic()
            (home / ".complete").unlink(missing_ok=True)
            build()
            (home / ".complete").write_text(_digest(files))
            size = sum(path.lstat().st_size for path in home.rglob("*")) / 1e6
            say(f"installed {what}: {size:,.0f} MB in {time.monotonic() - began:.0f} s")


def is_complete(home: Path, files: Sequence[Path]) -> bool:
    """Whether ``once`` would do nothing."""
    with contextlib.suppress(FileNotFoundError):
        return (home / ".complete").read_text() == _digest(files)
    return False


def _digest(files: Sequence[Path]) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def say(line: str) -> None:
    """Print progress at once, even into a pipe. At a terminal, in place of ``screen.working``."""
    cleared = screen.CLEARED if sys.stdout.isatty() else ""
    print(f"{cleared}{line}\n", end="", flush=True)
