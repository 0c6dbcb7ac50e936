"""Parses commands as Snowflake's command line does: a script for the environment ``snow``.

It reads a list of commands as JSON, each a list of words without ``snow``. It runs none of them. If
a command, an option or a file is not known, it fails and says which.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import click
import typer
from snowflake.cli._app.cli_app import CliAppFactory


def parse(whole: click.Command, words: Sequence[str]) -> None:
    """Go down from group to group, as far as the words lead.

    Raises:
        click.UsageError: a word is not known.
    """
    command, rest, context = whole, list(words), None
    name: str | None = "snow"
    while True:
        context = command.make_context(name, rest, parent=context)
        if not isinstance(command, click.Group):
            return
        name, found, rest = command.resolve_command(
            context, [*context.protected_args, *context.args]
        )
        assert found
        command = found


def main() -> int:
    """Parse all commands, and return how many were wrong."""
    whole, wrong = typer.main.get_command(CliAppFactory().create_or_get_app()), 0
    for words in json.load(sys.stdin):
        try:
            parse(whole, words)
        except click.ClickException as error:
            print(f"snow {' '.join(words)}: {error.format_message()}")
            wrong += 1
    return wrong


if __name__ == "__main__":
    sys.exit(main())
