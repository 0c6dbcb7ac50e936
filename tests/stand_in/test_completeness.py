"""What the views claim: verdicts with their reasons, gaps that close, and what is deleted now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from local import comparison, emulators
from local.comparison import Target, checked, listed, record_id, restored, told

TODAY = datetime.now(timezone.utc).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
DAY = TODAY - timedelta(days=10)
NEXT = DAY + timedelta(days=1)
ASKED = NEXT + timedelta(hours=1)
OLDER, NEWER = "events_20260201T000000Z.db", "events_20260203T000000Z.db"
LEFT = "events_20260202T000000Z.db"
MINUTE, HOUR, ONE_DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
Windows = list[tuple[Any, ...]]

# For each case, the windows of the checks of an object: from, to, and what is not as usual.
COVERS: dict[str, tuple[Windows, str | None]] = {
    "the whole day": ([(DAY, NEXT)], None),
    "two days": ([(DAY - ONE_DAY, NEXT + ONE_DAY)], None),
    "windows that meet": ([(DAY, DAY + HOUR), (DAY + HOUR, NEXT)], None),
    "windows that overlap": ([(DAY, DAY + 9 * HOUR), (DAY + HOUR, NEXT)], None),
    "a window within another one": (
        [(DAY, DAY + 9 * HOUR), (DAY + HOUR, DAY + 2 * HOUR), (DAY + 9 * HOUR, NEXT)],
        None,
    ),
    "a hole of a minute": ([(DAY, DAY + HOUR), (DAY + HOUR + MINUTE, NEXT)], "not covered"),
    "a hole after a window within another one": (
        [(DAY, DAY + 9 * HOUR), (DAY + HOUR, DAY + 2 * HOUR), (DAY + 10 * HOUR, NEXT)],
        "not covered",
    ),
    "a day that begins late": ([(DAY + MINUTE, NEXT)], "not covered"),
    "a day that ends early": ([(DAY, NEXT - MINUTE)], "not covered"),
    "another day": ([(NEXT, NEXT + ONE_DAY)], "not covered"),
    "an empty window": ([(NEXT, DAY)], "not covered"),
    "a newer file": ([(DAY, NEXT, {"event_file": NEWER})], "waiting for older files"),
    "half of the day in a newer file": (
        [(DAY, DAY + HOUR), (DAY + HOUR, NEXT, {"event_file": NEWER})],
        "waiting for older files",
    ),
    "the file that is left": ([(DAY, NEXT, {"event_file": LEFT})], None),
    "a newer file for a second time": ([(DAY, NEXT), (DAY, NEXT, {"event_file": NEWER})], None),
    **{
        outcome: ([(DAY, NEXT, {"outcome": outcome})], reason)
        for outcome, reason in {
            "not_replicateable": "not replicateable",
            "sight_unknown": "sight unknown",
            "not_covered": "not covered",
            "trimmed": "trimmed",
            "filtered": "filtered",
            "clock": "clock",
            "no_rights": "no rights",
            "failed": "check failed",
            "of_a_newer_writer": "not covered",
        }.items()
    },
    "a check that failed after one that listed": (
        [(DAY, NEXT), (DAY, NEXT, {"outcome": "failed", "checked_at": ASKED + HOUR})],
        None,
    ),
    "half of the day failed": (
        [(DAY, DAY + HOUR), (DAY + HOUR, NEXT, {"outcome": "trimmed"})],
        "trimmed",
    ),
    "the newest check counts": (
        [
            (DAY, NEXT, {"outcome": "clock"}),
            (DAY, NEXT, {"outcome": "no_rights", "checked_at": ASKED + HOUR}),
        ],
        "no rights",
    ),
    "a check without a window": (
        [(None, None, {"outcome": "no_rights", "checked_at": DAY + HOUR})],
        "no rights",
    ),
}


def check_rows() -> list[dict[str, Any]]:
    rows = []
    for number, (windows, _) in enumerate(COVERS.values()):
        for place, (begin, end, *more) in enumerate(windows):
            given: dict[str, Any] = {"event_file": OLDER, **(more[0] if more else {})}
            asked = given.pop("checked_at", ASKED)
            rows.append(
                checked(f"{number}-{place}", f"Cover{number}__c", begin, end, asked, **given)
            )
    return rows


@pytest.fixture(scope="module")
def target(snowflake: emulators.Server) -> Iterator[Target]:
    """Tables and views. The tests share them, and each has topics and objects of its own."""
    with comparison.target(snowflake.settings) as made:
        made.create_views()
        yield made


@pytest.fixture(scope="module")
def covers(target: Target) -> Mapping[str, tuple[str, str | None]]:
    """The verdict of the day for each object, after a sweep that has left a file."""
    target.add("checks", check_rows())
    target.first = target.compare(LEFT)
    return {
        object_name: (verdict, reason)
        for object_name, verdict, reason in target.query(
            "SELECT object_name, verdict, reason FROM delete_tracker_completeness "
            f"WHERE day = '{DAY:%Y-%m-%d}'::DATE"
        )
    }


@pytest.mark.parametrize("name", COVERS)
def test_a_day_is_proven_only_if_compared_windows_cover_it_without_a_hole(
    covers: Mapping[str, tuple[str, str | None]], name: str
) -> None:
    """Every other day has the reason why not. A later failure takes no proof back."""
    reason = COVERS[name][1]
    found = covers.get(f"Cover{list(COVERS).index(name)}__c", ("unproven", "not covered"))
    assert found == ("unproven" if reason else "proven", reason)


def test_checks_in_newer_files_than_one_that_is_left_wait(
    target: Target, covers: Mapping[str, tuple[str, str | None]]
) -> None:
    """They are compared after it is loaded. A check in the left file itself does not wait."""
    assert target.first.waiting == sum(row["event_file"] == NEWER for row in check_rows()) == 3
    assert target.query(
        "SELECT COUNT(*) FROM delete_tracker_checks "
        f"WHERE compared_at IS NULL AND event_file <> '{NEWER}'"
    ) == [(0,)]


def test_what_a_waiting_check_lists_is_not_recovered(target: Target) -> None:
    """Its event may be in the file that is left. If it is, the day is proven and not repaired."""
    target.add(
        "checks",
        [
            checked("w1", "Waiting__c", DAY, NEXT, ASKED, event_file=NEWER),
            checked("w2", "Waiting__c", DAY - ONE_DAY, DAY, ASKED, event_file=OLDER),
        ],
    )
    target.add("listed", [listed("w1", "Waiting__c", record_id(900), DAY + HOUR)])
    assert target.compare(LEFT).recovered == 0
    assert verdict(target, "Waiting__c") == [("unproven", "waiting for older files", 0, 0, 0)]
    target.add("", [told("Waiting__c", record_id(900), DAY + HOUR)])
    assert target.compare().recovered == 0
    assert verdict(target, "Waiting__c") == [("proven", None, 1, 1, 0)]


def verdict(target: Target, object_name: str, day: datetime = DAY) -> list[tuple[Any, ...]]:
    return target.query(
        "SELECT verdict, reason, listed, tracked, recovered FROM delete_tracker_completeness "
        f"WHERE object_name = '{object_name}' AND day = '{day:%Y-%m-%d}'::DATE"
    )


def test_an_entry_without_a_record_or_a_date_proves_nothing(target: Target) -> None:
    """Nobody knows which delete it is, so nobody knows whether it is in the table."""
    for column, entry in {"Record__c": (None, DAY + HOUR), "Date__c": (record_id(1), None)}.items():
        target.add("checks", [checked(f"b-{column}", column, DAY, NEXT, ASKED)])
        target.add("listed", [listed(f"b-{column}", column, *entry)])
    target.compare()
    for column in ("Record__c", "Date__c"):
        assert verdict(target, column)[0][:2] == ("unproven", "check failed")


def test_a_recovered_delete_that_is_missing_proves_nothing(target: Target) -> None:
    """The view looks into the table. It does not conclude that the row must be there."""
    target.add("checks", [checked("m1", "Missing__c", DAY, NEXT, ASKED)])
    target.add("listed", [listed("m1", "Missing__c", record_id(2), DAY + HOUR)])
    target.compare()
    assert verdict(target, "Missing__c") == [("repaired", None, 1, 0, 1)]
    target.query("DELETE FROM delete_tracker WHERE object_name = 'Missing__c'")
    assert verdict(target, "Missing__c") == [("unproven", "waiting for older files", 1, 0, 0)]
    target.query("DELETE FROM delete_tracker_listed WHERE object_name = 'Missing__c'")


def test_an_event_that_comes_later_hides_the_recovered_delete(target: Target) -> None:
    """The table keeps both rows. The views count the event's."""
    target.add("checks", [checked("l1", "Late__c", DAY, NEXT, ASKED)])
    target.add("listed", [listed("l1", "Late__c", record_id(3), DAY + HOUR)])
    assert target.compare().recovered == 1
    target.add("", [told("Late__c", record_id(3), DAY + HOUR + MINUTE)])
    target.compare()
    assert verdict(target, "Late__c") == [("proven", None, 1, 1, 0)]
    of_object = "WHERE object_name = 'Late__c'"
    assert target.query(f"SELECT source FROM delete_tracker_deletes {of_object}") == [("event",)]
    assert target.query(f"SELECT COUNT(*) FROM delete_tracker {of_object}") == [(2,)]
    assert target.query(f"SELECT deletes FROM delete_tracker_daily {of_object}") == [(1,)]


