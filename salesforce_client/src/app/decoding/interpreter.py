"""Turns events into rows, with one decoder for each schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Optional, Union

from ..errors import DecodeError, SchemaError
from ..model.event_rules import EventRules
from ..model.events import Event
from ..model.rows import Delete, Delivery, Gap, RejectedEvent, Restore, Row, Schema
from ..model.times import is_ahead, moment_of, timestamp
from .change_events import from_change_event
from .decode import Decoded, Decoder, decode_header
from .event_plan import EventPlan, plan
from .platform_events import from_platform_event
from .rows import Origin, cursor_gap, rejected
from .times import read_time
from .usual_events import usual_deletes
from .values import time_of

DEFAULT_RULES = EventRules()
Told = Sequence[Union[Delete, Restore, Gap]]
# The rows of the events that could be read, how many of these had no row, the rejected events, and
# the last event that could be decoded.
Reading = tuple[list[Row], int, list[RejectedEvent], Optional[Decoded]]


class Interpreter:
    """Turns events into rows. An event that cannot become a row becomes a rejected event.

    Args:
        schema_of: takes a schema id and returns the Avro schema as JSON text. It raises
            ``SchemaError`` if Salesforce refuses the schema for good, and another
            ``CollectorError`` if a retry may help.
        org_id: the org's id, 18 characters.
        event_rules: how to read the platform events of each topic. A topic that is not in it has
            the default rules.
    """

    def __init__(
        self, schema_of: Callable[[str], str], org_id: str, event_rules: Mapping[str, EventRules]
    ) -> None:
        self._schema_of = schema_of
        self._org_id = org_id
        self._event_rules = event_rules
        self._decoders: dict[str, Decoder] = {}
        self._plans: dict[tuple[str, str], EventPlan] = {}  # by topic and schema id

    def read(
        self, topic: str, events: Sequence[Event], *, received_at: Optional[str] = None
    ) -> Delivery:
        """The rows and figures of some events of a topic.

        Args:
            topic: the topic's name.
            events: the events.
            received_at: when the events were received, as UTC text. None means now.

        Raises:
            EventFieldsError: the fields that the settings name are not in a schema.
            CollectorError: a schema could not be fetched for now. The caller retries the events.
        """
        origin = self._origin(topic, received_at)
        rows, skipped, rejects, last = self._at_once(topic, events, origin) or self._one_by_one(
            topic, events, origin
        )
        published = _published_at(last[0]) if last else None
        if published:
            published = _believed(published, origin.received_at)
        rows += rejects
        rows += self._schemas({reject.schema_id for reject in rejects})
        return Delivery(rows, len(events), skipped, rejects, published)

    def _at_once(self, topic: str, events: Sequence[Event], origin: Origin) -> Optional[Reading]:
        """Read platform events of one schema, each of which can be read. Decode each once.

        None for other events, and if one of them has to be rejected.
        """
        if len({event.schema_id for event in events}) != 1:
            return None
        schema_id = events[0].schema_id
        try:
            decoder = self._decoder(schema_id)
            if decoder.is_change:
                return None
            decoded = [decoder.decode(event.payload) for event in events]
            event_plan = self._plan(topic, schema_id, decoder)
            if deletes := usual_deletes(decoded, events, origin, event_plan):
                return [*deletes], 0, [], decoded[-1]
            told = [  # one of them is not usual
                from_platform_event(one, event, origin, event_plan)
                for one, event in zip(decoded, events)
            ]
        except (DecodeError, SchemaError):
            return None
        skipped = sum(not rows for rows in told)
        return [row for rows in told for row in rows], skipped, [], decoded[-1]

    def _one_by_one(self, topic: str, events: Sequence[Event], origin: Origin) -> Reading:
        """Read each event on its own, whatever it is."""
        # Nearly all events have the schema of the event before them.
        schema_id: Optional[str] = None
        event_plan: Optional[EventPlan] = None
        rows: list[Row] = []
        rejects: list[RejectedEvent] = []
        skipped = 0
        last: Optional[Decoded] = None
        for event in events:
            try:
                if event.schema_id != schema_id:
                    decoder = self._decoder(event.schema_id)
                    schema_id, event_plan = event.schema_id, None
                decoded = decoder.decode(event.payload)
                told: Told
                if decoder.is_change:
                    told = from_change_event(decoded, event, origin, decoder.fields)
                else:
                    event_plan = event_plan or self._plan(topic, event.schema_id, decoder)
                    told = from_platform_event(decoded, event, origin, event_plan)
            except (DecodeError, SchemaError) as error:
                try:
                    decoded, told = self._by_header_alone(event, origin, error)
                except (DecodeError, SchemaError) as final:
                    rejects.append(rejected(event, origin, final))
                    continue
            rows += told
            skipped += not told
            last = decoded
        return rows, skipped, rejects, last

    def cursor_gap(
        self,
        topic: str,
        reason: str,
        cursor: Optional[bytes],
        *,
        since: Optional[str],
    ) -> Gap:
        """The gap of an unusable cursor. See ``rows.cursor_gap``."""
        return cursor_gap(reason, self._origin(topic), cursor, since)

    def _origin(self, topic: str, received_at: Optional[str] = None) -> Origin:
        return Origin(self._org_id, topic, received_at or timestamp(datetime.now(timezone.utc)))

    def _by_header_alone(
        self, event: Event, origin: Origin, reason: Exception
    ) -> tuple[Decoded, Told]:
        """Read only the header of a change event, because the event cannot be read with its schema.

        Raises:
            DecodeError, SchemaError: the header cannot be read either. The error is ``reason``.
        """
        if not origin.topic.startswith("/data/"):
            raise reason
        try:
            decoded = decode_header(event.payload)
            return decoded, from_change_event(decoded, event, origin, header_only=str(reason))
        except DecodeError:
            raise reason from None

    def _decoder(self, schema_id: str) -> Decoder:
        decoder = self._decoders.get(schema_id)
        if decoder is None:
            decoder = self._decoders[schema_id] = Decoder(self._schema_of(schema_id))
        return decoder

    def _plan(self, topic: str, schema_id: str, decoder: Decoder) -> EventPlan:
        found = self._plans.get((topic, schema_id))
        if found is None:
            rules = self._event_rules.get(topic, DEFAULT_RULES)
            names = [name for name, _ in decoder.fields]
            found = self._plans[topic, schema_id] = plan(rules, topic, schema_id, names)
        return found

    def _schemas(self, schema_ids: set[str]) -> list[Schema]:
        """The schemas of rejected events. With them the events can be decoded from the file alone.

        A schema that Salesforce refuses is left out.
        """
        found = []
        for schema_id in sorted(schema_ids):
            try:
                found.append(Schema(schema_id, self._schema_of(schema_id)))
            except SchemaError:
                continue
        return found


def _published_at(value: Mapping[str, Any]) -> Optional[str]:
    """When a decoded event was published. None if the event has no such time.

    This is the commit time of a change event, or the creation time of a platform event.
    """
    header = value.get("ChangeEventHeader")
    if isinstance(header, dict):
        return time_of(header.get("commitTimestamp"))
    found = read_time(value.get("CreatedDate"))
    return found[0] if found else None


def _believed(published_at: str, received_at: str) -> Optional[str]:
    """The publishing time, or ``received_at`` if that is earlier.

    None if the publishing time is more than five minutes after ``received_at``. Clocks do not
    differ by so much, so the event is damaged.
    """
    if is_ahead((moment_of(received_at) - moment_of(published_at)).total_seconds()):
        return None
    return min(published_at, received_at)
