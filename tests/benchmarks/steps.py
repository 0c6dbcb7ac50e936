#!/usr/bin/env python3
"""Measure the time that each step of the collector takes: part of ``python3 tests/run.py bench``.

The steps run one after the other in one thread.
"""

from __future__ import annotations

import gc
import hashlib
import io
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent.parent)]
import page  # noqa: E402  (found through the line above)
import process  # noqa: E402

if __name__ == "__main__":
    process.begin()
import server  # noqa: E402

from salesforce_client.src.app.decoding.avro import reader  # noqa: E402
from salesforce_client.src.app.decoding.avro.fast import fast_reader  # noqa: E402
from salesforce_client.src.app.decoding.avro.reference import reference_reader  # noqa: E402
from salesforce_client.src.app.decoding.interpreter import Interpreter  # noqa: E402
from salesforce_client.src.app.decoding.values import ENCODER, as_json  # noqa: E402
from salesforce_client.src.app.mock_salesforce import schemas  # noqa: E402
from salesforce_client.src.app.model.rows import Delivery  # noqa: E402
from salesforce_client.src.app.salesforce.subscription import response_of  # noqa: E402
from salesforce_client.src.app.salesforce.wire import pubsub_api_pb2 as wire  # noqa: E402
from salesforce_client.src.app.storage.event_file import EventFile  # noqa: E402

EVENTS, ROUNDS = 20_000, 5
TOPICS = {"Account delete": "/data/AccountChangeEvent", "platform event": "/event/Delete_Event__e"}


def write(file: EventFile, deliveries: Iterable[Delivery]) -> None:
    """Write the rows of the deliveries, as the thread of a drain does."""
    for delivery in deliveries:
        file.add(delivery.rows)


def collector(topic: str) -> dict[str, float]:
    """Return the seconds that each step takes."""
    raw = [server.response(topic, place) for place in range(0, EVENTS, server.BATCH)]
    interpreter = Interpreter(schemas.BY_ID.__getitem__, "00D", {})
    seconds: dict[str, float] = {}

    def step(name: str, work: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = work()
        seconds[name] = time.perf_counter() - began
        gc.freeze()  # a drain does not keep these objects: the next step must not search them
        return result

    responses = step("parse protobuf", lambda: [wire.FetchResponse.FromString(one) for one in raw])
    received = step(
        "take the events out of the responses",
        lambda: [response_of(one, "") for one in responses],
    )
    deliveries = step(
        "decode events, write JSON, make rows",
        lambda: [interpreter.read(topic, response.events) for response in received],
    )
    with tempfile.TemporaryDirectory() as folder:
        file = EventFile(Path(folder) / "x.db", datetime.now(timezone.utc))
        step("write rows to SQLite", lambda: write(file, deliveries))
        step("close and flush the file", file.close)
        content = file.path.read_bytes()
        step("SHA-256 of the file", lambda: hashlib.sha256(content).digest())
    return seconds


def engines(topic: str) -> dict[str, float]:
    """Return the seconds to decode with each engine, and to make JSON of the values.

    Of a delete, the collector normally decodes only the header.
    """
    schema = json.loads(schemas.BY_ID[server.payloads(topic)[0][0]])
    payloads = [payload for _, payload in server.payloads(topic)]
    decoded = {**schema, "fields": schema["fields"][:1]} if topic.startswith("/data/") else schema
    values = [fast_reader(schema)(payload)[0] for payload in payloads]
    plain = {name: value for name, value in values[0].items() if value is not None}

    def each(work: Callable[[Any], Any], items: Iterable[Any]) -> float:
        began = time.perf_counter()
        count = sum(1 for item in items if work(item) is not io)
        return (time.perf_counter() - began) / count * EVENTS

    return {
        "`avro`, all fields": each(reference_reader(schema), payloads),
        "`fastavro`, all fields": each(fast_reader(schema), payloads),
        "`fastavro`, needed fields only": each(fast_reader(decoded), payloads),
        "compiled for the schema, needed fields only": each(reader(decoded), payloads),
        "JSON of non-null fields, standard library": each(ENCODER.encode, [plain] * len(payloads)),
        "JSON of non-null fields, `orjson`": each(as_json, [plain] * len(payloads)),
    }


def main() -> None:
    """Measure, print the table, and write it into the page."""
    columns = {}
    for title, topic in TOPICS.items():
        rounds = [{**collector(topic), **engines(topic)} for _ in range(ROUNDS)]
        columns[title] = {
            step: statistics.median(one[step] for one in rounds) / EVENTS * 1e6
            for step in rounds[0]
        }
    lines = [f"| µs for each event | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    some = next(iter(columns.values()))
    lines += [
        f"| {step} | {' | '.join(f'{by[step]:.1f}' for by in columns.values())} |" for step in some
    ]
    print("\n".join(lines))
    page.write(
        "steps", "\n".join([*lines, "", f"Medians of {ROUNDS} rounds.\nMachine: {page.machine()}."])
    )


if __name__ == "__main__":
    main()
