"""Judges how an invocation ended: a failure must be one that its app knows and explains."""

from __future__ import annotations

import re
import signal
from types import ModuleType

from delete_sync.src import errors as of_sync
from salesforce_client.src.app import errors as of_collector

from .apps import Invocation

# Lines that quote an error by its kind.
QUOTED = (
    re.compile(r"^  - /\S.*?: (\w+): ", re.MULTILINE),  # a topic that failed
    re.compile(r" reason=(\w+Error)\b"),
    re.compile(r" error=(\w+)$", re.MULTILINE),
)
BY_SIGNAL = (-signal.SIGKILL, -signal.SIGTERM)


def wrong(ended: Invocation) -> str:
    """What is wrong with the end of an invocation. Empty if nothing is."""
    log = ended.log
    for words in ("killed after", "unexpected failure", "Exception in thread", "Exception ignored"):
        if words in log:
            return f"a run has {words!r} in its log"
    if unknown := sorted({kind for it in QUOTED for kind in it.findall(log) if not _knows(kind)}):
        return f"a run tells of the unknown errors {unknown}"
    if ended.returncode in BY_SIGNAL:
        return ""
    if ended.returncode not in (0, 1):
        return f"a run ended with exit code {ended.returncode}"
    if ended.returncode == 0:
        return ""  # a library may have logged an error after which the app tried again
    traces = log.split("Traceback (most recent call last):\n")
    kind = _raised(traces[-1])
    return "" if _knows(kind) else f"a run ended with the unknown error {kind}"


def _raised(trace: str) -> str:
    """The kind of the error of a traceback. Its frames are indented, and its message follows."""
    told = re.search(r"^(?:\w+\.)*(\w+)(?::|$)", trace, re.MULTILINE)
    return told[1] if told else "without a traceback"


def _knows(kind: str) -> bool:
    return any(_is_error(module, kind) for module in (of_collector, of_sync))


def _is_error(module: ModuleType, kind: str) -> bool:
    return isinstance(getattr(module, kind, None), type) and kind.endswith("Error")
