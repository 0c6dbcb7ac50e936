"""The command line of an app: its parser, and how a command is run.

This is a twin file. Both apps have an equal copy.
"""

from __future__ import annotations

import argparse
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TextIO

from ..console import ACT, EXIT_CODES, Console, StoppedError, exit_code, failure
from .call import Call

CODES = " · ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items())


@dataclass(frozen=True)
class Program:
    """The commands of an app.

    Attributes:
        name: how a person calls it.
        description: what the commands are for.
        commands: each command by its name. It has HELP, EXAMPLE, ``arguments`` and ``run``.
        known: the app's own errors. Their messages are shown.
    """

    name: str
    description: str
    commands: Mapping[str, ModuleType]
    known: type[Exception]

    def parser(self) -> argparse.ArgumentParser:
        """The command line."""
        whole = argparse.ArgumentParser(
            prog=self.name, description=self.description, epilog=f"exit codes: {CODES}"
        )
        commands = whole.add_subparsers(dest="command", metavar="command", required=True)
        for name, module in self.commands.items():
            one = commands.add_parser(
                name,
                help=module.HELP,
                description=f"{module.HELP[0].upper()}{module.HELP[1:]}.",
                epilog=f"example: {self.name} {module.EXAMPLE}\n\nexit codes: {CODES}",
                formatter_class=argparse.RawDescriptionHelpFormatter,
            )
            one.add_argument(
                "--settings",
                type=Path,
                metavar="FILE",
                help="a file such as local.settings.json (default: that file in the app's folder,"
                " if it is there); the environment counts first",
            )
            one.add_argument("--json", action="store_true", help="print one JSON object")
            one.add_argument("--yes", action="store_true", help="answer every question with yes")
            module.arguments(one)
        return whole

    def run(
        self,
        arguments: Sequence[str],
        environ: Mapping[str, str],
        adopt: Callable[[Mapping[str, str]], None],
        streams: tuple[TextIO, TextIO, TextIO],
        folder: Path,
    ) -> int:
        """Run a command. Returns its exit code.

        Args:
            arguments: the command line without the program.
            environ: the environment.
            adopt: see ``Call.adopt``.
            streams: for results, for progress and questions, and for answers.
            folder: the folder of the app.
        """
        options = self.parser().parse_args(arguments)
        console = Console(*streams, as_json=options.json, yes=options.yes)
        try:
            call = Call(console, environ, options.settings, folder, adopt)
            return int(self.commands[options.command].run(options, call))
        except (self.known, StoppedError) as error:
            code = exit_code(error)
            console.note(str(error))
            console.result(failure(error, code))
            return code
        except Exception as error:  # noqa: BLE001  (a fault of the command itself)
            # The text of an unexpected error may quote anything, so only its kind and place are
            # shown.
            told = RuntimeError(
                f"{type(error).__name__}: unexpected, report it with the lines above"
            )
            console.note("".join(traceback.format_tb(error.__traceback__)) + str(told))
            console.result(failure(told, ACT))
            return ACT
        except KeyboardInterrupt:
            console.note("interrupted")
            return 130
