"""The mock's REST API over HTTP, call by call, as Salesforce documents it."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from local.mock_rest import DAY, NOW, WHOLE, Rest, bin_query, moment, rest

from salesforce_client.src.app.mock_salesforce import MockSalesforce
from salesforce_client.src.app.mock_salesforce.ids import record_id
from salesforce_client.src.app.mock_salesforce.rest_errors import ERRORS

USER = record_id("User", 0)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
OF_USER = f"(SELECT PermissionSetId FROM PermissionSetAssignment WHERE AssigneeId = '{USER}')"
VIEW_ALL = (
    "SELECT PermissionsViewAllRecords FROM ObjectPermissions"
    " WHERE SobjectType = '{}' AND ParentId IN " + OF_USER
)
VIEW_ALL_DATA = f"SELECT PermissionsViewAllData FROM PermissionSet WHERE Id IN {OF_USER}"
MEMBERS = "SELECT EventChannel, SelectedEntity, FilterExpression FROM PlatformEventChannelMember"
IN_BIN = "SELECT LastModifiedDate FROM Account WHERE IsDeleted = TRUE"
DELETE_EVENTS = (
    "SELECT Record, SobjectName, DeletedById, DeletedDate FROM DeleteEvent"
    " WHERE SobjectName = 'Account'"
)


@pytest.fixture(scope="module")
def org() -> Iterator[Rest]:
    """A client of an org without faults. Its clock stands still."""
    with rest() as client:
        yield client


def committed(client: Rest, name: str, since: datetime, until: datetime) -> Counter[Any]:
    """Return ids and dates of the deletes of an object, both ends inclusive."""
    changes = client.mock.org.changes((name,), since - timedelta(microseconds=1), until)
    return Counter((it.record_id, it.at) for it in changes if it.kind == "delete")


def by_id(*ids: str) -> str:
    names = ", ".join(f"'{it}'" for it in ids)
    return f"SELECT Id, IsDeleted FROM Account WHERE Id IN ({names})"


# -- sessions and paths


def test_the_instance_url_of_a_login_is_that_of_the_rest_api(mock: MockSalesforce) -> None:
    """A client that logs in can call REST with its token, and only with it."""
    url = f"{mock.tokens.instance_url}/services/data/v60.0/limits/"
    token = mock.tokens.new_token()
    with requests.Session() as http:
        http.trust_env = False
        for header in ("", "Bearer wrong", f"Basic {token}", token):
            answer = http.get(url, headers={"Authorization": header})
            assert answer.status_code == 401
            assert answer.json() == [
                {"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}
            ]
        assert http.get(url, headers={"Authorization": f"Bearer {token}"}).status_code == 200
        mock.tokens.expire_tokens()
        assert http.get(url, headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_a_path_that_does_not_exist_is_not_found(org: Rest) -> None:
    """So are unknown objects and unknown versions."""
    for path in (
        *("nothing", "sobjects/Nothing/describe", "sobjects/Nothing/deleted/"),
        *("/services/data/v69.0/limits/", "/services/data/v30.0/limits/", "/services/apexrest/x"),
    ):
        assert org.error(path)[:2] == (404, "NOT_FOUND")
    versions = [it["version"] for it in org.json("/services/data/")]
    assert (versions[0], versions[-1]) == ("31.0", "68.0")


def test_only_get_is_allowed_and_a_uri_has_a_limit(org: Rest) -> None:
    """The limit is 16,384 bytes."""
    url = f"{org.mock.tokens.instance_url}/services/data/v60.0/query"
    assert org.http.post(url, data={"q": "x"}).json()[0]["errorCode"] == "METHOD_NOT_ALLOWED"
    ids = [record_id("Account", number) for number in range(800)]
    assert org.error("queryAll", q=by_id(*ids))[0] == 414
    assert org.get("queryAll", q=by_id(*ids[:500])).status_code == 200


def test_every_answer_has_the_time_of_the_org_in_its_date_header(org: Rest) -> None:
    """Errors have it too."""
    for path in ("limits/", "nothing"):
        assert parsedate_to_datetime(org.get(path).headers["Date"]) == NOW


# -- getDeleted


def test_get_deleted_lists_each_deleted_record_with_its_date(org: Rest) -> None:
    """It has ids and dates, and nothing else."""
    answer = org.deleted("Contact")
    assert set(answer) == {"deletedRecords", "earliestDateAvailable", "latestDateCovered"}
    assert all(set(row) == {"id", "deletedDate"} for row in answer["deletedRecords"])
    assert Counter(org.entries("Contact")) == committed(org, "Contact", *WHOLE)
    assert moment(answer["latestDateCovered"]) == NOW
    assert moment(answer["earliestDateAvailable"]) <= WHOLE[0]
    assert len(answer["deletedRecords"][0]["id"]) == 18


def test_both_ends_of_a_window_are_inclusive_and_their_seconds_are_ignored(org: Rest) -> None:
    """A delete at the end of one window is in the next one too."""
    _, at = org.entries("Contact")[5]
    second = timedelta(seconds=59)
    assert at in {date for _, date in org.entries("Contact", at + second, at + HOUR)}
    assert at in {date for _, date in org.entries("Contact", at - HOUR, at + second)}
    assert at not in {date for _, date in org.entries("Contact", at + MINUTE, at + HOUR)}
    assert at not in {date for _, date in org.entries("Contact", at - HOUR, at - MINUTE + second)}


def test_latest_date_covered_is_never_after_the_end_or_in_the_future(org: Rest) -> None:
    """The next call begins there."""
    for until, covered in ((NOW - HOUR, NOW - HOUR), (NOW + DAY, NOW)):
        answer = org.deleted("Account", NOW - 3 * HOUR, until)
        assert moment(answer["latestDateCovered"]) == covered


@pytest.mark.parametrize(
    ("start", "end", "code"),
    [
        (NOW - MINUTE, NOW, "INVALID_REPLICATION_DATE"),
        (NOW - MINUTE, NOW + 59 * timedelta(seconds=1), "INVALID_REPLICATION_DATE"),
        (NOW, NOW - HOUR, "INVALID_REPLICATION_DATE"),
        (NOW - 15 * DAY - MINUTE, NOW, "INVALID_REPLICATION_DATE"),
        (NOW - 2 * MINUTE, NOW, ""),
        (NOW - 15 * DAY, NOW, ""),
    ],
)
def test_a_window_is_longer_than_a_minute_and_within_15_days(
    org: Rest, start: datetime, end: datetime, code: str
) -> None:
    """Anything else is refused."""
    path = "sobjects/Account/deleted/"
    answer = org.get(path, start=start.isoformat(), end=end.isoformat())
    assert answer.status_code == (400 if code else 200)
    if code:
        assert answer.json()[0]["errorCode"] == code


def test_times_of_a_window_have_a_time_zone_and_their_plus_sign_is_escaped(org: Rest) -> None:
    """An unescaped plus sign is a blank."""
    path = "sobjects/Account/deleted/"
    good = "2026-02-01T10:00:00+00:00"
    for start in ("2026-02-01T09:00:00Z", "2026-02-01T10:00:00.5+0100", good.replace("10:", "08:")):
        assert org.get(path, start=start, end=good).status_code == 200
    for start in ("2026-02-01T09:00:00", "2026-02-01", "now"):
        assert org.error(path, start=start, end=good)[1] == "INVALID_FIELD"
    unescaped = f"{path}?start=2026-02-01T09:00:00+00:00&end=2026-02-01T10:00:00Z"
    assert org.error(unescaped)[1] == "INVALID_FIELD"
    assert org.error(path, start=good)[1] == "MISSING_ARGUMENT"


def test_an_object_name_may_be_in_small_letters(org: Rest) -> None:
    """Answers have the object's own spelling."""
    assert org.json("sobjects/account/describe")["name"] == "Account"
    assert org.entries("account") == org.entries("Account")