def test_a_restore_that_comes_later_lets_the_next_comparison_recover(target: Target) -> None:
    """Also if no check is new."""
    target.add("checks", [checked("r1", "Restored__c", DAY, NEXT, ASKED)])
    target.add("listed", [listed("r1", "Restored__c", record_id(4), DAY + 3 * HOUR)])
    target.add("", [told("Restored__c", record_id(4), DAY + HOUR)])
    assert target.compare().recovered == 0
    assert verdict(target, "Restored__c")[0][:2] == ("unproven", "dates differ")
    target.add(
        "restores", [{**restored(record_id(4), DAY + 2 * HOUR), "loaded_at": TODAY + ONE_DAY}]
    )
    compared = target.compare()
    assert (compared.checks, compared.recovered) == (0, 1)
    assert verdict(target, "Restored__c") == [("repaired", None, 1, 1, 1)]
    target.query("DELETE FROM delete_tracker_restores")


def test_who_deleted_is_taken_from_the_first_check_that_knows(target: Target) -> None:
    """The row of the table may be older than that. No sweep changes it."""
    target.add("checks", [checked("who1", "Who__c", DAY, NEXT, ASKED)])
    target.add("listed", [listed("who1", "Who__c", record_id(5), DAY + HOUR)])
    target.compare()
    target.add("checks", [checked("who2", "Who__c", DAY, NEXT, ASKED + ONE_DAY)])
    target.add("listed", [listed("who2", "Who__c", record_id(5), DAY + HOUR, deleted_by="005A")])
    assert target.compare().recovered == 0
    of_object = "WHERE object_name = 'Who__c'"
    assert target.query(
        f"SELECT deleted_by, payload:check::VARCHAR FROM delete_tracker_deletes {of_object}"
    ) == [("005A", "who1")]
    assert target.query(f"SELECT deleted_by FROM delete_tracker {of_object}") == [(None,)]


