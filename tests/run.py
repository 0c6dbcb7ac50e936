#!/usr/bin/env python3
"""Everything that must hold: lint, types, tests. ``python3 tests/run.py [arguments for pytest]``.

``python3 tests/run.py bench`` measures instead, and writes ``docs/performance.md``.

Sets up what it needs below ``.local`` on the first run. Lint and types need Python 3.10 or newer and are left out below that.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from local import environments

TWO_FILES_AT_A_TIME = ["--numprocesses", "2", "--dist", "loadfile"]


def main() -> int:
    """Run each step; the first that fails ends it."""
    python = str(environments.dev())
    if sys.argv[1:2] == ["bench"]:
        benchmarks = environments.REPOSITORY / "tests/benchmarks"
        for name in ("startup", "steps", "drain", "sweep", "flat"):
            subprocess.run([python, benchmarks / f"{name}.py"], check=True)
        return 0
    steps = [[python, "-m", "pytest", *(sys.argv[1:] or TWO_FILES_AT_A_TIME)]]
    if sys.version_info >= (3, 10):
        steps = [
            [python, "-m", "ruff", "check", "."],
            [python, "-m", "ruff", "format", "--check", "."],
            [python, "-m", "mypy"],
            *steps,
        ]
    for step in steps:
        environments.say(f"── {' '.join(step[2:])}")
        code = subprocess.run(step, cwd=environments.REPOSITORY, check=False, env={**os.environ, "PYTHONUTF8": "1"}).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
