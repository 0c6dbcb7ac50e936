#!/usr/bin/env python3
"""Invoke a function as the Functions worker does.

Usage: ``invoke.py <app folder> <Function> [--past-due]``

The worker imports ``__app__.<Function>`` and calls ``main``. ``__app__`` is a namespace package
whose path is the app's root (azure-functions-python-worker, ``loader.py``). In the worker, an
absolute import of the app's own code would load a module twice. Here it fails, because the app's
root is not on ``sys.path``.
"""

from __future__ import annotations

import importlib
import logging
import sys
import types
from collections.abc import Callable
from pathlib import Path

from azure.functions.timer import TimerRequest


def load(app: Path, function: str) -> Callable[[TimerRequest], None]:
    """Import the function and return its ``main``."""
    package = types.ModuleType("__app__")
    package.__path__ = [str(app.resolve())]
    sys.modules["__app__"] = package
    main: Callable[[TimerRequest], None] = importlib.import_module(f"__app__.{function}").main
    return main


if __name__ == "__main__":
    sys.path.pop(0)  # this script's folder
    logging.basicConfig(
        level=logging.INFO, format="%(levelname)s %(name)s %(message)s", stream=sys.stdout
    )
    load(Path(sys.argv[1]), sys.argv[2])(TimerRequest(past_due="--past-due" in sys.argv[3:]))
