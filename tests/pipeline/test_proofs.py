"""The judge of the marathon finds each kind of false claim, and none in claims that are true."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from local import proofs, warehouse
from local.comparison import Target
from local.comparison import told as told_by
from local.proofs import DATES_DIFFER, Claims, Gap, Latest, Told, Window
from local.truth import RecordedGap, difference_of_restores, expired, nowhere_left, wrong_gaps

from salesforce_client.src.app.mock_salesforce.faults import Faults
from salesforce_client.src.app.mock_salesforce.history import Change
from salesforce_client.src.app.mock_salesforce.org import Org
from salesforce_client.src.app.model.ids import identity

NOW = datetime(2026, 2, 1, 12, 10, tzinfo=timezone.utc)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SINCE, UNTIL = NOW - 6 * DAY, NOW - HOUR
OBJECTS = ("Account", "Contact", "Opportunity", "Case")
TOPICS = ("/event/Delete_Event__e", "/data/AccountChangeEvent", "/data/ChangeEvents")
GAP = Gap("g", TOPICS[1], SINCE, NOW, "closed")
PROVEN, NOT_COVERED = ("proven", None), ("unproven", "not covered")


@pytest.fixture
def org() -> Org:
    faults = "rare_changes,redelete=two,merge,modstamp_drift,long_transaction,hide=restore+no_right"
    return Org(1800, lambda: NOW, Faults(faults))


def deletes(org: Org) -> list[Change]:
    changes = org.changes(OBJECTS, SINCE - 4 * DAY, NOW)
    return [one for one in changes if one.kind == "delete"]


def told(change: Change, number: int = 0) -> Told:
    return Told(f"{change.record_id}:{change.at}:{number}", change.record_id, change.at, "event")


@pytest.fixture
def true(org: Org) -> Claims:
    """True claims: each delete has a row, and each record that is in the bin is confirmed."""
    days = {
        (name, (SINCE - 4 * DAY + number * DAY).date()): PROVEN
        for name in OBJECTS
        for number in range(12)
    }
    return Claims(
        deletes=[told(one) for one in deletes(org)],
        days=days,
        windows=[
            Window(name, NOW - (5 - number) * DAY, NOW - (4 - number) * DAY, asked)
            for name in OBJECTS
            for number, asked in enumerate((NOW - 3 * DAY, NOW))
        ],
        confirmed=[
            Latest(one.record_id, one.at)
            for one in deletes(org)
            if org.history.last(one.record_id, NOW) == one
        ],
        gaps=[],
        objects={TOPICS[1]: frozenset(["Account"])},
    )


def in_window(org: Org, said: Claims) -> Change:
    """A delete that did not move, that the newest check lists."""
    window = said.windows[1]
    return next(
        one
        for one in deletes(org)
        if window.object_name == one.object_name
        if window.begin < one.dated < window.end - HOUR
        and not one.drifts_at
        and org.history.last(one.record_id, NOW) == one
    )


def without(said: Claims, change: Change) -> Claims:
    return replace(said, deletes=[row for row in said.deletes if row != told(change)])


def on_its_day(said: Claims, change: Change, verdict: tuple[str, str | None]) -> Claims:
    day = (change.object_name, change.dated.date())
    assert day in said.days
    return replace(said, days={**said.days, day: verdict})


JUDGES: dict[str, Callable[[Org, Claims], list[str]]] = {
    "missing": lambda org, said: proofs.missing_listed(org, said, OBJECTS, SINCE, UNTIL, NOW),
    "false proofs": lambda org, said: proofs.false_proofs(org, said, NOW),
    "doubled": lambda org, said: proofs.doubled(org, said, NOW),
    "invented": lambda org, said: proofs.invented(org, said, NOW),
    "alive": lambda org, said: proofs.live_but_confirmed(org, said, SINCE, UNTIL, NOW)[0],
    "gaps": lambda _, said: proofs.wrong_gap_states(said),
}


def findings(org: Org, said: Claims) -> dict[str, int]:
    return {name: len(found) for name, judge in JUDGES.items() if (found := judge(org, said))}


def test_true_claims_are_not_blamed(org: Org, true: Claims) -> None:
    """The org has hidden restores, merges, moved dates and long transactions."""
    assert len(true.deletes) > 200
    assert len(true.confirmed) > 100
    assert findings(org, true) == {}


def test_a_listed_delete_without_a_row_on_a_proven_day_is_a_false_proof(
    org: Org, true: Claims
) -> None:
    """It is missing, too. If the day's dates differ, neither is blamed."""
    change = in_window(org, true)
    lacks = without(true, change)
    assert findings(org, lacks) == {"missing": 1, "false proofs": 1}
    assert findings(org, on_its_day(lacks, change, DATES_DIFFER)) == {}