# -- describe


def test_describe_lists_the_fields_that_an_object_has(org: Rest) -> None:
    """Only some objects have an owner and a winner of merges."""
    fields = {
        name: {it["name"] for it in org.json(f"sobjects/{name}/describe")["fields"]}
        for name in ("Account", "Opportunity", "CampaignMember")
    }
    assert fields["Account"] - fields["Opportunity"] == {"MasterRecordId"}
    assert fields["Opportunity"] - fields["CampaignMember"] == {"OwnerId"}
    assert {"Id", "IsDeleted", "SystemModstamp", "LastModifiedById"} < fields["CampaignMember"]
    described = org.json("sobjects/Account/describe")
    assert (described["replicateable"], described["keyPrefix"]) == (True, "001")


# -- queryAll


def test_query_all_tells_who_deleted_a_record_and_who_owned_it(org: Rest) -> None:
    """The window applies to LastModifiedDate, which the delete has set."""
    since, until = NOW - 3 * DAY, NOW - DAY
    rows = org.rows(bin_query("Account", since, until, ", OwnerId, MasterRecordId"))
    changes = {
        it.record_id: it
        for it in org.mock.org.changes(("Account",), since - timedelta(microseconds=1), until)
        if it.kind == "delete" and org.mock.org.state(it.record_id, NOW) == "bin" and it.at < until
    }
    assert {row["Id"] for row in rows} == set(changes)
    for row in rows:
        assert row["attributes"]["type"] == "Account"
        assert moment(row["LastModifiedDate"]) == changes[row["Id"]].at
        assert row["LastModifiedById"] == changes[row["Id"]].by
        assert row["OwnerId"] == org.mock.org.history.owner(row["Id"])
        assert row["MasterRecordId"] is None
        assert row["SystemModstamp"] == row["LastModifiedDate"]