# -- days


def a_poll(topic: str, objects: str | None, began_at: datetime) -> dict[str, Any]:
    return {
        "poll_id": f"{topic}{began_at}",
        "topic": topic,
        "objects": objects,
        "began_at": began_at,
        "ended_at": began_at,
        "ended": "idle",
        "read_until": began_at,
    }


def test_silence_does_not_look_like_success(target: Target) -> None:
    """An object that only a poll names has a line for each day until today, and none is proven."""
    target.add("polls", [a_poll("/data/SilentChangeEvent", '["Silent__c"]', DAY + HOUR)])
    days = target.query(
        "SELECT day, verdict, reason FROM delete_tracker_completeness "
        "WHERE object_name = 'Silent__c' ORDER BY day"
    )
    assert days == [
        ((DAY + number * ONE_DAY).date(), "unproven", "not covered") for number in range(11)
    ]


def test_a_topic_whose_objects_are_unknown_has_a_line_for_each_day(target: Target) -> None:
    """Also if its rows carry objects, because nobody knows whether these are all."""
    target.add("polls", [a_poll("/event/Unknown__e", None, DAY)])
    target.add("", [told("Seen__c", record_id(6), DAY + HOUR, topic="/event/Unknown__e")])
    assert verdict(target, "/event/Unknown__e") == [("unproven", "objects unknown", 0, 0, 0)]
    assert verdict(target, "Seen__c") == [("unproven", "not covered", 0, 1, 0)]
    target.add("polls", [a_poll("/event/Unknown__e", '["Seen__c"]', DAY + HOUR)])
    assert verdict(target, "/event/Unknown__e") == []


