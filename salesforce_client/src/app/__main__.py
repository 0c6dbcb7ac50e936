"""The operator's commands: ``python -m src.app <command>`` in the app's folder.

From the repository's root, the command is ``python -m salesforce_client.src.app <command>``.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from .commands import check, doctor, login, mock, poll, replay, reprocess, status
from .commands.call import Call
from .console import ACT, EXIT_CODES, Console, StoppedError, exit_code, failure
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
PROGRAM = "python -m src.app"
FOLDER = Path(__file__).resolve().parents[2]
CODES = " · ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items())


def parser() -> argparse.ArgumentParser:
    """The command line."""
    whole = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Commands for the operator of the collector.",
        epilog=f"exit codes: {CODES}",
    )
    commands = whole.add_subparsers(dest="command", metavar="command", required=True)
    for name, module in COMMANDS.items():
        one = commands.add_parser(
            name,
            help=module.HELP,
            description=f"{module.HELP[0].upper()}{module.HELP[1:]}.",
            epilog=f"example: {PROGRAM} {module.EXAMPLE}\n\nexit codes: {CODES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        one.add_argument(
            "--settings",
            type=Path,
            metavar="FILE",
            help="a file such as local.settings.json (default: that file in the app's folder, if"
            " it is there); the environment counts first",
        )
        one.add_argument("--json", action="store_true", help="print one JSON object")
        one.add_argument("--yes", action="store_true", help="answer every question with yes")
        module.arguments(one)
    return whole


def main(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    adopt: Callable[[Mapping[str, str]], None],
    streams: tuple[TextIO, TextIO, TextIO],
    folder: Path = FOLDER,
) -> int:
    """Run a command. Returns its exit code.

    Args:
        arguments: the command line without the program.
        environ: the environment.
        adopt: see ``Call.adopt``.
        streams: for results, for progress and questions, and for answers.
        folder: the folder of the app.
    """
    options = parser().parse_args(arguments)
    console = Console(*streams, as_json=options.json, yes=options.yes)
    try:
        call = Call(console, environ, options.settings, folder, adopt)
        return int(COMMANDS[options.command].run(options, call))
    except (CollectorError, StoppedError) as error:
        code = exit_code(error)
        console.note(str(error))
        console.result(failure(error, code))
        return code
    except Exception as error:  # noqa: BLE001  (a fault of the command itself)
        # The text of an unexpected error may quote anything, so only its kind and place are shown.
        told = RuntimeError(f"{type(error).__name__}: unexpected, report it with the lines above")
        console.note("".join(traceback.format_tb(error.__traceback__)) + str(told))
        console.result(failure(told, ACT))
        return ACT
    except KeyboardInterrupt:
        console.note("interrupted")
        return 130


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    sys.exit(
        main(
            sys.argv[1:],
            dict(os.environ),
            os.environ.update,
            (sys.stdout, sys.stderr, sys.stdin),
        )
    )
