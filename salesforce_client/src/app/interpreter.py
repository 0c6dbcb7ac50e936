"""Turns what Pub/Sub delivers into rows, and says which position that leads to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Union

from .decode import Decoder, decode_header
from .deletes import Delete, Event, Gap, Origin, RejectedEvent, interpret, rejected, told_apart
from .errors import DecodeError, SchemaError
from .pubsub import Batch, PubSub
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

    def origin(self, topic: str) -> Origin:
        """Where something is received, or noticed, now."""
        return Origin(self._org_id, topic, timestamp(datetime.now(timezone.utc)))

    def delivery(self, topic: str, batch: Batch, *, with_decoded: bool = False) -> Delivery:
        """The rows of events, and the position they lead to: none where none of them could be decoded.

        Args:
            topic: where they come from.
            batch: the events.
            with_decoded: others in the same response could be decoded, so that these may be poison.

        Raises:
            TryAgainError, SessionExpiredError: a schema could not be fetched for now.
        """
        found: list[Union[Delete, Gap]] = []
        failures: list[RejectedEvent] = []
        skipped = 0
        origin = self.origin(topic)
        told: Sequence[Union[Delete, Gap]] | None
        for event in batch.events:
            try:
                decoder = self._decoders.get(event.schema_id) or self._decoder(event.schema_id)
                told = interpret(decoder.decode(event.payload), event, origin, self._event_fields, decoder.fields)
            except (DecodeError, SchemaError) as error:
                told = self._by_header_alone(event, origin, error)
                if told is None:
                    failures.append(rejected(event, origin, error))
                    continue
            found += told
            skipped += not told
        last = next((event for event in reversed(batch.events) if event.replay_id), None)
        position = Position(last.replay_id, last.event_id, origin.received_at) if last else None
        if len(failures) == len(batch.events) and not with_decoded:
            position = None
        deletes = [row for row in found if isinstance(row, Delete)]
        gaps = [row for row in found if isinstance(row, Gap)]
        rows: list[Union[Delete, RejectedEvent, Gap]] = [*told_apart(deletes, failures), *gaps, *failures]
        return Delivery(topic, rows, position, len(batch.events), skipped, batch.rpc_id)

    def _by_header_alone(self, event: Event, origin: Origin, error: Exception) -> Sequence[Union[Delete, Gap]] | None:
        """What can be told of a change event that could not be read by its schema; None for nothing, or for another event."""
        if not origin.topic.startswith("/data/"):
            return None
        try:
            return interpret(decode_header(event.payload), event, origin, self._event_fields, header_only=str(error))
        except DecodeError:
            return None

    def _decoder(self, schema_id: str) -> Decoder:
        decoder = self._decoders[schema_id] = Decoder(self._source.schema(schema_id))
        return decoder
