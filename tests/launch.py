#!/usr/bin/env python3
"""Run an app once without ``func``: ``python3 tests/launch.py salesforce_client``.

The other app is ``delete_sync``. The command works from any folder. The launcher reads the settings
of ``local.settings.json``; the environment counts first, as it does for ``func``. It calls the
function in the app's folder with the Python of the app's own ``.venv``. It imports the function as
``__app__.<Function>``, as ``func start`` does at each tick of the timer.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import local  # checks the version of Python

INVOKE = Path(local.__file__).resolve().with_name("invoke.py")
REPOSITORY = INVOKE.parents[2]


class BrokenSettingsError(Exception):
    """The file of settings is not what ``func`` needs. The message has file, line and cure."""


def main() -> int:
    """Return the function's exit code, or 2 after naming the step of the set-up that is missing."""
    found = [place.joinpath(sys.argv[-1]).resolve() for place in (Path.cwd(), REPOSITORY)]
    app = next((it for it in found if it.joinpath("host.json").exists()), None)
    if app is None:
        message = "launch: name the folder of an app: salesforce_client or delete_sync"
        print(message, file=sys.stderr)
        return 2
    python, settings = app / ".venv/bin/python", app / "local.settings.json"
    for path, step in (
        (python, "bash scripts/setup_venv.sh"),
        (settings, "cp local.settings.example.json local.settings.json"),
    ):
        if not path.exists():
            print(f"launch: {path} is missing. Run this in {app} first:\n  {step}", file=sys.stderr)
            return 2
    (function,) = (it.parent.name for it in app.glob("*/function.json"))
    try:
        values = values_of(settings)
    except BrokenSettingsError as error:
        print(f"launch: {error}", file=sys.stderr)
        return 2
    environment = {**values, **os.environ}
    return subprocess.run(
        [python, INVOKE, app, function], cwd=app, env=environment, check=False
    ).returncode


def values_of(settings: Path) -> "dict[str, str]":
    """The settings in the file's ``Values``.

    Raises:
        BrokenSettingsError: the file is not what ``func`` needs.
    """
    cure = "correct it, or begin again with a copy of local.settings.example.json"
    try:
        content = json.loads(settings.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        # The error is often at the end of the line before, such as a missing comma.
        where = f"{settings}, line {error.lineno}, column {error.colno}"
        raise BrokenSettingsError(f"{where}: {error.msg}. {cure[0].upper()}{cure[1:]}") from None
    except UnicodeDecodeError:
        raise BrokenSettingsError(f"{settings} is not UTF-8: save it as UTF-8") from None
    values = content.get("Values") if isinstance(content, dict) else None
    if not isinstance(values, dict):
        raise BrokenSettingsError(f'{settings} has no object "Values" with the settings: {cure}')
    for name, value in values.items():
        if not isinstance(value, str):
            line = line_of(settings, name)
            raise BrokenSettingsError(
                f"{settings}, line {line}: the value of {name} is not a text:"
                f' write it in double quotes, for example "{json.dumps(value)}"'
            )
    return values


def line_of(settings: Path, name: str) -> int:
    """The number of the line with this name."""
    lines = settings.read_text(encoding="utf-8-sig").splitlines()
    return next(number for number, line in enumerate(lines, 1) if f'"{name}"' in line)


if __name__ == "__main__":
    sys.exit(main())
