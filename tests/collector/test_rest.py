"""The REST API of Salesforce as a check uses it. Each test scripts the answers of a server."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest
from local.emulators import free_port

from salesforce_client.src.app.errors import (
    AuthenticationError,
    CallsSpentError,
    CheckRefusedError,
    CheckUnavailableError,
    CollectorError,
    ListTooLongError,
    ListTrimmedError,
)
from salesforce_client.src.app.model.checks import Deletion, Described, Entry, Member
from salesforce_client.src.app.model.events import Session
from salesforce_client.src.app.salesforce.lists import MOST_BYTES, Lists
from salesforce_client.src.app.salesforce.rest import Rest

USER = "0055f0000000001AAA"
ID = "0015f00000000001AAA"[:15]
ID18 = "0015f0000000000AAA"
START = datetime(2026, 11, 10, tzinfo=timezone.utc)
END = START + timedelta(days=1)
FIELDS = frozenset({"Id", "OwnerId", "LastModifiedById"})
DATA = "/services/data/v67.0"


class Asked(NamedTuple):
    """One request."""

    path: str
    parameters: dict[str, str]
    headers: dict[str, str]


class Salesforce:
    """What the server answers, in turn. The last answer is repeated.

    An answer is the body of a success, or a status and an error code with its message.
    """

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[Asked] = []
        self.date = ""
        self.url = ""
        self.sessions = 0
        self.user = USER

    def session(self) -> Session:
        """Return the present session."""
        return Session(f"token-{self.sessions}", self.url, "00D", self.user)

    def renew(self, expired: Session) -> None:
        """Begin another session."""
        assert expired == self.session()
        self.sessions += 1

    def next(self) -> tuple[int, bytes]:
        """Return status and body of the next answer."""
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, tuple):
            status, code, *message = answer
            if not code:
                return status, b"<html>a page</html>"
            error = {"errorCode": code, "message": message[0] if message else "secret data"}
            return status, json.dumps([error]).encode()
        return 200, answer if isinstance(answer, bytes) else json.dumps(answer).encode()


@contextlib.contextmanager
def serving(salesforce: Salesforce) -> Iterator[Salesforce]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            parameters = {name: values[0] for name, values in parse_qs(url.query).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            salesforce.asked.append(Asked(url.path, parameters, headers))
            status, body = salesforce.next()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def date_time_string(self, timestamp: float | None = None) -> str:
            return salesforce.date or super().date_time_string(timestamp)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    salesforce.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield salesforce
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def asking(
    *answers: Any, allowed: int = 100, seconds: float = 60, pause_seconds: float = 0.01
) -> Iterator[tuple[Lists, Salesforce]]:
    """The questions of a check, and the server that answers them."""
    with serving(Salesforce(*answers)) as salesforce:
        rest = Rest(
            salesforce.session,
            salesforce.renew,
            deadline=time.monotonic() + seconds,
            clock=lambda: datetime.now(timezone.utc),
            pause_seconds=pause_seconds,
        )
        with contextlib.closing(rest):
            lists = Lists(rest)
            lists.allow(allowed)
            yield lists, salesforce


def row(**fields: Any) -> dict[str, Any]:
    return {
        "attributes": {"type": "Account"},
        "Id": ID18,
        "IsDeleted": True,
        "SystemModstamp": "2026-11-10T05:00:00.000+0000",
        "LastModifiedDate": "2026-11-10T04:00:00.000+0000",
        **fields,
    }


def page(*rows: dict[str, Any], following: str = "", total: int = 0) -> dict[str, Any]:
    told: dict[str, Any] = {
        "totalSize": total or len(rows),
        "done": not following,
        "records": list(rows),
    }
    return {**told, "nextRecordsUrl": following} if following else told


NO_DELETES = {
    "deletedRecords": [],
    "earliestDateAvailable": "2026-10-27T00:00:00.000+0000",
    "latestDateCovered": "2026-11-11T00:00:00.000+0000",
}


# -- questions


def test_get_deleted_asks_for_whole_minutes_in_utc_and_reads_what_is_listed() -> None:
    """The plus of the time zone is encoded. Ids get 18 characters, and times milliseconds."""
    listed = [{"id": ID18[:15], "deletedDate": "2026-11-10T22:07:19.000+0000"}]
    with asking({**NO_DELETES, "deletedRecords": listed}) as (lists, salesforce):
        told = lists.deleted("Account", START, END, bounded=True)
    assert told.entries == [Entry(ID18, "2026-11-10T22:07:19.000Z")]
    assert told.earliest == "2026-10-27T00:00:00.000Z"
    assert told.latest == "2026-11-11T00:00:00.000Z"
    (asked,) = salesforce.asked
    assert asked.path == f"{DATA}/sobjects/Account/deleted/"
    assert asked.parameters == {
        "start": "2026-11-10T00:00:00+00:00",
        "end": "2026-11-11T00:00:00+00:00",
    }
    assert asked.headers["authorization"] == "Bearer token-0"


def test_query_all_selects_only_fields_that_describe_lists_and_reads_all_pages() -> None:
    """Not every object has an owner or a winner. No ORDER BY, which makes time-outs likely."""
    first = row(OwnerId="0055f0000000002AAA", LastModifiedById=USER)
    following = "/services/data/v67.0/query/01g-2"
    answers = (page(first, following=following, total=2), page(row(Id="0015f0000000001")))
    with asking(*answers) as (lists, salesforce):
        pages = list(lists.in_bin("Account", FIELDS, START, END))
    assert [one.total for one in pages] == [2, 1]
    (one,), (two,) = (found.records for found in pages)
    assert (one.record_id, one.deleted, one.owner_id, one.modified_by, one.merged_into) == (
        ID18,
        True,
        "0055f0000000002AAA",
        USER,
        None,
    )
    assert (one.modstamp, one.modified) == ("2026-11-10T05:00:00.000Z", "2026-11-10T04:00:00.000Z")
    assert "attributes" not in one.fields
    assert two.record_id == "0015f0000000001AAA"
    assert salesforce.asked[0].path == f"{DATA}/queryAll"
    assert salesforce.asked[0].parameters["q"] == (
        "SELECT Id, IsDeleted, SystemModstamp, LastModifiedDate, LastModifiedById, OwnerId"
        " FROM Account WHERE IsDeleted = TRUE AND SystemModstamp >= 2026-11-10T00:00:00Z"
        " AND LastModifiedDate >= 2026-11-10T00:00:00Z AND LastModifiedDate < 2026-11-11T00:00:00Z"
    )
    assert salesforce.asked[0].headers["sforce-query-options"] == "batchSize=2000"
    assert salesforce.asked[1].path == following
    assert salesforce.asked[1].parameters == {}


def test_a_question_by_id_finds_live_and_deleted_records() -> None:
    """400 ids fit into a URL of 16,384 characters."""
    ids = [f"0015f{number:010}AAA" for number in range(400)]
    with asking(page(row(IsDeleted=False))) as (lists, salesforce):
        (record,) = lists.by_id("Account", FIELDS, ids)
    assert not record.deleted
    soql = salesforce.asked[0].parameters["q"]
    assert soql.endswith(f"WHERE Id IN ({','.join(repr(one) for one in ids)})")


def test_describe_tells_whether_there_is_a_list_and_which_fields_there_are() -> None:
    """What describe says of the user's rights is not read."""
    fields = [{"name": "Id"}, {"name": "OwnerId"}]
    told = {"replicateable": True, "fields": fields, "undeletable": False}
    with asking(told, {"fields": [], "name": "Account"}) as (lists, _):
        assert lists.describe("Account") == Described("Account", True, frozenset({"Id", "OwnerId"}))
        assert lists.describe("account") == Described("Account", False, frozenset())