def test_a_missing_delete_needs_the_reason_that_dates_differ(org: Org, true: Claims) -> None:
    """On a day that is not proven for another reason, the last check must have repaired it."""
    change = in_window(org, true)
    unproven = on_its_day(without(true, change), change, NOT_COVERED)
    assert set(findings(org, unproven)) == {"missing"}


def test_a_delete_may_be_unclear_to_an_earlier_one_of_its_record(org: Org, true: Claims) -> None:
    """If no check covers its day, that is the reason, and not that the dates differ."""
    times = Counter(row.record_id for row in true.deletes)
    change = next(
        one
        for one in deletes(org)
        if times[one.record_id] == 2
        and SINCE < one.dated < UNTIL
        and not one.drifts_at
        and org.history.last(one.record_id, NOW) == one
    )
    lacks = without(true, change)
    assert findings(org, on_its_day(lacks, change, NOT_COVERED)) == {}
    checked = on_its_day(lacks, change, ("unproven", "tracked but not listed"))
    assert set(findings(org, checked)) == {"missing"}


def test_a_delete_that_no_check_listed_is_no_false_proof(org: Org, true: Claims) -> None:
    """A proof speaks of what Salesforce listed when the check asked."""
    change = in_window(org, true)
    lacks = replace(without(true, change), windows=[])
    assert set(findings(org, lacks)) == {"missing"}
    hidden = proofs.hidden_for_good(org, lacks, OBJECTS, SINCE, UNTIL, NOW)
    assert hidden == {"proven: other": 1}


def test_a_delete_with_two_rows_is_blamed(org: Org, true: Claims) -> None:
    """Also if the second row has the date that SystemModstamp has moved to."""
    moved = next(one for one in deletes(org) if one.drifts_at and one.drifts_at < UNTIL - DAY)
    assert moved.drifts_at
    again = told(moved, 1)._replace(deleted_date=moved.drifts_at.replace(microsecond=0))
    assert "doubled" in findings(org, replace(true, deletes=[*true.deletes, again]))
    change = in_window(org, true)
    twice = replace(true, deletes=[*true.deletes, told(change, 1)])
    assert findings(org, twice) == {"missing": 1, "doubled": 1}


def test_a_row_that_no_delete_explains_is_blamed(org: Org, true: Claims) -> None:
    """Its record may exist and may have been deleted at another time."""
    change = in_window(org, true)
    other = told(change, 1)._replace(deleted_date=change.dated - timedelta(minutes=11))
    assert findings(org, replace(true, deletes=[*true.deletes, other])) == {"invented": 1}


def test_a_live_record_that_is_confirmed_as_deleted_is_blamed(org: Org, true: Claims) -> None:
    """Before the window of the last checks it is only counted."""
    restored = [
        one
        for one in deletes(org)
        if org.state(one.record_id, NOW) == "live" and SINCE < one.at < UNTIL - DAY
    ]
    said = replace(true, confirmed=[Latest(restored[0].record_id, restored[0].at)])
    assert findings(org, said) == {"alive": 1}
    assert proofs.live_but_confirmed(org, said, UNTIL, UNTIL, NOW) == ([], 1)