def test_query_does_not_return_deleted_records(org: Rest) -> None:
    """Only queryAll does."""
    assert org.rows(bin_query())
    assert org.rows(bin_query(), "query") == []


def test_a_record_is_asked_for_by_id_whether_it_lives_or_not(org: Rest) -> None:
    """A record that does not exist is simply missing."""
    bins = org.mock.org.changes(("Account",), NOW - 12 * HOUR, NOW)
    dead = next(it.record_id for it in bins if org.mock.org.state(it.record_id, NOW) == "bin")
    alive = next(it.record_id for it in bins if it.kind == "restore")
    unknown, contact = record_id("Account", 10**9), record_id("Contact", 300)
    rows = org.rows(by_id(dead, alive, unknown, contact, dead))
    assert {row["Id"]: row["IsDeleted"] for row in rows} == {dead: True, alive: False}
    assert len(rows) == 2
    assert [row["Id"] for row in org.rows(by_id(dead[:15]))] == [dead]
    assert [row["Id"] for row in org.rows(by_id(dead, alive), "query")] == [alive]
    only_dead = by_id(dead, alive) + " AND IsDeleted = TRUE"
    assert [row["Id"] for row in org.rows(only_dead)] == [dead]
    for wrong in ("001", "0015f00000", "0015f000000abcde-fg"):
        assert org.error("queryAll", q=by_id(wrong))[1] == "INVALID_QUERY_FILTER_OPERATOR"


def test_purged_records_leave_the_bin_and_are_still_listed() -> None:
    """A query returns them for a while, DeleteEvent does not, and getDeleted lists them."""
    with rest("empty_bin=7:24") as client:
        listed = {it for it, _ in client.entries()}
        rows = {row["Id"] for row in client.rows(bin_query())}
        in_bin = {row["Record"] for row in client.rows(DELETE_EVENTS)}
        states = {it: client.mock.org.state(it, NOW) for it in listed}
        assert in_bin == {it for it in listed if states[it] == "bin"}
        assert rows == in_bin | {it for it in listed if states[it] == "purged"}
        assert set(states.values()) == {"bin", "purged", "gone"}
        gone = next(it for it in listed if states[it] == "gone")
        assert client.rows(by_id(gone)) == []


def test_delete_event_tells_who_deleted_what_is_in_the_bin(org: Rest) -> None:
    """It can be limited to a time."""
    rows = org.rows(DELETE_EVENTS, "query")
    changes = {it.record_id: it for it in org.mock.org.changes(("Account",), *WHOLE)}
    assert len(rows) > 50
    for row in rows[-50:]:
        deleted = changes[row["Record"]]
        assert (row["DeletedById"], moment(row["DeletedDate"])) == (deleted.by, deleted.at)
        assert row["SobjectName"] == "Account"
    limited = f"{DELETE_EVENTS} AND DeletedDate >= 2026-02-01T00:00:00Z"
    assert 0 < len(org.rows(limited)) < len(rows)


