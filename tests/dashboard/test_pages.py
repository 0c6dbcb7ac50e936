"""Each page of the dashboard shows what happened in the mock's org.

The pages run in Streamlit's AppTest, in the release that ``environment.yml`` names, and with the
role of ``2_access.sql``.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta, timezone
from statistics import median
from typing import Any

from local import dashboard, emulators
from local.set_up import sessions

from salesforce_client.src.app.mock_salesforce import DEFAULT_TOPICS
from salesforce_client.src.app.mock_salesforce.history import Change
from salesforce_client.src.app.mock_salesforce.org import RETENTION

from .conftest import DAYS, Account

OBJECTS = ("Account", "Case", "Contact", "Opportunity")
NOT_LISTED_YET = timedelta(minutes=31)
KEY = "Transaction_key,_or_id_of_a_deleted_record"
EMPTY = {
    "proven": ["No poll has reached the table yet, so nothing is proven."],
    "deletes": ["No deletes in this period, of this object and user."],
    "unusual": ["The table has no deletes yet."],
    "transaction": ["No change event of the last 30 days told of a delete."],
    "record": ["Type the id of a record."],
    "freshness": [
        "No poll has reached the table yet.",
        "No sweep has loaded a file yet.",
    ],
}


def truth(account: Account) -> list[Change]:
    """The deletes that an event told of, or that a check found because Salesforce still lists them.

    The checks reach further back than the events.
    """
    org, since = dashboard.org(), account.now - timedelta(days=DAYS) - RETENTION
    told = {(it.record_id, it.at) for it in org.deletes(DEFAULT_TOPICS, since, account.now)}
    ((checked_from,),) = account.administer(
        "SELECT MIN(window_from) AS at FROM delete_tracker_checks WHERE object_name = 'Account'"
    )
    begin = checked_from.replace(tzinfo=timezone.utc)
    return [
        it
        for it in org.changes(OBJECTS, min(begin, since) - timedelta(seconds=1), account.now)
        if it.kind == "delete"
        and (
            (it.record_id, it.at) in told
            or (
                begin <= it.at < account.now - NOT_LISTED_YET
                and org.history.last(it.record_id, account.now) == it
            )
        )
    ]


def counted(*values: Any) -> list[list[Any]]:
    """Each value with how often it is there, the most frequent first."""
    return sorted(([*key, number] for key, number in Counter(values).items()), key=str)


def test_proven_until_comes_first(filled: Account) -> None:
    """The check covers everything up to half an hour before the poll."""
    shown = filled.visit("proven")
    midnight = (filled.now - NOT_LISTED_YET).date().isoformat() + "T00:00:00"
    proven, verdicts = shown.tables
    assert proven == [[name, midnight] for name in OBJECTS]
    assert shown.texts["info"] == [
        f"Every object is proven until {midnight.replace('T', ' ')} UTC, or longer: see the table.",
        "Nothing is open: the sweeps know of no gap, no reject and no refused file.",
    ]
    events = filled.now - timedelta(days=DAYS) - RETENTION
    found = Counter(
        it.object_name
        for it in truth(filled)
        if (it.hidden or it.at <= events) and it.at.date().isoformat() < midnight
    )
    recovered: Counter[str] = Counter()
    for row in verdicts:
        recovered[row[0]] += row[8]
    assert +recovered == found
    assert [row[0] for row in verdicts if row[1:4:2] == ["unproven", "not covered"]] == list(
        OBJECTS
    )


def test_deletes_are_counted_by_day_object_and_user(filled: Account) -> None:
    """The period is the last 30 days. Today is one of them."""
    shown = filled.visit("deletes")
    expected = truth(filled)
    by_object, by_user, by_day = shown.tables
    assert sorted(row[:2] for row in by_object) == counted(*((it.object_name,) for it in expected))
    assert sorted(row[:2] for row in by_user) == counted(*((it.by,) for it in expected))
    assert sorted(by_day, key=str) == counted(
        *((it.at.date().isoformat(), it.object_name) for it in expected)
    )
    assert f"**{len(expected):,} deletes**" in shown.texts["markdown"]
    assert shown.charts == 1


def test_a_viewer_chooses_period_object_and_user(filled: Account) -> None:
    """A user has the same id with 15 and with 18 characters."""
    since = (filled.now - timedelta(days=6)).date()
    expected = [it for it in truth(filled) if it.at.date() >= since and it.object_name == "Contact"]
    (user, deletes), *_ = Counter(it.by for it in expected).most_common(1)
    shown = filled.visit("deletes", Period=7, Object="Contact", User_id=user[:15])
    assert [row[:2] for row in shown.tables[1]] == [[user, deletes]]
    assert {row[1] for row in shown.tables[2]} == {"Contact"}


def test_what_a_viewer_types_is_never_sql(empty: Account) -> None:
    """A quote finds nothing, and breaks nothing."""
    typed = (("deletes", "User_id"), ("transaction", KEY), ("record", "Record_id"))
    for shown in empty.visits(*((page, {label: "' OR 1 = 1 --"}) for page, label in typed)):
        assert shown.tables == []
        assert shown.texts["error"] == shown.texts["exception"] == []
        assert shown.texts["info"] != []


def test_unusual_days_follow_the_rule_on_the_page(filled: Account) -> None:
    """The rule is computed here from the truth, in another way."""
    expected = truth(filled)
    first = min(it.at for it in expected).date()
    shown = filled.visit("unusual", At_least_so_many_deletes=10)
    assert any("more than 5 usual distances" in text for text in shown.texts["markdown"])
    assert shown.texts["warning"] == [
        f"The table begins on {first}. Days before {first + timedelta(days=7)} are not judged, "
        "because fewer than 7 days lie before them."
    ]
    tables = iter(shown.tables)
    for names in ("by", "object_name"):
        found = set()
        counts = Counter((getattr(it, names), it.at.date()) for it in expected)
        for (name, day), deletes in counts.items():
            if is_unusual(counts, name, day, first):
                found.add((day.isoformat(), name, deletes))
        assert {tuple(row[:3]) for row in (next(tables) if found else ())} == found


def is_unusual(counts: Counter[Any], name: str, day: date, first: date) -> bool:
    past = [
        counts[name, day - timedelta(days=back)]
        for back in range(1, 29)
        if day - timedelta(days=back) >= first
    ]
    if len(past) < 7 or counts[name, day] < 10:
        return False
    usual = median(past)
    return counts[name, day] - usual > 5 * max(1, median(abs(it - usual) for it in past))


def test_the_story_of_a_transaction_names_what_it_began_with(filled: Account) -> None:
    """The largest one is chosen first, and a record leads to its own."""
    since = filled.now - timedelta(days=DAYS) - RETENTION
    told = [
        it
        for it in dashboard.org().history.between(since, filled.now)
        if it.told_as == "DELETE" and it.topics and not it.topics[0].startswith("/event/")
    ]
    most = max(len(it.ids) for it in told)
    shown = filled.visit("transaction")
    assert len(shown.tables[0]) == most
    assert any(
        option.startswith(f"{most} deletes, ")
        for option in shown.options["Or one of the 20 largest of the last 30 days"][:1]
    )
    one = next(it for it in told if 1 < len(it.ids) < 20)
    shown = filled.visit("transaction", **{KEY: one.ids[-1][:15]})
    (table,) = shown.tables
    assert {row[2] for row in table} == set(one.ids)
    deleted = f"User `{one.user}` deleted {len(one.ids)} {one.step.entity} records"
    at = f"{one.at:%Y-%m-%d %H:%M:%S} UTC."
    assert f"{deleted} in one transaction, at {at}" in shown.text


def test_the_story_of_a_record_says_what_became_of_it(filled: Account) -> None:
    """Of one that is back, of one that was merged, and of one that no event told of."""
    org, expected = dashboard.org(), truth(filled)
    since = filled.now - timedelta(days=DAYS)
    restored = next(iter(org.restores(DEFAULT_TOPICS, since, filled.now)))
    hidden = next(it for it in expected if it.hidden and it.at > since)
    merged = next(it for it in org.merges(since, filled.now - timedelta(days=1)))
    visits = filled.visits(
        *(
            ("record", {"Record_id": record})
            for record in (restored.record_id, hidden.record_id[:15], merged.loser)
        )
    )
    shown = visits[0]
    assert f"It was restored at {restored.at:%Y-%m-%d %H:%M:%S} UTC." in shown.text
    shown = visits[1]
    assert (
        f"deleted it at {hidden.at:%Y-%m-%d %H:%M:%S} UTC. No event told of it: it was found in "
        "Salesforce's list of deleted records."
    ) in shown.text
    assert "It is deleted. Salesforce last listed it at " in shown.text
    assert [row[0] for row in shown.tables[0]] == [f"{hidden.at:%Y-%m-%dT%H:%M:%S}"]
    assert "It was merged into `" in visits[2].text


def test_freshness_names_each_topic_and_the_last_sweeps(filled: Account) -> None:
    topics, sweeps = filled.visit("freshness").tables
    assert {row[0] for row in topics} == set(DEFAULT_TOPICS)
    assert {row[1] for row in topics if row[0] == "/data/AccountChangeEvent"} == {"Account"}
    since = filled.now - timedelta(days=DAYS) - RETENTION
    told = {it.key for it in dashboard.org().deletes(DEFAULT_TOPICS, since, filled.now)}
    assert [row[3] for row in sweeps] == [len(told)]


def test_a_page_over_empty_tables_says_so(empty: Account) -> None:
    for page, shown in zip(EMPTY, empty.visits(*((page, {}) for page in EMPTY))):
        assert shown.tables == []
        assert shown.texts["error"] == shown.texts["exception"] == []
        assert set(EMPTY[page]) <= set(shown.texts["info"])


def test_an_unknown_record_and_an_unknown_transaction_get_a_sentence(empty: Account) -> None:
    record, transaction = empty.visits(
        ("record", {"Record_id": "001000000000001"}), ("transaction", {KEY: "001000000000001"})
    )
    assert record.texts["info"] == [
        "No delete of this record is in the table. Upper and lower case letters differ in an id. "
        "If the record was deleted, look at *Proven until* for what may be missing."
    ]
    assert transaction.texts["info"] == [
        "No transaction has this key or this record. Only change events name their transaction. A "
        "delete that a trigger or a check told of has none."
    ]


def test_rows_that_a_table_leaves_out_are_said(own: Account) -> None:
    """A table has at most 1,000 rows."""
    own.administer(
        "INSERT INTO delete_tracker_rejects (reject_id, topic, error, loaded_at) "
        "SELECT 'r' || ROW_NUMBER() OVER (ORDER BY SEQ4()) AS reject_id, '/event/x' AS topic, "
        "'cut' AS error, SYSDATE() AS loaded_at FROM TABLE(GENERATOR(ROWCOUNT => 1001))"
    )
    shown = own.visit("proven")
    assert len(shown.tables[0]) == 1000
    assert shown.texts["warning"] == [
        "Open reasons why deletes may be missing: 1,000 or more. Lost gaps: 0.",
        "The table shows the first 1,000 rows, lost gaps first, then the oldest. There are more.",
    ]


def test_missing_rights_get_a_sentence(own: Account) -> None:
    schema = own.settings["SNOWFLAKE_SCHEMA"].upper()
    own.administer(
        f"REVOKE SELECT ON ALL VIEWS IN SCHEMA audit.{schema} "
        f"FROM ROLE delete_tracker_dashboard_{schema}"
    )
    pages = ("proven", "deletes", "unusual", "transaction", "freshness")
    for shown in own.visits(*((page, {}) for page in pages), ("record", {"Record_id": "001A"})):
        (error,) = shown.texts["error"]
        assert error.startswith(
            "The role of this dashboard may not read a view of delete_tracker, or the view does "
            "not exist. Nothing is lost: the dashboard only reads. Run 3_views.sql, and the grants "
            "for delete_tracker_dashboard in 2_access.sql. Snowflake says: "
        )


def test_a_missing_warehouse_gets_a_sentence(own: Account) -> None:
    schema = own.settings["SNOWFLAKE_SCHEMA"].upper()
    own.administer(
        f"REVOKE USAGE ON WAREHOUSE delete_tracker_dashboard_wh_{schema} "
        f"FROM ROLE delete_tracker_dashboard_{schema}"
    )
    (error,) = own.visit("freshness").texts["error"]
    assert error.startswith(
        "The role of this dashboard may not use its warehouse. Nothing is lost: the dashboard only "
        "reads. Run the grants for delete_tracker_dashboard in 2_access.sql. Snowflake says: "
    )


def test_the_role_reads_no_table(filled: Account, snowflake: emulators.Server) -> None:
    """The pages above worked with this role."""
    login = dashboard.login(filled.settings)
    with sessions(snowflake, login["schema"]) as connect:
        session = connect(role=login["role"], warehouse=login["warehouse"])
        assert session.one("SELECT COUNT(*) AS n FROM delete_tracker_deletes") > 0
        for table in ("", "_loads", "_gaps", "_rejects", "_polls", "_restores", "_listed", "_lock"):
            assert session.refused(f"SELECT * FROM delete_tracker{table}") == "002003"
        assert session.refused("CREATE TABLE mine (k INTEGER)") == "003001"