def test_sight_is_read_from_the_permission_sets_of_the_user() -> None:
    """View All Data is asked for once. Then View All of the object counts."""
    no = {"PermissionsViewAllData": False}
    yes = {"PermissionsViewAllRecords": True}
    with asking(page(no, no), page({}, yes), page()) as (lists, salesforce):
        assert lists.views_all("Account")
        assert not lists.views_all("Contact")
    of_user = f"(SELECT PermissionSetId FROM PermissionSetAssignment WHERE AssigneeId = '{USER}')"
    assert [asked.parameters["q"] for asked in salesforce.asked] == [
        f"SELECT PermissionsViewAllData FROM PermissionSet WHERE Id IN {of_user}",
        "SELECT PermissionsViewAllRecords FROM ObjectPermissions WHERE SobjectType = 'Account'"
        f" AND ParentId IN {of_user}",
        "SELECT PermissionsViewAllRecords FROM ObjectPermissions WHERE SobjectType = 'Contact'"
        f" AND ParentId IN {of_user}",
    ]


def test_view_all_data_is_sight_of_every_object() -> None:
    """The object is then not asked for."""
    with asking(page({"PermissionsViewAllData": True})) as (lists, salesforce):
        assert lists.views_all("Account")
        assert lists.views_all("Contact")
    assert len(salesforce.asked) == 1