@pytest.mark.parametrize(
    ("state", "change", "wrong"),
    [
        ("closed", {}, False),
        ("open", {}, True),
        ("lost", {}, True),
        ("open", {"days": {}}, False),
        ("closed", {"days": {}}, True),
        ("open", {"objects": {}}, False),
        ("closed", {"objects": {}}, True),
        ("closed", {"objects": {TOPICS[1]: frozenset(["Account", "Task"])}}, True),
        ("closed", {"objects": {TOPICS[1]: frozenset(["Account", None])}}, True),
    ],
)
def test_a_gap_is_closed_exactly_if_good_days_of_all_objects_cover_it(
    true: Claims, state: str, change: dict[str, object], wrong: bool
) -> None:
    """If the objects of its topic are not known, nothing covers it."""
    said = replace(true, gaps=[GAP._replace(state=state)])
    assert bool(proofs.wrong_gap_states(replace(said, **change))) is wrong  # type: ignore[arg-type]


def test_a_gap_without_a_beginning_is_never_covered(true: Claims) -> None:
    """Nobody knows how far back it goes."""
    said = replace(true, gaps=[GAP._replace(begin=None)])
    assert proofs.wrong_gap_states(said)


def test_one_unproven_day_leaves_a_gap_open(true: Claims) -> None:
    """The gap is six days long."""
    day = ("Account", (NOW - 3 * DAY).date())
    said = replace(true, gaps=[GAP], days={**true.days, day: NOT_COVERED})
    assert proofs.wrong_gap_states(said)


POLLS: dict[str, list[tuple[str | None, str]]] = {
    "known": [("Account", "idle")],
    "failed since": [("Account", "idle"), (None, "failed")],
    "known again": [(None, "idle"), ("Account", "idle")],
    "unknown since": [("Account", "idle"), (None, "idle")],
    "never known": [(None, "idle")],
    "none": [("", "idle")],
    "never polled": [],
}
CLOSES = {"known", "failed since", "known again"}


def test_a_closed_gap_of_a_topic_whose_objects_are_unknown_is_blamed(
    snowflake_settings: dict[str, str],
) -> None:
    """The views are right about each topic. Then a view claims that all gaps are closed."""
    day = datetime(2026, 2, 1)
    with warehouse.connect(snowflake_settings) as connection:
        target = Target(snowflake_settings, connection)
        target.create_views()
        target.add(
            "polls",
            [
                {
                    "topic": topic,
                    "objects": None if name is None else json.dumps([name] if name else []),
                    "ended": ended,
                    "began_at": day + number * HOUR,
                    "ended_at": day + number * HOUR,
                }
                for topic, polls in POLLS.items()
                for number, (name, ended) in enumerate(polls)
            ],
        )
        target.add("", [told_by("Account", None, day + HOUR, topic=topic) for topic in POLLS])
        target.add(
            "gaps",
            [
                {
                    "gap_id": topic,
                    "topic": topic,
                    "from_time": day + HOUR,
                    "to_time": day + 2 * HOUR,
                    "detected_at": day + 3 * HOUR,
                }
                for topic in POLLS
            ],
        )
        target.query(
            "CREATE OR REPLACE VIEW delete_tracker_days AS SELECT 'Account' AS object_name, "
            "'2026-02-01'::DATE AS day, 0 AS listed, 0 AS tracked, 0 AS recovered, "
            "'proven' AS verdict, NULL AS reason"
        )
        said = proofs.claims(connection)
        target.loader.close()
    assert {gap.topic for gap in said.gaps if gap.state == "closed"} == CLOSES
    assert proofs.wrong_gap_states(said) == []
    false = replace(said, gaps=[gap._replace(state="closed") for gap in said.gaps])
    blamed = {found.partition(" 2026")[0] for found in proofs.wrong_gap_states(false)}
    assert blamed == POLLS.keys() - CLOSES


