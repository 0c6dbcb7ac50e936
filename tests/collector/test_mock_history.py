"""The history of the mock: what its events and its lists of deleted records have in common."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta, timezone

import pytest

from salesforce_client.src.app.mock_salesforce.faults import Faults, UnknownFaultError
from salesforce_client.src.app.mock_salesforce.history import MASS_RECORDS
from salesforce_client.src.app.mock_salesforce.ids import KEY_PREFIXES, number_of, record_id
from salesforce_client.src.app.mock_salesforce.org import TOPICS, Org
from salesforce_client.src.app.mock_salesforce.rest_faults import CHOICES
from salesforce_client.src.app.mock_salesforce.rhythm import (
    BIG_DELETE,
    BLOCKS,
    HIDEABLE,
    RHYTHM,
    Step,
)

NOW = datetime(2026, 2, 1, 12, 30, tzinfo=timezone.utc)
SINCE = NOW - timedelta(days=10)
HOUR = timedelta(hours=1)
OBJECTS = tuple(KEY_PREFIXES)
ALL = "rare_changes,redelete,merge,one_transaction,hard_delete"
EVERY_TOPIC = tuple(TOPICS)


def org(faults: str = "", interval: float = 3600) -> Org:
    return Org(interval, lambda: NOW, Faults(faults))


@pytest.mark.parametrize("name", ["", *BLOCKS])
def test_a_later_step_changes_records_that_an_earlier_step_introduced(name: str) -> None:
    """``of`` and ``into`` count back within one block, so that faults can be combined."""
    block = BLOCKS[name] if name else RHYTHM
    for place, step in enumerate(block):
        for back in filter(None, (step.of, step.into)):
            first = block[place - back]
            assert place >= back
            assert (first.of, first.entity) == (0, step.entity)


@pytest.mark.parametrize("faults", ["", ALL, f"{ALL},hide=update_delete+no_right+restore+lost"])
def test_events_tell_of_every_change_that_is_not_hidden_and_of_nothing_else(faults: str) -> None:
    """A wildcard names no record, so its key is not compared."""
    some = org(faults)
    told = Counter(
        (kind, it.record_id, it.at)
        for kind, found in (
            ("delete", some.deletes(EVERY_TOPIC, SINCE, NOW)),
            ("restore", some.restores(EVERY_TOPIC, SINCE, NOW)),
        )
        for it in found
        if "*" not in it.record_id
    )
    changes = some.changes(OBJECTS, SINCE, NOW)
    assert told == Counter((it.kind, it.record_id, it.at) for it in changes if not it.hidden)
    hidden = some.hidden(EVERY_TOPIC, SINCE, NOW)
    assert [it.change for it in hidden] == [it for it in changes if it.hidden]
    assert bool(hidden) == bool(faults)


def test_a_life_is_the_same_at_any_time_and_in_any_process() -> None:
    """A delete in the future is known, and does not count yet."""
    some, later = org(ALL), Org(3600, lambda: NOW + 9 * HOUR, Faults(ALL))
    (first, *_) = some.changes(("Account",), NOW, NOW + 9 * HOUR)
    assert later.history.life(first.record_id) == some.history.life(first.record_id)
    assert some.state(first.record_id, NOW) == "live"
    assert some.state(first.record_id, first.at) == "bin"


def test_an_undelete_brings_back_a_record_that_was_deleted() -> None:
    """Each restore has a delete before it and nothing between the two."""
    some = org(ALL)
    restores = some.restores(EVERY_TOPIC, SINCE, NOW)
    assert len(restores) > 20
    for it in restores:
        assert it.key.endswith(f":{it.record_id}")
        before = [one for one in some.history.life(it.record_id) if one.at < it.at]
        assert before[-1].kind == "delete"
        assert some.state(it.record_id, it.at - timedelta(seconds=1)) == "bin"
        assert some.state(it.record_id, it.at) == "live"


def test_a_record_leaves_the_bin_after_15_days_and_queries_a_day_later() -> None:
    """A record that never existed is gone too."""
    some = org()
    deleted = some.changes(("Contact",), SINCE, NOW)[0]
    for after, state in ((0, "bin"), (15 * 24 - 1, "bin"), (15 * 24, "purged"), (16 * 24, "gone")):
        assert some.state(deleted.record_id, deleted.at + after * HOUR) == state
    assert some.state(deleted.record_id, deleted.at - HOUR) == "live"
    assert some.state(record_id("Contact", 10**9 * 100 + 99), NOW) == "gone"
    assert some.state("0015f00000", NOW) == "gone"


def test_a_created_record_does_not_exist_before_it_was_created() -> None:
    """The winner of a merge is created first."""
    some = org("merge")
    merged = some.merges(SINCE, NOW)[0]
    created = some.history.created(merged.winner)
    assert created
    assert SINCE - 5 * HOUR < created < merged.at
    assert some.state(merged.winner, created - HOUR) == "gone"
    assert some.state(merged.winner, merged.at) == "live"


def test_merges_form_chains() -> None:
    """The winner of one merge loses the next one."""
    some = org("merge")
    merges = some.merges(SINCE, NOW)
    winners = {it.loser: it.winner for it in merges}
    chained = [it for it in merges if it.winner in winners]
    assert chained
    assert {it.object_name for it in merges} == {"Account", "Contact"}
    deletes = {it.record_id for it in some.deletes(EVERY_TOPIC, SINCE, NOW)}
    assert {it.loser for it in merges} <= deletes
    assert some.state(winners[chained[0].winner], NOW) == "live"


def test_records_are_deleted_restored_and_deleted_again() -> None:
    """One of them is deleted three times."""
    some = org("redelete")
    records = {it.record_id for it in some.changes(OBJECTS, SINCE, NOW)}
    lives = {it: some.history.life(it) for it in records}
    kinds = Counter("".join(it.kind[0] for it in life) for life in lives.values())
    assert {"d", "dr", "drd", "drdrd"} <= set(kinds)
    happened = set(some.changes(OBJECTS, SINCE, NOW))
    assert {it for life in lives.values() for it in life if SINCE < it.at <= NOW} == happened


def test_one_transaction_deletes_and_restores_a_record() -> None:
    """Its event is a DELETE, although the record lives."""
    some = org("one_transaction")
    hidden = some.hidden(EVERY_TOPIC, SINCE, NOW)
    assert {(it.kind, it.change.kind) for it in hidden} == {("one_transaction", "restore")}
    told = {it.record_id for it in some.deletes(EVERY_TOPIC, SINCE, NOW)}
    for it in hidden:
        assert it.change.record_id in told
        assert some.state(it.change.record_id, it.change.at) == "live"


@pytest.mark.parametrize("kind", HIDEABLE)
def test_a_hidden_change_has_happened_and_no_event_tells_of_it(kind: str) -> None:
    """``hide`` hides about one in n of the changes, and no others."""
    some, plain = org(f"hide={kind}:3"), org()
    hidden = some.hidden(EVERY_TOPIC, SINCE, NOW)
    assert {it.kind for it in hidden} == {kind}
    of_kind = {
        (happening.number, change.record_id)
        for happening in plain.history.between(SINCE, NOW)
        if happening.step.change in HIDEABLE[kind]
        for change in happening.changes
    }
    assert 0.15 < len(hidden) / len(of_kind) < 0.5
    told = {it.key for it in some.deletes(EVERY_TOPIC, SINCE, NOW)}
    plainly = {it.key: it.record_id for it in plain.deletes(EVERY_TOPIC, SINCE, NOW)}
    if kind != "restore":
        missing = Counter(record for key, record in plainly.items() if key not in told)
        assert missing == Counter(it.change.record_id for it in hidden)
    for it in hidden:
        state = {"restore": "live", "lost": "gone"}.get(kind)
        assert not state or some.state(it.change.record_id, NOW) == state


def test_an_update_hides_a_delete_of_the_same_transaction() -> None:
    """The event is an UPDATE of a record that is deleted."""
    some = org("hide=update_delete:2")
    (hidden, *_) = some.hidden(EVERY_TOPIC, SINCE, NOW)
    number = some.history.number(hidden.change.at)
    happening = some.history.happening(number)
    assert happening.told_as == "UPDATE"
    assert hidden.change.record_id in happening.ids
    assert "/data/ChangeEvents" in happening.topics
    assert some.state(hidden.change.record_id, hidden.change.at) == "bin"


def test_several_kinds_are_hidden_at_once_and_the_default_share_is_a_third() -> None:
    """The kinds are joined by a plus sign."""
    kinds = Counter(
        it.kind for it in org("hide=update_delete+cascade:2").hidden(EVERY_TOPIC, SINCE, NOW)
    )
    assert set(kinds) == {"update_delete", "cascade"}
    default, third = org("hide=cascade"), org("hide=cascade:3")
    assert default.hidden(EVERY_TOPIC, SINCE, NOW) == third.hidden(EVERY_TOPIC, SINCE, NOW)


def test_a_wildcard_and_an_overflow_delete_records_that_no_event_names() -> None:
    """Only a list of deleted records has them."""
    some = org("rare_changes")
    hidden = some.hidden(EVERY_TOPIC, SINCE, NOW)
    assert {(it.kind, it.change.object_name) for it in hidden} == {
        ("gap", "Account"),
        ("gap", "Contact"),
    }
    gaps = {reason for _, _, reason in some.gaps(EVERY_TOPIC, SINCE, NOW)}
    assert gaps == {"overflow", "wildcard"}
    named = {it.record_id for it in some.deletes(EVERY_TOPIC, SINCE, NOW)}
    assert not named & {it.change.record_id for it in hidden}
    assert all(some.state(it.change.record_id, it.change.at) == "bin" for it in hidden)


def test_a_filter_leaves_out_deletes_of_one_object_on_the_channel_of_all_changes() -> None:
    """The object's own topic has them."""
    some = org("filtered_channel=Account")
    missing = some.hidden(("/data/ChangeEvents",), SINCE, NOW)
    filtered = [it.change for it in missing if it.kind == "filtered"]
    assert {it.object_name for it in filtered} == {"Account"}
    assert {it.change.object_name for it in missing if it.kind == "no_topic"} == {
        "Case",
        "Opportunity",
    }
    own = {it.record_id for it in some.deletes(("/data/AccountChangeEvent",), SINCE, NOW)}
    assert {it.record_id for it in filtered} < own
    events = some.events("/data/ChangeEvents", some.earliest(), 1000)
    assert not {it.record_id for it in filtered} & {
        it.record_id for event in events for it in event.deleted
    }


