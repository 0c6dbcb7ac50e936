"""What all benchmark scripts need.

They run in the development environment, and they measure other processes.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from local import apps, environments

# As in Azure. Otherwise each thread may get a memory area of its own, which keeps what its largest
# run needed.
ARENAS = {"MALLOC_ARENA_MAX": "2"}


def begin() -> None:
    """Continue in the development environment, and handle SIGTERM.

    SIGTERM ends the script like an error, so that its servers end too.
    """
    environments.go_on_in_dev()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def told(command: Sequence[str], settings: Mapping[str, str], timeout: float | None = None) -> Any:
    """Run a command with these settings, and return its last line of output, read as JSON.

    ``ARENAS`` counts too.

    Raises:
        subprocess.SubprocessError: the command failed, or took longer than ``timeout`` seconds.
    """
    ran = subprocess.run(
        command,
        env={**apps.inherited(), **ARENAS, **settings},
        capture_output=True,
        text=True,
        check=True,
        timeout=timeout,
    )
    return json.loads(ran.stdout.splitlines()[-1])
