"""The queries of ``questions.sql``, run against what happened in the mock's org."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from local import apps, warehouse

from salesforce_client.src.app.mock_salesforce import DEFAULT_TOPICS
from salesforce_client.src.app.mock_salesforce.faults import Faults
from salesforce_client.src.app.mock_salesforce.history import Change
from salesforce_client.src.app.mock_salesforce.org import RETENTION, Org

INTERVAL = 600
HISTORY = "hide=update_delete:5,merge,redelete"
NOT_LISTED_YET = timedelta(minutes=31)
AFTER_A_MERGE = timedelta(minutes=5)
Answer = list[tuple[Any, ...]]


class World:
    """A poll with its check and a sweep have run. This holds the truth and the answers."""

    def __init__(self, began: datetime, now: datetime, answers: Mapping[str, Answer]) -> None:
        self.began = began  # by the clock of this machine
        self.now = now  # the time of the org
        self.since = now - timedelta(days=7)
        self.org = Org(INTERVAL, lambda: now, Faults(HISTORY))
        self.answers = answers

    def answer(self, words: str) -> Answer:
        """The rows of the query whose question has these words."""
        (rows,) = (rows for question, rows in self.answers.items() if words in question)
        return rows

    def accounts(self) -> list[Change]:
        """The deletes of accounts in the last seven days that Salesforce still tells of.

        An event told of it, or the record is still deleted and listed.
        """
        return [
            it
            for it in self.org.changes(["Account"], self.since, self.now)
            if it.kind == "delete"
            and (
                (it.hidden is None and it.at > self.now - RETENTION)
                or (it.at < self.now - NOT_LISTED_YET and self.is_last(it))
            )
        ]

    def is_last(self, change: Change) -> bool:
        """Whether the record is deleted now, and this is its last delete."""
        later = self.org.changes(["Account"], change.at, self.now)
        return self.org.state(change.record_id, self.now) != "live" and not any(
            it.record_id == change.record_id for it in later
        )


def questions() -> dict[str, str]:
    """The queries, each with its question."""
    text = (warehouse.SET_UP / "questions.sql").read_text()
    found = {}
    for part in text.split(";")[1:]:
        comments = [line[3:] for line in part.splitlines() if line.startswith("-- ")]
        query = "\n".join(line for line in part.splitlines() if not line.startswith("-- "))
        if query.strip():
            found[" ".join(comments)] = query
    return found


def asked_at(now: datetime, query: str, account: str) -> str:
    """The query about this account, as if it was asked at this time."""
    time = f"TO_TIMESTAMP_NTZ('{now:%Y-%m-%d %H:%M:%S}')"
    return query.replace("SYSDATE()", time).replace("<the account>", account)


@pytest.fixture
def world(settings: Mapping[str, str], connection: Any) -> World:
    began = datetime.now(timezone.utc)
    org = Org(INTERVAL, lambda: began, Faults(HISTORY))
    merges = org.merges(began - RETENTION, began - AFTER_A_MERGE)
    # No list has this merge yet.
    now = max(it.at for it in merges if it.object_name == "Account") + AFTER_A_MERGE
    mock = {
        "MOCK_NOW": now.isoformat(),
        "MOCK_FAULTS": HISTORY,
        "MOCK_INTERVAL_SECONDS": str(INTERVAL),
        "CHECK_OBJECTS": "",
    }
    polled = apps.poll({**settings, **mock})
    assert polled.succeeded, polled.log
    swept = apps.sweep(settings)
    assert swept.succeeded, swept.log
    warehouse.run(connection, "3_views.sql")
    _, ((account,),) = warehouse.query(
        connection,
        "SELECT MAX(record_id) FROM delete_tracker_transactions "
        "WHERE object_name = 'Account' AND deletes > 5",
    )
    return World(
        began,
        now,
        {"the account": [(account,)]}
        | {
            question: warehouse.query(connection, asked_at(now, query, account))[1]
            for question, query in questions().items()
        },
    )


def test_the_questions_of_analysts_are_answered_with_what_happened(world: World) -> None:
    """Each query is compared with the truth of the org."""
    truth = world.accounts()
    told = {(it.record_id, it.at.replace(tzinfo=None)): it.by for it in truth}

    deleted = world.answer("by whom")
    assert {(record, date): user for date, record, user, _ in deleted} == told
    assert {source for *_, source in deleted} == {"event", "check"}

    last = {it.record_id: it for it in sorted(truth, key=lambda it: it.at)}
    restores = [
        it
        for it in world.org.restores(DEFAULT_TOPICS, world.now - RETENTION, world.now)
        if it.record_id in last and it.at >= last[it.record_id].at
    ]
    back = world.answer("are back")
    assert (
        {(record, restored) for record, _, restored in back}
        == {(it.record_id, it.at.replace(tzinfo=None)) for it in restores}
        != set()
    )

    # The list tells the winner, so a merge that is not listed yet has none.
    listed_until = world.now - NOT_LISTED_YET
    merged = {it.loser: it.winner for it in world.org.merges(world.since, listed_until)}
    expected = {}
    for loser in merged.keys() & last.keys():
        winner = loser
        while winner in merged:
            winner = merged[winner]
        expected[loser] = winner
    assert {record: winner for record, _, winner in world.answer("were merged")} == expected != {}

    complete = {(row[0], row[1]): row[2:4] for row in world.answer("if not, why")}
    today = world.now.date()
    assert complete["Account", today - timedelta(days=2)] == ("repaired", None)
    assert complete["Account", today] == ("unproven", "not covered")

    fresh = {row[:2]: row for row in world.answer("How fresh")}
    for row in fresh.values():
        assert row[3] >= world.began.replace(tzinfo=None)
    assert fresh["/data/ChangeEvents", "Account"][4].date() in (today, today - timedelta(days=1))

    ((account,),) = world.answers["the account"]
    (event,) = (
        happening.ids
        for happening in world.org.history.between(world.now - RETENTION, world.now)
        if account in happening.ids and happening.told_as == "DELETE"
    )
    together = {record for _, record, _, _ in world.answer("together with")}
    assert together == set(event) - {account} != set()
