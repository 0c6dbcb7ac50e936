"""Simulates a full disk."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator


@contextlib.contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """Let the operating system refuse to write larger files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The operating system also sends a signal, which Python ignores.
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
