"""Parses commands as Azure's command line does: a script for the environment ``azure-cli``.

It reads a list of ``[words, whole]`` as JSON; the words are without ``az``. It prints what is wrong
with each, or an empty text. Required options count only in a whole command. It runs no command,
needs no login, and any use of the network is an error.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Sequence
from typing import Any

from azure.cli.core import get_default_cli
from knack.events import EVENT_INVOKER_CMD_TBL_LOADED, EVENT_INVOKER_POST_PARSE_ARGS


class Understood(BaseException):
    """The parser has accepted the command."""


def refuse_network(event: str, _: object) -> None:
    """Be Python's audit hook.

    Raises:
        RuntimeError: something asks for an address or connects.
    """
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise RuntimeError(f"the parser uses the network: {event}")


def stop(*_: object, **__: object) -> None:
    """End here, after the checks of the parser and of ``--ids``.

    Raises:
        Understood: always.
    """
    raise Understood


def require_nothing(*_: object, parser: Any, **__: object) -> None:
    """Make every option of the loaded commands optional."""
    for command in parser.subparser_map.values():
        for action in command._actions:
            action.required = False


def problem(words: Sequence[str], whole: bool, said: io.StringIO) -> str:
    """What the parser says against a command."""
    cli = get_default_cli()
    if whole:
        cli.register_event(EVENT_INVOKER_POST_PARSE_ARGS, stop)
    else:
        cli.register_event(EVENT_INVOKER_CMD_TBL_LOADED, require_nothing)
        # Before the check of --ids, which wants an option too.
        cli._event_handlers[EVENT_INVOKER_POST_PARSE_ARGS].insert(0, stop)
    said.seek(0)
    said.truncate()
    try:
        cli.invoke(list(words), out_file=io.StringIO())
    except Understood:
        return ""
    except SystemExit:
        pass
    return said.getvalue().strip() or "refused without a reason"


def main() -> None:
    """Parse all commands."""
    sys.addaudithook(refuse_network)
    given = json.load(sys.stdin)
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        found = [problem(words, whole, said) for words, whole in given]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
