"""Turns what Pub/Sub delivers into rows, and says which position that leads to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Union

from .decode import Decoder, decode_header
from .deletes import Delete, Found, Gap, Origin, RejectedEvent, interpret, rejected, told_apart
from .errors import DecodeError, SchemaError
from .pubsub import Batch, Event, PubSub
from .values import timestamp


@dataclass(frozen=True)
class Position:
    """A replay id that may become the topic's cursor once everything delivered with and before it is uploaded."""

    replay_id: bytes
    event_id: str | None
    received_at: str

    @property
    def source(self) -> str:
        """What the position was learnt from."""
        return "event" if self.event_id is not None else "keepalive"


@dataclass(frozen=True)
class Delivery:
    """What one response amounts to."""

    topic: str
    rows: Sequence[Union[Delete, RejectedEvent, Gap]]
    position: Position | None
    received: int = 0
    skipped: int = 0
    rpc_id: str = ""


class Interpreter:
    """Turns responses into rows, with one decoder for each schema; what cannot be decoded becomes a rejected event."""

    def __init__(self, source: PubSub, org_id: str, event_fields: Mapping[str, str]) -> None:
        self._source = source
        self._org_id = org_id
        self._event_fields = event_fields
        self._decoders: dict[str, Decoder] = {}

    def origin(self, topic: str, *, replay_id: bytes = b"") -> Origin:
        """Where the lack of an event was met: now."""
        return Origin(self._org_id, topic, "", replay_id, "", timestamp(datetime.now(timezone.utc)))

    def delivery(self, topic: str, batch: Batch, *, with_decoded: bool = False) -> Delivery:
        """The rows of events, and the position they lead to: none where none of them could be decoded.

        Args:
            topic: where they come from.
            batch: the events.
            with_decoded: others in the same response could be decoded, so that these may be poison.

        Raises:
            TryAgainError, SessionExpiredError: a schema could not be fetched for now.
        """
        deletes: list[Delete] = []
        gaps: list[Gap] = []
        failures: list[RejectedEvent] = []
        skipped = 0
        now = timestamp(datetime.now(timezone.utc))
        for event in batch.events:
            origin = Origin(self._org_id, topic, event.event_id, event.replay_id, event.schema_id, now)
            try:
                found = self._interpret(event, origin)
            except (DecodeError, SchemaError) as error:
                failures.append(rejected(origin, event.payload, error))
                continue
            deletes += found.deletes
            gaps += found.gaps
            skipped += not (found.deletes or found.gaps)
        last = next((event for event in reversed(batch.events) if event.replay_id), None)
        position = Position(last.replay_id, last.event_id, now) if last else None
        if len(failures) == len(batch.events) and not with_decoded:
            position = None
        rows: list[Union[Delete, RejectedEvent, Gap]] = [*told_apart(deletes, failures), *gaps, *failures]
        return Delivery(topic, rows, position, len(batch.events), skipped, batch.rpc_id)

    def _interpret(self, event: Event, origin: Origin) -> Found:
        """An event by its schema or, where that fails and it is a change event, by its header alone."""
        try:
            decoder = self._decoder(event.schema_id)
            return interpret(decoder.decode(event.payload), origin, self._event_fields, schema_fields=decoder.fields)
        except (DecodeError, SchemaError) as error:
            if not origin.topic.startswith("/data/"):
                raise
            try:
                return interpret(decode_header(event.payload), origin, self._event_fields, header_only=str(error))
            except DecodeError:
                raise error from None

    def _decoder(self, schema_id: str) -> Decoder:
        if schema_id not in self._decoders:
            self._decoders[schema_id] = Decoder(self._source.schema(schema_id))
        return self._decoders[schema_id]
