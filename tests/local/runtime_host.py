#!/usr/bin/env python3
"""Runs a function in Microsoft's own Functions runtime, and acts as the host.

Usage: ``runtime_host.py <app folder> <Function> [--past-due]``

``azure-functions-runtime-v1`` loads and calls v1 functions in Azure from Python 3.13 on. The host
sends it four messages:

1. initialise the worker
2. list the functions (v1: the host reads ``function.json`` itself)
3. load one function
4. invoke it

Failures come back as answers. The last printed line is the answer to the invocation as JSON, or the
answer to the load if that failed. It has ``status`` (``Success`` or ``Failure``), ``message`` and
``stack_trace`` as the host gets them.

The app's root is not on ``sys.path``, so an absolute import of the app's own code fails the load.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
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


async def fire(app: Path, name: str, *, past_due: bool) -> Any:
    """Initialise the worker, list, load and invoke.

    Returns the result of the invocation, or of the load if that failed.
    """
    trigger, metadata = function(app / name)
    init = messages.WorkerInitRequest(host_version="4.1049", function_app_directory=str(app))
    started = await runtime.worker_init_request(
        wrap(messages.StreamingMessage(worker_init_request=init), protos=messages, host="127.0.0.1")
    )
    assert started.result.status == messages.StatusResult.Success
    assert (await runtime.functions_metadata_request(wrap())).use_default_metadata_indexing, (
        "a function_app.py hides function.json"
    )
    load = messages.FunctionLoadRequest(function_id="1", metadata=metadata)
    loaded = await runtime.function_load_request(
        wrap(messages.StreamingMessage(function_load_request=load))
    )
    if loaded.result.status != messages.StatusResult.Success:
        return loaded.result
    timer = json.dumps({"IsPastDue": past_due, "Schedule": {}, "ScheduleStatus": {}})
    data = messages.ParameterBinding(name=trigger, data=messages.TypedData(json=timer))
    call = messages.InvocationRequest(invocation_id="1", function_id="1", input_data=[data])
    return (
        await runtime.invocation_request(wrap(messages.StreamingMessage(invocation_request=call)))
    ).result


def main() -> int:
    """Invoke the function once. Return 0 if it succeeded, else 1."""
    app, name = Path(sys.argv[1]).resolve(), sys.argv[2]
    runtime.start_threadpool_executor()
    try:
        result = asyncio.run(fire(app, name, past_due="--past-due" in sys.argv[3:]))
    finally:
        runtime.stop_threadpool_executor()
    status = messages.StatusResult.Status.Name(result.status)
    print(
        json.dumps(
            {
                "status": status,
                "message": result.exception.message,
                "stack_trace": result.exception.stack_trace,
            }
        ),
        flush=True,
    )
    return 0 if status == "Success" else 1


if __name__ == "__main__":
    sys.path.pop(0)  # this script's folder
    logging.basicConfig(
        level=logging.INFO, format="%(levelname)s %(name)s %(message)s", stream=sys.stdout
    )
    sys.exit(main())
