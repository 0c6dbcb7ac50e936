"""Which values name an erased record, and how an event file is written anew without them."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from local.environments import REPOSITORY
from local.event_files import check, delete, listed, poll, restore

from delete_sync.src.errors import RefusedFileError
from delete_sync.src.event_files.erasure import Digests, Erased, Ids, payload
from delete_sync.src.event_files.event_file import EventFile
from delete_sync.src.event_files.file_format import FORMATS
from delete_sync.src.event_files.rewrite import rewrite, search
from delete_sync.src.model import Named
from salesforce_client.src.app.model.rows import RejectedEvent
from salesforce_client.src.app.storage.event_file import EventFile as Writer

SHORT, LONG = "0035f00000AbCdE", "0035f00000AbCdEAAV"
OTHER = "0035f00000XxXxXAAV"
WAYS: list[Callable[[], Erased]] = [
    lambda: Ids([LONG]),
    lambda: Ids([SHORT]),
    lambda: Digests([hashlib.sha256(LONG.encode()).hexdigest()]),
]
AT = "2026-02-01T00:10:00.000Z"


@pytest.fixture(params=WAYS, ids=["long", "short", "digest"])
def erased(request: pytest.FixtureRequest) -> Erased:
    return request.param()  # type: ignore[no-any-return]


@pytest.mark.parametrize("one", [SHORT, LONG, f"{SHORT}aav", LONG.upper(), LONG.lower()])
@pytest.mark.parametrize(
    "around",
    [
        *("{}", "at {}:x", "$24{}0", "{0},{0}", "€{}"),
        # After the header of a change event, also if more fields follow than are remembered.
        *('{{"h":{{"a":1}},"b":"{}"}}', f'{{{{"h":{{{{"a":1}}}},"b":"{{}}{" " * 16_000}"}}}}'),
    ],
)
def test_an_id_is_found_in_any_text(erased: Erased, one: str, around: str) -> None:
    """Also if letters or digits stand around it, as in the bytes of a rejected event.

    A system may have changed the case of its 18 characters. The checksum tells what it was.
    """
    assert set(erased.found(around.format(one))) == {one}


@pytest.mark.parametrize(
    "text",
    [
        *("", OTHER, SHORT.lower(), SHORT.upper(), SHORT[:14], "x" * 60, OTHER.lower()),
        *(f"{SHORT.lower()}AAV", f"{SHORT.lower()}aaw", f"{SHORT.lower()}999"),
    ],
)
def test_nothing_else_is_found(erased: Erased, text: str) -> None:
    assert not erased.found(text)


@pytest.mark.parametrize(
    ("given", "left"),
    [
        # A value of its own: only this value is cleared.
        (
            {"Owner": LONG, "Name": "Jane", "n": 9223372036854775807},
            {"Owner": None, "Name": "Jane", "n": 9223372036854775807},
        ),
        (
            {"Owner": {"Id": SHORT}, "a": [1, {"b": OTHER}]},
            {"Owner": {"Id": None}, "a": [1, {"b": OTHER}]},
        ),
        ({"Owner": LONG.upper(), "By": LONG.lower()}, {"Owner": None, "By": None}),
        # One of several: the other fields may be the record's own.
        (
            {
                "ChangeEventHeader": {"recordIds": [LONG, OTHER], "transactionKey": "t"},
                "Name": "Jane",
                "_tracker": {"x": 1},
            },
            {
                "ChangeEventHeader": {"recordIds": [OTHER], "transactionKey": "t"},
                "Name": None,
                "_tracker": {"x": 1},
            },
        ),
        (
            {"Record_Ids__c": f"{LONG},{OTHER}", "Name__c": "Jane"},
            {"Record_Ids__c": None, "Name__c": None},
        ),
        ({"Ids": [LONG.lower(), OTHER], "Name": "Jane"}, {"Ids": None, "Name": None}),
        # In an object of a list, all may be the record's own.
        (
            {
                "ChangeEventHeader": {"x": [[{"i": {"Id": SHORT}, "Name": "Jane"}], {"Id": OTHER}]},
                "Name": "Jane",
                "_tracker": {"y": [1, {LONG: "Jane"}]},
            },
            {
                "ChangeEventHeader": {"x": [{"Id": OTHER}]},
                "Name": None,
                "_tracker": {"y": [1]},
            },
        ),
        ({"_tracker": {"ids": f"{LONG};{OTHER}"}}, {"_tracker": {"ids": f"erased;{OTHER}"}}),
        ({LONG: 1.5}, {"erased": 1.5}),
        # A list without the record after one with it.
        (
            {"Ids": [LONG, OTHER], "Others": [OTHER], "Name": "Jane"},
            {"Ids": None, "Others": None, "Name": None},
        ),
    ],
)
def test_a_payload_loses_the_values_that_name_the_record(
    erased: Erased, given: dict[str, Any], left: dict[str, Any]
) -> None:
    assert json.loads(payload(json.dumps(given), erased)) == left


def test_the_rest_of_a_payload_gets_no_longer(erased: Erased) -> None:
    """Its column has a limit, and an escaped letter is longer than the letter."""
    assert payload(f'{{"Owner": "{LONG}", "Name": "Zoë"}}', erased) == '{"Owner":null,"Name":"Zoë"}'


def test_both_lengths_of_an_id_are_replaced_in_full(erased: Erased) -> None:
    """The longer one first, so that no end of it is left."""
    text = f'["{SHORT}","{LONG}","{LONG.lower()}"]'
    assert payload(text, erased) == '["erased","erased","erased"]'


@pytest.mark.parametrize("text", [f'["{LONG}"]', f'{{"a":"{LONG}",', f'{{"a":"{LONG}","a":1}}'])
def test_a_payload_that_is_no_object_keeps_its_fault(erased: Erased, text: str) -> None:
    """Otherwise a row that the sync refuses would become another row."""
    assert payload(text, erased) == text.replace(LONG, "erased")


CHANGED = LONG.lower()
ROWS: Sequence[Any] = (
    delete("e1", record_id=LONG, payload='{"Name":"Jane"}'),
    delete("e2", record_id=OTHER, deleted_by=LONG, owner_id=SHORT, payload=f'{{"o":"{LONG}"}}'),
    delete("e3", record_id=OTHER, payload=f'{{"ids":["{OTHER}","{LONG}"],"Name":"Jane"}}'),
    delete("e4", record_id=None),
    delete("e5", record_id=OTHER, payload='{"n":1.10,"s":"\\u00fc"}'),
    delete("e6", record_id=OTHER, deleted_by=LONG.upper(), payload=f'{{"o":"{CHANGED}"}}'),
    delete("e7", record_id=CHANGED, payload='{"Name":"Jane"}'),
    RejectedEvent("r1", "t", f"e:{LONG}", b"\1", "s", b"\x24" + LONG.encode() + b"0", LONG, AT),
    RejectedEvent("r2", "t", "e", b"\1", "s", b"other", "why", AT),
    RejectedEvent("r3", "t", f"e:{LONG}", b"\1", "s", b"Jane", "why", AT),
    RejectedEvent("r4", "t", "e", b"\1", "s", b"Jane" + CHANGED.encode(), "why", AT),
    restore("s1", record_id=LONG),
    restore("s2", record_id=OTHER, restored_by=LONG),
    poll("p1", error=f"about {LONG}."),
    check("c1", error=f"about {SHORT}"),
    listed("c1", record_id=LONG),
    listed(
        "c1",
        record_id=OTHER,
        deleted_by=LONG,
        owner_id=LONG,
        merged_into=LONG,
        payload=f'{{"m":"{LONG}"}}',
    ),
)


def written(path: Path, rows: Sequence[Any] = ROWS) -> Path:
    file = Writer(path, datetime(2026, 2, 1, tzinfo=timezone.utc))
    file.add(rows)
    file.close()
    return Path(file.path)


def dump(path: Path) -> dict[str, list[dict[str, Any]]]:
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    found = {
        name: [dict(row) for row in connection.execute(f"SELECT * FROM {name}")]
        for (name,) in tables
    }
    connection.close()
    return found


def test_a_file_is_written_anew_without_the_record(erased: Erased, tmp_path: Path) -> None:
    """No byte of the file names it. All other rows are as before, in their places."""
    path = written(tmp_path / "a.db")
    before = dump(path)
    assert search(path, "a", erased) == Named(4, 10)
    rewrite(path, tmp_path / "b.db", "a", erased)
    assert SHORT.lower().encode() not in (tmp_path / "b.db").read_bytes().lower()
    assert b"Jane" not in (tmp_path / "b.db").read_bytes()
    after = dump(tmp_path / "b.db")
    assert search(tmp_path / "b.db", "a", erased) == Named(0, 0)
    assert [(row["id"], row["event_id"]) for row in after["events"]] == [
        *((2, "e2"), (3, "e3"), (4, "e4"), (5, "e5"), (6, "e6"))
    ]
    e2, e3, *others, e6 = after["events"]
    assert others == before["events"][3:5]
    assert (e2["deleted_by"], e2["owner_id"], e2["payload"]) == (None, None, '{"o":null}')
    assert e3 == {**before["events"][2], "payload": '{"ids":null,"Name":null}'}
    assert (e6["deleted_by"], e6["payload"]) == (None, '{"o":null}')
    r1, r2, r3, r4 = after["rejected_events"]
    assert (r1["event_id"], r1["error"], r1["payload"]) == ("e:erased", "erased", b"")
    assert r2 == before["rejected_events"][1]
    assert (r3["event_id"], r3["error"], r3["payload"]) == ("e:erased", "why", b"")
    assert (r4["event_id"], r4["error"], r4["payload"]) == ("e", "why", b"")
    assert [row["restored_by"] for row in after["restores"]] == [None]
    assert after["polls"][0]["error"] == "about erased."
    assert after["checks"][0]["error"] == "about erased"
    (entry,) = after["listed_deletes"]
    assert (entry["deleted_by"], entry["owner_id"], entry["merged_into"]) == (None, None, None)
    assert entry["payload"] == '{"m":null}'


@pytest.mark.parametrize("one", [SHORT, LONG, LONG.upper(), LONG.lower()])
def test_of_a_row_of_the_record_the_sync_reads_only_the_id(one: str, tmp_path: Path) -> None:
    """In its own case, because the tables know its digest.

    So nothing else of it is uploaded, and no fault in it makes it a reject with its payload.
    """
    rows = [
        delete(f"e:{one}", record_id=one, payload='["Jane"]', deleted_by=one, owner_id="Jane"),
        restore(f"r:{one}", record_id=one, restored_by="Jane"),
        check("c1"),
        listed("c1", record_id=one, deleted_by="Jane", owner_id="Jane", payload='["Jane"]'),
    ]
    digests = Digests([hashlib.sha256(LONG.encode()).hexdigest()])
    with EventFile(written(tmp_path / "a.db", rows), "a", "", digests) as file:
        lines = b"".join(lines for _, lines in file.lines())
    assert b"Jane" not in lines
    found = [json.loads(line) for line in lines.splitlines()]
    assert {line["kind"]: line.get("record_id") for line in found} == {
        "delete": LONG,
        "restore": LONG,
        "check": None,
        "listed": LONG,
    }
    assert SHORT.lower() not in lines.decode().lower().replace(f'"record_id":"{LONG}"'.lower(), "")


def test_a_row_that_is_not_utf8_stays_as_it_is(erased: Erased, tmp_path: Path) -> None:
    """The sync refuses it. Only the id in it is cleared."""
    path = written(tmp_path / "a.db")
    connection = sqlite3.connect(path)
    bad = b'{"a":"\xff' + LONG.encode() + b'"}'
    connection.execute("UPDATE events SET payload = CAST(? AS TEXT) WHERE event_id = 'e2'", [bad])
    connection.commit()
    connection.close()
    rewrite(path, tmp_path / "b.db", "a", erased)
    connection = sqlite3.connect(tmp_path / "b.db")
    connection.text_factory = bytes
    ((left, kind),) = connection.execute(
        "SELECT payload, typeof(payload) FROM events WHERE event_id = 'e2'"
    )
    connection.close()
    assert (left, kind) == (b'{"a":"\xfferased"}', b"text")


@pytest.mark.parametrize("version", FORMATS)
def test_files_of_every_version_are_written_anew(
    version: int, erased: Erased, tmp_path: Path
) -> None:
    """A file in which nothing is found keeps its rows and its format."""
    path = tmp_path / "a.db"
    path.write_bytes((REPOSITORY / f"tests/contract/golden/v{version}.db").read_bytes())
    before = dump(path)
    assert search(path, "a", erased) == Named(0, 0)
    rewrite(path, tmp_path / "b.db", "a", erased)
    assert dump(tmp_path / "b.db") == before
    connection = sqlite3.connect(tmp_path / "b.db")
    assert connection.execute("PRAGMA user_version").fetchone() == (version,)
    connection.close()
    with EventFile(tmp_path / "b.db", "a", "") as file:
        assert sum(count for count, _ in file.lines()) > 0


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY / "tests/contract/broken").glob("*.db")), ids=lambda path: path.stem
)
def test_a_file_that_the_reader_refuses_is_not_searched(path: Path) -> None:
    with pytest.raises(RefusedFileError):
        search(path, path.name, Ids([LONG]))