def test_bins_are_emptied_at_fixed_hours() -> None:
    """A record that is restored later was not in an emptied bin."""
    some = org("empty_bin=6:2,redelete")
    for it in some.changes(("Account",), SINCE, NOW - 9 * HOUR):
        last = some.history.life(it.record_id)[-1]
        if it.kind == "delete" and it == last:
            assert it.purged_at
            assert it.purged_at.hour % 6 == 0
            assert timedelta(0) < it.purged_at - it.at <= 6 * HOUR
            assert some.state(it.record_id, it.purged_at) == "purged"
            assert some.state(it.record_id, it.purged_at + 2 * HOUR) == "gone"
        else:
            assert it.purged_at is None


@pytest.mark.parametrize(("bins", "least"), [("", 0.2), (",empty_bin=48", 0.02)])
def test_a_modstamp_moves_while_the_record_is_in_the_bin(bins: str, least: float) -> None:
    """About one in three deleted records is affected, fewer if the bins are emptied."""
    some = org(f"modstamp_drift=3{bins}")
    deletes = [it for it in some.changes(OBJECTS, SINCE, NOW) if it.purged_at]
    moved = [it for it in deletes if it.drifts_at]
    assert least < len(moved) / len(deletes) < 0.5
    for it in moved:
        assert it.drifts_at
        assert it.purged_at
        assert it.at < it.drifts_at < it.purged_at