def test_a_comparison_includes_the_time_itself_only_if_it_says_so(org: Rest) -> None:
    """The operators are those of SOQL."""
    at = sorted(it for _, it in org.entries())[-20]
    text = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    for operator, sides in (("<", "b"), ("<=", "bs"), ("=", "s"), (">=", "sa"), (">", "a")):
        rows = org.rows(f"{DELETE_EVENTS} AND DeletedDate {operator} {text}")
        deleted = org.rows(f"{IN_BIN} AND LastModifiedDate {operator} {text}")
        for dates in (
            {moment(row["DeletedDate"]) for row in rows},
            {moment(row["LastModifiedDate"]) for row in deleted},
        ):
            found = {"s" if it == at else "b" if it < at else "a" for it in dates}
            assert found == set(sides), operator


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Id", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE IsDeleted = TRUE ORDER BY Id", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE IsDeleted = TRUE LIMIT 5", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE IsDeleted = TRUE ALL ROWS", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE IsDeleted = TRUE OR IsDeleted = FALSE", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE IsDeleted = FALSE", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE IsDeleted = 'true'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE IsDeleted IN ('TRUE')", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE Id IN ()", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE Id IN (SELECT Id FROM Account)", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE Name = 'x'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE Id = '001' AND Id = '002'", "MALFORMED_QUERY"),
        ("SELECT Id, Id FROM Account WHERE IsDeleted = TRUE", "MALFORMED_QUERY"),
        ("SELECT COUNT() FROM Account WHERE IsDeleted = TRUE", "MALFORMED_QUERY"),
        ("", "MALFORMED_QUERY"),
        ("SELECT Nothing FROM Account WHERE IsDeleted = TRUE", "INVALID_FIELD"),
        ("SELECT OwnerId FROM CampaignMember WHERE IsDeleted = TRUE", "INVALID_FIELD"),
        (
            "SELECT Id FROM Account WHERE IsDeleted = TRUE AND SystemModstamp >= '2026-01-01'",
            "INVALID_FIELD",
        ),
        (
            "SELECT Id FROM Account WHERE IsDeleted = TRUE AND SystemModstamp >= 2026-01-01",
            "MALFORMED_QUERY",
        ),
        (
            "SELECT Id FROM Account WHERE IsDeleted = TRUE AND"
            " SystemModstamp >= 2026-13-01T00:00:00Z",
            "MALFORMED_QUERY",
        ),
        ("SELECT Id FROM Nothing WHERE IsDeleted = TRUE", "INVALID_TYPE"),
        (MEMBERS, "INVALID_TYPE"),
        ("SELECT Record FROM DeleteEvent", "MALFORMED_QUERY"),
        ("SELECT PermissionsViewAllData FROM PermissionSet", "MALFORMED_QUERY"),
        (
            "SELECT PermissionsViewAllData FROM PermissionSet WHERE Id IN ('0PS5f000000MOCKAAA')",
            "MALFORMED_QUERY",
        ),
        (VIEW_ALL_DATA.replace("AssigneeId", "GroupId"), "MALFORMED_QUERY"),
    ],
)
def test_a_query_that_the_mock_does_not_know_is_refused(org: Rest, soql: str, code: str) -> None:
    """A wrong answer would be worse."""
    status, given, _ = org.error("queryAll", q=soql)
    assert (status, given) == (400, code)


def test_names_and_words_of_a_query_may_be_in_small_letters(org: Rest) -> None:
    """Rows have the object's own spelling."""
    soql = "select id, isdeleted from account where IsDeleted = true"
    assert set(org.rows(soql)[0]) == {"attributes", "Id", "IsDeleted"}


def test_pages_have_up_to_2000_rows_and_a_url_for_the_next_one() -> None:
    """The URL says query, and still brings deleted rows. The wish for a size is 200 to 2,000."""
    with rest(interval=500) as client:
        first = client.json("queryAll", q=bin_query())
        assert (len(first["records"]), first["done"]) == (2000, False)
        assert first["nextRecordsUrl"].startswith("/services/data/v60.0/query/01g")
        rows = client.rows(bin_query())
        assert len({row["Id"] for row in rows}) == len(rows) == first["totalSize"] > 2200
        for wish, size in (("1", 200), ("500", 500), ("9000", 2000)):
            page = client.json("queryAll", batch=wish, q=bin_query())
            assert len(page["records"]) == size
            following = client.json(page["nextRecordsUrl"], batch=wish)
            assert following["records"] == rows[size : 2 * size]


def test_the_last_page_has_no_url(org: Rest) -> None:
    """``done`` says that it is the last."""
    page = org.json("queryAll", q=by_id(record_id("Account", 200)))
    assert (page["done"], page["totalSize"], "nextRecordsUrl" in page) == (True, 1, False)


# -- rights, channels, limits


def test_permission_sets_tell_that_the_user_sees_all_records(org: Rest) -> None:
    """There is no View All for tasks."""
    for name in ("Account", "Contact", "Opportunity"):
        (row,) = org.rows(VIEW_ALL.format(name), "query")
        assert row["PermissionsViewAllRecords"] is True
    assert org.rows(VIEW_ALL.format("Task"), "query") == []
    assert [it["PermissionsViewAllData"] for it in org.rows(VIEW_ALL_DATA, "query")] == [False]
    other = VIEW_ALL.format("Account").replace(USER, record_id("User", 1))
    assert org.rows(other, "query") == []
    short = VIEW_ALL.format("Account").replace(USER, USER[:15])
    assert len(org.rows(short, "query")) == 1


def test_the_tooling_api_tells_the_members_of_the_channels(org: Rest) -> None:
    """Without a fault, they have no filter."""
    rows = org.rows(MEMBERS, "tooling/query")
    assert [
        (row["EventChannel"], row["SelectedEntity"], row["FilterExpression"]) for row in rows
    ] == [
        ("ChangeEvents", "AccountChangeEvent", None),
        ("ChangeEvents", "ContactChangeEvent", None),
        ("Delete_Tracking__chn", "AccountChangeEvent", None),
        ("Delete_Tracking__chn", "ContactChangeEvent", None),
    ]
    one = f"{MEMBERS} WHERE SelectedEntity = 'ContactChangeEvent'"
    assert len(org.rows(one, "tooling/query")) == 2
    assert org.error("tooling/query", q=bin_query())[1] == "INVALID_TYPE"


