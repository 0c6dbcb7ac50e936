"""The quick way for the rows of ``events`` makes the same lines as the exact way."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from contract.test_rows import EVENTS, GOOD_EVENTS, Text, distinct, event, read, written
from hypothesis import given, settings
from hypothesis import strategies as st

from delete_sync.src.event_files import rows, usual_rows
from delete_sync.src.event_files.payloads import DEEPEST, LARGEST
from delete_sync.src.model import Figures
from salesforce_client.src.app.decoding.values import as_json

Row = Mapping[str, Any]
PLAIN = '{"a":"b"}'
OPENING = '{"b":'  # of an object in an object
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3) | st.just("_tracker"), inner, max_size=3)
    ),
    max_leaves=6,
)
FROM_THE_COLLECTOR = st.dictionaries(st.text(max_size=3), VALUES, max_size=4).map(as_json)


def nested(opening: str, closing: str, levels: int) -> str:
    """The JSON of a number in so many lists or objects."""
    return opening * levels + "0" + closing * levels


def exact_calls(row: Row, **file: Any) -> tuple[dict[str, Any], int]:
    """The line of a row, and how often the exact way was taken."""
    with (
        mock.patch.object(rows, "delete", side_effect=rows.delete) as exact,
        tempfile.TemporaryDirectory() as folder,
    ):
        (line,), _ = read(written(Path(folder) / "x.db", events=[row], **file))
    return line, exact.call_count


def both_ways(events: Sequence[Row]) -> list[tuple[list[dict[str, Any]], Figures]]:
    """The lines and figures of these rows, and those without the quick way."""
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder) / "x.db", events=events)
        found = [read(path)]
        with mock.patch.object(usual_rows, "delete", return_value=None):
            found.append(read(path))
    return found


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"a": 'ü🦊"\\\n', "b": 1.5, "c": -7, "d": 1e300, "e": True, "f": [{}], "g": None},
        {"ChangeEventHeader": {"recordIds": ["001"], "commitTimestamp": 1767225600000}},
        {"a": json.loads(nested("[", "]", DEEPEST - 1))},
    ],
)
def test_a_payload_as_the_collector_writes_it_takes_the_quick_way(value: dict[str, Any]) -> None:
    payload = as_json(value)
    line, exact = exact_calls(event(payload=payload))
    assert (line["kind"], exact) == ("delete", 0)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"payload": '{"a":1,"a":1}'}, "payload has a key twice in one object"),
        ({"payload": '{"a":{"b":1,"b":1}}'}, "payload has a key twice in one object"),
        (
            {"payload": '{"a":%s}' % ("1" * 39)},
            "payload has a number of more than 38 digits",
        ),
        ({"payload": '{"a":1e999}'}, "payload has a number that is too large for a double"),
        ({"payload": '{"a":NaN}'}, "payload is not JSON"),
        ({"payload": '{"a":"\\ud800"}'}, "payload has half a character"),
        ({"payload": '{"a":"\0"}', "owner_id": b"1"}, "owner_id is not text"),
        ({"payload": '{"a":"b"'}, "payload is not JSON"),
        ({"payload": ""}, "payload is not JSON"),
        ({"payload": "[]"}, "payload is not a JSON object"),
        ({"payload": '"a"'}, "payload is not a JSON object"),
        ({"payload": "5"}, "payload is not a JSON object"),
        ({"payload": PLAIN.encode()}, "payload is not text"),
        (
            {"payload": f'{{"a":{nested("[", "]", DEEPEST)}}}'},
            f"payload is more than {DEEPEST} levels deep",
        ),
        (
            {"payload": f'{{"a":{nested(OPENING, "}", DEEPEST)}}}'},
            f"payload is more than {DEEPEST} levels deep",
        ),
        ({"payload": '{"a":"' + "x" * LARGEST + '"}'}, "payload is larger than a VARIANT"),
        ({"event_id": b"x"}, "event_id is not text"),
        ({"event_id": ""}, "event_id is empty"),
        ({"topic": b""}, "topic is not text"),
        ({"record_id": "x" * 256}, "record_id is longer than 255 characters"),
        ({"deleted_date": "2026-02-30T00:00:00.000Z"}, "deleted_date is not a time"),
        ({"ingested_at": "2026-02-01"}, "ingested_at is not a time"),
    ],
)
def test_a_row_at_fault_is_refused_with_the_reason_of_the_exact_way(
    changes: dict[str, Any], problem: str
) -> None:
    line, exact = exact_calls(event(**{"payload": PLAIN, **changes}))
    assert (line["kind"], line.get("error"), exact) == ("reject", problem, 1)


@pytest.mark.parametrize(
    ("changes", "payload"),
    [
        ({"payload": '{ "a" : "b" }\n'}, {"a": "b"}),
        ({"payload": '{"a":"\\u0062"}'}, {"a": "b"}),
        ({"payload": '{"a":"\\u0000"}'}, {"a": "\ufffd", "_tracker": {"nul_replaced": True}}),
        ({"payload": '{"a":"\\\\u0000"}'}, {"a": "\\u0000"}),
        ({"owner_id": "a\0b"}, {"a": "b", "_tracker": {"nul_replaced": True}}),
        ({"owner_id": "x" * 200, "deleted_by": "x" * 200}, {"a": "b"}),
        ({"payload": '{"a":1.0e0}'}, {"a": "1.0e0"}),
        ({"payload": '{"a":%s}' % ("1" * 38)}, {"a": "1" * 38}),
    ],
)
def test_an_unusual_row_arrives_by_the_exact_way(
    changes: dict[str, Any], payload: dict[str, Any]
) -> None:
    line, exact = exact_calls(event(**{"payload": PLAIN, **changes}))
    assert (line["kind"], line["payload"], exact) == ("delete", payload, 1)


def test_a_text_in_utf_16_is_not_taken_for_its_bytes() -> None:
    """These letters are JSON if their bytes are read as UTF-8."""
    letters = b'{"a":"bc"}'.decode("utf-16-le")
    line, exact = exact_calls(event(payload=letters), encoding="UTF-16le")
    assert (line["kind"], line["error"], exact) == ("reject", "payload is not JSON", 1)


def test_from_a_text_that_is_not_utf_8_on_all_rows_take_the_exact_way(tmp_path: Path) -> None:
    """No row is read twice, and none is left out."""
    events = [event(f"e{number}", payload=PLAIN, id=number) for number in (-2, 5, 7, 9)]
    events[2]["owner_id"] = Text(b"\xff")
    with mock.patch.object(rows, "delete", side_effect=rows.delete) as exact:
        found, figures = read(written(tmp_path / "x.db", events=events))
    assert [line["event_id"] for line in found] == ["e-2", "e5", "e7", "e9"]
    assert [line["kind"] for line in found] == ["delete", "delete", "reject", "delete"]
    assert (figures.deletes, figures.rejected, exact.call_count) == (3, 1, 2)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        EVENTS | st.builds(lambda row, it: {**row, "payload": it}, GOOD_EVENTS, FROM_THE_COLLECTOR),
        max_size=4,
    )
)
def test_both_ways_make_the_same_lines(events: list[dict[str, Any]]) -> None:
    quick, exact = both_ways(distinct(events))
    assert quick == exact


@settings(max_examples=200, deadline=None)
@given(FROM_THE_COLLECTOR.map(str.encode))
def test_a_line_has_the_payload_itself(payload: bytes) -> None:
    """It is not what ``orjson`` would make of it."""
    row = (1, "e1", *[None] * 5, "2026-02-01T00:00:00.000Z", "2026-02-01T00:00:00.000Z", payload)
    line = usual_rows.delete(row, "x.db")
    assert line is None or line.endswith(b',"payload":' + payload + b"}")


@pytest.mark.parametrize("column", range(1, 7))
@pytest.mark.parametrize("value", [0, 5, 0.5, b"", b"x"])
def test_a_value_that_is_no_text_takes_the_exact_way(column: int, value: Any) -> None:
    """A damaged file may have one, although its columns are of type TEXT."""
    time = "2026-02-01T00:00:00.000Z"
    row = [1, "e1", *[None] * 5, time, time, PLAIN.encode()]
    assert usual_rows.delete(row, "x.db")
    row[column] = value
    assert usual_rows.delete(row, "x.db") is None
