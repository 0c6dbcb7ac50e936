"""The operator's commands of the sync: sweep, status, acknowledge and query."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from azure.storage.blob import ContainerClient
from local.account import Account
from local.command_line import Done, sync_command, sync_process
from local.emulators import AZURITE_KEY
from local.environments import REPOSITORY
from local.event_files import check, delete, listed, poll

from delete_sync.src.__main__ import COMMANDS
from delete_sync.src.commands.query import only_reads
from delete_sync.src.commands.sweep import said
from delete_sync.src.report import Report
from salesforce_client.src.app.model.rows import Gap, RejectedEvent
from salesforce_client.src.app.model.times import timestamp

from .conftest import PASSWORD, Place, Put

TOPIC = "/event/X__e"
DAMAGED = b"not an event file"
WHY = "the publisher was a test"


@pytest.fixture
def done() -> Iterator[list[Done]]:
    """Every call that a test puts here must not have printed a secret."""
    calls: list[Done] = []
    yield calls
    assert calls
    for call in calls:
        for secret in (AZURITE_KEY, "AccountKey", PASSWORD):
            assert secret not in call.text


def gap(gap_id: str, detected_at: datetime) -> Gap:
    at = timestamp(detected_at)
    return Gap(gap_id, TOPIC, "expired_cursor", None, b"\1", at, at, at)


def reject(reject_id: str) -> RejectedEvent:
    return RejectedEvent(
        reject_id, TOPIC, "e9", b"\2", "s", b"payload", "cannot decode", "2026-02-01T00:10:00.000Z"
    )


def refuse(place: Place, events: ContainerClient, name: str) -> None:
    """Let an earlier sweep have refused a file that is good."""
    blob = events.get_blob_client(name).get_blob_properties()
    place.run(
        "INSERT INTO delete_tracker_loads (event_file, sha256, length, etag, reader, error, token)"
        f" SELECT '{name}', '{blob.metadata['sha256']}', {blob.size}, '{blob.etag.strip(chr(34))}',"
        " 2, 'refused by mistake', 'old'"
    )


# -- the command line


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_has_an_example_and_the_exit_codes(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sync_command({}, name, "--help").code == 0
    shown = capsys.readouterr().out
    assert f"example: python -m src {name}" in shown
    assert (
        "exit codes: 0 well · 1 findings · 2 usage or settings · 3 try again · 4 a person must act"
        in shown
    )


@pytest.mark.parametrize("folder", [REPOSITORY / "delete_sync", REPOSITORY])
def test_the_commands_run_in_the_apps_folder_and_at_the_root(place: Place, folder: Path) -> None:
    call = sync_process(place.settings, "query", "SELECT 7 AS n", "--json", folder=folder)
    assert call.code == 0, call.text
    assert call.json["rows"] == [[7]]


@pytest.mark.parametrize("arguments", [["sweep", "--ful"], ["acknowledge", "x"], ["find"], []])
def test_a_wrong_command_line_is_a_problem_of_usage(arguments: list[str]) -> None:
    assert sync_command({}, *arguments).code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["sweep", "--yes"],
        ["show", "events_20260201T000000Z.db"],
        ["find", "--record", "0015f00000AbCdEAAV"],
        ["acknowledge", "x", "--why", WHY],
        ["query", "SELECT 1"],
    ],
)
def test_missing_settings_are_a_problem_of_the_settings(arguments: list[str]) -> None:
    """With --json the problems are a list."""
    call = sync_command({}, *arguments, "--json")
    assert call.code == call.json["exit_code"] == 2
    assert any("SNOWFLAKE_ACCOUNT" in one for one in call.json["error"]["problems"])


def test_an_error_of_snowflake_says_whether_a_person_must_act(
    place: Place, put: Put, account: Account, done: list[Done]
) -> None:
    """A cancelled statement is worth another try, a role that does not exist is not."""
    put("e1")
    account.fault("refuse", "CURRENT_USER", number="000604")
    account.fault("refuse", "information_schema", number="000604")
    done.append(call := sync_command(place.settings, "status"))
    assert call.code == 3, call.text
    account.clear_faults()
    other = {**place.settings, "SNOWFLAKE_ROLE": "NO_SUCH_ROLE"}
    done.append(call := sync_command(other, "status", "--json"))
    assert (call.code, call.json["meaning"]) == (4, "a person must act")
    assert call.json["error"]["kind"] == "WarehouseRefusedError"


def test_the_settings_may_come_from_a_file(place: Place, tmp_path: Path) -> None:
    """It is the file that the function reads, and --settings names another one."""
    content = json.dumps({"IsEncrypted": False, "Values": place.settings})
    (tmp_path / "local.settings.json").write_text(content)
    assert sync_command({}, "query", "SELECT 1 AS n", folder=tmp_path).code == 0
    (tmp_path / "other.json").write_text(content)
    named = ("--settings", str(tmp_path / "other.json"))
    assert sync_command({}, "query", "SELECT 1 AS n", *named).code == 0


# -- sweep


def test_a_sweep_loads_the_pending_files(place: Place, put: Put, done: list[Done]) -> None:
    """The result has the figures of the log, and the names of the files."""
    first, second = put("e1"), put("e2", "e3")
    done.append(call := sync_command(place.settings, "sweep", "--yes", "--json"))
    assert call.code == call.json["exit_code"] == 0
    assert call.json["synced"] == [first, second]
    assert call.json["figures"]["inserted"] == 3
    done.append(call := sync_command(place.settings, "sweep", "--yes"))
    assert call.code == 0
    assert call.out.splitlines() == [
        "figure  number",
        "files   2",
        "synced  0",
        "left    0",
        "nothing was pending; all is well",
    ]


EMPTY = "the container has no event file"


@pytest.mark.parametrize(
    ("report", "code", "says"),
    [
        (Report(""), 0, f"{EMPTY}; all is well"),
        (Report(""), 4, f"{EMPTY}; a person must act"),
        (Report("", files=3), 0, "nothing was pending; all is well"),
        (
            Report("", files=3, refused_before=1),
            0,
            "nothing was pending; 1 refused before, which the command status names",
        ),
        (
            Report("", files=3, refused_before=1),
            4,
            "nothing was pending; 1 refused before, which the command status names;"
            " a person must act",
        ),
        (
            Report("", files=3, synced=["a", "b"], inserted=1_000, recovered=1),
            0,
            "event files: 2 loaded; 1,001 new delete(s); all is well",
        ),
        (
            Report("", files=4, synced=["a"], refused={"b": ""}, left=1, elsewhere=1),
            4,
            "event files: 1 loaded, 1 loaded by another sweep, 1 refused, 1 still pending;"
            " 0 new delete(s); a person must act",
        ),
        (
            Report("", files=1, left=1),
            1,
            "event files: 1 still pending; 0 new delete(s); look at what is listed above",
        ),
        (
            Report("", files=1, unavailable={"a": ""}, left=1),
            3,
            "event files: 1 still pending; 0 new delete(s); try again",
        ),
    ],
)
def test_one_sentence_says_what_a_sweep_did(report: Report, code: int, says: str) -> None:
    """Also if it found nothing to do. The figures alone do not tell whether that is well."""
    assert said(report, code) == says


@pytest.mark.parametrize("typed", [None, "n\n", ""])
def test_a_sweep_without_consent_changes_nothing(
    place: Place, put: Put, done: list[Done], typed: str | None
) -> None:
    put("e1")
    done.append(call := sync_command(place.settings, "sweep", typed=typed))
    assert call.code == 2
    assert "Load the pending event files of container events-" in call.err
    assert "Nothing was changed" in call.err
    assert place.rows("SELECT * FROM delete_tracker_loads") == []


def test_a_person_at_the_terminal_is_asked(place: Place, put: Put) -> None:
    put("e1")
    call = sync_command(place.settings, "sweep", typed="y\n")
    assert call.code == 0
    assert "[y/N]" in call.err
    assert len(place.rows("SELECT * FROM delete_tracker")) == 1


def test_a_sweep_that_refuses_a_file_needs_a_person(
    place: Place, put: Put, done: list[Done]
) -> None:
    """The other files are loaded, and the error names the file."""
    good, bad = put("e1"), put(content=DAMAGED)
    done.append(call := sync_command(place.settings, "sweep", "--yes", "--json"))
    assert call.code == 4
    assert call.json["synced"] == [good]
    assert call.json["refused"] == {bad: "it is not a SQLite file"}
    assert call.json["error"].startswith("FilesRefusedError: 1 event file(s) were refused")
    assert bad in call.err
    again = sync_command(place.settings, "sweep", "--yes")
    assert "nothing was pending; 1 refused before" in again.out


def test_a_full_sweep_loads_every_file_again(place: Place, put: Put) -> None:
    """Also without the setting FULL_SWEEP, and no row is inserted again."""
    put("e1")
    sync_command(place.settings, "sweep", "--yes")
    call = sync_command(place.settings, "sweep", "--full", "--yes", "--json")
    assert call.code == 0
    assert len(call.json["synced"]) == 1
    assert call.json["figures"]["inserted"] == 0
    asked = sync_command(place.settings, "sweep", "--full")
    assert "Load all event files again of container" in asked.err


def test_a_refused_file_that_is_good_is_loaded_again_and_no_other(
    place: Place, put: Put, events: ContainerClient, done: list[Done]
) -> None:
    """Its refusal is replaced. A refused, a loaded and a pending file stay as they are."""
    loaded = put("e1")
    sync_command(place.settings, "sweep", "--yes")
    good, other, pending = put("e2"), put("e3"), put("e4")
    refuse(place, events, good)
    refuse(place, events, other)
    before = place.rows(
        f"SELECT * FROM delete_tracker_loads WHERE event_file <> '{good}' ORDER BY event_file"
    )
    done.append(call := sync_command(place.settings, "sweep", good, "--yes", "--json"))
    assert call.code == 0, call.text
    assert (call.json["synced"], call.json["figures"]["inserted"]) == ([good], 1)
    assert (
        place.rows(
            f"SELECT * FROM delete_tracker_loads WHERE event_file <> '{good}' ORDER BY event_file"
        )
        == before
    )
    assert place.rows(
        f"SELECT error, rows_inserted FROM delete_tracker_loads WHERE event_file = '{good}'"
    ) == [(None, 1)]
    assert place.rows("SELECT event_id FROM delete_tracker ORDER BY event_id") == [
        ("e1",),
        ("e2",),
    ]
    call = sync_command(place.settings, "sweep", "--yes", "--json")
    assert (call.json["synced"], call.json["figures"]["refused_before"]) == ([pending], 1)
    assert loaded not in call.json["synced"]


def test_a_refused_file_that_is_still_bad_is_refused_again(place: Place, put: Put) -> None:
    """One load record is left, and it has the time of the last try."""
    bad = put(content=DAMAGED)
    sync_command(place.settings, "sweep", "--yes")
    ((first,),) = place.rows("SELECT token FROM delete_tracker_loads")
    assert sync_command(place.settings, "sweep", bad, "--yes").code == 4
    ((second,),) = place.rows("SELECT token FROM delete_tracker_loads")
    assert first != second


def test_a_file_that_is_loaded_inserts_no_row_twice(place: Place, put: Put) -> None:
    name = put("e1", "e2")
    sync_command(place.settings, "sweep", "--yes")
    call = sync_command(place.settings, "sweep", name, "--yes", "--json")
    assert (call.code, call.json["figures"]["inserted"]) == (0, 0)
    assert place.rows("SELECT rows_inserted FROM delete_tracker_loads") == [(2,)]


def test_a_sweep_of_one_file_judges_and_compares_nothing(place: Place, put: Put) -> None:
    """It does not list the container, so it does not know what is pending."""
    put("e1")
    checked = put(check(), listed())
    strict = {**place.settings, "MAX_BACKLOG_HOURS": "1", "MAX_SILENCE_HOURS": "1"}
    assert sync_command(strict, "sweep", checked, "--yes").code == 0
    assert place.rows("SELECT compared_at FROM delete_tracker_checks") == [(None,)]
    assert sync_command(strict, "sweep", "--yes").code == 4
    assert place.rows("SELECT COUNT(*) FROM delete_tracker_checks WHERE compared_at IS NULL") == [
        (0,)
    ]


@pytest.mark.parametrize("name", ["events_20990101T000000Z.db", "../secret", "notes.txt"])
def test_a_file_that_is_not_there_is_a_problem_of_usage(place: Place, put: Put, name: str) -> None:
    """Nothing is asked, and nothing is loaded, also not the file that is there."""
    good = put("e1")
    call = sync_command(place.settings, "sweep", good, name, "--yes")
    assert call.code == 2
    assert f"{name} is no event file in container events-" in call.err
    assert place.rows("SELECT * FROM delete_tracker_loads") == []


# -- status


@pytest.mark.views
def test_the_status_counts_files_by_state_and_age(
    place: Place, put: Put, events: ContainerClient, done: list[Done]
) -> None:
    """Files of February are older than a week, and today's file is under a day old."""
    loaded, refused = put("e1"), put(content=DAMAGED)
    sync_command(place.settings, "sweep", "--yes")
    now = datetime.now(timezone.utc) - timedelta(hours=1)
    fresh = f"events_{now:%Y%m%dT%H%M%SZ}.db"
    events.upload_blob(fresh, b"x")
    done.append(call := sync_command(place.settings, "status", "--json"))
    files = call.json["files"]
    none = {"under_a_day": 0, "under_a_week": 0, "older": 0}
    assert files["loaded"] == {**none, "number": 1, "older": 1, "oldest": loaded}
    assert files["refused"] == {**none, "number": 1, "older": 1, "oldest": refused}
    assert files["pending"] == {**none, "number": 1, "under_a_day": 1, "oldest": fresh}
    assert call.json["refused"] == [{"event_file": refused, "error": "it is not a SQLite file"}]
    ((sweep),) = call.json["sweeps"]
    assert (sweep["files"], sweep["inserted"], sweep["refused"]) == (2, 1, 1)
    assert call.code == 1
    done.append(call := sync_command(place.settings, "status"))
    assert f"refused: {refused}: it is not a SQLite file" in call.out