def test_limits_tell_how_many_events_and_calls_are_left() -> None:
    """Each REST call counts."""
    with rest() as client:
        before, after = client.json("limits/"), client.json("limits/")
        assert set(before) == {"DailyApiRequests", "DailyDeliveredPlatformEvents"}
        assert all(set(limit) == {"Max", "Remaining"} for limit in before.values())
        calls = [it["DailyApiRequests"]["Remaining"] for it in (before, after)]
        assert calls[0] - calls[1] == 1


# -- open points: what each fault changes


@pytest.mark.parametrize("reading", ["one", "two", "log"])
def test_three_readings_of_what_is_listed_after_a_restore(reading: str) -> None:
    """One entry or two after delete, restore, delete; and whether a live record is listed."""
    with rest(f"redelete={reading}") as client:
        found = Counter(client.entries())
        expected: Counter[Any] = Counter()
        for it in committed(client, "Account", *WHOLE):
            last = client.mock.org.history.last(it[0], NOW)
            assert last
            is_last = last.kind == "delete" and last.at == it[1]
            if reading == "log" or is_last or (reading == "two" and last.kind == "delete"):
                expected[it] += 1
        assert found == expected
        states = {client.mock.org.state(it, NOW) for it, _ in found}
        most = max(Counter(it for it, _ in found).values())
        assert (most, "live" in states) == {
            "one": (1, False),
            "two": (3, False),
            "log": (3, True),
        }[reading]


@pytest.mark.parametrize("reading", ["one", "two", "log"])
def test_a_delete_and_an_undelete_in_one_transaction_are_listed_only_in_a_log(
    reading: str,
) -> None:
    """The record lives, so the bin does not have it."""
    with rest(f"one_transaction,redelete={reading}") as client:
        restored = {
            it.change.record_id
            for it in client.mock.org.hidden(("/data/ChangeEvents",), NOW - 3 * DAY, NOW)
            if it.kind == "one_transaction" and it.change.object_name == "Account"
        }
        listed = {it for it, _ in client.entries()}
        assert restored
        assert restored & listed == (restored if reading == "log" else set())
        assert {row["IsDeleted"] for row in client.rows(by_id(*restored))} == {False}


def test_a_hidden_delete_is_listed_and_a_lost_one_is_not() -> None:
    """``lost`` is for what nobody can know any more."""
    topics = ("/data/ChangeEvents", "/event/Delete_Event__e")
    for kind, listed in (("update_delete", True), ("no_right", True), ("lost", False)):
        with rest(f"hide={kind}:2") as client:
            hidden = client.mock.org.hidden(topics, WHOLE[0], NOW)
            ids = {it.change.record_id for it in hidden if it.change.object_name == "Contact"}
            found = {it for it, _ in client.entries("Contact")}
            assert ids
            assert ids & found == (ids if listed else set())
            rows = {row["Id"] for row in client.rows(bin_query("Contact"))}
            assert ids & rows == (ids if listed else set())


def test_a_hidden_restore_shows_only_that_the_record_lives() -> None:
    """It leaves getDeleted and the bin."""
    with rest("hide=restore:1") as client:
        hidden = client.mock.org.hidden(("/data/ChangeEvents",), NOW - 2 * DAY, NOW)
        restored = [it.change.record_id for it in hidden if it.kind == "restore"]
        assert {row["IsDeleted"] for row in client.rows(by_id(*restored))} == {False}
        assert not set(restored) & {it for it, _ in client.entries()}


def test_a_merge_names_its_winner_in_query_all_and_a_bin_may_lack_the_losers() -> None:
    """GetDeleted lists the losers without a winner."""
    for value in ("bin", "absent"):
        with rest(f"merge={value}") as client:
            merges = {it.loser: it.winner for it in client.mock.org.merges(*WHOLE)}
            rows = client.rows(bin_query(fields=", MasterRecordId"))
            told = {row["Id"]: row["MasterRecordId"] for row in rows if row["MasterRecordId"]}
            accounts = {it: to for it, to in merges.items() if it.startswith("001")}
            assert told == ({} if value == "absent" else accounts)
            assert set(accounts) <= {it for it, _ in client.entries()}
            assert any(winner in accounts for winner in accounts.values())


def test_records_without_a_recycle_bin_are_purged_at_once() -> None:
    """GetDeleted and, for a while, queryAll list them."""
    with rest("hard_delete") as client:
        listed = {it for it, _ in client.entries("CampaignMember")}
        assert listed
        assert {client.mock.org.state(it, NOW) for it in listed} == {"purged", "gone"}
        assert client.rows(bin_query("CampaignMember"))
        soql = DELETE_EVENTS.replace("Account", "CampaignMember")
        assert client.rows(soql) == []


