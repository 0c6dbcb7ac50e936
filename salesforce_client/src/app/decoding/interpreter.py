"""Makes rows of events, with one decoder for each schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Optional, Union

from ..errors import DecodeError, SchemaError
from ..model import Delete, Delivery, Event, Gap, RejectedEvent, Row, Schema, moment_of, timestamp
from .decode import Decoded, Decoder, decode_header
from .deletes import Origin, cursor_gap, interpret, published_at, rejected

CLOCKS_DIFFER_BY = timedelta(minutes=5)
Told = Sequence[Union[Delete, Gap]]


class Interpreter:
    """Makes rows of events; what cannot become a row becomes a rejected event.

    Args:
        schema_of: the Avro schema under an id, as JSON text; raises ``SchemaError`` for one that
            Salesforce refuses for good, another ``CollectorError`` for now.
        org_id: 18 characters.
        event_fields: as in ``deletes.interpret``.
    """

    def __init__(
        self, schema_of: Callable[[str], str], org_id: str, event_fields: Mapping[str, str]
    ) -> None:
        self._schema_of = schema_of
        self._org_id = org_id
        self._event_fields = event_fields
        self._decoders: dict[str, Decoder] = {}

    def read(self, topic: str, events: Sequence[Event]) -> Delivery:
        """What the events of a topic amount to.

        Raises:
            CollectorError: a schema could not be fetched for now. The events are to be read again.
        """
        origin = self._origin(topic)
        rows: list[Row] = []
        rejects: list[RejectedEvent] = []
        skipped = 0
        last: Optional[Decoded] = None
        for event in events:
            try:
                decoder = self._decoders.get(event.schema_id) or self._decoder(event.schema_id)
                decoded = decoder.decode(event.payload)
                told = interpret(decoded, event, origin, self._event_fields, decoder.fields)
            except (DecodeError, SchemaError) as error:
                try:
                    decoded, told = self._by_header_alone(event, origin, error)
                except (DecodeError, SchemaError) as final:
                    rejects.append(rejected(event, origin, final))
                    continue
            rows += told
            skipped += not told
            last = decoded
        published = published_at(last[0]) if last else None
        if published:
            published = _believed(published, origin.received_at)
        rows += rejects
        rows += self._schemas({reject.schema_id for reject in rejects})
        return Delivery(rows, len(events), skipped, rejects, published)

    def cursor_gap(
        self, topic: str, reason: str, cursor: bytes, *, since: Optional[str], version: str
    ) -> Gap:
        """The gap that an unusable cursor leaves; see ``deletes.cursor_gap``."""
        return cursor_gap(reason, self._origin(topic), cursor, since, version)

    def _origin(self, topic: str) -> Origin:
        return Origin(self._org_id, topic, timestamp(datetime.now(timezone.utc)))

    def _by_header_alone(
        self, event: Event, origin: Origin, reason: Exception
    ) -> tuple[Decoded, Told]:
        """What the header of a change event tells, if its schema is of no use; raises ``reason`` if that is nothing."""
        if not origin.topic.startswith("/data/"):
            raise reason
        try:
            decoded = decode_header(event.payload)
            return decoded, interpret(
                decoded, event, origin, self._event_fields, header_only=str(reason)
            )
        except DecodeError:
            raise reason from None

    def _decoder(self, schema_id: str) -> Decoder:
        decoder = self._decoders[schema_id] = Decoder(self._schema_of(schema_id))
        return decoder

    def _schemas(self, schema_ids: set[str]) -> list[Schema]:
        """Those of rejected events that Salesforce gives out, so that a file can be decoded again by itself."""
        found = []
        for schema_id in sorted(schema_ids):
            try:
                found.append(Schema(schema_id, self._schema_of(schema_id)))
            except SchemaError:
                continue
        return found


def _believed(published_at: str, received_at: str) -> Optional[str]:
    """A publishing time, never later than now. Much later than now it is damage: clocks do not differ so much."""
    if moment_of(published_at) - moment_of(received_at) > CLOCKS_DIFFER_BY:
        return None
    return min(published_at, received_at)