def test_objects_that_can_no_longer_be_read_are_unknown_again(target: Target) -> None:
    """Somebody may have added an object since. A poll that failed says nothing about that."""
    topic = "/data/Known__chn"
    target.add("polls", [a_poll(topic, '["Known__c"]', DAY)])
    failed = {**a_poll(topic, None, DAY + HOUR), "ended": "failed"}
    target.add("polls", [failed])
    assert verdict(target, topic) == []
    target.add("polls", [a_poll(topic, None, DAY + 2 * HOUR)])
    assert verdict(target, topic) == [("unproven", "objects unknown", 0, 0, 0)]
    assert verdict(target, "Known__c") == [("unproven", "not covered", 0, 0, 0)]


def test_proven_until_is_the_end_of_the_first_proven_days(target: Target) -> None:
    """A proven day after one that is not proven does not count."""
    first = DAY - 3 * ONE_DAY
    target.add("polls", [a_poll("/data/UntilChangeEvent", '["Until__c"]', first)])
    target.add(
        "checks",
        [
            checked("u1", "Until__c", DAY - 2 * ONE_DAY, NEXT, ASKED),
            checked("u2", "Until__c", NEXT + ONE_DAY, NEXT + 2 * ONE_DAY, ASKED + 2 * ONE_DAY),
        ],
    )
    until = (
        "SELECT proven_until FROM delete_tracker_freshness WHERE topic = '/data/UntilChangeEvent'"
    )
    assert target.query(until) == [(None,)]
    target.compare()
    assert target.query(until) == [(NEXT,)]


def test_a_date_of_long_ago_hides_no_day_of_today(target: Target) -> None:
    """A publisher may write any date. Its own day has a line, and so has every newer day."""
    long_ago = datetime(1900, 1, 1)
    target.add("", [told("Century__c", record_id(15), long_ago + HOUR, ingested_at=DAY)])
    target.add("checks", [checked("century", "Century__c", DAY, NEXT, ASKED)])
    target.compare()
    assert verdict(target, "Century__c") == [("proven", None, 0, 0, 0)]
    assert verdict(target, "Century__c", TODAY) == [("unproven", "not covered", 0, 0, 0)]
    assert verdict(target, "Century__c", long_ago) == [("unproven", "not covered", 0, 1, 0)]
    ((newest,),) = target.query(
        "SELECT MAX(day) FROM delete_tracker_completeness WHERE object_name = 'Century__c'"
    )
    assert newest == TODAY.date()
    target.query("DELETE FROM delete_tracker WHERE object_name = 'Century__c'")
    target.query("DELETE FROM delete_tracker_checks WHERE object_name = 'Century__c'")


def test_freshness_has_the_objects_that_the_verdicts_have(target: Target) -> None:
    """If the last good poll names none, there is also a line without an object.

    An object that only a row names has a line, too.
    """
    topic = "/data/Fresh__chn"
    fresh = f"SELECT object_name FROM delete_tracker_freshness WHERE topic = '{topic}'"
    target.add("polls", [a_poll(topic, '["Fresh__c"]', DAY)])
    assert target.query(fresh) == [("Fresh__c",)]
    target.add("polls", [a_poll(topic, None, DAY + HOUR)])
    target.add("", [told("FreshRow__c", record_id(8), DAY + HOUR, topic=topic)])
    found = {name for (name,) in target.query(fresh)}
    assert found == {"Fresh__c", "FreshRow__c", None}


# -- gaps


def a_gap(gap_id: str, topic: str, begin: Any, end: Any, **changes: Any) -> dict[str, Any]:
    return {
        "gap_id": gap_id,
        "topic": topic,
        "reason": "expired_cursor",
        "object_name": None,
        "from_time": begin,
        "to_time": end,
        "detected_at": NEXT + HOUR,
        **changes,
    }