@pytest.mark.views
def test_the_status_of_a_good_target_is_well(place: Place, put: Put) -> None:
    put("e1")
    sync_command(place.settings, "sweep", "--yes")
    call = sync_command(place.settings, "status")
    assert call.code == 0, call.text
    assert "open reasons: none" in call.out


@pytest.mark.views
def test_the_status_shows_what_is_open_and_what_views_say(
    place: Place, put: Put, done: list[Done]
) -> None:
    """Freshness is that of the topic, and verdicts are those of the object's days."""
    now = datetime.now(timezone.utc)
    put(
        delete("e1"),
        poll(objects='["Account"]', error="TopicError: x", ended="failed"),
        gap("g-open", now - timedelta(days=1)),
        gap("g-lost", now - timedelta(days=40)),
        reject("r-1"),
    )
    put(check(), listed())
    sync_command(place.settings, "sweep", "--yes")
    done.append(call := sync_command(place.settings, "status", "--json"))
    assert call.code == 1
    assert (call.json["open_number"], call.json["unreadable"]) == (3, [])
    assert {(it["what"], it["id"], it["state"]) for it in call.json["open"]} == {
        ("gap", "g-open", "open"),
        ("gap", "g-lost", "lost"),
        ("reject", "r-1", "open"),
    }
    (fresh,) = call.json["freshness"]
    assert (fresh["topic"], fresh["object_name"], fresh["last_error"]) == (
        TOPIC,
        "Account",
        "TopicError: x",
    )
    assert "proven_until" in fresh
    verdicts = {(it["object_name"], it["verdict"]) for it in call.json["verdicts"]}
    assert ("Account", "proven") in verdicts
    assert (TOPIC, "lost") in verdicts
    done.append(call := sync_command(place.settings, "status"))
    for word in ("g-lost", "r-1", "proven", "2026-02-01"):
        assert word in call.out


