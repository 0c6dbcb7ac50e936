"""A fork of ``local/forks.py`` does what a new process does."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from local import apps, forks
from local.environments import REPOSITORY

FUNCTIONS = {"salesforce_client": "TimerPoller", "delete_sync": "SnowflakePusher"}
WAYS = {"new": apps.new_process, "fork": forks.started}
# Ends of a process, each with its code and its last line.
ENDS = {
    "pass": (0, "done"),
    "sys.exit(3)": (3, "done"),
    "raise ValueError('why')": (1, "ValueError: why"),
    "os._exit(4)": (4, "done"),
    "os.kill(os.getpid(), signal.SIGKILL)": (-signal.SIGKILL, "done"),
    "os.kill(os.getpid(), signal.SIGTERM)": (-signal.SIGTERM, "done"),
    "signal.raise_signal(signal.SIGINT)": (-signal.SIGINT, "KeyboardInterrupt"),
    "atexit.register(print, 'at exit')": (0, "at exit"),
    "threading.Timer(0.1, print, ['thread']).start()": (0, "thread"),
}
STATE = """
    package = sys.modules["__app__"]
    package.__path__.append({app!r})
    importlib.import_module("__app__.{function}")
    third_party = [name for name, it in sys.modules.items()
                   if "site-packages" in str(getattr(it, "__file__", None))]
    print(json.dumps({{
        "environment": dict(os.environ),
        "from C": subprocess.run(["env"], stdout=-1, text=True).stdout.splitlines(),
        "arguments": [sys.argv, past_due.past_due, sys.path, sys.executable, sys.flags],
        "folder": os.getcwd(),
        "modules": sorted(third_party),
        "main": vars(sys.modules["__main__"])["__file__"],
        "threads": len(os.listdir("/proc/self/task")),
        "descriptors": sorted(os.listdir("/proc/self/fd")),
        "group": [os.getpgid(0), os.getsid(0)],
        "parent": os.getppid(),
        "handlers": [str(signal.getsignal(it)).partition(" at ")[0] for it in signal.Signals],
        # Not SigQ: it counts the waiting signals of all processes of the user.
        "ignored": [it for it in open("/proc/self/status")
                    if it.startswith(("SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt"))],
        "limits": [resource.getrlimit(it) for it in range(16)],
        "umask": os.umask(0),
        "log": [logging.root.level, len(logging.root.handlers)],
        "zone": time.tzname,
        "streams": [[it.encoding, it.errors, it.line_buffering, it.write_through, it.isatty()]
                    for it in (sys.stdin, sys.stdout, sys.stderr)],
    }}))
"""


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts a function with this body, in one of the two ways."""

    def started(
        way: str, body: str, settings: Mapping[str, str] | None = None, app: str = "delete_sync"
    ) -> subprocess.Popen[str]:
        function = tmp_path / app / "Probe"
        function.mkdir(parents=True, exist_ok=True)
        names = "atexit importlib json logging os resource signal subprocess sys threading time"
        source = f"import {', '.join(names.split())}\ndef main(past_due):\n    {body}\n"
        function.joinpath("__init__.py").write_text(source)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(apps, "started", WAYS[way])
            worker = apps.Worker(folder=tmp_path)
            process = apps.start(app, "Probe", settings or {}, worker, past_due=True)
        assert isinstance(process, forks.Fork) == (way == "fork")
        return process

    return started


@pytest.mark.parametrize("app", FUNCTIONS)
def test_a_fork_has_what_a_new_process_has(
    app: str, start: Callable[..., subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the same variables, modules, threads, descriptors, signals and limits, for example.

    The fork before it had other settings.
    """
    body = STATE.strip().format(app=str(REPOSITORY / app), function=FUNCTIONS[app])
    assert apps.finish(start("fork", "pass", {"IDLE_SECONDS": "7"}, app)).succeeded
    monkeypatch.chdir(REPOSITORY / "docs")
    states: list[Any] = []
    for way in WAYS:
        ended = apps.finish(start(way, body, {"MAX_RUN_SECONDS": "é"}, app))
        assert ended.succeeded, ended.log
        states.append(json.loads(ended.log.splitlines()[-1]))
    new, fork = states
    assert fork == new
    assert fork["environment"]["MAX_RUN_SECONDS"] == "é"
    assert "IDLE_SECONDS" not in fork["environment"]
    assert fork["threads"] == 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("end", ENDS)
def test_a_fork_ends_as_a_new_process_does(
    end: str, way: str, start: Callable[..., subprocess.Popen[str]]
) -> None:
    """Its code is the same, and so is its output."""
    code, last = ENDS[end]
    ended = apps.finish(start(way, f"print('done', flush=True); {end}"))
    assert ended.returncode == code, ended.log
    assert ended.log.splitlines()[-1] == last


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_signals_of_others_reach_a_fork(
    by: signal.Signals, way: str, start: Callable[..., subprocess.Popen[str]]
) -> None:
    """It can be stopped, continued and ended."""
    process = start(way, "print('here', flush=True); time.sleep(60)")
    assert process.stdout
    assert process.stdout.readline() == "here\n"
    process.send_signal(signal.SIGSTOP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.communicate(timeout=0.2)
    assert process.poll() is None
    process.send_signal(signal.SIGCONT)
    process.send_signal(by)
    assert apps.finish(process).returncode == -by


@pytest.mark.parametrize("name", ["HOME", "TMPDIR", "PYTHONWARNINGS", "SNOWFLAKE_HOME", "TZ"])
def test_a_variable_that_is_no_setting_needs_a_new_process(name: str) -> None:
    """A library or Python itself may have read it."""
    command = [sys.executable, str(forks.SCRIPT), "no-app", "Function"]
    with forks.started("delete_sync", command, {**apps.inherited(), name: "/"}) as process:
        assert not isinstance(process, forks.Fork)


def test_another_script_needs_a_new_process() -> None:
    """It may do what a fork cannot."""
    command = [sys.executable, "-c", "raise SystemExit(5)"]
    with forks.started("delete_sync", command, apps.inherited()) as process:
        assert not isinstance(process, forks.Fork)
    assert process.returncode == 5


@pytest.mark.parametrize("app", FUNCTIONS)
def test_no_library_reads_a_setting_while_it_is_imported(app: str) -> None:
    """The server has no settings, and a fork has."""
    code = f"""
import importlib, json, os
names = set()
class Noted(type(os.environ)):
    def __getitem__(self, name):
        names.add(str(name))
        return super().__getitem__(name)
os.environ.__class__ = Noted
for library in {forks.LIBRARIES[app]}:
    importlib.import_module(library)
print(json.dumps(sorted(names)))
"""
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, env=apps.inherited(), stdout=subprocess.PIPE, check=True)
    names = set(json.loads(ran.stdout))
    assert "HOME" in names
    assert not names & forks.settings()


def test_the_server_ends_with_the_process_that_asks() -> None:
    """It ends even if that process is killed."""
    code = "import time; from local import forks; forks.Server('delete_sync'); time.sleep(60)"
    asking = subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY / "tests")
    children = Path(f"/proc/{asking.pid}/task/{asking.pid}/children")
    try:
        until = time.monotonic() + 30
        while not (found := children.read_text().split()):
            assert time.monotonic() < until
            time.sleep(0.05)
    finally:
        asking.kill()
        asking.wait()
    until = time.monotonic() + 30
    while is_running(found[0]):
        assert time.monotonic() < until
        time.sleep(0.05)


def is_running(pid: str) -> bool:
    """Whether this process has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
