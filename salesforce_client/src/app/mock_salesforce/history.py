"""The mock's history: what happened in the org, and the life of each record.

Everything is computed from n. Event number n happens n intervals after a fixed time, ``EPOCH``. A
record's id holds the number of the event that named it first, so the life of a record follows from
its id. No event tells of the changes that a fault hides, but they happened.
"""

from __future__ import annotations

import dataclasses
import functools
import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from .ids import KEY_PREFIXES, OBJECTS, number_of, random_of, record_id
from .rhythm import BIG_DELETE, BIN_DAYS, HIDEABLE, RESTORES, Plan, Step

EPOCH = datetime(2025, 1, 1, tzinfo=timezone.utc)
LONGEST_DRIFT = timedelta(minutes=4320)
PLACES = 100  # record numbers for each event
MASS_RECORDS = 90
# The records that a wildcard or an overflow deletes and does not name have these places.
UNNAMED = range(1, 4)
DELETE_EVENT_TOPIC = "/event/Delete_Event__e"
ALL_CHANGES = "/data/ChangeEvents"
CHANNEL = "/data/Delete_Tracking__chn"  # that of docs/setup/salesforce


@dataclass(frozen=True)
class Change:
    """A delete or a restore of one record.

    Attributes:
        kind: ``delete`` or ``restore``.
        by: id of the user.
        at: when it was committed. Its event has this time.
        dated: the record's date of this change. It is before ``at`` in a long transaction.
        merged_into: id of the winner, if the record lost a merge.
        hidden: why no event tells of it. None if an event does.
        purged_at: when the deleted record leaves the recycle bin. None for a delete that is undone
            later, and for a restore.
        drifts_at: when the deleted record's SystemModstamp moves to that time. None if it does not.
    """

    kind: str
    object_name: str
    record_id: str
    by: str
    at: datetime
    dated: datetime
    merged_into: str | None = None
    hidden: str | None = None
    purged_at: datetime | None = None
    drifts_at: datetime | None = None


@dataclass(frozen=True)
class Happening:
    """What happened at one number of the history.

    Attributes:
        told_as: the change type of its event.
        topics: the topics that have the event. Empty if no event tells of it.
        ids: the records that the event names.
        changes: the deletes and restores, also those that no event tells of.
    """

    number: int
    step: Step
    event_id: str
    user: str
    at: datetime
    told_as: str
    topics: tuple[str, ...]
    ids: tuple[str, ...]
    changes: tuple[Change, ...]


def chance_of(number: int, step: Step) -> tuple[random.Random, str, str, int]:
    """Return the source of an event's random content, with what is drawn from it first.

    That is the event's id, its user, and how many records the step has.
    """
    chance = random_of("event", number)
    event_id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
    user = record_id("User", chance.randrange(25))
    return chance, event_id, user, 1 if step.most == 1 else chance.randint(2, max(step.most, 2))


