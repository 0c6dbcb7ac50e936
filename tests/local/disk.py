"""Simulates a full disk: the operating system refuses to write larger files."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator

# The operating system also sends a signal, which Python ignores.
LIMIT = resource.RLIMIT_FSIZE


@contextlib.contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """Let the operating system refuse to write larger files."""
    soft, hard = resource.getrlimit(LIMIT)
    resource.setrlimit(LIMIT, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(LIMIT, (soft, hard))


def fill(pid: int, size: int) -> None:
    """Let no file of a running process be larger than ``size``. Existing bytes stay."""
    with contextlib.suppress(ProcessLookupError):
        _, hard = resource.prlimit(pid, LIMIT)
        resource.prlimit(pid, LIMIT, (size, hard))


def empty(pid: int) -> None:
    """Give a running process room again."""
    with contextlib.suppress(ProcessLookupError):
        _, hard = resource.prlimit(pid, LIMIT)
        resource.prlimit(pid, LIMIT, (hard, hard))
