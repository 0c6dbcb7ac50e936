"""One attempt to load a batch: the steps of its staging and of its guarded transaction.

Sources: Snowflake documentation, pages "MERGE", "COPY INTO <table>", "PUT".
"""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import BooksDifferError, ErasedMeanwhileError
from ..model import Batch, Loaded, by_file
from .companions import COMPANIONS, missing
from .guard import ENDED_FROM_OUTSIDE, Guarded
from .names import Identifier
from .reading import record_of
from .session import Session


class Attempt(Guarded):
    """The steps of one attempt, in the order in which the loader takes them.

    Args:
        session: a new session, in which nothing else happens.
        names: the result of ``names_of``.
        batch: the rows.
    """

    def __init__(self, session: Session, names: Mapping[str, Identifier], batch: Batch) -> None:
        super().__init__(session, names)
        self._batch = batch

    def stage(self, path: str) -> None:
        """Upload the batch and copy it into the staging table, and commit that.

        Args:
            path: an empty folder on the stage.

        Raises:
            BooksDifferError: not all lines arrived.
        """
        batch = self._batch
        self._session.rows("create_staging")
        self._session.rows("put", files=_file_url(batch.parts), path=path)
        copied = sum(int(row[3]) for row in self._session.rows("copy", path=path) if len(row) > 3)
        if copied != batch.lines:
            raise BooksDifferError(
                f"{batch.lines} lines were uploaded, but {copied} were copied to the staging table"
            )
        if batch.unwanted:
            files = ", ".join(["(%s)"] * len(batch.unwanted))
            self._session.change("drop_unwanted", batch.unwanted, files=files)
        self._session.commit()

    def done(self, reader_version: int) -> dict[str, str]:
        """The files of the batch that are loaded already, each with the token of its record.

        Another sweep has loaded them meanwhile. Or an earlier attempt has, and its answer was lost.
        """
        records = by_file(record_of(*row) for row in self._session.rows("records_of_batch"))
        return {
            file.name: record.token
            for file in self._batch.files
            for record in records.get(file.name, ())
            if record.error in (None, file.error) and record.settles(file.blob, reader_version)
        }

    def write(
        self, files: Sequence[str], *, id_fills_itself: bool, erased: int | None = None
    ) -> Loaded:
        """Insert the rows that are new, and the load records of these files.

        Args:
            files: their names.
            id_fills_itself: as ``Tables.prepare`` returns it.
            erased: how many erased records were known when the rows were read. None: nobody asked.

        Raises:
            ErasedMeanwhileError: there are more by now, so the rows may name one.
            BooksDifferError: other rows are in the tables than must be.
        """
        ((rows_erased, records_erased),) = self._session.rows("count_erased")
        if erased is not None and int(records_erased) != erased:
            raise ErasedMeanwhileError(
                "somebody has erased data while the sweep read event files, so it loads no more of"
                " them – the next sweep reads them again, without what was erased"
            )
        deletes = self._insert_deletes(id_fills_itself=id_fills_itself)
        others = self._insert_others()
        values = [value for name in files for value in (name, deletes.get(name, 0))]
        new = ", ".join(["(%s, %s)"] * len(files))
        not_there = missing(self._names, self._batch.figures.counts())
        recorded = self._session.change(
            "insert_loads", [self.token, *values], new=new, missing=not_there
        )
        if recorded != len(files):
            raise BooksDifferError(
                f"{recorded} of {len(files)} load records were written, because rows of the other "
                f"files are not in the tables: {ENDED_FROM_OUTSIDE}"
            )
        self._session.change("replace_loads", [self.token])
        return Loaded(
            inserted=sum(deletes.values()),
            gaps=others.get("gaps", 0),
            rejects=others.get("rejects", 0),
            restores=others.get("restores", 0),
            checks=others.get("checks", 0),
            listed=others.get("listed", 0),
            erased=int(rows_erased),
        )

    def check(self, files: Sequence[str]) -> None:
        """Read the load records back after COMMIT.

        Raises:
            BooksDifferError: they are not there. Snowflake accepts a COMMIT also if it has ended
                the transaction before.
        """
        kept = {str(name) for (name,) in self._session.rows("records_of_token", [self.token])}
        if kept != set(files):
            raise BooksDifferError(
                f"after COMMIT, {len(kept)} of {len(files)} load records are in the table: "
                f"{ENDED_FROM_OUTSIDE}"
            )

    def _insert_deletes(self, *, id_fills_itself: bool) -> dict[str, int]:
        """Insert the new rows of ``delete_tracker``. Returns their numbers, by event file."""
        if not self._batch.figures.deletes:
            return {}
        new = {str(name): int(count) for name, count in self._session.rows("count_new")}
        inserted = self._merge(id_fills_itself=id_fills_itself)
        if inserted != sum(new.values()):
            raise BooksDifferError(
                f"the merge inserted {inserted} rows, but {sum(new.values())} were new: "
                f"{ENDED_FROM_OUTSIDE}"
            )
        return new

    def _insert_others(self) -> dict[str, int]:
        """Insert the new rows of the companion tables. Returns their numbers, by table."""
        staged = self._batch.figures.counts()
        return {
            companion.part: self._session.change(
                f"insert_{companion.part}",
                [self.token],
                template="insert_companion",
                **companion.clauses(self._names),
            )
            for companion in COMPANIONS
            if staged[companion.figure]
        }

    def _merge(self, *, id_fills_itself: bool) -> int:
        """Insert the deletes whose keys are not in the table. Returns their number."""
        return self._session.change(
            "merge", [self.token], **self.numbers("d.event_id", id_fills_itself=id_fills_itself)
        )


def _file_url(parts: Path) -> str:
    """The URL for PUT, to be written in single quotes (page "PUT").

    Only the name of ``parts`` is a pattern. The connector expands the whole path with ``glob``, and
    the temporary directory of the machine may have any name.
    """
    path = f"{glob.escape(parts.parent.as_posix())}/{parts.name}"
    return "file://{}".format(path.replace("\\", "\\\\").replace("'", "\\'"))
