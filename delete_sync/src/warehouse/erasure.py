"""Erases records from the tables and the stage, in guarded transactions.

The ids are uploaded and copied into the staging table, as the rows of a batch are. So no statement
has an id in its text, and none is in Snowflake's history of queries.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import textwrap
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import BooksDifferError
from ..model import Batch, Named
from ..scratch import local_storage
from .attempt import Attempt
from .guard import ENDED_FROM_OUTSIDE, Guarded
from .names import Identifier
from .places import CLEARED, PLACES, REJECTS, Place, naming, own_rows
from .session import SQL, Session
from .turns import Turns

MOST = 10_000


def records_to_erase(names: Mapping[str, Identifier]) -> str:
    """The query for the records in the staging table."""
    query = SQL["records_to_erase"].format(**names)
    return textwrap.indent(query, "    ").lstrip()


def _keys(rejects: Iterable[str]) -> Iterator[dict[str, str]]:
    return ({"kind": "reject", "reject_id": key} for key in rejects)


class Eraser(Turns):
    """Erases some records. The caller closes it after use.

    Args:
        connect: opens a session.
        names: the result of ``names_of``.
        digests: of the records, by their ids with 18 characters.
        folder: an empty folder for temporary files.
        most: payloads of one table that are cleared in one transaction.
    """

    def __init__(
        self,
        connect: Callable[[], Session],
        names: Mapping[str, Identifier],
        digests: Mapping[str, str],
        folder: Path,
        *,
        most: int = MOST,
    ) -> None:
        super().__init__(connect, names)
        self._folder, self._most = folder, most
        self._query = records_to_erase(names)
        self._records = [
            {"kind": "record", "long_id": long_id, "record_sha256": digest}
            for long_id, digest in digests.items()
        ]

    def counts(self, rejects: Iterable[str] = ()) -> dict[str, Named]:
        """The number of rows that name the records, by table. Nothing is changed.

        Args:
            rejects: the keys of rejects that are about the records, but may not name them.
        """
        with self._staged([*self._records, *_keys(rejects)]) as session:
            return {place.part: self._count(session, place) for place in PLACES}

    def rejects_with_bytes(self) -> int:
        """The number of rejects that have the bytes of an event."""
        ((found,),) = self._ask(lambda session: session.rows("rejects_with_bytes"))
        return int(found)

    def staged_files(self) -> int:
        """The number of files on the stage, which killed sweeps have left there."""
        return len(self._ask(lambda session: session.rows("list_stage")))

    def note(self, rejects: Iterable[str] = ()) -> None:
        """Note in ``_erased`` that the records are erased. From then on no sweep inserts them.

        The rejects are cleared in the same transaction. The files that tell of them are replaced
        after it, so a second call would not know them.

        Args:
            rejects: as ``counts`` has them.

        Raises:
            BooksDifferError: after COMMIT, not all of them are noted.
        """

        def write(statement: Callable[..., int]) -> None:
            statement("note_erased")
            self._clear_columns(statement, REJECTS)

        self._in_turn([*self._records, *_keys(rejects)], write)
        noted = {str(one) for (one,) in self._ask(lambda it: it.rows("erased_digests"))}
        missing = [it for it in self._records if it["record_sha256"] not in noted]
        if missing:
            raise BooksDifferError(
                f"after COMMIT, {len(missing)} of {len(self._records)} records are not in"
                f" {self._names['erased']}: {ENDED_FROM_OUTSIDE}, so run the command again"
            )

    def clear(self, without: Callable[[str], str]) -> None:
        """Remove the rows of the records, and clear the values of others that name them.

        Args:
            without: a payload without the values that name the records.

        Raises:
            BooksDifferError: some rows still name the records.
        """
        more = True
        while more:
            with self._staged(self._records) as session:
                found = [self._payloads(session, part) for part in ("table", "listed")]
            more = any(len(payloads) == self._most for payloads in found)
            self._in_turn(
                [
                    *self._records,
                    *(
                        {"kind": "payload", "found": text, "payload": json.loads(without(text))}
                        for text in dict.fromkeys(text for texts in found for text in texts)
                    ),
                ],
                self._clear,
            )
        left = [part for part, named in self.counts().items() if any(named)]
        if left:
            raise BooksDifferError(
                f"rows of {', '.join(str(self._names[part]) for part in left)} still name the"
                f" records: {ENDED_FROM_OUTSIDE}, so run the command again"
            )

    def empty_stage(self) -> None:
        """Remove all files from the stage. A sweep that runs now uploads its files again."""
        self._ask(lambda session: session.rows("empty_stage"))

    def _count(self, session: Session, place: Place) -> Named:
        name, own = self._names[place.part], 0
        parts: dict[str, Any] = {"erasable": name, "records": self._query}
        if place.has_record:
            ((own,),) = session.rows("count_own", **parts, own=own_rows(name))
        ((others,),) = session.rows(
            "count_others",
            **parts,
            key=", ".join(f"{name}.{column}" for column in place.key.split(", ")),
            condition=" OR ".join(place.conditions(name).values()),
            own=own_rows("d") if place.has_record else "FALSE",
        )
        return Named(int(own), int(others))

    def _payloads(self, session: Session, part: str) -> list[str]:
        rows = session.rows(
            "named_payloads",
            erasable=self._names[part],
            records=self._query,
            condition=naming("payload", self._names[part], "payload"),
            most=self._most,
        )
        return [str(text) for (text,) in rows]

    def _clear(self, statement: Callable[..., int]) -> None:
        statement("note_removed", own=own_rows(self._names["table"]))
        for place in PLACES:
            name = self._names[place.part]
            if place.has_record:
                statement("remove_own", erasable=name, own=own_rows(name))
            self._clear_columns(statement, place)

    def _clear_columns(self, statement: Callable[..., int], place: Place) -> None:
        name = self._names[place.part]
        for column, condition in place.conditions(name).items():
            if place.columns[column] == "payload":
                statement("clear_payload", erasable=name)
                continue
            value = CLEARED[place.columns[column]]
            parts = {"column": column, "value": value, "condition": condition}
            statement("clear_column", erasable=name, **parts)

    def _in_turn(
        self, lines: Sequence[Mapping[str, Any]], write: Callable[[Callable[..., int]], object]
    ) -> None:
        """Run statements in one guarded transaction, until it succeeds or fails for good."""

        def once() -> None:
            with self._staged(lines) as session:
                guarded = Guarded(session, self._names)
                with session.transaction():
                    guarded.take_lock(self._seen_token)
                    write(
                        lambda name, **parts: session.change(
                            name,
                            [guarded.token],
                            **{"records": self._query, **parts},
                        )
                    )
            self._seen_token = guarded.token
            self.close()  # a session for reading that is older need not see these rows

        self._again_and_again("erase", once)

    @contextlib.contextmanager
    def _staged(self, lines: Iterable[Mapping[str, Any]]) -> Iterator[Session]:
        """A session whose staging table has these lines."""
        path = self._folder / uuid.uuid4().hex
        encoded = [json.dumps(line).encode() + b"\n" for line in lines]
        with local_storage("what is to be erased"):
            path.mkdir()
            with gzip.open(path / "rows_0.gz", "wb") as file:
                file.writelines(encoded)
        with self._connect() as session:
            batch = Batch((), path / "rows_*.gz", len(encoded))
            self._stage(Attempt(session, self._names, batch), f"erase/{path.name}")
            yield session