@pytest.mark.parametrize("told", ["0055f0000000009AAA", "' OR 1", None])
def test_the_user_comes_from_userinfo_if_the_login_does_not_tell(told: str | None) -> None:
    """Text that is no user's id proves no sight."""
    answers = ({"user_id": told}, page({"PermissionsViewAllData": True}))
    with asking(*answers) as (lists, salesforce):
        salesforce.user = ""
        assert lists.views_all("Account") is (told == "0055f0000000009AAA")
    assert salesforce.asked[0].path == "/services/oauth2/userinfo"


def test_the_members_of_channels_come_from_the_tooling_api() -> None:
    """A custom object has another name there. A platform event is no object."""
    members = (
        {"EventChannel": "My__chn", "SelectedEntity": "AccountChangeEvent"},
        {"EventChannel": "ChangeEvents", "SelectedEntity": "My__ChangeEvent"},
        {"EventChannel": "My__chn", "SelectedEntity": "Delete_Event__e", "FilterExpression": "a=1"},
    )
    with asking(page(*members)) as (lists, salesforce):
        assert lists.members() == [
            Member("My__chn", "Account", False),
            Member("ChangeEvents", "My__c", False),
            Member("My__chn", None, True),
        ]
    assert salesforce.asked[0].path == f"{DATA}/tooling/query"


# -- sessions, retries, limits


def test_a_session_that_has_ended_is_renewed_once() -> None:
    """The call is made again with the new session."""
    with asking((401, "INVALID_SESSION_ID"), NO_DELETES) as (lists, salesforce):
        lists.deleted("Account", START, END, bounded=True)
    tokens = [asked.headers["authorization"] for asked in salesforce.asked]
    assert tokens == ["Bearer token-0", "Bearer token-1"]


def test_a_new_session_that_is_refused_is_an_error_for_a_person() -> None:
    """A third session would be refused too."""
    with asking((401, "INVALID_SESSION_ID")) as (lists, salesforce):
        with pytest.raises(AuthenticationError, match="refused although it is new"):
            lists.describe("Account")
        assert len(salesforce.asked) == 2


@pytest.mark.parametrize(
    "failure",
    [
        (503, "SERVER_UNAVAILABLE"),
        (503, ""),
        (502, ""),
        (500, "UNKNOWN_EXCEPTION"),
        *((status, "") for status in (408, 425, 429)),
        (
            403,
            "REQUEST_LIMIT_EXCEEDED",
            "ConcurrentRequests Limit exceeded.",
        ),
    ],
)
def test_a_transient_failure_is_tried_again_three_times_in_all(failure: Any) -> None:
    """Each try counts as a call."""
    with asking(failure, failure, NO_DELETES) as (lists, salesforce):
        lists.deleted("Account", START, END, bounded=True)
        assert lists.calls == len(salesforce.asked) == 3
    with asking(failure) as (lists, salesforce):
        with pytest.raises(CheckUnavailableError, match="until a later poll checks the object"):
            lists.describe("Account")
        assert lists.calls == len(salesforce.asked) == 3


def failing(answer: Any, call: Callable[[Lists], object] | None = None) -> CollectorError:
    with asking(answer) as (lists, _), pytest.raises(CollectorError) as raised:
        call(lists) if call else lists.deleted("Account", START, END, bounded=True)
    return raised.value


