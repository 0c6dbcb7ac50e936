"""The operator's commands: ``python -m src <command>`` in the app's folder.

From the repository's root, the command is ``python -m delete_sync.src <command>``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from .commands import acknowledge, doctor, erase, find, move, query, show, status, sweep
from .commands.command_line import Program
from .errors import SyncError

COMMANDS = {
    "doctor": doctor,
    "status": status,
    "sweep": sweep,
    "show": show,
    "find": find,
    "acknowledge": acknowledge,
    "query": query,
    "move": move,
    "erase": erase,
}
PROGRAM = Program("python -m src", "Commands for the operator of the sync.", COMMANDS, SyncError)
FOLDER = Path(__file__).resolve().parent.parent


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
