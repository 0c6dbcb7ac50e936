"""Runs the commands of an app as a person does, in this process or in one of their own."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from delete_sync.src.__main__ import main as main_of_sync
from salesforce_client.src.app.__main__ import main as main_of_collector

from .apps import inherited
from .environments import REPOSITORY

NOWHERE = Path(__file__).parent / "no-such-folder"


class Terminal(io.StringIO):
    """A terminal: what is written to it, or what a person types."""

    def isatty(self) -> bool:
        """It is a terminal."""
        return True


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str
    adopted: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """Everything that was printed."""
        return self.out + self.err

    @property
    def json(self) -> Any:
        """The one object that ``--json`` prints."""
        return json.loads(self.out)


def command(
    settings: Mapping[str, str], *arguments: str, typed: str | None = None, folder: Path = NOWHERE
) -> Done:
    """Run a collector's command in this process. With ``typed``, a person is at the terminal."""
    return _run(main_of_collector, settings, arguments, typed, folder)


def sync_command(
    settings: Mapping[str, str], *arguments: str, typed: str | None = None, folder: Path = NOWHERE
) -> Done:
    """Run a command of the sync in this process, as ``command`` does."""
    return _run(main_of_sync, settings, arguments, typed, folder)


def _run(
    main: Callable[..., int],
    settings: Mapping[str, str],
    arguments: Sequence[str],
    typed: str | None,
    folder: Path,
) -> Done:
    kind = io.StringIO if typed is None else Terminal
    out, err, answer = kind(), kind(), kind(typed or "")
    adopted: dict[str, str] = {}
    try:
        code = main(arguments, settings, adopted.update, (out, err, answer), folder)
    except SystemExit as ended:  # of argparse
        code = int(ended.code or 0)
    return Done(code, out.getvalue(), err.getvalue(), adopted)


def process(
    settings: Mapping[str, str], *arguments: str, folder: Path = REPOSITORY / "salesforce_client"
) -> Done:
    """Run a command in a process of its own, in the app's folder or in the repository's root."""
    return _ended(_start("salesforce_client.src.app", "src.app", settings, arguments, folder))


def sync_process(
    settings: Mapping[str, str], *arguments: str, folder: Path = REPOSITORY / "delete_sync"
) -> Done:
    """Run a command of the sync in a process of its own, as ``process`` does."""
    return _ended(_start("delete_sync.src", "src", settings, arguments, folder))


def sync_started(settings: Mapping[str, str], *arguments: str) -> subprocess.Popen[str]:
    """Start a command of the sync, as ``sync_process`` does, without waiting for its end."""
    return _start("delete_sync.src", "src", settings, arguments, REPOSITORY / "delete_sync")


def _start(
    at_root: str,
    in_folder: str,
    settings: Mapping[str, str],
    arguments: Sequence[str],
    folder: Path,
) -> subprocess.Popen[str]:
    module = at_root if folder == REPOSITORY else in_folder
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env={**inherited(), **settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _ended(process: subprocess.Popen[str]) -> Done:
    with process:
        try:
            out, err = process.communicate(timeout=120)
        finally:
            process.kill()
    return Done(process.returncode, out, err)
