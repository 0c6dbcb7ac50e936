"""Limits of the kernel on the memory and the processor time of a process and its children.

A control group keeps them. To make one, a process mostly has to be the administrator.
"""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
PERIOD_US = 100_000


class NotPermittedError(Exception):
    """The machine has no control groups, or this process may not make one."""


@contextlib.contextmanager
def limited(memory_mb: int, cores: float | None = None, root: Path = ROOT) -> Iterator[list[Path]]:
    """Make control groups with these limits, and yield their folders.

    The kernel kills a process that needs more memory. Without ``cores`` the time has no limit.

    Raises:
        NotPermittedError: no group can be made.
    """
    name = f"limited-{os.getpid()}"
    values = {"memory": {"memory.limit_in_bytes": f"{memory_mb << 20}"}}
    if cores:
        values["cpu"] = {
            "cpu.cfs_period_us": f"{PERIOD_US}",
            "cpu.cfs_quota_us": f"{int(cores * PERIOD_US)}",
        }
    groups = {root / kind / name: settings for kind, settings in values.items()}
    if (root / "cgroup.controllers").exists():  # version 2
        settings = {"memory.max": f"{memory_mb << 20}", "memory.swap.max": "0"}
        if cores:
            settings["cpu.max"] = f"{int(cores * PERIOD_US)} {PERIOD_US}"
        groups = {root / name: settings}
    with contextlib.ExitStack() as stack:
        for group, settings in groups.items():
            try:
                group.mkdir()
                stack.callback(group.rmdir)
                for setting, value in settings.items():
                    (group / setting).write_text(value)
            except OSError as error:
                raise NotPermittedError(f"{error.strerror}: {error.filename}") from error
        yield list(groups)


def python_in(
    groups: Sequence[Path], python: Callable[[str], Path], folder: Path
) -> Callable[[str], Path]:
    """Return ``python`` in these groups from its first instruction on."""

    def limited_python(app: str) -> Path:
        script = folder / f"limited-{app}"
        join = "".join(f"echo $$ > {shlex.quote(str(it / 'cgroup.procs'))}\n" for it in groups)
        script.write_text(f'#!/bin/sh -e\n{join}exec {shlex.quote(str(python(app)))} "$@"\n')
        script.chmod(0o755)
        return script

    return limited_python