def test_an_expired_cursor_excuses_what_was_older_than_72_hours_and_no_more(org: Org) -> None:
    """Each topic is excused on its own. A delete is excused only if all its topics are."""
    begin, end, since = NOW - 6 * DAY, NOW - DAY, SINCE - 3 * DAY
    gaps = [RecordedGap(topic, topic, "expired_cursor", begin, end) for topic in TOPICS]
    happenings = list(org.history.between(since, NOW))
    everywhere = expired(org, TOPICS, since, NOW, gaps)
    lost = nowhere_left(org, TOPICS, since, NOW, everywhere)
    assert lost & {one.event_id for one in happenings} == {event_id for _, event_id in everywhere}
    times = [one.at for one in happenings if one.event_id in lost]
    slack = timedelta(minutes=2)
    assert begin - slack <= min(times) < begin + DAY
    assert end - 4 * DAY < max(times) <= end - 3 * DAY + slack
    only_accounts = expired(org, TOPICS, since, NOW, gaps[1:2])
    assert only_accounts == {one for one in everywhere if one[0] == TOPICS[1]} != set()
    twice = {one.event_id for one in happenings if {TOPICS[1], TOPICS[2]} <= set(one.topics)}
    assert twice & {event_id for _, event_id in only_accounts}
    assert not twice & nowhere_left(org, TOPICS, since, NOW, only_accounts)


def test_the_parts_of_a_split_event_are_lost_with_it() -> None:
    """Each part has an id of its own."""
    org = Org(1800, lambda: NOW, Faults("split=own"))
    begin, end = NOW - 6 * DAY, NOW - DAY
    gaps = [RecordedGap(topic, topic, "expired_cursor", begin, end) for topic in TOPICS]
    lost = nowhere_left(org, TOPICS, SINCE, NOW, expired(org, TOPICS, SINCE, NOW, gaps))
    deletes = {it.key.partition(":")[0]: it.at for it in org.deletes(TOPICS, SINCE, NOW)}
    assert deletes.keys() - {one.event_id for one in org.history.between(SINCE, NOW)}
    expected = {event_id for event_id, at in deletes.items() if at <= end - 3 * DAY}
    assert deletes.keys() & lost == expected != set()


def test_a_gap_of_an_event_must_be_recorded_once_unless_its_event_never_came(org: Org) -> None:
    """An unknown gap, or one that is recorded twice, is blamed too."""
    published = org.gaps(TOPICS, SINCE, NOW)
    recorded = [
        RecordedGap(identity(org.org_id, topic, one, reason), topic, reason, NOW, NOW)
        for topic, one, reason in published
    ]
    first = published[0][:2]
    other_topic = next(one for one in TOPICS if one != first[0])

    def wrong(gaps: list[RecordedGap], *excused: tuple[str, str]) -> tuple[int, int]:
        found = wrong_gaps(org, TOPICS, SINCE, NOW, gaps, set(excused))
        return len(found[0]), len(found[1])

    assert wrong(recorded) == (0, 0)
    assert wrong(recorded[1:]) == (1, 0)
    assert wrong(recorded[1:], first) == (0, 0)
    assert wrong(recorded[1:], (other_topic, first[1])) == (1, 0)
    assert wrong([*recorded, recorded[0]]) == (0, 2)
    assert wrong([*recorded, RecordedGap("x", TOPICS[0], "overflow", NOW, NOW)]) == (0, 1)


def test_a_restore_that_is_lost_or_doubled_or_unknown_is_found(
    org: Org, snowflake_settings: dict[str, str]
) -> None:
    """Those that a check found are left out, because no event told of them."""
    published = org.restores(TOPICS, SINCE, NOW)
    rows = [
        {
            "restore_id": one.key,
            "topic": TOPICS[1],
            "object_name": one.object_name,
            "record_id": one.record_id,
            "restored_by": one.restored_by,
            "restored_date": one.at.replace(tzinfo=None),
            "found_by": "event",
        }
        for one in published
    ]
    lost, doubled = rows[0], rows[1]
    unknown = {**lost, "restore_id": "x"}
    by_check = {**lost, "restore_id": "check:y", "found_by": "check"}
    with warehouse.connect(snowflake_settings) as connection:
        target = Target(snowflake_settings, connection)
        target.add("restores", [*rows[1:], doubled, unknown, by_check])
        found = difference_of_restores(connection, org, TOPICS, SINCE, NOW)
        target.loader.close()
    assert (found.published, found.found) == (len(rows), len(rows) + 1)
    assert [key[0] for key in found.missing] == [lost["restore_id"]]
    assert [key[0] for key in found.twice] == [doubled["restore_id"]]
    assert [key[0] for key in found.unknown] == ["x"]