@pytest.mark.views
def test_the_status_says_which_views_are_not_there(place: Place, put: Put) -> None:
    """It reads the tables then, and does not fail."""
    put("e1", reject("r-1"), gap("g", datetime.now(timezone.utc)))
    sync_command(place.settings, "sweep", "--yes")
    for view in ("freshness", "completeness", "incomplete"):
        place.run(f"DROP VIEW delete_tracker_{view}")
    call = sync_command(place.settings, "status", "--json")
    assert call.code == 1
    assert (call.json["freshness"], call.json["verdicts"]) == (None, None)
    assert {(it["id"], it["state"]) for it in call.json["open"]} == {
        ("r-1", "open"),
        ("g", "unknown"),
    }
    shown = sync_command(place.settings, "status").out
    cure = "run docs/setup/snowflake/3_views.sql, and grant the role SELECT on the view"
    for view, so in (
        ("_incomplete", ", so gaps are shown that checks may have closed"),
        ("_freshness", ""),
        ("_completeness", ""),
    ):
        assert f"unreadable: the view {view} cannot be read{so}: {cure}\n" in shown


@pytest.mark.views
@pytest.mark.parametrize("view", ["freshness", "completeness", "incomplete"])
def test_the_status_is_not_well_if_a_view_cannot_be_read(place: Place, put: Put, view: str) -> None:
    """Nobody can tell then whether all is well."""
    put("e1")
    sync_command(place.settings, "sweep", "--yes")
    place.run(f"DROP VIEW delete_tracker_{view}")
    call = sync_command(place.settings, "status", "--json")
    assert call.code == 1
    (text,) = call.json["unreadable"]
    assert text.startswith(f"the view _{view} cannot be read")