def test_a_modstamp_that_moves_takes_the_date_in_get_deleted_with_it() -> None:
    """LastModifiedDate stays."""
    with rest("modstamp_drift=2") as client:
        rows = {row["Id"]: row for row in client.rows(bin_query())}
        listed = dict(client.entries())
        moved = {
            it
            for it, row in rows.items()
            if moment(row["SystemModstamp"]) > moment(row["LastModifiedDate"])
        }
        assert 0.2 < len(moved) / len(rows) < 0.8
        for it in moved:
            assert listed[it] == moment(rows[it]["SystemModstamp"])
        one = next(it for it in moved if listed[it] - moment(rows[it]["LastModifiedDate"]) > DAY)
        for at, expected in ((moment(rows[one]["LastModifiedDate"]), False), (listed[one], True)):
            found = dict(client.entries(since=at - HOUR, until=at + HOUR))
            assert (one in found) == expected
        deletes = dict(list(committed(client, "Account", *WHOLE)))
        assert all(moment(row["LastModifiedDate"]) == deletes[it] for it, row in rows.items())


def test_a_long_transaction_is_dated_before_its_commit() -> None:
    """Until then it is not listed, and latestDateCovered ends before it."""
    with rest("long_transaction=1:8", interval=300) as client:
        answer = client.deleted()
        assert moment(answer["latestDateCovered"]) == NOW - 8 * MINUTE
        dated = {
            (it.record_id, it.at - 8 * MINUTE)
            for it in client.mock.org.changes(("Account",), NOW - DAY, NOW)
            if it.kind == "delete" and client.mock.org.state(it.record_id, NOW) == "bin"
        }
        found = set(client.entries(since=NOW - DAY + HOUR))
        assert found == {it for it in dated if NOW - DAY + HOUR <= it[1] <= NOW - 8 * MINUTE}
        rows = client.rows(bin_query(since=NOW - DAY + HOUR))
        assert {(row["Id"], moment(row["LastModifiedDate"])) for row in rows} == found


def test_an_open_transaction_holds_latest_date_covered_back() -> None:
    """What is newer is not listed yet."""
    with rest("open_transaction=180") as client:
        answer = client.deleted("Contact")
        assert moment(answer["latestDateCovered"]) == NOW - 3 * HOUR
        assert max(it for _, it in client.entries("Contact")) <= NOW - 3 * HOUR
        last = max(moment(row["LastModifiedDate"]) for row in client.rows(bin_query("Contact")))
        assert last <= NOW - 3 * HOUR


@pytest.mark.parametrize("how", ["error", "silent", "told"])
def test_a_trimmed_delete_log_fails_or_lacks_entries(how: str) -> None:
    """Whether Salesforce says so is open."""
    with rest(f"rest_trim={how}:24") as client:
        path = "sobjects/Account/deleted/"
        start, end = (NOW - 2 * DAY).isoformat(), NOW.isoformat()
        if how == "error":
            assert client.error(path, start=start, end=end) == (
                400,
                "INVALID_REPLICATION_DATE",
                "startDate before org replication enabled date",
            )
            assert client.entries(since=NOW - DAY)
            return
        answer = client.json(path, start=start, end=end)
        dates = [moment(row["deletedDate"]) for row in answer["deletedRecords"]]
        assert NOW - DAY <= min(dates) < NOW - DAY + 12 * HOUR
        earliest = moment(answer["earliestDateAvailable"])
        assert (earliest > NOW - 2 * DAY) == (how == "told")
        assert any(moment(row["LastModifiedDate"]) < NOW - DAY for row in client.rows(bin_query()))


def test_rows_past_the_end_are_listed_with_a_fault() -> None:
    """A public client has seen them."""
    with rest("rest_past_end=3600") as client:
        _, at = client.entries("Contact")[5]
        since, until = at - 5 * HOUR, at - HOUR
        answer = client.deleted("Contact", since, until)
        assert moment(answer["latestDateCovered"]) == until
        assert at in {moment(row["deletedDate"]) for row in answer["deletedRecords"]}


def test_without_view_all_there_are_fewer_rows_and_no_error() -> None:
    """Only the permission sets tell it."""
    with rest("no_view_all=2@Account") as client:
        whole = committed(client, "Account", *WHOLE)
        listed = set(client.entries())
        assert 0.3 < len(listed) / len(whole) < 0.7
        rows = {row["Id"] for row in client.rows(bin_query())}
        assert rows <= {it for it, _ in listed}
        (unseen, *_) = {it for it, _ in whole} - {it for it, _ in listed}
        if client.mock.org.state(unseen, NOW) == "bin":
            assert client.rows(by_id(unseen)) == []
        assert (
            client.rows(VIEW_ALL.format("Account"), "query")[0]["PermissionsViewAllRecords"]
            is False
        )
        assert client.rows(VIEW_ALL.format("Contact"), "query")[0]["PermissionsViewAllRecords"]
        assert Counter(client.entries("Contact")) == committed(client, "Contact", *WHOLE)


