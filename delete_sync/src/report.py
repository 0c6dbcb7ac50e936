"""What a sweep did: its figures, its log line, and whether it failed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .errors import DuplicateRowsError, FilesRefusedError
from .model import Loaded


@dataclass
class Report:
    """What a sweep did. ``left`` counts the event files that it leaves for the next sweep."""

    sweep_id: str
    files: int = 0
    synced: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    refused_before: int = 0
    left: int = 0
    staged: int = 0
    inserted: int = 0
    gaps: int = 0
    rejects: int = 0
    batches: int = 0
    duplicates: list[str] = field(default_factory=list)
    skipped: bool = False

    def count(self, loaded: Loaded) -> None:
        """Add the figures of a batch."""
        self.batches += 1
        self.staged += loaded.staged
        self.inserted += loaded.inserted
        self.gaps += loaded.gaps
        self.rejects += loaded.rejects
        self.duplicates += loaded.duplicates

    def lines(self) -> Iterator[str]:
        """The log line of the sweep."""
        if self.skipped:
            yield f"sweep={self.sweep_id} state=skipped reason=another sweep is running"
            return
        yield (
            f"sweep={self.sweep_id} files={self.files} synced={len(self.synced)} "
            f"refused={len(self.refused)} refused_before={self.refused_before} left={self.left} "
            f"batches={self.batches} staged={self.staged} inserted={self.inserted} "
            f"gaps={self.gaps} rejects={self.rejects} duplicates={len(self.duplicates)}"
        )

    def raise_if_failed(self) -> None:
        """Fail if the sweep refused files or found duplicate rows.

        Raises:
            DuplicateRowsError: the message names up to three keys.
            FilesRefusedError: the message names the files.
        """
        if self.duplicates:
            raise DuplicateRowsError(
                f"the table holds at least {len(self.duplicates)} event_id values more than once, "
                f"for example {', '.join(self.duplicates[:3])}; "
                "see 'DuplicateRowsError' in docs/operations.md"
            )
        if self.refused:
            reasons = "".join(f"\n  - {name}: {reason}" for name, reason in self.refused.items())
            raise FilesRefusedError(
                f"{len(self.refused)} event file(s) were refused and stay in the container. "
                "The other new files are synced, or left for the next sweep. "
                f"See 'FilesRefusedError' in docs/operations.md:{reasons}"
            )
