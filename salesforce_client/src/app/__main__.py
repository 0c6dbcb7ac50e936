"""The operator's commands: ``python -m src.app <command>`` in the app's folder.

From the repository's root, the command is ``python -m salesforce_client.src.app <command>``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from .commands import check, doctor, login, mock, poll, replay, reprocess, status
from .commands.command_line import Program
from .errors import CollectorError

COMMANDS = {
    "doctor": doctor,
    "status": status,
    "poll": poll,
    "check": check,
    "replay": replay,
    "reprocess": reprocess,
    "login": login,
    "mock": mock,
}
PROGRAM = Program(
    "python -m src.app", "Commands for the operator of the collector.", COMMANDS, CollectorError
)
FOLDER = Path(__file__).resolve().parents[2]


def main(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    adopt: Callable[[Mapping[str, str]], None],
    streams: tuple[TextIO, TextIO, TextIO],
    folder: Path = FOLDER,
) -> int:
    """Run a command. Returns its exit code. See ``Program.run`` for the arguments."""
    return PROGRAM.run(arguments, environ, adopt, streams, folder)


if __name__ == "__main__":
    sys.exit(
        main(
            sys.argv[1:],
            dict(os.environ),
            os.environ.update,
            (sys.stdout, sys.stderr, sys.stdin),
        )
    )