@pytest.mark.views
@pytest.mark.parametrize("views", [True, False])
def test_the_status_says_that_it_does_not_show_all(place: Place, put: Put, views: bool) -> None:
    """It reads the oldest thousand, and counts the others."""
    put("e1")
    sync_command(place.settings, "sweep", "--yes")
    place.run(
        "INSERT INTO delete_tracker_rejects (reject_id, topic, error, loaded_at) "
        "SELECT 'r-' || SEQ4(), 't', 'x', SYSDATE() FROM TABLE(GENERATOR(ROWCOUNT => 1001))"
    )
    if not views:
        place.run("DROP VIEW delete_tracker_incomplete")
    call = sync_command(place.settings, "status", "--json")
    assert (len(call.json["open"]), call.json["open_number"]) == (1000, 1001)
    shown = sync_command(place.settings, "status").out
    assert "and 981 more: --json shows the oldest 1,000" in shown


def test_the_status_before_the_first_sweep_says_so(
    put: Put, blob_settings: dict[str, str], snowflake_settings: dict[str, str], connection: object
) -> None:
    """No table exists, and all files are pending."""
    put("e1")
    call = sync_command({**blob_settings, **snowflake_settings}, "status", "--json")
    assert call.code == 1, call.text
    assert call.json["files"]["pending"]["number"] == 1
    assert "DELETE_TRACKER" in call.json["missing_tables"]
    shown = sync_command({**blob_settings, **snowflake_settings}, "status").out
    assert "no table exists yet" in shown


