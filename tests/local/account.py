"""Sets the rules of the stand-in for Snowflake for one schema, and reads what it was sent."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from . import emulators


@dataclass(frozen=True)
class Sent:
    """A statement that the stand-in got.

    Attributes:
        session: the number of the session.
        role: its role, or nothing for a session without one.
        sql: the text.
        outcome: ``ok``, ``running``, or the number of the refusal.
    """

    session: int
    role: str
    sql: str
    outcome: str

    @property
    def line(self) -> str:
        """The text in one line."""
        return " ".join(self.sql.split())


class Account:
    """The stand-in, as far as one schema is concerned.

    Args:
        server: as ``emulators.snowflake`` yields it.
        schema: the schema in which sessions begin.
    """

    def __init__(self, server: emulators.Server, schema: str) -> None:
        self._url = f"http://127.0.0.1:{server.port}/stand-in"
        self._schema = schema

    def set(
        self,
        *,
        reading: Optional[str] = None,
        blind: Optional[str] = None,
        seed: Optional[int] = None,
        idle_seconds: Optional[float] = None,
        parameters: Optional[Mapping[str, str]] = None,
    ) -> None:
        """Change the rules. What is left out stays.

        Args:
            reading: what follows an abort from outside: ``silent`` or ``error`` (000615).
            blind: whether sessions miss commits after their login: ``off``, ``always``, ``random``.
            seed: decides what ``random`` sessions miss.
            idle_seconds: after how long an idle transaction that blocks another is aborted.
            parameters: parameters of the account.
        """
        self._ask(
            "set",
            reading=reading,
            blind=blind,
            seed=seed,
            idle_seconds=idle_seconds,
            parameters=parameters and dict(parameters),
        )

    def fault(self, do: str, words: str = "", **details: Any) -> None:
        """Let the next statement with these words go wrong: see ``faults.Fault``."""
        self._ask("fault", fault={"do": do, "words": words, **details})

    def random_faults(self, seed: int, rate: float, kinds: Sequence[str]) -> None:
        """Let this share of the statements go wrong in one of these ways."""
        self._ask("random", seed=seed, rate=rate, kinds=list(kinds))

    def clear_faults(self) -> None:
        """End all faults."""
        self._ask("clear")

    def happened(self) -> dict[str, int]:
        """How many faults of each kind happened."""
        return dict(self._ask("record")["happened"])

    def statements(self) -> list[Sent]:
        """Every statement so far, in the order of arrival."""
        return [Sent(**one) for one in self._ask("record")["statements"]]

    def forget_statements(self) -> None:
        """Empty the record of statements."""
        self._ask("forget")

    def abort(self, session: Optional[int] = None) -> list[int]:
        """Abort the open transaction of a session, or of all. Return whose were open."""
        return list(self._ask("abort", session=session)["aborted"])

    def sessions(self) -> dict[int, bool]:
        """The open sessions, and whether each has an open transaction."""
        return {int(number): one for number, one in self._ask("sessions")["sessions"].items()}

    def _ask(self, what: str, **details: Any) -> Any:
        body = json.dumps({"schema": self._schema, "ask": what, **details}).encode()
        with urllib.request.urlopen(
            urllib.request.Request(self._url, body, {"Content-Type": "application/json"})
        ) as answer:
            return json.load(answer)
