"""What a sweep did: its figures, its log line, and whether it failed."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .errors import (
    ActionNeededError,
    DuplicateRowsError,
    FilesRefusedError,
    FilesUnavailableError,
    SweepFailedError,
    SyncError,
)
from .model import Batch, LeftFile, Loaded, UnavailableFile, Unproven

log = logging.getLogger(__name__)

NAMED = 20  # files that an error names; the log has all


@dataclass
class Report:
    """What a sweep did.

    Attributes:
        files: event files in the container, as far as the sweep has listed them.
        newest_file: the newest name among them.
        synced: names of the files that it loaded.
        elsewhere: files that another sweep loaded meanwhile.
        refused: files that it refused, and why.
        refused_before: files that an earlier sweep refused, so that this one skipped them.
        unavailable: files that cannot be read, and why. They are among those left or to repeat.
        left: files that are still pending.
        oldest_left: the oldest of them.
        gone: with ``FULL_SWEEP``, files that the container no longer has.
        to_repeat: with ``FULL_SWEEP``, files of earlier sweeps that it could not load again.
        batches, staged: loaded batches, and their rows.
        inserted, gaps, rejects, restores, checks, listed: new rows, by table.
        erased: rows that were left out, because their record is in ``_erased``.
        compared: checks that it compared with the tables.
        recovered: deletes that no event told of, and that it added.
        waiting: checks that are not compared yet.
        duplicates: keys that are in the table more than once.
        overdue: what has been waiting for too long.
        unproven: old days that a person can still get proven.
        verdicts_unknown: why nobody knows which days are proven. Empty if somebody does.
    """

    sweep_id: str
    files: int = 0
    newest_file: str = ""
    synced: list[str] = field(default_factory=list)
    elsewhere: int = 0
    refused: dict[str, str] = field(default_factory=dict)
    refused_before: int = 0
    unavailable: dict[str, str] = field(default_factory=dict)
    left: int = 0
    oldest_left: LeftFile | None = None
    gone: int = 0
    to_repeat: int = 0
    staged: int = 0
    inserted: int = 0
    gaps: int = 0
    rejects: int = 0
    restores: int = 0
    checks: int = 0
    listed: int = 0
    erased: int = 0
    batches: int = 0
    compared: int = 0
    recovered: int = 0
    waiting: int = 0
    duplicates: list[str] = field(default_factory=list)
    overdue: list[ActionNeededError] = field(default_factory=list)
    unproven: list[Unproven] = field(default_factory=list)
    verdicts_unknown: str = ""

    def count(self, batch: Batch, loaded: Loaded) -> None:
        """Add the figures of a batch that was loaded."""
        self.batches += 1
        self.staged += batch.figures.rows
        self.inserted += loaded.inserted
        self.gaps += loaded.gaps
        self.rejects += loaded.rejects
        self.restores += loaded.restores
        self.checks += loaded.checks
        self.listed += loaded.listed
        self.erased += loaded.erased
        self.elsewhere += len(loaded.elsewhere)
        for file in batch.files:
            if file.name in loaded.elsewhere:
                continue
            if file.error is None:
                self.synced.append(file.name)
            else:
                self.refused[file.name] = file.error
                log.error("event_file=%s state=refused reason=%s", file.name, file.error)

    def leave(self, name: str, reason: str) -> None:
        """Note a file that stays pending."""
        self.left += 1
        if self.oldest_left is None or name < self.oldest_left.name:
            self.oldest_left = LeftFile(name, reason)

    def cannot_read(self, file: UnavailableFile) -> None:
        """Note a file that could not be downloaded."""
        name = file.blob.name
        if file.needs_a_person:
            self.unavailable[name] = file.reason
        log.warning("event_file=%s state=left reason=%s", name, file.reason)

    def figures(self) -> dict[str, int]:
        """The figures of the sweep, by the names that its log line has."""
        return {
            "files": self.files,
            "synced": len(self.synced),
            "elsewhere": self.elsewhere,
            "refused": len(self.refused),
            "refused_before": self.refused_before,
            "unavailable": len(self.unavailable),
            "left": self.left,
            "gone": self.gone,
            "to_repeat": self.to_repeat,
            "batches": self.batches,
            "staged": self.staged,
            "inserted": self.inserted,
            "gaps": self.gaps,
            "rejects": self.rejects,
            "restores": self.restores,
            "checks": self.checks,
            "listed": self.listed,
            "erased": self.erased,
            "compared": self.compared,
            "recovered": self.recovered,
            "waiting": self.waiting,
            "duplicates": len(self.duplicates),
        }

    def lines(self) -> Iterator[str]:
        """The log line of the sweep, and those about days that are not proven."""
        words = (f"{name}={figure}" for name, figure in self.figures().items())
        yield " ".join([f"sweep={self.sweep_id}", *words])
        for it in self.unproven:
            yield (
                f"unproven object={it.object_name} days={it.days} first={it.first_day} "
                f"last={it.last_day} reason={it.reason}"
            )
        if self.verdicts_unknown:
            yield f"verdicts=unknown reason={self.verdicts_unknown}"

    @contextlib.contextmanager
    def told_if_it_fails(self) -> Iterator[None]:
        """If the block raises, log what the sweep did until then.

        Raises:
            SweepFailedError: the block raised an error, and something else needs a person, such as
                a file that was refused. Nobody would read of it otherwise.
        """
        try:
            yield
        except SyncError as error:
            for line in self.lines():
                log.warning("%s", line)
            failures = list(self._failures())
            if failures:
                raise SweepFailedError([*failures, error]) from error
            raise

    def raise_if_failed(self) -> None:
        """Fail if something needs a person, although the sweep did its work.

        Raises:
            DuplicateRowsError: the message names up to three keys.
            FilesRefusedError, FilesUnavailableError: the message names the files.
            BacklogError, SilenceError: see ``freshness``.
            SweepFailedError: several of these.
        """
        failures = [*self._failures(), *self.overdue]
        if len(failures) > 1:
            raise SweepFailedError(failures)
        if failures:
            raise failures[0]

    def _failures(self) -> Iterator[ActionNeededError]:
        if self.duplicates:
            yield DuplicateRowsError(
                f"the table holds at least {len(self.duplicates)} event_id values more than once, "
                f"for example {', '.join(self.duplicates[:3])}; "
                "see 'DuplicateRowsError' in docs/operations.md"
            )
        if self.refused:
            yield FilesRefusedError(
                f"{len(self.refused)} event file(s) were refused: this sweep loaded none of their "
                "rows, and the files stay in the container. "
                "The other pending files are loaded, or left for the next sweep. "
                f"See 'FilesRefusedError' in docs/operations.md:{_listed(self.refused)}"
            )
        if self.unavailable:
            yield FilesUnavailableError(
                f"{len(self.unavailable)} event file(s) cannot be read. They stay pending, and "
                "each sweep tries again. The other pending files are loaded, or left for the next "
                "sweep. "
                f"See 'FilesUnavailableError' in docs/operations.md:{_listed(self.unavailable)}"
            )


def _listed(reasons: Mapping[str, str]) -> str:
    lines = [f"\n  - {name}: {reason}" for name, reason in list(reasons.items())[:NAMED]]
    more = len(reasons) - NAMED
    return "".join([*lines, f"\n  - and {more} more, all in the log"] if more > 0 else lines)