def test_a_gap_closes_when_good_days_of_all_objects_cover_it(target: Target) -> None:
    """Each gap is on record until then. It is lost after 15 days."""
    after = NEXT + ONE_DAY
    long_ago = datetime.now(timezone.utc).replace(tzinfo=None) - timedelta(days=15, hours=1)
    target.add(
        "polls",
        [
            a_poll("/data/one", '["GapA__c"]', DAY),
            a_poll("/data/two", '["GapA__c", "GapB__c"]', DAY),
            a_poll("/data/three", '["GapA__c"]', DAY),
            a_poll("/data/unknown", None, DAY),
            a_poll("/data/empty", "[]", DAY),
        ],
    )
    target.add(
        "",
        [
            told("GapC__c", record_id(7), NEXT + 9 * HOUR, topic="/data/three"),
            told("GapB__c", record_id(9), DAY + HOUR, topic="/data/rows"),
        ],
    )
    target.add(
        "checks",
        [
            checked("g1", "GapA__c", DAY, after, after + HOUR),
            checked("g2", "GapB__c", DAY, NEXT, after + HOUR),
        ],
    )
    target.add("listed", [listed("g2", "GapB__c", record_id(9), DAY + HOUR)])
    target.add(
        "gaps",
        [
            a_gap("closed", "/data/one", DAY + HOUR, DAY + 2 * HOUR),
            a_gap("both days", "/data/one", DAY + HOUR, NEXT + HOUR),
            a_gap("a day too long", "/data/one", DAY + HOUR, after + HOUR),
            a_gap("a day too early", "/data/one", DAY - HOUR, NEXT),
            a_gap("until detected", "/data/one", DAY + HOUR, None, detected_at=NEXT + HOUR),
            a_gap("detected too late", "/data/one", DAY + HOUR, None, detected_at=after + HOUR),
            a_gap("no beginning", "/data/one", None, NEXT),
            a_gap("backwards", "/data/one", NEXT + HOUR, DAY + HOUR),
            a_gap("both objects", "/data/two", DAY + HOUR, DAY + 2 * HOUR),
            a_gap("one object too few", "/data/two", DAY + HOUR, NEXT + HOUR),
            a_gap("an object of a row", "/data/three", DAY + HOUR, DAY + 2 * HOUR),
            a_gap("objects unknown", "/data/unknown", DAY + HOUR, DAY + 2 * HOUR),
            a_gap("no objects", "/data/empty", DAY + HOUR, DAY + 2 * HOUR),
            a_gap("never polled", "/data/never", DAY + HOUR, DAY + 2 * HOUR),
            a_gap("only rows", "/data/rows", DAY + HOUR, DAY + 2 * HOUR),
            a_gap("lost", "/data/two", long_ago, long_ago, detected_at=long_ago),
            a_gap("not lost", "/data/two", long_ago, NEXT, detected_at=long_ago + 2 * HOUR),
        ],
    )
    open_before = {name for (name,) in target.query("SELECT id FROM delete_tracker_incomplete")}
    assert "closed" in open_before
    target.compare()
    states = dict(target.query("SELECT id, state FROM delete_tracker_incomplete"))
    assert states == {
        **dict.fromkeys(
            (
                *("a day too long", "a day too early", "detected too late", "no beginning"),
                *("backwards", "one object too few", "an object of a row", "objects unknown"),
                *("no objects", "never polled", "only rows", "not lost"),
            ),
            "open",
        ),
        "lost": "lost",
    }
    lost = "SELECT object_name, day, reason FROM delete_tracker_completeness WHERE verdict = 'lost'"
    assert target.query(lost) == [("/data/two", long_ago.date(), "expired_cursor")]
    target.add("acknowledged", [{"kind": "gap", "id": "lost"}])
    assert "lost" not in dict(target.query("SELECT id, state FROM delete_tracker_incomplete"))
    assert len(target.query(lost)) == 1


