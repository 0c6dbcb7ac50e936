#!/usr/bin/env python3
"""Run an app once without ``func``: ``python3 tests/launch.py salesforce_client``.

The other app is ``delete_sync``. The launcher reads the settings of ``local.settings.json`` and
calls the function with the Python of the app's own ``.venv``. It imports the function as
``__app__.<Function>``, as ``func start`` does at each tick of the timer.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import local  # checks the version of Python

INVOKE = Path(local.__file__).with_name("invoke.py")


def main() -> int:
    """Return the function's exit code, or 2 after naming the step of the set-up that is missing."""
    app = Path(sys.argv[-1]).resolve()
    if not app.joinpath("host.json").exists():
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
    (function,) = (found.parent.name for found in app.glob("*/function.json"))
    environment = {**os.environ, **json.loads(settings.read_text())["Values"]}
    return subprocess.run([python, INVOKE, app, function], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