@pytest.mark.views
def test_the_status_names_what_is_overdue(place: Place, put: Put) -> None:
    """It judges as a sweep does, with the same settings."""
    put(poll())
    strict = {**place.settings, "MAX_BACKLOG_HOURS": "1", "MAX_SILENCE_HOURS": "1"}
    call = sync_command(strict, "status", "--json")
    assert call.code == 1
    backlog, silence = call.json["overdue"]
    assert "is still pending after" in backlog
    assert "the collector is silent" in silence
    assert sync_command(place.settings, "status", "--json").json["overdue"] == []


# -- acknowledge


def open_ids(place: Place) -> set[str]:
    return {row[0] for row in place.rows("SELECT id FROM delete_tracker_incomplete")}


@pytest.mark.views
def test_a_reason_is_taken_off_the_view_with_name_time_and_reason(
    place: Place, put: Put, done: list[Done]
) -> None:
    """It may be a reject, a refused file or a lost gap. Others stay."""
    lost = gap("g-lost", datetime.now(timezone.utc) - timedelta(days=40))
    put(reject("r-1"), reject("r-2"), lost)
    bad = put(content=DAMAGED)
    sync_command(place.settings, "sweep", "--yes")
    refused = next(it for it in open_ids(place) if it.startswith(f"{bad}:"))
    assert open_ids(place) == {"r-1", "r-2", "g-lost", refused}
    for identifier, kind in (("r-1", "reject"), ("g-lost", "gap"), (refused, "refused file")):
        done.append(
            call := sync_command(
                place.settings, "acknowledge", identifier, "--why", WHY, "--yes", "--json"
            )
        )
        assert call.code == 0, call.text
        (told,) = call.json["acknowledged"]
        assert (told["kind"], told["id"], told["why"]) == (kind, identifier, WHY)
    assert open_ids(place) == {"r-2"}
    rows = place.rows("SELECT DISTINCT why, who FROM delete_tracker_acknowledged")
    user = place.settings["SNOWFLAKE_USER"].upper()
    assert rows == [(WHY, f"{user} ({getpass.getuser()})")]
    ((at,),) = place.rows("SELECT MIN(acknowledged_at) FROM delete_tracker_acknowledged")
    assert abs(datetime.now(timezone.utc).replace(tzinfo=None) - at) < timedelta(minutes=5)