def test_a_gap_needs_days_whose_deletes_are_in_the_table(target: Target) -> None:
    """A day with a recovered delete is good. One with an unclear delete is not."""
    target.add(
        "polls",
        [
            a_poll("/data/repaired", '["Repaired__c"]', DAY),
            a_poll("/data/unclear", '["Unclear__c"]', DAY),
        ],
    )
    for number, name in enumerate(("Repaired__c", "Unclear__c")):
        target.add("checks", [checked(f"d{number}", name, DAY, NEXT, ASKED)])
        target.add("listed", [listed(f"d{number}", name, record_id(10 + number), DAY + HOUR)])
    target.add("", [told("Unclear__c", record_id(11), DAY + 2 * HOUR)])
    target.add(
        "gaps",
        [
            a_gap("is repaired", "/data/repaired", DAY + HOUR, DAY + 2 * HOUR),
            a_gap("is unclear", "/data/unclear", DAY + HOUR, DAY + 2 * HOUR),
        ],
    )
    target.compare()
    found = dict(target.query("SELECT gap_id, state FROM delete_tracker_gap_states"))
    assert (found["is repaired"], found["is unclear"]) == ("closed", "open")


# -- what is deleted now

# For each case: rows, entries (check, date, state), restores, and what the view says.
AT = DAY + 5 * HOUR
FIRST, SECOND = ASKED, ASKED + ONE_DAY
NOW: dict[str, tuple[list[Any], list[Any], list[Any], tuple[Any, ...]]] = {
    "listed in the bin": ([AT], [("1", AT, "bin")], [], ("yes", FIRST)),
    "purged": ([AT], [("1", AT, "purged")], [], ("yes", FIRST)),
    "only listed": ([AT], [("1", AT, "unknown")], [], ("yes", None)),
    "listed twice": ([AT], [("1", AT, "bin"), ("2", AT, "bin")], [], ("yes", SECOND)),
    "in the bin at first": ([AT], [("1", AT, "bin"), ("2", AT, "unknown")], [], ("yes", FIRST)),
    "recovered": ([], [("1", AT, "bin")], [], ("yes", FIRST)),
    "restored": ([AT], [("1", AT, "bin")], [AT + HOUR], ("no", FIRST)),
    "restored at once": ([AT], [("1", AT, "bin")], [AT], ("no", FIRST)),
    "restored before": ([AT], [("1", AT, "bin")], [AT - MINUTE], ("yes", FIRST)),
    "covered and not listed": ([AT], [], [], ("unknown", None)),
    "not covered": ([AT - 9 * ONE_DAY], [], [], ("yes", None)),
    "an earlier delete was found": (
        [AT, AT + HOUR],
        [("1", AT, "bin")],
        [AT + MINUTE],
        ("unknown", None),
    ),
    "another date was found": ([AT], [("1", AT + HOUR, "bin")], [], ("unknown", None)),
    "found before the delete": (
        [FIRST + 5 * MINUTE],
        [("1", FIRST - 4 * MINUTE, "bin")],
        [],
        ("yes", None),
    ),
}


@pytest.fixture(scope="module")
def latest(target: Target) -> Mapping[str, tuple[Any, ...]]:
    """What the view says of each record."""
    target.add(
        "checks",
        [
            checked("n1", "Now__c", DAY, FIRST, FIRST),
            checked("n2", "Now__c", DAY, FIRST, SECOND),
        ],
    )
    rows, entries, restores = [], [], []
    for number, (deletes, found, back, _) in enumerate(NOW.values(), 100):
        rows += [told("Now__c", record_id(number), when) for when in deletes]
        entries += [
            listed(f"n{check}", "Now__c", record_id(number), when, state=state)
            for check, when, state in found
        ]
        restores += [restored(record_id(number), when) for when in back]
    target.add("", rows)
    target.add("listed", entries)
    target.add("restores", restores)
    target.compare()
    return {
        record: (deleted_now, confirmed_at)
        for record, deleted_now, confirmed_at in target.query(
            "SELECT record_id, deleted_now, confirmed_at FROM delete_tracker_latest "
            "WHERE object_name = 'Now__c'"
        )
    }


@pytest.mark.parametrize("name", NOW)
def test_a_delete_is_confirmed_only_by_a_check_that_found_it_in_force(
    latest: Mapping[str, tuple[Any, ...]], name: str
) -> None:
    """That it is listed says nothing, because a restored record may stay in the list."""
    assert latest[record_id(100 + list(NOW).index(name))] == NOW[name][3]
