"""What the benchmarks' scripts have in common: they begin in the development environment, and measure other processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from local import apps, environments


def begin() -> None:
    """Go on in the development environment, and end on SIGTERM as on an error, so that the servers end too."""
    environments.go_on_in_dev()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def told(command: Sequence[str], settings: Mapping[str, str], timeout: float | None = None) -> Any:
    """What a script prints last, as JSON, under these settings.

    Raises:
        subprocess.SubprocessError: it failed, or took longer than ``timeout`` seconds.
    """
    inherited = {key: value for key, value in os.environ.items() if key not in apps.NOT_INHERITED}
    ran = subprocess.run(
        command,
        env={**inherited, **settings},
        capture_output=True,
        text=True,
        check=True,
        timeout=timeout,
    )
    return json.loads(ran.stdout.splitlines()[-1])