def test_view_all_data_is_another_evidence_of_full_sight() -> None:
    """It counts more than a lack of View All."""
    with rest("view_all_data,no_view_all") as client:
        assert client.rows(VIEW_ALL_DATA, "query")[0]["PermissionsViewAllData"] is True
        row = client.rows(VIEW_ALL.format("Contact"), "query")[0]
        assert row["PermissionsViewAllRecords"] is False
        assert Counter(client.entries("Contact")) == committed(client, "Contact", *WHOLE)


@pytest.mark.parametrize("how", ["error", "type", "empty"])
def test_without_view_setup_permissions_and_channels_are_unknown(how: str) -> None:
    """What such a query answers is open; limits are refused."""
    with rest(f"no_view_setup={how}") as client:
        queries = (
            ("query", VIEW_ALL.format("Account")),
            ("query", VIEW_ALL_DATA),
            ("tooling/query", MEMBERS),
        )
        for call, soql in queries:
            if how == "empty":
                assert client.rows(soql, call) == []
            else:
                code = "INSUFFICIENT_ACCESS" if how == "error" else "INVALID_TYPE"
                assert client.error(call, q=soql)[1] == code
        assert client.error("limits/")[:2] == (403, "INSUFFICIENT_ACCESS")
        assert client.entries()


def test_delete_event_may_be_unreadable() -> None:
    """The other lists still answer."""
    with rest("no_delete_event") as client:
        assert client.error("query", q=DELETE_EVENTS)[1] == "INVALID_TYPE"
        assert client.rows(bin_query())


def test_an_object_may_not_be_replicateable() -> None:
    """Describe says so, and getDeleted refuses it."""
    with rest("not_replicateable=Contact") as client:
        assert client.json("sobjects/Contact/describe")["replicateable"] is False
        assert client.json("sobjects/Account/describe")["replicateable"] is True
        path, window = "sobjects/Contact/deleted/", (it.isoformat() for it in WHOLE)
        assert client.error(path, **dict(zip(("start", "end"), window)))[1] == "INVALID_TYPE"
        assert client.rows(bin_query("Contact"))


def test_a_member_of_the_channel_may_have_a_filter() -> None:
    """The list has what the filtered channel lacks."""
    with rest("filtered_channel=Contact") as client:
        rows = {
            row["SelectedEntity"]: row["FilterExpression"]
            for row in client.rows(MEMBERS, "tooling/query")
        }
        assert rows == {"AccountChangeEvent": None, "ContactChangeEvent": "Type = 'Customer'"}
        missing = client.mock.org.hidden(("/data/ChangeEvents",), *WHOLE)
        filtered = {it.change.record_id for it in missing if it.kind == "filtered"}
        assert filtered
        assert filtered <= {it for it, _ in client.entries("Contact")}


def test_the_limits_may_be_nearly_used_up() -> None:
    """``delivery_limit`` is the daily limit of events."""
    with rest("limits_used=90,delivery_limit=500") as client:
        assert client.json("limits/") == {
            "DailyApiRequests": {"Max": 100_000, "Remaining": 10_000},
            "DailyDeliveredPlatformEvents": {"Max": 500, "Remaining": 50},
        }


def test_the_clock_of_the_org_may_be_off() -> None:
    """The header ``Date`` shows it."""
    with rest("clock_off=-900") as client:
        date = parsedate_to_datetime(client.get("limits/").headers["Date"])
        assert date == NOW - timedelta(minutes=15)
        assert moment(client.deleted(until=NOW)["latestDateCovered"]) == date


# -- what goes wrong


def test_a_session_may_end_between_two_pages() -> None:
    """After a new login, the next page can be read."""
    with rest("rest_page=3,rest_session=2") as client:
        first = client.json("queryAll", q=bin_query())
        second = client.json(first["nextRecordsUrl"])
        assert client.error(second["nextRecordsUrl"])[:2] == (401, "INVALID_SESSION_ID")
        assert client.error("limits/")[0] == 401
        client.log_in()
        third = client.json(second["nextRecordsUrl"])
        pages = [it["records"] for it in (first, second, third)]
        assert [len(it) for it in pages] == [3, 3, 3]
        assert len({row["Id"] for row in itertools.chain(*pages)}) == 9
        for _ in range(5):
            client.json("limits/")


def test_sessions_may_end_again_and_again() -> None:
    """A client that renews its session only once gives up."""
    with rest("rest_session=1:always") as client:
        statuses = []
        for _ in range(4):
            statuses.append(client.get("limits/").status_code)
            client.log_in()
        assert statuses == [200, 401, 200, 401]