class History:
    """The history of one plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._later: list[list[tuple[int, Step]]] = [[] for _ in plan.rhythm]
        for place, step in enumerate(plan.rhythm):
            if step.of:
                self._later[place - step.of].append((step.of, step))
        self.happening = functools.lru_cache(maxsize=20_000)(self._happening)
        self._drawn = functools.lru_cache(maxsize=20_000)(self._draw)
        self._life = functools.lru_cache(maxsize=20_000)(self._live)

    def number(self, at: datetime) -> int:
        """Return the number of the last event up to the time ``at``."""
        return (at - EPOCH) // self.plan.interval

    def time(self, number: int) -> datetime:
        """Return when the event with this number happens."""
        return EPOCH + number * self.plan.interval

    def step(self, number: int) -> Step:
        """Return the step of the rhythm at this number."""
        return self.plan.rhythm[number % len(self.plan.rhythm)]

    def between(
        self, since: datetime, until: datetime, objects: Sequence[str] = ()
    ) -> Iterator[Happening]:
        """Yield what happened after ``since`` and up to ``until``, to these objects or to all."""
        for number in range(max(self.number(since) + 1, 0), self.number(until) + 1):
            if not objects or self.step(number).entity in objects:
                yield self.happening(number)

    def topics(self, number: int) -> tuple[str, ...]:
        """Return the topics that have the event of this number."""
        step = self.step(number)
        if self.hidden(number) not in (None, "update_delete"):
            return ()
        if step.change == "EVENT":
            return (DELETE_EVENT_TOPIC,)
        own = f"/data/{step.entity}ChangeEvent"
        return (own,) if self.is_filtered(number) else (own, ALL_CHANGES, CHANNEL)

    def hidden(self, number: int) -> str | None:
        """Return why no event tells of the changes of this number. None if an event does."""
        step = self.step(number)
        for kind, share in self.plan.hide:
            # A record that is restored later cannot be lost.
            if kind == "lost" and self._later[number % len(self.plan.rhythm)]:
                continue
            one_of = step.change in HIDEABLE[kind]
            if one_of and random_of(f"hide {kind}", number).randrange(share) == 0:
                return kind
        return None

    def life(self, record: str) -> tuple[Change, ...]:
        """Return the deletes and restores of a record in the order of time, also future ones."""
        found = number_of(record)
        if found is None:
            return ()
        number, place = divmod(found[1], PLACES)
        return self._life(found[0], number, place)

    def created(self, record: str) -> datetime | None:
        """Return since when the record exists. None if the org has no such record."""
        found = number_of(record)
        if found is None:
            return None
        number, place = divmod(found[1], PLACES)
        step = self.step(number)
        if step.entity != found[0] or step.of or place not in self._places(number, step):
            return None
        return self.time(number) if step.change == "CREATE" else EPOCH

    def object_of(self, record: str) -> str:
        """Return the object of a record."""
        return OBJECTS[record[:3]]

    def owner(self, record: str) -> str:
        """Return the owner of a record."""
        found = number_of(record)
        assert found, record
        return self._owner(found[1] // PLACES)

    def state(self, record: str, at: datetime) -> str:
        """Return what is true of a record at a time.

        It is ``live``, ``bin``, ``purged`` (no longer in the bin, but queryAll still returns it),
        or ``gone``. A record that never existed is also ``gone``.
        """
        created = self.created(record)
        if created is None or created > at:
            return "gone"
        last = self.last(record, at)
        if last is None or last.kind == "restore":
            return "live"
        if last.hidden == "lost":
            return "gone"
        if last.purged_at is None or at < last.purged_at:
            return "bin"
        readable = last.purged_at + timedelta(hours=self.plan.readable_hours)
        return "purged" if at < readable else "gone"

    def last(self, record: str, at: datetime) -> Change | None:
        """Return the record's last delete or restore up to a time."""
        return next((it for it in reversed(self.life(record)) if it.at <= at), None)

    def _draw(self, number: int) -> tuple[str, str, int]:
        """Return the id and the user of an event, and how many records its step has."""
        step = self.step(number)
        event_id, user, records = chance_of(number, step)[1:]
        if self.plan.mass_delete and step == BIG_DELETE:
            is_mass = random_of("mass", number).randrange(self.plan.mass_delete) == 0
            records = MASS_RECORDS if is_mass else records
        return event_id, user, records

    def _live(self, entity: str, number: int, place: int) -> tuple[Change, ...]:
        first = self.step(number)
        if first.entity != entity or first.of or place not in self._places(number, first):
            return ()
        changes: list[Change] = []
        for offset, step in ((0, first), *self._later[number % len(self.plan.rhythm)]):
            if offset and place >= step.most:
                continue
            record = record_id(entity, number * PLACES + place)
            changes += self._changes(number + offset, step, record)
        ends = [self._with_end(it, number * PLACES + place) for it in changes[-1:]]
        return (*changes[:-1], *ends)

    def _changes(self, number: int, step: Step, record: str) -> Iterator[Change]:
        _, user, _ = self._drawn(number)
        at = dated = self.time(number)
        if self.plan.long and random_of("long", number).randrange(self.plan.long) == 0:
            dated -= timedelta(minutes=self.plan.long_minutes)
        hidden = self.hidden(number)
        if step.change in ("WILDCARD", "GAP_OVERFLOW"):
            hidden = "gap"
        master = None
        if step.into:
            master = record_id(step.entity, (number - step.into) * PLACES)
        if step.change in RESTORES:
            yield Change("restore", step.entity, record, user, at, dated, hidden=hidden)
        elif step.change not in ("CREATE", "UPDATE", "SNAPSHOT", "GAP_UPDATE"):
            yield Change("delete", step.entity, record, user, at, dated, master, hidden)
        if step.change == "DELETE_UNDELETE":
            yield Change("restore", step.entity, record, user, at, dated, hidden="one_transaction")

    def _with_end(self, last: Change, number: int) -> Change:
        """Add to the last change of a life what becomes of the record in the recycle bin."""
        if last.kind == "restore":
            return last
        plan, purged_at = self.plan, last.at + timedelta(days=BIN_DAYS)
        if plan.empty_hours:
            every = timedelta(hours=plan.empty_hours)
            purged_at = min(purged_at, EPOCH + ((last.at - EPOCH) // every + 1) * every)
        if last.object_name == "CampaignMember":  # has no recycle bin
            purged_at = last.at
        drifts_at = None
        chance = random_of("drift", number)
        if plan.drift and chance.randrange(plan.drift) == 0:
            drifts_at = last.at + timedelta(minutes=chance.randint(1, 4320))
        if drifts_at and drifts_at >= purged_at:
            drifts_at = None
        return dataclasses.replace(last, purged_at=purged_at, drifts_at=drifts_at)

    def _places(self, number: int, step: Step) -> range:
        if step.change in ("WILDCARD", "GAP_OVERFLOW"):
            return UNNAMED
        return range(self._drawn(number)[2])

    def _owner(self, number: int) -> str:
        step = self.step(number)
        if step.change == "CREATE":
            return self._drawn(number)[1]
        # A platform event names the owner, so it is drawn with the event's content.
        is_event = step.change == "EVENT"
        source = chance_of(number, step)[0] if is_event else random_of("owner", number)
        return record_id("User", source.randrange(25))

    def is_filtered(self, number: int) -> bool:
        """Return whether the filter of the channel of all changes leaves out this number."""
        step = self.step(number)
        deletes = step.entity == self.plan.filtered and step.change == "DELETE"
        return deletes and random_of("filter", number).randrange(2) == 0

    def _happening(self, number: int) -> Happening:
        step = self.step(number)
        event_id, user, _ = self._drawn(number)
        first = number - step.of
        places: Sequence[int] = self._places(first, self.step(first))
        if step.of:
            places = places[: step.most]
        changed = {
            record_id(step.entity, first * PLACES + place): self._life(step.entity, first, place)
            for place in places
        }
        ids = tuple(changed)
        if step.change in ("WILDCARD", "GAP_OVERFLOW"):
            ids = (f"{KEY_PREFIXES[step.entity]}*",) if step.change == "WILDCARD" else ()
        at = self.time(number)
        told = {"WILDCARD": "DELETE", "MERGE": "DELETE", "DELETE_UNDELETE": "DELETE"}
        hidden = self.hidden(number)
        return Happening(
            number,
            step,
            event_id,
            user,
            at,
            "UPDATE" if hidden == "update_delete" else told.get(step.change, step.change),
            self.topics(number),
            ids,
            tuple(it for life in changed.values() for it in life if it.at == at),
        )


@functools.lru_cache(maxsize=16)
def history_of(plan: Plan) -> History:
    """Return the history of a plan. Equal plans share one."""
    return History(plan)