def test_one_in_so_many_big_deletes_is_a_mass_delete() -> None:
    """It has one user and one event, and the life of each of its records knows of it."""
    some = org("mass_delete=4")
    sizes = [len(it.ids) for it in some.history.between(SINCE, NOW) if it.step == BIG_DELETE]
    mass = sizes.count(MASS_RECORDS)
    assert 0.1 < mass / len(sizes) < 0.4
    assert max(size for size in sizes if size != MASS_RECORDS) <= 20
    by_event = Counter(it.at for it in some.changes(["Account"], SINCE, NOW) if it.kind == "delete")
    assert [*by_event.values()].count(MASS_RECORDS) == mass
    ordinary = [len(it.ids) for it in org("").history.between(SINCE, NOW)]
    assert max(ordinary) <= 20


def test_a_long_transaction_dates_its_changes_before_it_commits_them() -> None:
    """The event has the time of the commit."""
    some = org("long_transaction=2:9")
    changes = some.changes(OBJECTS, SINCE, NOW)
    assert {(it.at - it.dated) / timedelta(minutes=1) for it in changes} == {0, 9}
    told = {it.at for it in some.deletes(EVERY_TOPIC, SINCE, NOW)}
    assert {it.at for it in changes if it.kind == "delete"} == told


def test_a_record_id_holds_the_number_of_its_record() -> None:
    """Ids of other orgs and of other objects are not taken for ids of this one."""
    one = record_id("Contact", 123_456_789)
    assert number_of(one) == number_of(one[:15]) == ("Contact", 123_456_789)
    for other in ("a" + one[1:], "0035g" + one[5:], one[:14] + "-" + one[15:], one[:17] + "9"):
        assert number_of(other) is None


@pytest.mark.parametrize("name", CHOICES)
def test_an_unknown_value_of_a_fault_is_refused_with_the_known_ones(name: str) -> None:
    """A misspelt value must not mean the default."""
    with pytest.raises(UnknownFaultError) as raised:
        Faults(f"{name}=explode")
    assert str(raised.value) == (
        f"has the fault {name} with the unknown value 'explode': the values are "
        + ", ".join(CHOICES[name])
    )
    for value in CHOICES[name]:
        assert Faults(f"{name}={value}:2").value(name) == f"{value}:2"


def test_the_kinds_of_hide_are_those_that_the_history_knows() -> None:
    """The steps of the rhythm are comparable values."""
    assert set(CHOICES["hide"]) == set(HIDEABLE)
    assert Step("Account", "DELETE") in RHYTHM
