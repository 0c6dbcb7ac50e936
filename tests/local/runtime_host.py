#!/usr/bin/env python3
"""Runs a function in Microsoft's own Functions runtime, and acts as the host.

Usage: ``runtime_host.py <app folder> <Function> [--past-due | --again]``

``azure-functions-runtime-v1`` loads and calls v1 functions in Azure from Python 3.13 on. The host
sends it four messages:

1. initialise the worker
2. list the functions (v1: the host reads ``function.json`` itself)
3. load one function
4. invoke it

Failures come back as answers. The last printed line is the answer to the invocation as JSON, or the
answer to the load if that failed. It has ``status`` (``Success`` or ``Failure``), ``message`` and
``stack_trace`` as the host gets them.

With ``--again`` the function is invoked once for each line of the standard input, always in the
same process. A line is JSON: settings that change for this invocation. Each answer also tells what
the process has now: see ``holdings``.

The app's root is not on ``sys.path``, so an absolute import of the app's own code fails the load.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import logging
import os
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure_functions_runtime_v1 as runtime
import tests.protos as messages  # the package installs the host's protocol under this name


def wrap(message: Any = None, **properties: Any) -> SimpleNamespace:
    """Return a request in the form in which the proxy worker passes it to the runtime."""
    return SimpleNamespace(request=message or messages.StreamingMessage(), properties=properties)


def function(folder: Path) -> tuple[str, Any]:
    """Return the name of the trigger's binding, and the function's metadata.

    The host sends the worker the same metadata after it has read ``function.json``.
    """
    spec = json.loads((folder / "function.json").read_text())
    (trigger,) = spec["bindings"]
    metadata = messages.RpcFunctionMetadata(
        name=folder.name,
        directory=str(folder),
        script_file=str(folder / spec["scriptFile"]),
        entry_point=spec.get("entryPoint", ""),
    )
    metadata.bindings[trigger["name"]].CopyFrom(
        messages.BindingInfo(
            type=trigger["type"], direction=messages.BindingInfo.Direction.Value("in")
        )
    )
    return trigger["name"], metadata


async def load(app: Path, name: str) -> tuple[str, Any]:
    """Initialise the worker, list, and load. Returns the trigger's name and the result."""
    trigger, metadata = function(app / name)
    init = messages.WorkerInitRequest(host_version="4.1049", function_app_directory=str(app))
    started = await runtime.worker_init_request(
        wrap(messages.StreamingMessage(worker_init_request=init), protos=messages, host="127.0.0.1")
    )
    assert started.result.status == messages.StatusResult.Success
    assert (await runtime.functions_metadata_request(wrap())).use_default_metadata_indexing, (
        "a function_app.py hides function.json"
    )
    request = messages.FunctionLoadRequest(function_id="1", metadata=metadata)
    loaded = await runtime.function_load_request(
        wrap(messages.StreamingMessage(function_load_request=request))
    )
    return trigger, loaded.result


async def invoke(trigger: str, *, past_due: bool) -> Any:
    """Invoke the loaded function. Returns the result."""
    timer = json.dumps({"IsPastDue": past_due, "Schedule": {}, "ScheduleStatus": {}})
    data = messages.ParameterBinding(name=trigger, data=messages.TypedData(json=timer))
    call = messages.InvocationRequest(invocation_id="1", function_id="1", input_data=[data])
    message = messages.StreamingMessage(invocation_request=call)
    return (await runtime.invocation_request(wrap(message))).result


async def run(app: Path, name: str, *, past_due: bool, again: bool) -> bool:
    """Load the function and invoke it. Returns whether the last result is a success."""
    trigger, result = await load(app, name)
    if result.status == messages.StatusResult.Success:
        for line in sys.stdin if again else [""]:
            os.environ.update(json.loads(line or "{}"))
            result = await invoke(trigger, past_due=past_due)
            if again:
                _tell(result, holdings())
    if not again:
        _tell(result, {})
    return bool(result.status == messages.StatusResult.Success)


class _Allocations(ctypes.Structure):
    """What ``mallinfo2`` of the C library tells. Source: its manual page."""

    _fields_ = (
        ("arena", ctypes.c_size_t),
        ("ordblks", ctypes.c_size_t),
        ("smblks", ctypes.c_size_t),
        ("hblks", ctypes.c_size_t),
        ("hblkhd", ctypes.c_size_t),
        ("usmblks", ctypes.c_size_t),
        ("fsmblks", ctypes.c_size_t),
        ("uordblks", ctypes.c_size_t),
        ("fordblks", ctypes.c_size_t),
        ("keepcost", ctypes.c_size_t),
    )


def holdings() -> dict[str, float]:
    """What this process has, in MB or as a number.

    ``memory`` includes what has been freed, but is kept for later. ``heap`` is what the C library
    has given out, and ``blocks`` counts the small pieces that Python has given out itself.
    ``objects`` are those that may refer to others, such as lists.
    Garbage is collected before. It may have connections, which Python otherwise closes later.
    """
    gc.collect()
    resident = re.findall(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
    return {
        "memory": int(resident[0]) / 1024,
        "heap": _allocated() / 1024**2,
        "blocks": sys.getallocatedblocks(),
        "objects": len(gc.get_objects()),
        "threads": sum(1 for _ in Path("/proc/self/task").iterdir()),
        "descriptors": sum(1 for _ in Path("/proc/self/fd").iterdir()),
        "files": sum(1 for _ in Path(tempfile.gettempdir()).rglob("*")),
    }


def _allocated() -> int:
    """The bytes that the C library has given out and not got back, in small and large blocks."""
    library = ctypes.CDLL(None)
    library.mallinfo2.restype = _Allocations
    told = library.mallinfo2()
    return int(told.uordblks + told.hblkhd)


def _tell(result: Any, more: Mapping[str, float]) -> None:
    told = {
        "status": messages.StatusResult.Status.Name(result.status),
        "message": result.exception.message,
        "stack_trace": result.exception.stack_trace,
    }
    print(json.dumps({**told, **more}), flush=True)


def main() -> int:
    """Invoke the function. Return 0 if it succeeded, else 1."""
    app, name, *options = sys.argv[1:]
    how = {"past_due": "--past-due" in options, "again": "--again" in options}
    runtime.start_threadpool_executor()
    try:
        succeeded = asyncio.run(run(Path(app).resolve(), name, **how))
    finally:
        runtime.stop_threadpool_executor()
    return 0 if succeeded else 1


if __name__ == "__main__":
    sys.path.pop(0)  # this script's folder
    logging.basicConfig(
        level=logging.INFO, format="%(levelname)s %(name)s %(message)s", stream=sys.stdout
    )
    sys.exit(main())