@pytest.mark.parametrize("typed", [None, "n\n"])
def test_without_consent_nothing_is_acknowledged(place: Place, put: Put, typed: str | None) -> None:
    put(reject("r-1"))
    sync_command(place.settings, "sweep", "--yes")
    call = sync_command(place.settings, "acknowledge", "r-1", "--why", WHY, typed=typed)
    assert call.code == 2
    assert f"Take the reject r-1 ({TOPIC}: cannot decode) off the view" in call.err
    assert place.rows("SELECT * FROM delete_tracker_acknowledged") == []


@pytest.mark.views
def test_a_gap_that_checks_may_still_close_is_not_acknowledged(place: Place, put: Put) -> None:
    """After 15 days it is lost."""
    now = datetime.now(timezone.utc)
    put(gap("young", now - timedelta(days=14)), gap("old", now - timedelta(days=16)))
    sync_command(place.settings, "sweep", "--yes")
    call = sync_command(place.settings, "acknowledge", "young", "--why", WHY, "--yes")
    assert call.code == 2
    assert "gap young is still open, and checks may close it until" in call.err
    assert sync_command(place.settings, "acknowledge", "old", "--why", WHY, "--yes").code == 0
    assert open_ids(place) == {"young"}


def test_what_was_acknowledged_keeps_its_first_reason(place: Place, put: Put) -> None:
    put(reject("r-1"))
    sync_command(place.settings, "sweep", "--yes")
    sync_command(place.settings, "acknowledge", "r-1", "--why", WHY, "--yes")
    call = sync_command(place.settings, "acknowledge", "r-1", "--why", "another", "--yes")
    assert call.code == 0
    assert WHY in call.out
    assert place.rows("SELECT why FROM delete_tracker_acknowledged") == [(WHY,)]


@pytest.mark.parametrize(
    ("identifier", "why", "says"),
    [
        ("no-such", WHY, "no-such is no gap, reject or refused file"),
        ("r-1", "  ", "--why is empty"),
    ],
)
def test_an_unknown_id_or_an_empty_reason_is_a_problem_of_usage(
    place: Place, put: Put, identifier: str, why: str, says: str
) -> None:
    put(reject("r-1"))
    sync_command(place.settings, "sweep", "--yes")
    call = sync_command(place.settings, "acknowledge", identifier, "--why", why, "--yes")
    assert call.code == 2
    assert says in call.err
    assert place.rows("SELECT * FROM delete_tracker_acknowledged") == []