ABOUT = "getDeleted of Account from 2026-11-10T00:00:00+00:00 to 2026-11-11T00:00:00+00:00"


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        ((400, "EXCEEDED_ID_LIMIT"), ListTooLongError, f"{ABOUT}: EXCEEDED_ID_LIMIT"),
        ((400, "QUERY_TIMEOUT"), ListTooLongError, f"{ABOUT}: QUERY_TIMEOUT"),
        ((500, "QUERY_TIMEOUT"), ListTooLongError, f"{ABOUT}: QUERY_TIMEOUT"),
        (
            (400, "INVALID_REPLICATION_DATE"),
            ListTrimmedError,
            f"{ABOUT}: INVALID_REPLICATION_DATE",
        ),
        (
            (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
            CheckUnavailableError,
            f"{ABOUT}: the org has used up its REST calls of the last 24 hours"
            " (REQUEST_LIMIT_EXCEEDED); find what else calls the API, or lower MAX_CHECK_CALLS",
        ),
        (
            (503, "SERVER_UNAVAILABLE"),
            CheckUnavailableError,
            f"{ABOUT}: Salesforce answers SERVER_UNAVAILABLE; if this stays, look at"
            " https://status.salesforce.com",
        ),
        (
            (403, "INSUFFICIENT_ACCESS"),
            CheckRefusedError,
            f"{ABOUT}: Salesforce answers INSUFFICIENT_ACCESS – grant Read and View All on the"
            " object, and View Setup and Configuration, in the permission set of"
            " SALESFORCE_USERNAME",
        ),
        (
            (404, "NOT_FOUND"),
            CheckRefusedError,
            f"{ABOUT}: Salesforce answers NOT_FOUND – check the name in CHECK_OBJECTS, and grant"
            " Read and View All on the object in the permission set of SALESFORCE_USERNAME",
        ),
        (
            (418, "TEAPOT"),
            CheckRefusedError,
            f"{ABOUT}: Salesforce answers TEAPOT – look the code up in docs/operations.md; if this"
            " stays, report this message",
        ),
        (
            b"<html>",
            CheckUnavailableError,
            f"{ABOUT}: the answer is not the JSON of the REST API; if this stays, check whether a"
            " proxy or firewall inspects the connection",
        ),
        (
            {"deletedRecords": [{"id": 1}]},
            CheckUnavailableError,
            f"{ABOUT}: the answer lacks what the documentation promises; if this stays, report"
            " this message",
        ),
    ],
)
def test_an_error_names_the_question_and_what_to_do(
    answer: Any, kind: type[CollectorError], message: str
) -> None:
    """Salesforce's own words may quote data, so they are left out."""
    error = failing(answer)
    assert type(error) is kind
    assert error.text == message


@pytest.mark.parametrize(
    ("code", "no_rights"),
    [
        ("API_DISABLED_FOR_ORG", True),
        ("INSUFFICIENT_ACCESS", True),
        ("NOT_FOUND", True),
        ("INVALID_TYPE", True),
        ("INVALID_FIELD", False),
        ("ANOTHER", False),
    ],
)
def test_missing_rights_are_told_from_other_refusals(code: str, no_rights: bool) -> None:
    """They are an outcome of their own."""
    error = failing((403, code))
    assert isinstance(error, CheckRefusedError)
    assert (error.no_rights, error.code) == (no_rights, code)


def test_a_server_that_cannot_be_reached_is_named() -> None:
    """The query is left out, because it may be long."""
    rest = Rest(
        lambda: Session("t", f"http://127.0.0.1:{free_port()}", "00D", USER),
        lambda _: None,
        deadline=time.monotonic() + 60,
        clock=lambda: datetime.now(timezone.utc),
        pause_seconds=0.01,
    )
    with contextlib.closing(rest):
        lists = Lists(rest)
        lists.allow(10)
        with pytest.raises(CheckUnavailableError) as raised:
            lists.by_id("Account", FIELDS, [ID18])
    text = raised.value.text
    assert text.startswith("queryAll of 1 id(s) of Account: ")
    assert "Connection refused" in text
    assert "allow the app to reach 127.0.0.1" in text
    assert ID18 not in text


def test_a_query_that_salesforce_has_forgotten_begins_again() -> None:
    """After three beginnings it is an error."""
    first = page(row(), following="/services/data/v67.0/query/01g-1", total=2)
    gone = (400, "INVALID_QUERY_LOCATOR")
    with asking(first, gone, page(row(), row())) as (lists, salesforce):
        pages = list(lists.in_bin("Account", FIELDS, START, END))
        assert [len(one.records) for one in pages] == [1, 2]
        assert "q" in salesforce.asked[2].parameters
    with asking(first, gone, first, gone, first, gone) as (lists, salesforce):
        with pytest.raises(CheckRefusedError, match="INVALID_QUERY_LOCATOR"):
            list(lists.in_bin("Account", FIELDS, START, END))
        assert len(salesforce.asked) == 6