@pytest.mark.parametrize("name", ERRORS)
def test_every_documented_error_can_be_requested(name: str) -> None:
    """The error comes as often as asked, with its status, code and message."""
    with rest(f"rest_error={name}:2@deleted") as client:
        window = {"start": (NOW - DAY).isoformat(), "end": NOW.isoformat()}
        for _ in range(2):
            assert client.error("sobjects/Account/deleted/", **window) == ERRORS[name]
        assert client.json("sobjects/Account/deleted/", **window)
        assert client.json("limits/")


def test_the_page_of_the_mock_lists_every_error() -> None:
    """A person finds the name that the fault needs."""
    page = (Path(__file__).resolve().parents[2] / "docs/mock-salesforce.md").read_text()
    listed = page.partition("Errors of the fault `rest_error`:\n\n")[2].partition("\n\n")[0]
    assert re.findall(r"`(\w+)`", listed) == list(ERRORS)


@pytest.mark.parametrize(
    ("place", "fails"),
    [
        ("describe", ["describe"]),
        ("queryAll", ["queryAll"]),
        ("query", ["query"]),
        ("page", ["page"]),
        ("tooling", ["tooling"]),
        ("limits", ["limits"]),
        ("Account", ["describe", "deleted"]),
        ("", ["describe", "deleted", "queryAll", "query", "page", "tooling", "limits"]),
    ],
)
def test_an_error_can_be_limited_to_a_call_or_an_object(place: str, fails: list[str]) -> None:
    """Without a limit, every call fails."""
    at = f"@{place}" if place else ""
    with rest(f"rest_error=INVALID_QUERY_LOCATOR:always{at},rest_page=1") as client:
        failed = []
        calls = {
            "describe": ("sobjects/Account/describe", {}),
            "deleted": (
                "sobjects/Account/deleted/",
                {"start": (NOW - DAY).isoformat(), "end": NOW.isoformat()},
            ),
            "queryAll": ("queryAll", {"q": bin_query()}),
            "query": ("query", {"q": DELETE_EVENTS}),
            "tooling": ("tooling/query", {"q": MEMBERS}),
            "limits": ("limits/", {}),
            "page": ("query/01g5f0000000001AAA-1", {}),
        }
        for call, (path, parameters) in calls.items():
            if client.get(path, **parameters).status_code != 200:
                failed.append(call)
        assert sorted(failed) == sorted(fails)


def test_an_unknown_query_locator_is_refused(org: Rest) -> None:
    """A query must then begin again."""
    for locator in ("01g5f0000099999AAA-2000", "01g", "01g5f0000000001AAA-x"):
        assert org.error(f"query/{locator}")[:2] == (400, "INVALID_QUERY_LOCATOR")


def test_a_window_with_too_many_ids_fails_and_a_smaller_one_does_not() -> None:
    """Salesforce's limit is 600,000."""
    with rest("rest_id_limit=20") as client:
        window = {"start": (NOW - 3 * DAY).isoformat(), "end": NOW.isoformat()}
        assert client.error("sobjects/Account/deleted/", **window)[1] == "EXCEEDED_ID_LIMIT"
        assert client.entries(since=NOW - 6 * HOUR)


def test_a_query_of_a_long_range_times_out_and_a_shorter_one_does_not() -> None:
    """A client halves the range."""
    with rest("rest_timeout=24") as client:
        soql = bin_query(since=NOW - 25 * HOUR)
        assert client.error("queryAll", q=soql)[:2] == (400, "QUERY_TIMEOUT")
        assert client.rows(bin_query(since=NOW - DAY))
        assert client.rows(by_id(record_id("Account", 200)))


@pytest.mark.parametrize("how", ["json", "page", "close"])
def test_the_rest_api_may_be_down_while_login_and_pubsub_work(how: str) -> None:
    """It answers 503, or not at all."""
    with rest(f"rest_down={how}") as client:
        if how == "close":
            with pytest.raises(requests.ConnectionError):
                client.get("limits/")
            return
        answer = client.get("limits/")
        assert answer.status_code == 503
        if how == "page":
            assert "<title>" in answer.text
        else:
            assert answer.json()[0]["errorCode"] == "SERVER_UNAVAILABLE"


def test_the_rest_api_may_be_slow() -> None:
    """The answer comes after the seconds of the fault."""
    with rest("rest_slow=0.3") as client:
        assert client.get("limits/").elapsed > timedelta(seconds=0.29)


def test_rest_is_served_over_tls_with_the_mocks_own_authority() -> None:
    """The instance URL then begins with https."""
    with MockSalesforce(3600, NOW, tls=True) as mock, requests.Session() as http:
        http.trust_env = False
        http.verify = mock.ca_file
        assert mock.tokens.instance_url.startswith("https://127.0.0.1:")
        assert Rest(mock, http).json("limits/")