# -- query


def test_a_query_prints_its_rows(place: Place, put: Put, done: list[Done]) -> None:
    put("e1", "e2")
    sync_command(place.settings, "sweep", "--yes")
    sql = "SELECT event_id AS id FROM delete_tracker ORDER BY 1"
    done.append(call := sync_command(place.settings, "query", sql))
    assert call.code == 0
    assert call.out.splitlines() == ["ID", "e1", "e2"]
    done.append(call := sync_command(place.settings, "query", sql, "--json"))
    assert call.json == {"exit_code": 0, "columns": ["ID"], "rows": [["e1"], ["e2"]]}


def test_a_percent_sign_and_braces_reach_snowflake_unchanged(place: Place) -> None:
    sql = "SELECT '50%s {x}' AS text"
    assert sync_command(place.settings, "query", sql, "--json").json["rows"] == [["50%s {x}"]]


def test_what_a_terminal_would_obey_is_not_printed(place: Place) -> None:
    """A payload may have any character."""
    call = sync_command(place.settings, "query", "SELECT 'a\x1b[31mb' AS text")
    assert "\x1b" not in call.text
    assert "a?[31mb" in call.out


CHANGES = "DELETE FROM delete_tracker_loads"


@pytest.mark.parametrize(
    "sql",
    [CHANGES, f"  /* SELECT */ {CHANGES}", f"-- SELECT\n{CHANGES}", "CREATE TABLE x (k INTEGER)"],
)
def test_a_statement_that_changes_something_needs_consent(place: Place, put: Put, sql: str) -> None:
    put("e1")
    sync_command(place.settings, "sweep", "--yes")
    call = sync_command(place.settings, "query", sql)
    assert call.code == 2
    assert "Run a statement that may change something in" in call.err
    assert len(place.rows("SELECT * FROM delete_tracker_loads")) == 1


def test_with_consent_a_change_is_committed(place: Place, put: Put) -> None:
    put("e1")
    sync_command(place.settings, "sweep", "--yes")
    assert sync_command(place.settings, "query", CHANGES, "--yes").code == 0
    assert place.rows("SELECT * FROM delete_tracker_loads") == []


def test_a_query_that_snowflake_refuses_is_a_problem_of_usage(
    place: Place, done: list[Done]
) -> None:
    """The message has Snowflake's text and number."""
    done.append(call := sync_command(place.settings, "query", "SELECT * FROM no_such_table"))
    assert call.code == 2
    assert "error 2003" in call.err
    assert call.err.rstrip().endswith("Correct the statement")


@pytest.mark.parametrize(
    ("sql", "reads"),
    [
        ("SELECT 1", True),
        ("  -- why\n/* what */ (select 1)", True),
        ("WITH a AS (SELECT 1 AS n) SELECT n FROM a", True),
        ("show tables", True),
        ("DESCRIBE TABLE x", True),
        ("SELECT SYSTEM$ABORT_TRANSACTION(1)", False),
        ("WITH p AS PROCEDURE () RETURNS INT AS 'x' CALL p()", False),
        ("SHOW TABLES ->> DROP TABLE x", False),
        ("/* SELECT */ DROP TABLE x", False),
        ("-- SELECT\nDROP TABLE x", False),
        ("EXECUTE IMMEDIATE 'SELECT 1'", False),
        ("", False),
    ],
)
def test_only_a_statement_that_surely_reads_needs_no_consent(sql: str, *, reads: bool) -> None:
    assert only_reads(sql) is reads


def test_what_a_query_changed_all_the_same_is_rolled_back(place: Place, account: Account) -> None:
    """The statement was taken for a query."""
    account.forget_statements()
    assert sync_command(place.settings, "query", "SELECT 1 AS n").code == 0
    assert [one.line for one in account.statements()] == ["SELECT 1 AS n", "ROLLBACK"]
