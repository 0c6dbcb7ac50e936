"""Runs ``create.sh`` with a recorder in place of ``az``, and returns the commands that it ran."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

from . import azure_cli
from .environments import REPOSITORY

SCRIPT = REPOSITORY / "docs/setup/azure/create.sh"
# The first ``show`` of a vault and each of an app fails, as if it did not exist. Each other command
# answers with its own words, so that a test sees where the answer goes.
RECORDER = (
    "#!/usr/bin/env bash\n"
    + azure_cli.PRINT_WORDS
    + r""" >> "$RECORD"
case "$1 $2 $3" in
"keyvault show --name") if [ ! -e "$RECORD.$4" ]; then touch "$RECORD.$4"; exit 3; fi ;;
"functionapp show "*) exit 3 ;;
"functionapp list-flexconsumption-locations "*) printf 'northeurope\nwesteurope\n'; exit ;;
esac
echo "<$*>"
"""
)


class Az:
    """The ``az`` commands that the script calls, with their words, options and values."""

    def __init__(self, commands: list[list[str]], output: str) -> None:
        self.commands = commands
        self.output = output

    def options(self, *words: str) -> list[dict[str, list[str]]]:
        """The options of each call of this command."""
        found = []
        for command in self.commands:
            if command[: len(words)] == list(words):
                options: dict[str, list[str]] = {}
                for word in command[len(words) :]:
                    if word.startswith("--"):
                        values = options.setdefault(word[2:], [])
                    else:
                        values.append(word)
                found.append(options)
        return found

    def settings(self, app: str) -> dict[str, str]:
        """The final settings of an app."""
        calls = self.options("functionapp", "config", "appsettings", "set")
        return dict(
            it.split("=", 1) for call in calls if call["name"] == [app] for it in call["settings"]
        )


class RefusedError(Exception):
    """The script ended with an error. ``calls`` are the commands before it."""

    def __init__(self, stderr: str, calls: list[list[str]]) -> None:
        super().__init__(stderr)
        self.calls = calls


def run(folder: Path, **values: str) -> Az:
    """Run the script with these values for its first lines. ``folder`` is for its recorder.

    Raises:
        RefusedError: the script ended with an error.
    """
    text = SCRIPT.read_text()
    for name, value in values.items():
        line = next(it for it in text.splitlines() if it.startswith(f"{name}="))
        text = text.replace(f"{line}\n", f"{name}={shlex.quote(value)}\n", 1)
    script, recorder, record = (folder / name for name in ("create.sh", "az", "record"))
    script.write_text(text)
    recorder.write_text(RECORDER)
    recorder.chmod(0o755)
    record.touch()
    environment = {
        **os.environ,
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "RECORD": str(record),
    }
    ended = subprocess.run(
        ["bash", str(script)], check=False, env=environment, capture_output=True, text=True
    )
    commands = azure_cli.split(record.read_text())
    if ended.returncode:
        raise RefusedError(ended.stderr, commands)
    return Az(commands, ended.stdout)
