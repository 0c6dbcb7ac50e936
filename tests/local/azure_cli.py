"""The commands of Azure's command line in the pages and scripts, and its own parser."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from . import environments
from .environments import REPOSITORY

# Prints the words of a command by one write, because the commands of a pipe print at once.
PRINT_WORDS = r"""printf -v words '%s\x1f' "$@"; printf '%s\x1e' "$words" """
# Bash calls this function for each command that it does not find, and it finds none.
RECORD = f"""
command_not_found_handle() {{ {PRINT_WORDS} >&3; echo x; }}
cd() {{ :; }}
source() {{ :; }}
PATH=/nowhere
"""
QUIET = {
    "AZURE_CORE_COLLECT_TELEMETRY": "no",
    "AZURE_CORE_ERROR_RECOMMENDATION": "off",
    "AZURE_CORE_NO_COLOR": "yes",
    "AZURE_EXTENSION_USE_DYNAMIC_INSTALL": "no",
    "PYTHONWARNINGS": "ignore",
}
Words = list[str]


def recorded(text: str) -> list[Words]:
    """The words of each external command in a block of shell, as Bash passes them.

    No command is run, so the block must do without the results. What follows ``||`` is left out.
    """
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "record"
        with record.open("w") as target:
            subprocess.run(
                ["bash", "-c", f"exec 3>&{target.fileno()}{RECORD}{text}"],
                check=False, cwd=folder, pass_fds=[target.fileno()], capture_output=True,
            )  # fmt: skip
        return split(record.read_text())


def split(record: str) -> list[Words]:
    r"""Commands of a record: ``\x1f`` ends a word, and ``\x1e`` ends a command."""
    return [one.split("\x1f")[:-1] for one in record.split("\x1e")[:-1]]


def problems(given: Sequence[tuple[Sequence[str], bool]]) -> list[str]:
    """What the parser says about these commands, each with the command.

    A command is its words without ``az``, and whether it is whole: if not, options may be missing.
    """
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [str(environments.group("azure-cli")), "-P", "tests/local/az_parser.py"],
            input=json.dumps(given), text=True, capture_output=True, check=False, cwd=REPOSITORY,
            env={
                **os.environ, **QUIET,
                "AZURE_CONFIG_DIR": folder, "AZURE_EXTENSION_DIR": f"{folder}/extensions",
            },
        )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"az_parser.py ended with {done.returncode}: {done.stderr[-2000:]}")
    told: list[str] = json.loads(done.stdout.splitlines()[-1])
    return [f"az {' '.join(words)}: {said}" for (words, _), said in zip(given, told) if said]