def test_a_page_that_is_not_the_last_and_names_no_other_is_an_error() -> None:
    """Otherwise records would be missing."""
    told = {"totalSize": 2, "done": False, "records": [row()]}
    error = failing(told, lambda lists: list(lists.in_bin("Account", FIELDS, START, END)))
    assert "lacks what the documentation promises" in str(error)


def test_no_call_is_made_beyond_those_that_are_allowed() -> None:
    """A session that is renewed counts as well."""
    with asking(NO_DELETES, allowed=2) as (lists, salesforce):
        lists.deleted("Account", START, END, bounded=True)
        lists.deleted("Account", START, END, bounded=True)
        with pytest.raises(CallsSpentError, match="no call is left"):
            lists.deleted("Account", START, END, bounded=True)
        assert len(salesforce.asked) == 2


def test_no_call_is_made_when_the_time_is_over() -> None:
    """The host would end the poll in the middle of it."""
    with asking(NO_DELETES, seconds=0.5) as (lists, salesforce):
        with pytest.raises(CallsSpentError, match="no time is left"):
            lists.deleted("Account", START, END, bounded=True)
        assert salesforce.asked == []
    with asking((500, "UNKNOWN_EXCEPTION"), seconds=5, pause_seconds=9) as (lists, salesforce):
        with pytest.raises(CallsSpentError, match="no time is left"):
            lists.describe("Account")
        assert len(salesforce.asked) == 1


def test_an_answer_that_needs_too_much_memory_is_not_read() -> None:
    """Half the time is asked for instead. Of a window that cannot be halved, it is read."""
    body = json.dumps(NO_DELETES).encode() + b" " * MOST_BYTES
    with asking(body) as (lists, _):
        with pytest.raises(ListTooLongError, match="more than 2,097,152 bytes"):
            lists.deleted("Account", START, END, bounded=True)
        assert lists.deleted("Account", START, END, bounded=False).entries == []


def test_delete_event_tells_who_deleted_records_of_the_bin() -> None:
    """The query names no deleted rows itself, so it is a plain one."""
    told = {
        "Record": ID18[:15],
        "DeletedById": "0055f0000000009",
        "DeletedDate": "2026-11-10T04:00:00.000Z",
    }
    with asking(page(told)) as (lists, salesforce):
        (entries,) = lists.delete_events("Account", START, END)
    assert entries == [Deletion(ID18, "0055f0000000009AAA", "2026-11-10T04:00:00.000Z")]
    (asked,) = salesforce.asked
    assert asked.path == f"{DATA}/query"
    assert asked.parameters == {
        "q": "SELECT Record, DeletedById, DeletedDate FROM DeleteEvent WHERE SobjectName ="
        " 'Account' AND DeletedDate >= 2026-11-10T00:00:00Z AND DeletedDate < 2026-11-11T00:00:00Z"
    }


def test_a_delete_event_that_may_not_be_read_is_empty_and_asked_for_once() -> None:
    """An answer that lacks fields is an error, as for every other question."""
    with asking((400, "INVALID_TYPE")) as (lists, salesforce):
        assert list(lists.delete_events("Account", START, END)) == []
        assert list(lists.delete_events("Contact", START, END)) == []
        assert len(salesforce.asked) == 1
    error = failing(page({}), lambda lists: list(lists.delete_events("Account", START, END)))
    assert isinstance(error, CheckUnavailableError)


@pytest.mark.parametrize("minutes", [-10, 0, 10])
def test_the_clock_of_salesforce_comes_from_the_header_date(minutes: int) -> None:
    """A header that is no time changes nothing. If there was no time at all, it is not known."""
    with asking(NO_DELETES) as (lists, salesforce):
        salesforce.date = "soon"
        lists.deleted("Account", START, END, bounded=True)
        unknown = lists.skew
        assert unknown is None
        then = datetime.now(timezone.utc) + timedelta(minutes=minutes)
        salesforce.date = format_datetime(then, usegmt=True)
        lists.deleted("Account", START, END, bounded=True)
        assert lists.skew is not None
        assert abs(lists.skew - timedelta(minutes=minutes)) < timedelta(seconds=3)
        salesforce.date = "soon"
        before = lists.skew
        lists.deleted("Account", START, END, bounded=True)
        assert lists.skew == before
