"""Makes the rows of ``checks`` of one object, and counts them in its report."""

from __future__ import annotations

from .. import __version__, completeness
from ..completeness import Window
from ..model.ids import identity
from ..model.rows import Check
from ..model.times import timestamp
from ..report import CheckReport
from .file import CheckFile
from .poll import Poll


class CheckRows:
    """The checks of one object in one poll.

    Args:
        poll: see there.
        report: counts the rows. It has the first reason why something is not proven.
        file: takes the rows.

    Attributes:
        sight: whether the user sees all records: ``view_all`` or ``unknown``.
    """

    def __init__(self, poll: Poll, report: CheckReport, file: CheckFile) -> None:
        self._poll = poll
        self._report = report
        self._file = file
        self.sight = completeness.UNKNOWN_SIGHT

    def id_of(self, window: Window, checked_at: str) -> str:
        """The key of a check."""
        times = (timestamp(window.start), timestamp(window.end), checked_at)
        return identity(self._poll.org_id, self._report.object_name, *times)

    def add(
        self, window: Window, outcome: str, why: str, checked_at: str, *, listed: int = 0
    ) -> None:
        """Add a check.

        Args:
            window: what was checked.
            outcome: see ``completeness.py``.
            why: the reason if the outcome is not ``listed``.
            checked_at: when Salesforce was asked.
            listed: the number of listed deletes.
        """
        proves = outcome == completeness.LISTED
        self._file.add(
            [
                Check(
                    check_id=self.id_of(window, checked_at),
                    org_id=self._poll.org_id,
                    writer=__version__,
                    object_name=self._report.object_name,
                    window_from=timestamp(window.start),
                    window_to=timestamp(window.end),
                    listed=listed,
                    outcome=outcome,
                    sight=self.sight,
                    api_version=self._poll.api_version,
                    checked_at=checked_at,
                    error=None if proves else why,
                )
            ]
        )
        self._report.windows += 1
        self._report.listed += listed
        if not proves:
            self.note(why)
            if self._report.outcome == completeness.LISTED:
                self._report.outcome = outcome

    def count_restores(self, number: int) -> None:
        """Count restores that a check found."""
        self._report.restored += number

    def note(self, why: str) -> None:
        """Note why something was not asked or not proven. The first reason counts."""
        self._report.reason = self._report.reason or why
