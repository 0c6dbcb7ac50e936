"""The quick way for rows of ``events`` and ``listed_deletes`` makes the lines of the exact way."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from contract.make_files import LISTED
from contract.test_rows import (
    EVENTS,
    GOOD_EVENTS,
    NAME,
    NOTED,
    OTHERS,
    PAYLOADS,
    SHA256,
    TIMES,
    Text,
    distinct,
    event,
    read,
    written,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from delete_sync.src.event_files import companion_rows, lines, rows, usual_rows
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
TIME = "2026-02-01T00:00:00.000Z"
ENTRY = LISTED[0]._asdict()


def change_event(payload: str, header: str = "{}") -> str:
    """The payload with a header before its fields. A payload that is no object stays."""
    comma = "" if payload == "{}" else ","
    opening = f'{{"ChangeEventHeader":{header}{comma}'
    return opening + payload[1:] if payload.startswith("{") else payload


CHANGE_EVENTS = st.builds(change_event, PAYLOADS | FROM_THE_COLLECTOR, PAYLOADS)


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


def listed_line(**changes: Any) -> tuple[dict[str, Any], int]:
    """The line of an entry of a list, and how often the exact way was taken."""
    with (
        mock.patch.object(companion_rows, "line", side_effect=lines.line) as exact,
        tempfile.TemporaryDirectory() as folder,
    ):
        (line,), _ = read(written(Path(folder) / "x.db", listed_deletes=[{**ENTRY, **changes}]))
    return line, exact.call_count


def both_ways(**tables: Any) -> list[tuple[list[dict[str, Any]], Figures]]:
    """The lines and figures of these rows, and those without the quick way."""
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder) / "x.db", **tables)
        found = [read(path)]
        with (
            mock.patch.object(usual_rows, "deletes", return_value=None),
            mock.patch.object(usual_rows, "listed_delete", return_value=None),
        ):
            found.append(read(path))
    return found


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"a": 'ü🦊"\\\n', "b": 1.5, "c": -7, "d": 1e300, "e": True, "f": [{}], "g": None},
        {"ChangeEventHeader": {"recordIds": ["001"], "commitTimestamp": 1767225600000}},
        {"a": json.loads(nested("[", "]", DEEPEST - 1))},
        {"ChangeEventHeader": {}, "a": None, "b": {"ChangeEventHeader": 1}},
        {"ChangeEventHeader": {"a": "ü"}, "a": json.loads(nested("[", "]", DEEPEST - 1))},
        {"ChangeEventHeader": {"a": "b"}, "a": {"b": "c"}, "_tracker": {"d": "x" * 20_000}},
        {"ChangeEventHeader": {"a": "},"}, "c": "d"},
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
@pytest.mark.parametrize("wrap", [str, change_event], ids=["payload", "fields"])
def test_a_row_at_fault_is_refused_with_the_reason_of_the_exact_way(
    changes: dict[str, Any], problem: str, wrap: Callable[[str], str]
) -> None:
    """The fault may be anywhere in the payload, or in the fields after the header."""
    row = event(**{"payload": PLAIN, **changes})
    if isinstance(row["payload"], str):
        row["payload"] = wrap(row["payload"])
    line, exact = exact_calls(row)
    assert (line["kind"], line.get("error"), exact) == ("reject", problem, 1)


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        ('{"ChangeEventHeader":{"a":1,"a":1},"b":1}', "has a key twice in one object"),
        ('{"ChangeEventHeader":{},"b":1,"ChangeEventHeader":1}', "has a key twice in one object"),
        ('{"ChangeEventHeader":{},"b":1}}', "is not JSON"),
        ('{"ChangeEventHeader":{},"b":1,}', "is not JSON"),
        ('{"ChangeEventHeader":{},"b"}', "is not JSON"),
        ('{"ChangeEventHeader":{},}', "is not JSON"),
        ('{"ChangeEventHeader":{"a":NaN},"b":1}', "is not JSON"),
        ('{"ChangeEventHeader":{"a":{},"b":1}', "is not JSON"),
        ('{"ChangeEventHeader":{"a":"\\ud800"},"b":1}', "has half a character"),
        (
            f'{{"ChangeEventHeader":{{"a":{nested("[", "]", DEEPEST - 1)}}},"b":1}}',
            f"is more than {DEEPEST} levels deep",
        ),
    ],
)
def test_a_change_event_at_fault_is_refused_with_the_reason_of_the_exact_way(
    payload: str, problem: str
) -> None:
    line, exact = exact_calls(event(payload=payload))
    assert (line["kind"], line.get("error"), exact) == ("reject", f"payload {problem}", 1)


def test_a_header_and_fields_are_as_large_as_their_payload() -> None:
    """Neither of them is too large alone."""
    header = '{"a":"' + "x" * (LARGEST - 30) + '"}'
    line, exact = exact_calls(event(payload=change_event(PLAIN, header)))
    assert (line["error"], exact) == ("payload is larger than a VARIANT", 1)


@pytest.mark.parametrize(
    ("changes", "payload"),
    [
        ({"payload": '{ "a" : "b" }\n'}, {"a": "b"}),
        ({"payload": '{"a":"\\u0062"}'}, {"a": "b"}),
        ({"payload": '{"a":"\\u0000"}'}, {"a": "\ufffd", "_tracker": {"nul_replaced": True}}),
        ({"payload": '{"a":"\\\\u0000"}'}, {"a": "\\u0000"}),
        ({"owner_id": "a\0b"}, {"a": "b", "_tracker": {"nul_replaced": True}}),
        ({"payload": '{"a":1.0e0}'}, {"a": "1.0e0"}),
        ({"payload": '{"a":%s}' % ("1" * 38)}, {"a": "1" * 38}),
        (
            {"payload": '{"ChangeEventHeader":{},"a":"\\u0000"}'},
            {"ChangeEventHeader": {}, "a": "\ufffd", "_tracker": {"nul_replaced": True}},
        ),
        (
            {"payload": '{"ChangeEventHeader":{"a":"\\u0000"},"b":"c"}'},
            {
                "ChangeEventHeader": {"a": "\ufffd"},
                "b": "c",
                "_tracker": {"nul_replaced": True},
            },
        ),
        (
            {"payload": '{"ChangeEventHeader":{}, "a":"b"}'},
            {"ChangeEventHeader": {}, "a": "b"},
        ),
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


def test_one_unusual_row_among_many_is_the_only_one_that_takes_the_exact_way(
    tmp_path: Path,
) -> None:
    """It may be at any place, and the lines keep the order of the rows."""
    for place in range(5):
        events = [event(f"e{number}", payload=PLAIN, owner_id="x" * 255) for number in range(5)]
        events[place]["record_id"] = "0015f00000ABCDE"
        with mock.patch.object(rows, "delete", side_effect=rows.delete) as exact:
            found, figures = read(written(tmp_path / f"{place}.db", events=events))
        assert [line["event_id"] for line in found] == ["e0", "e1", "e2", "e3", "e4"]
        assert found[place]["record_id"] == "0015f00000ABCDEAA5"
        assert (figures.deletes, exact.call_count) == (5, 1)


@pytest.mark.parametrize(
    ("second", "problem"),
    [
        ('{,"b":1,"c":2}', "is not JSON"),
        (',"b":1,"c":2}', "is not JSON"),
        ('{"ChangeEventHeader":{"a":1,"b":1,"c":2}', "is not JSON"),
        ('{"ChangeEventHeader":{},"a":"x,"b":1,"c":2}', "is not JSON"),
        ('["a","b":1,"c":2}', "is not JSON"),
        ('{"b":0,"b":1,"c":2}', "has a key twice in one object"),
        ('{"ChangeEventHeader":{},"c":0,"b":1,"c":2}', "has a key twice in one object"),
    ],
)
def test_a_payload_that_ends_as_the_one_before_it_is_checked_too(
    tmp_path: Path, second: str, problem: str
) -> None:
    events = [
        event("e1", payload='{"ChangeEventHeader":{},"b":1,"c":2}'),
        event("e2", payload=second),
    ]
    (first, line), _ = read(written(tmp_path / "x.db", events=events))
    assert (first["kind"], line.get("error")) == ("delete", f"payload {problem}")


def test_a_line_has_its_own_payload_whatever_the_one_before_it_is(tmp_path: Path) -> None:
    """It may end as that one, or have other fields of the same length."""
    header = '{"ChangeEventHeader":{}'
    payloads = [header + ',"b":1}', '{"a":0,"b":1}', '{"b":1}', "{}"]
    payloads += [header + fields for fields in (',"b":1}', ',"b":2}', ',"c":2}', "}")]
    events = [event(f"e{number}", payload=it) for number, it in enumerate(payloads)]
    with mock.patch.object(rows, "delete", side_effect=rows.delete) as exact:
        found, _ = read(written(tmp_path / "x.db", events=events))
    expected = [json.loads(payload, parse_int=str) for payload in payloads]
    assert ([line["payload"] for line in found], exact.call_count) == (expected, 0)


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
        EVENTS
        | st.builds(
            lambda row, it: {**row, "payload": it},
            GOOD_EVENTS,
            FROM_THE_COLLECTOR | CHANGE_EVENTS,
        ),
        max_size=4,
    )
)
def test_both_ways_make_the_same_lines(events: list[dict[str, Any]]) -> None:
    quick, exact = both_ways(events=distinct(events))
    assert quick == exact


@settings(max_examples=200, deadline=None)
@given((FROM_THE_COLLECTOR | CHANGE_EVENTS).map(str.encode))
def test_a_line_has_the_payload_itself(payload: bytes) -> None:
    """It is not what ``orjson`` would make of it."""
    row = (1, "e1", *[None] * 5, TIME, TIME, payload)
    line = usual_rows.deletes([row], "x.db")
    assert line is None or line.endswith(b',"payload":' + payload + b"}\n")


@pytest.mark.parametrize("column", range(1, 7))
@pytest.mark.parametrize("value", [0, 5, 0.5, b"", b"x"])
def test_a_value_that_is_no_text_takes_the_exact_way(column: int, value: Any) -> None:
    """A damaged file may have one, although its columns are of type TEXT."""
    row = [1, "e1", *[None] * 5, TIME, TIME, PLAIN.encode()]
    assert usual_rows.deletes([row], "x.db")
    row[column] = value
    assert usual_rows.deletes([row], "x.db") is None


# -- entries of lists


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"merged_into": None, "deleted_by": None, "owner_id": None},
        {"merged_into": ""},
        {"check_id": "k" * 64, "deleted_by": "ü🦊"},
        {"listed_by": "getDeleted", "state": "purged"},
        {"listed_by": "queryAll", "state": "unknown", "payload": '{"_tracker":{"a":["ü"]}}'},
    ],
)
def test_an_entry_as_the_collector_writes_it_takes_the_quick_way(changes: dict[str, Any]) -> None:
    line, exact = listed_line(**changes)
    row = {**ENTRY, **changes, "deleted_date": ENTRY["deleted_date"][:-1]}
    payload = json.loads(row["payload"])
    assert (line, exact) == ({"kind": "listed", "event_file": NAME, **row, "payload": payload}, 0)


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("check_id", "k" * 64 + "\0", None),
        ("check_id", "k" * 65, None),
        ("check_id", "", None),
        ("object_name", "x" * 256, "x" * 255),
        ("object_name", "a\0", "a\ufffd"),
        ("record_id", "0015f00000ABCDE", "0015f00000ABCDEAA5"),
        ("record_id", "r" * 19, "r" * 18),
        ("record_id", "", ""),
        ("deleted_date", "2026-02-30T00:00:00.000Z", None),
        ("deleted_by", b"5", "5"),
        ("owner_id", Text(b"\xff"), "\ufffd"),
        ("merged_into", "0015f00000ABCDE", "0015f00000ABCDEAA5"),
        ("merged_into", "m" * 19, "m" * 18),
        ("listed_by", "l" * 17, "l" * 16),
        ("state", "s" * 17, "s" * 16),
        ("payload", '{"a":"\0"}', NOTED),
        ("payload", '{"a":1,"a":1}', None),
        ("payload", PLAIN.encode(), None),
        ("payload", Text(b'{"a":"\xff"}'), None),
        ("payload", "[]", None),
    ],
)
def test_an_unusual_entry_takes_the_exact_way(column: str, value: Any, expected: Any) -> None:
    line, exact = listed_line(**{column: value})
    found: Any = line.get(column)
    if column == "check_id":
        assert found.startswith(f"{SHA256}:check_id:")
    else:
        assert found == expected
    assert exact == 1


@pytest.mark.parametrize("column", [name for name in ENTRY if name != "payload"])
@pytest.mark.parametrize("value", [0, 5, 0.5, b"", b"x"])
def test_a_value_of_an_entry_that_is_no_text_takes_the_exact_way(column: str, value: Any) -> None:
    """A damaged file may have one, although its columns are of type TEXT."""
    assert usual_rows.listed_delete(tuple(ENTRY.values()), NAME)
    assert usual_rows.listed_delete(tuple({**ENTRY, column: value}.values()), NAME) is None


GOOD_ENTRIES = st.fixed_dictionaries(
    {
        "check_id": st.uuids().map(str),
        "object_name": st.just("Account"),
        "record_id": st.sampled_from([ENTRY["record_id"], "0015f00000ABCDE", "a\0b", "x" * 18]),
        "deleted_date": TIMES,
        **dict.fromkeys(("deleted_by", "owner_id"), st.none() | st.just("ü🦊")),
        "merged_into": st.sampled_from([None, ENTRY["record_id"], "x", ""]),
        "listed_by": st.sampled_from(["both", "getDeleted", "queryAll", "x"]),
        "state": st.sampled_from(["bin", "purged", "unknown", "x" * 17]),
        "payload": PAYLOADS.map(str.encode).map(Text) | FROM_THE_COLLECTOR | CHANGE_EVENTS,
    }
)


@settings(max_examples=200, deadline=None)
@given(GOOD_ENTRIES | OTHERS["listed_deletes"])
def test_both_ways_make_the_same_line_of_an_entry(entry: dict[str, Any]) -> None:
    quick, exact = both_ways(listed_deletes=[entry])
    assert quick == exact
