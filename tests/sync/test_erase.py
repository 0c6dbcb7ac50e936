"""The operator's command ``erase``: what it removes, what stays, and what it tells."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import ContainerClient
from local.account import Account
from local.command_line import Done, sync_command
from local.crashes import through_storage
from local.emulators import Server
from local.event_files import check, delete, listed, poll, restore
from local.proxy import proxy

from delete_sync.src.event_files.erasure import Ids
from delete_sync.src.run import opened
from delete_sync.src.warehouse.erasure import Eraser
from salesforce_client.src.app.model.rows import RejectedEvent

from .conftest import Place, Put

SHORT, LONG = "0035f00000AbCdE", "0035f00000AbCdEAAV"
DIGEST = hashlib.sha256(LONG.encode()).hexdigest()
OTHER, THIRD = "0035f00000XxXxXAAV", "0015f00000XxXxXAAV"
USER = "0055f00000AbCdEAAV"
AT = "2026-02-01T00:10:00.000Z"
CLOCK = {"deleted_date": "2026-02-01T00:00:00.000Z"}
TABLES = (
    *("", "_loads", "_gaps", "_rejects", "_polls", "_restores", "_checks", "_listed"),
    "_acknowledged",
)
CASES = (LONG, LONG.upper(), LONG.lower())
FORBIDDEN = (
    b'<?xml version="1.0"?><Error><Code>AuthorizationPermissionMismatch</Code>'
    b"<Message>This request is not authorized.</Message></Error>"
)
# An answer of a storage that fails, which Azure's client does not ask for again at once.
FAILS = (
    412,
    b'<?xml version="1.0"?><Error><Code>Unknown</Code><Message>No answer.</Message></Error>',
)
FILES = {"pending": 0, "loaded": 3, "refused": 0}


@pytest.fixture
def eraser(place: Place) -> Place:
    """The service user may take the role that erases."""
    place.run("GRANT ROLE delete_tracker_eraser TO USER delete_sync_svc")
    return place


def erase(place: Place, *arguments: str, typed: str | None = None) -> Done:
    role = place.name("delete_tracker_eraser")
    return sync_command(place.settings, "erase", *arguments, "--role", role, typed=typed)


def named(one: str) -> str:
    """A payload that names a record."""
    return f'{{"Master":"{one}"}}'


def fill(put: Put) -> list[str]:
    """Two event files and that of a check, in which one record and one user are named."""
    header = f'{{"ChangeEventHeader":{{"recordIds":["{LONG}","{OTHER}"],"transactionKey":"t"}}'
    shared = f'{header},"Name":"Jane Doe"}}'
    return [
        put(
            delete("e1", record_id=LONG, payload=shared, deleted_by=USER),
            delete("e2", record_id=OTHER, payload=shared, deleted_by=LONG, owner_id=SHORT),
            delete("e3", record_id=THIRD, deleted_by=USER, payload=f'{{"By":"{USER}","N":"Acme"}}'),
            poll("p1", objects='["Account"]'),
            RejectedEvent("r1", "t", f"e:{LONG}", b"\1", "s", b"\x24" + LONG.encode(), "x", AT),
            RejectedEvent("r2", "t", "e9", b"\1", "s", b"something else", "x", AT),
        ),
        put(
            restore("s1", record_id=LONG),
            restore("s2", record_id=OTHER, restored_by=USER),
            delete("e4", record_id=THIRD, deleted_date="2026-02-01T05:00:00.000Z"),
        ),
        put(
            check("c1", listed=3),
            listed("c1", record_id=LONG, deleted_by=USER, deleted_date="2026-02-01T09:00:00.000Z"),
            listed("c1", record_id=OTHER, merged_into=LONG, deleted_by=USER, payload=named(LONG)),
            listed("c1", record_id=THIRD, owner_id=LONG),
        ),
    ]


def everything(place: Place) -> str:
    """All rows of all tables, as a text."""
    return "\n".join(
        f"{table} {row}"
        for table in TABLES
        for row in place.rows(f"SELECT * FROM delete_tracker{table}")
    )


def contents(events: ContainerClient) -> bytes:
    return b"".join(events.download_blob(blob.name).readall() for blob in events.list_blobs())


def metadata(events: ContainerClient, name: str) -> dict[str, str]:
    return dict(events.get_blob_client(name).get_blob_properties().metadata)


def names(text: str) -> bool:
    return SHORT in text or SHORT.encode().hex().upper() in text or "Jane" in text


def deletes(place: Place) -> list[tuple[Any, ...]]:
    return place.rows(
        "SELECT event_id, record_id, deleted_by, owner_id, deleted_date FROM delete_tracker"
        " ORDER BY event_id"
    )


def verdicts(place: Place) -> list[tuple[Any, ...]]:
    return place.rows(
        "SELECT object_name, day, verdict, reason FROM delete_tracker_completeness"
        " WHERE day < '2026-02-03' ORDER BY 1, 2"
    )


@pytest.mark.views
def test_nothing_of_a_record_is_left_and_nothing_comes_back(
    eraser: Place,
    put: Put,
    events: ContainerClient,
    account: Account,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    """In tables, companions, stage and files, payloads of siblings, logs, and texts of queries.

    All other rows and verdicts are as before, also after a full sweep and another check.
    """
    fill(put)
    sync_command(eraser.settings, "sweep", "--yes")
    before, judged = deletes(eraser), verdicts(eraser)
    assert names(everything(eraser))
    eraser.run(
        "INSERT INTO delete_tracker_acknowledged (kind, id, why)"
        f" SELECT 'reject', 'r2', 'see {LONG}'"
    )
    (tmp_path / "rows_0.gz").write_text(LONG)
    eraser.run(f"PUT 'file://{tmp_path}/rows_0.gz' '@delete_tracker_stage/killed'")
    account.forget_statements()
    call = erase(eraser, "--record", LONG, "--json", "--yes")
    assert call.code == 0, call.text
    assert call.json["tables"] == {
        eraser.name("DELETE_TRACKER"): {"removed": 2, "cleared": 1},
        eraser.name("DELETE_TRACKER_LISTED"): {"removed": 1, "cleared": 2},
        eraser.name("DELETE_TRACKER_RESTORES"): {"removed": 1, "cleared": 0},
        eraser.name("DELETE_TRACKER_REJECTS"): {"removed": 0, "cleared": 1},
        eraser.name("DELETE_TRACKER_ACKNOWLEDGED"): {"removed": 0, "cleared": 1},
    }
    assert call.json["event_files"] == {"replaced": 3, "removed": 3, "cleared": 4}
    assert call.json["staged_files"] == 1
    assert call.json["record_sha256"] == [DIGEST]
    told = call.text + caplog.text + "".join(one.line for one in account.statements())
    assert SHORT not in told
    kept = [
        (key, record, None if by == LONG else by, None if owner == SHORT else owner, date)
        for key, record, by, owner, date in before
        if record != LONG
    ]
    for again in (False, True):
        assert not names(everything(eraser))
        assert SHORT.encode() not in contents(events)
        assert b"Jane" not in contents(events)
        assert eraser.rows("LIST @delete_tracker_stage") == []
        assert deletes(eraser) == kept
        assert verdicts(eraser) == judged
        if not again:
            status = sync_command(eraser.settings, "status", "--json").json
            assert {it: one["number"] for it, one in status["files"].items()} == FILES
            assert sync_command(eraser.settings, "sweep", "--full", "--yes").code == 0
    doctor = sync_command(eraser.settings, "doctor", "--json").json
    (books,) = [it for it in doctor["findings"] if it["check"] == "rows"]
    assert books["status"] == "ok", books
    assert "1 of them erased" in books["told"]


@pytest.mark.views
def test_rows_that_arrive_later_are_not_inserted(eraser: Place, put: Put) -> None:
    """A check lists the record again, and a replay brings its event again.

    Rows of other records that name it are inserted, without what names it.
    """
    fill(put)
    sync_command(eraser.settings, "sweep", "--yes")
    assert erase(eraser, "--record", SHORT, "--yes").code == 0
    kept, judged = deletes(eraser), verdicts(eraser)
    put(
        delete("e1", record_id=SHORT),
        delete("e9", record_id=LONG),
        restore("s9", record_id=LONG),
        check("c2", listed=2, checked_at="2026-02-02T01:00:00.000Z"),
        listed("c2", record_id=LONG, deleted_date="2026-02-01T09:00:00.000Z"),
        listed(
            "c2", record_id=OTHER, deleted_by=LONG, merged_into=LONG, payload=f'{{"M":"{LONG}"}}'
        ),
        delete("e8", record_id=THIRD, payload=f'{{"ids":["{LONG}"],"Name":"Jane"}}'),
        RejectedEvent("r8", "t", f"e:{LONG}", b"\1", "s", b"\x24" + LONG.encode(), "x", AT),
    )
    call = sync_command(eraser.settings, "sweep", "--yes", "--json")
    assert (call.json["figures"]["erased"], call.json["figures"]["recovered"]) == (4, 0)
    assert [it for it in deletes(eraser) if it[0] != "e8"] == kept
    assert verdicts(eraser) == judged
    assert not names(everything(eraser))
    doctor = sync_command(eraser.settings, "doctor", "--json").json
    assert [it["status"] for it in doctor["findings"] if it["check"] == "rows"] == ["ok"]


def test_a_users_deletes_stay_without_the_user(eraser: Place, put: Put) -> None:
    """Only values that name the user are cleared, so the name of the account stays."""
    fill(put)
    sync_command(eraser.settings, "sweep", "--yes")
    before = deletes(eraser)
    call = erase(eraser, "--user", USER, "--yes", "--json")
    assert call.code == 0, call.text
    assert USER not in everything(eraser)
    assert deletes(eraser) == [
        (key, record, None if by == USER else by, owner, date)
        for key, record, by, owner, date in before
    ]
    assert eraser.rows(
        "SELECT payload:By::VARCHAR, payload:N::VARCHAR FROM delete_tracker WHERE event_id = 'e3'"
    ) == [(None, "Acme")]


def test_without_yes_nothing_is_changed(eraser: Place, put: Put, events: ContainerClient) -> None:
    """The counts are shown, and a person is asked."""
    fill(put)
    sync_command(eraser.settings, "sweep", "--yes")
    before = everything(eraser), contents(events)
    call = erase(eraser, "--record", LONG, "--json")
    assert (call.code, call.json["changed"]) == (1, False)
    assert call.json["event_files"] == {"replaced": 3, "removed": 3, "cleared": 4}
    assert "Nothing was changed: add --yes to erase this." in call.err
    refused = erase(eraser, "--record", LONG, typed="n\n")
    assert refused.code == 2
    assert "Erase this for good? [y/N] " in refused.err
    assert (everything(eraser), contents(events)) == before
    assert eraser.rows("SELECT * FROM delete_tracker_erased") == []
    assert erase(eraser, "--record", LONG, typed="y\n").code == 0


STEPS = (
    'INSERT INTO "DELETE_TRACKER_ERASED" (record_sha256',
    'DELETE FROM "DELETE_TRACKER"\nUSING',
    "REMOVE @",
)


@pytest.mark.parametrize("statement", STEPS)
def test_a_command_that_was_ended_is_completed_by_the_same_command(
    eraser: Place, put: Put, events: ContainerClient, account: Account, statement: str
) -> None:
    """Whichever step was the last, the second call leaves what one call leaves."""
    fill(put)
    sync_command(eraser.settings, "sweep", "--yes")
    account.fault("refuse", statement, number="003001")
    first = erase(eraser, "--record", LONG, "--yes", "--json")
    assert first.code == 4, first.text
    account.clear_faults()
    sync_command(eraser.settings, "sweep", "--yes")
    call = erase(eraser, "--record", LONG, "--yes", "--json")
    assert call.code == 0, call.text
    assert not names(everything(eraser))
    assert SHORT.encode() not in contents(events)
    doctor = sync_command(eraser.settings, "doctor", "--json").json
    assert [it["status"] for it in doctor["findings"] if it["check"] == "rows"] == ["ok"]
    assert [key for key, *_ in deletes(eraser)] == ["e2", "e3", "e4"]


ENDED = (
    ('INSERT INTO "DELETE_TRACKER_ERASED" (record_sha256', "1 of 1 records are not in"),
    ('DELETE FROM "DELETE_TRACKER"\nUSING', "still name the records"),
)


@pytest.mark.parametrize(("statement", "says"), ENDED)
def test_a_transaction_that_is_ended_from_outside_is_noticed(
    eraser: Place, put: Put, account: Account, statement: str, says: str
) -> None:
    """Its statements change nothing then, and no error tells of it."""
    fill(put)
    sync_command(eraser.settings, "sweep", "--yes")
    account.fault("abort", statement, times=1)
    call = erase(eraser, "--record", LONG, "--yes")
    assert call.code in (3, 4), call.text
    assert says in call.err
    assert "run the command again" in call.err
    assert SHORT not in call.text
    assert erase(eraser, "--record", LONG, "--yes").code == 0
    assert not names(everything(eraser))


def test_payloads_are_cleared_in_as_many_transactions_as_they_need(
    eraser: Place, put: Put, tmp_path: Path
) -> None:
    """One transaction clears at most so many of each table."""
    put(*(delete(f"e{n}", record_id=OTHER, payload=f'{{"n":{n},"By":"{LONG}"}}') for n in range(5)))
    sync_command(eraser.settings, "sweep", "--yes")
    role, ids = eraser.name("delete_tracker_eraser"), Ids([LONG])
    with (
        opened({**eraser.settings, "SNOWFLAKE_ROLE": role}) as app,
        contextlib.closing(
            Eraser(lambda: app.session("erase"), app.names, ids.digests, tmp_path, most=2)
        ) as small,
    ):
        small.clear(ids.without)
    assert not names(everything(eraser))
    assert len(deletes(eraser)) == 5


def test_what_cannot_be_searched_is_named(eraser: Place, put: Put, events: ContainerClient) -> None:
    """A file that does not match its SHA-256 stays, because nobody knows what it should be."""
    put(delete("e2", record_id=OTHER))  # it names nobody, so it is not replaced
    name = put(delete("e1", record_id=LONG))
    events.get_blob_client(name).set_blob_metadata({"sha256": "0" * 64})
    call = erase(eraser, "--record", LONG, "--yes", "--json")
    assert call.code == 1, call.text
    assert "does not match" in call.json["unreadable"][name]
    assert call.json["event_files"]["replaced"] == 0
    what = {it["what"]: it["until"] for it in call.json["remains"]}
    assert what[f"{name}, which cannot be read"] == "somebody removes it"


def test_a_file_that_cannot_be_downloaded_is_named(
    eraser: Place, put: Put, azurite: Server
) -> None:
    fill(put)
    last = put(delete("e9", record_id=LONG))
    with proxy(azurite.port) as through:
        through.before = lambda it: (
            (403, FORBIDDEN) if it.method == "GET" and last in it.path else None
        )
        settings = {**eraser.settings, **through_storage(through.port)}
        role = eraser.name("delete_tracker_eraser")
        call = sync_command(settings, "erase", "--record", LONG, "--role", role, "--yes", "--json")
    assert call.code == 1, call.text
    assert [*call.json["unreadable"]] == [last]
    assert last in call.err
    assert call.json["event_files"]["replaced"] == 3


def test_a_storage_that_fails_for_a_file_ends_the_erase_before_it_begins(
    eraser: Place, put: Put, events: ContainerClient, azurite: Server
) -> None:
    """The file may be read soon. If it were left out, it would keep the names for good."""
    fill(put)
    last = put(delete("e9", record_id=LONG))
    before = contents(events)
    with proxy(azurite.port) as through:
        through.before = lambda it: FAILS if it.method == "GET" and last in it.path else None
        settings = {**eraser.settings, **through_storage(through.port)}
        role = eraser.name("delete_tracker_eraser")
        call = sync_command(settings, "erase", "--record", LONG, "--role", role, "--yes")
    assert call.code == 3, call.text
    assert f"event file {last}: " in call.err
    assert "Nothing was changed: run the same command again" in call.err
    assert contents(events) == before


@pytest.mark.parametrize(("answer", "code"), [((403, FORBIDDEN), 4), (FAILS, 3)])
def test_a_file_that_can_no_longer_be_read_ends_the_erase(
    eraser: Place,
    put: Put,
    events: ContainerClient,
    azurite: Server,
    answer: tuple[int, bytes],
    code: int,
) -> None:
    """After the search, each file is read once more. The same command completes the erase."""
    name, *_ = fill(put)
    downloads = itertools.count()
    with proxy(azurite.port) as through:
        through.before = lambda it: (
            answer if it.method == "GET" and name in it.path and next(downloads) else None
        )
        settings = {**eraser.settings, **through_storage(through.port)}
        role = eraser.name("delete_tracker_eraser")
        call = sync_command(settings, "erase", "--record", LONG, "--role", role, "--yes")
    assert call.code == code, call.text
    assert f"{name} cannot be read any more" in call.err
    assert "The erase is not complete: run the same command again" in call.err
    assert erase(eraser, "--record", LONG, "--yes").code == 0
    assert not names(everything(eraser))
    assert SHORT.encode() not in contents(events)


def test_a_file_that_is_pending_or_refused_by_the_sync_is_searched_too(
    eraser: Place, put: Put, events: ContainerClient
) -> None:
    """A file that cannot be read is named, and the exit code tells of it."""
    names_of_files = fill(put)
    bad = put(content=b"not an event file")
    call = erase(eraser, "--record", LONG, "--yes", "--json")
    assert call.code == 1
    assert call.json["unreadable"] == {bad: "it is not a SQLite file"}
    assert SHORT.encode() not in contents(events)
    sync_command(eraser.settings, "sweep", "--yes")
    assert [key for key, *_ in deletes(eraser)] == ["e2", "e3", "e4"]
    assert len(names_of_files) == 3


def test_in_each_case_an_id_is_found_in_what_is_there_and_in_what_arrives_later(
    eraser: Place, put: Put, events: ContainerClient
) -> None:
    """A system may have changed the case of its 18 characters, also in a row of the record."""

    def rows(number: int) -> list[Any]:
        found: list[Any] = []
        for case, one in enumerate(CASES):
            key = f"{case}{number}"
            shared = f'{{"ids":["{one}","{OTHER}"],"Name":"Jane"}}'
            found += [
                delete(f"own-{key}", record_id=one, payload='{"Name":"Jane"}'),
                delete(f"other-{key}", record_id=OTHER, payload=shared, deleted_by=one),
                RejectedEvent(f"r-{key}", "t", "e", b"\1", "s", f"{one}Jane".encode(), "x", AT),
                RejectedEvent(f"s-{key}", "t", f"e:{one}", b"\1", "s", b"Jane", f"on {one}", AT),
            ]
        return found

    put(*rows(0))
    sync_command(eraser.settings, "sweep", "--yes")
    assert erase(eraser, "--record", LONG, "--yes").code == 0
    assert SHORT.lower().encode() not in contents(events).lower()
    assert b"Jane" not in contents(events)
    for number in (0, 1):
        if number:
            # The sync refuses the last row. It must not become a reject.
            put(*rows(1), delete("refused", record_id=LONG, payload='["Jane"]'))
            call = sync_command(eraser.settings, "sweep", "--yes", "--json")
            assert call.json["figures"]["erased"] == 4
        found = everything(eraser).lower()
        for text in (SHORT, SHORT.encode().hex(), "Jane", b"Jane".hex()):
            assert text.lower() not in found, text
        for case in (SHORT.upper(), SHORT.lower()):
            assert case.encode().hex() not in found
        kept = {f"other-{case}{it}" for it in range(number + 1) for case in range(len(CASES))}
        assert {key for key, *_ in deletes(eraser)} == kept
        rejects = eraser.rows("SELECT event_id, payload, error FROM delete_tracker_rejects")
        assert len(rejects) == 6 * (number + 1)
        in_tables, in_files = ("erased", "", "erased"), ("e:erased", "", "on erased")
        assert set(rejects) == {("e", "", "x"), in_tables, *([in_files] if number else [])}


@pytest.mark.parametrize("is_ended", [False, True])
def test_a_reject_that_names_nobody_is_found_by_the_row_that_it_was_made_of(
    eraser: Place, put: Put, events: ContainerClient, account: Account, *, is_ended: bool
) -> None:
    """The sync has refused the row, and a reject has no record id.

    The row is gone from the event file when a call that was ended is made again.
    """
    put(
        delete("mine", record_id=LONG, payload='["Jane"]'),
        delete("other", record_id=OTHER, payload='["Acme"]'),
        delete("e1", record_id=LONG),
    )
    sync_command(eraser.settings, "sweep", "--yes")
    shown = erase(eraser, "--record", LONG, "--json")
    assert shown.json["tables"][eraser.name("DELETE_TRACKER_REJECTS")] == {
        "removed": 0,
        "cleared": 1,
    }
    if is_ended:
        account.fault("refuse", 'DELETE FROM "DELETE_TRACKER"\nUSING', number="003001")
        assert erase(eraser, "--record", LONG, "--yes").code == 4
        account.clear_faults()
    call = erase(eraser, "--record", LONG, "--yes", "--json")
    assert call.code == 0, call.text
    told = [it["what"] for it in call.json["remains"] if "rejected events" in it["what"]]
    assert told == ["what names the person without an id in rejected events (1 have bytes)"]
    assert b"Jane" not in contents(events)
    for _ in range(2):
        assert eraser.rows(
            "SELECT event_id, payload, error FROM delete_tracker_rejects ORDER BY payload"
        ) == [
            ("erased", "", "payload is not a JSON object"),
            ("other", b'["Acme"]'.hex().upper(), "payload is not a JSON object"),
        ]
        assert eraser.rows("SELECT DISTINCT record_sha256 FROM delete_tracker_erased") == [
            (DIGEST,)
        ]
        assert sync_command(eraser.settings, "sweep", "--full", "--yes").code == 0
    doctor = sync_command(eraser.settings, "doctor", "--json").json
    assert [it["status"] for it in doctor["findings"] if it["check"] == "rows"] == ["ok"]


def test_a_sweep_between_two_steps_loads_no_row_twice(
    eraser: Place, put: Put, events: ContainerClient, account: Account
) -> None:
    """Rows without a key of their own have the digest of the file's first content in their key.

    It stays when the file is replaced, also a second time. A full sweep may run at any time.
    """
    refused = delete("e2", record_id=OTHER, payload=f'["{USER}"]')
    name = put(delete("e1", record_id=LONG), refused, delete("e3", record_id=THIRD), poll(""))
    digest = metadata(events, name)["sha256"]
    sync_command(eraser.settings, "sweep", "--yes")
    keys = "SELECT reject_id FROM delete_tracker_rejects UNION ALL"
    keys += " SELECT poll_id FROM delete_tracker_polls"
    before = sorted(eraser.rows(keys))
    assert before == [(f"{digest}:2",), (f"{digest}:poll_id:1",)]
    account.fault("refuse", 'DELETE FROM "DELETE_TRACKER"\nUSING', number="003001")
    assert erase(eraser, "--record", LONG, "--yes").code == 4
    account.clear_faults()
    assert metadata(events, name)["replaced"] == digest != metadata(events, name)["sha256"]
    for arguments in ((), ("--full",)):
        call = sync_command(eraser.settings, "sweep", *arguments, "--yes", "--json")
        assert (call.code, call.json["synced"]) == (0, [name] if arguments else [])
        assert sorted(eraser.rows(keys)) == before
    assert erase(eraser, "--record", LONG, "--yes").code == 0
    assert erase(eraser, "--user", USER, "--yes").code == 0
    assert metadata(events, name)["replaced"] == digest
    for arguments in ((), ("--full",)):
        call = sync_command(eraser.settings, "sweep", *arguments, "--yes", "--json")
        assert (call.code, call.json["synced"]) == (0, [name] if arguments else [])
        assert sorted(eraser.rows(keys)) == before
        assert eraser.rows("SELECT sha256 FROM delete_tracker_loads") == [(digest,)]
        assert [key for key, *_ in deletes(eraser)] == ["e3"]


def test_a_person_who_may_not_replace_a_file_is_told_so_and_loses_nothing(
    eraser: Place, put: Put, events: ContainerClient, azurite: Server
) -> None:
    """The same command completes it, once the person has the role."""
    fill(put)
    sync_command(eraser.settings, "sweep", "--yes")
    before, content = deletes(eraser), contents(events)
    with proxy(azurite.port) as through:
        through.before = lambda it: (403, FORBIDDEN) if it.method == "PUT" else None
        settings = {**eraser.settings, **through_storage(through.port)}
        role = eraser.name("delete_tracker_eraser")
        call = sync_command(settings, "erase", "--record", LONG, "--role", role, "--yes")
    assert call.code == 4, call.text
    assert (
        "event file events_20260201T000000Z.db, which needs the role Storage Blob Data Contributor:"
        in call.err
    )
    assert "AuthorizationPermissionMismatch" in call.err
    assert SHORT not in call.text
    assert (deletes(eraser), contents(events)) == (before, content)
    assert erase(eraser, "--record", LONG, "--yes").code == 0
    assert not names(everything(eraser))
    assert SHORT.encode() not in contents(events)


def test_a_role_that_may_not_erase_changes_nothing(place: Place, put: Put) -> None:
    """The loader lacks the rights. The message names each."""
    fill(put)
    sync_command(place.settings, "sweep", "--yes")
    before = everything(place)
    call = sync_command(place.settings, "erase", "--record", LONG, "--yes")
    assert call.code == 4
    assert "UPDATE, DELETE on DELETE_TRACKER; " in call.err
    assert "INSERT on DELETE_TRACKER_ERASED" in call.err
    assert "name the role that may with --role" in call.err
    assert everything(place) == before


def test_a_role_that_may_not_empty_the_stage_changes_nothing(eraser: Place, put: Put) -> None:
    fill(put)
    sync_command(eraser.settings, "sweep", "--yes")
    before = everything(eraser)
    eraser.run("REVOKE WRITE ON STAGE delete_tracker_stage FROM ROLE delete_tracker_eraser")
    call = erase(eraser, "--record", LONG, "--yes")
    assert call.code == 4
    assert "lacks WRITE on DELETE_TRACKER_STAGE" in call.err
    assert everything(eraser) == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--record", SHORT, "x"], "id 2 is no record id of 15 or 18 characters"),
        (["--record", LONG.lower()], "id 1 does not fit its last three characters"),
        (
            ["--user", "005000000000001AAA", LONG],
            "--user takes the id of a user, which begins with 005",
        ),
    ],
)
def test_an_id_at_fault_is_not_quoted(arguments: list[str], says: str) -> None:
    call = sync_command({}, "erase", *arguments)
    assert call.code == 2
    assert says in call.err
    assert SHORT.lower() not in call.text.lower()
