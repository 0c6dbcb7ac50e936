"""What a sweep reports: its figures, its log line, and when it fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from delete_sync.src.errors import (
    ActionNeededError,
    BacklogError,
    DuplicateRowsError,
    FilesRefusedError,
    FilesUnavailableError,
    SilenceError,
    SweepFailedError,
)
from delete_sync.src.model import (
    Batch,
    EventBlob,
    Figures,
    LeftFile,
    Loaded,
    StagedFile,
    UnavailableFile,
)
from delete_sync.src.report import Report

FIGURES = Figures(2, 1, 1, None, None, 1)


def blob(name: str) -> EventBlob:
    return EventBlob(name, 1, "etag", "")


def batch(*files: StagedFile) -> Batch:
    return Batch(files, Path("rows"), 100)


def failure(report: Report) -> ActionNeededError:
    with pytest.raises(ActionNeededError) as raised:
        report.raise_if_failed()
    return raised.value


# -- figures


def test_the_figures_of_all_batches_are_added(caplog: pytest.LogCaptureFixture) -> None:
    """Refused files are named in the log."""
    report = Report("s1")
    good, other = (StagedFile(blob(name), "", FIGURES) for name in ("a.db", "b.db"))
    refused = StagedFile.refused(blob("c.db"), "", "it is damaged")
    report.count(batch(good, refused), Loaded(3, 2, 1))
    more: dict[str, Any] = {"restores": 4, "checks": 5, "listed": 6, "erased": 7}
    report.count(batch(other), Loaded(10, 20, 30, **more))
    report.count(batch(), Loaded(**more))
    assert report == Report(
        "s1",
        synced=["a.db", "b.db"],
        refused={"c.db": "it is damaged"},
        staged=10,
        inserted=13,
        gaps=22,
        rejects=31,
        restores=8,
        checks=10,
        listed=12,
        erased=14,
        batches=3,
    )
    assert [record.getMessage() for record in caplog.records] == [
        "event_file=c.db state=refused reason=it is damaged"
    ]


def test_files_that_another_sweep_has_loaded_are_only_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The other sweep reports them, also a refusal."""
    report = Report("s1")
    files = (
        StagedFile(blob("a.db"), "", FIGURES),
        StagedFile.refused(blob("b.db"), "", "it is damaged"),
        StagedFile(blob("c.db"), "", FIGURES),
    )
    report.count(batch(*files), Loaded(elsewhere=frozenset({"a.db", "b.db"})))
    report.count(batch(*files[:1]), Loaded(elsewhere=frozenset({"a.db"})))
    assert (report.synced, report.refused, report.elsewhere) == (["c.db"], {}, 3)
    assert caplog.records == []


def test_of_the_files_that_are_left_the_oldest_is_kept_with_its_reason() -> None:
    """The name has the time, so the smallest name is the oldest."""
    report = Report("s1")
    for name in ("b", "c", "a", "d"):
        report.leave(name, f"reason of {name}")
    assert (report.left, report.oldest_left) == (4, LeftFile("a", "reason of a"))


def test_a_file_that_cannot_be_read_is_logged_and_perhaps_needs_a_person(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whether it is left, ``Pending`` knows."""
    report = Report("s1")
    report.cannot_read(UnavailableFile(blob("a.db"), "it was changed", needs_a_person=False))
    report.cannot_read(UnavailableFile(blob("b.db"), "it is archived", needs_a_person=True))
    assert (report.left, report.unavailable) == (0, {"b.db": "it is archived"})
    assert [record.getMessage() for record in caplog.records] == [
        "event_file=a.db state=left reason=it was changed",
        "event_file=b.db state=left reason=it is archived",
    ]


def test_the_log_line_has_each_figure_by_name() -> None:
    """An alert may search for these words."""
    report = Report(
        "s1",
        files=1,
        synced=["a"] * 2,
        elsewhere=3,
        refused=dict.fromkeys("abcd", "x"),
        refused_before=5,
        unavailable=dict.fromkeys("abcdef", "x"),
        left=7,
        gone=8,
        to_repeat=9,
        batches=10,
        staged=11,
        inserted=12,
        gaps=13,
        rejects=14,
        restores=15,
        checks=16,
        listed=17,
        erased=18,
        compared=19,
        recovered=20,
        waiting=21,
        duplicates=["k"] * 22,
    )
    assert list(report.lines()) == [
        "sweep=s1 files=1 synced=2 elsewhere=3 refused=4 refused_before=5 unavailable=6 left=7 "
        "gone=8 to_repeat=9 batches=10 staged=11 inserted=12 gaps=13 rejects=14 restores=15 "
        "checks=16 listed=17 erased=18 compared=19 recovered=20 waiting=21 "
        "duplicates=22"
    ]


# -- failures


@pytest.mark.parametrize(
    "report",
    [
        Report("s1"),
        Report("s1", left=3, oldest_left=LeftFile("a", "x"), refused_before=2, gone=1),
    ],
)
def test_a_sweep_that_did_its_work_does_not_fail(report: Report) -> None:
    """Files that are left for a short time are no failure. Earlier refusals were told before."""
    report.raise_if_failed()


def test_duplicate_keys_fail_the_sweep() -> None:
    """The error names up to three of them."""
    error = failure(Report("s1", duplicates=["k1", "k2", "k3", "k4"]))
    assert type(error) is DuplicateRowsError
    assert str(error) == (
        "the table holds at least 4 event_id values more than once, for example k1, k2, k3; "
        "see 'DuplicateRowsError' in docs/operations.md. "
        "Nothing is lost, but these deletes count more than once"
    )


def test_refused_files_fail_the_sweep() -> None:
    """The error names them with their reasons."""
    error = failure(Report("s1", refused={"a.db": "it is damaged", "b.db": "it is foreign"}))
    assert type(error) is FilesRefusedError
    assert str(error) == (
        "2 event file(s) were refused: this sweep loaded none of their rows, and the files stay "
        "in the container. "
        "The other pending files are loaded, or left for the next sweep. "
        "See 'FilesRefusedError' in docs/operations.md:"
        "\n  - a.db: it is damaged\n  - b.db: it is foreign"
    )


def test_files_that_cannot_be_read_fail_the_sweep() -> None:
    """The error names them with their reasons."""
    error = failure(Report("s1", unavailable={"a.db": "it is archived"}))
    assert type(error) is FilesUnavailableError
    assert str(error) == (
        "1 event file(s) cannot be read. They stay pending, and each sweep tries again. "
        "The other pending files are loaded, or left for the next sweep. "
        "See 'FilesUnavailableError' in docs/operations.md:\n  - a.db: it is archived"
    )


@pytest.mark.parametrize(("files", "more"), [(20, ""), (21, "1 more"), (1000, "980 more")])
def test_an_error_names_at_most_twenty_files(files: int, more: str) -> None:
    """An alert has little room."""
    names = [f"{number:04}.db" for number in range(files)]
    lines = str(failure(Report("s1", refused=dict.fromkeys(names, "x")))).splitlines()[1:]
    assert lines[:20] == [f"  - {name}: x" for name in names[:20]]
    assert lines[20:] == ([f"  - and {more}, all in the log"] if more else [])


@pytest.mark.parametrize("overdue", [BacklogError("it waits"), SilenceError("it is silent")])
def test_what_is_overdue_fails_the_sweep(overdue: ActionNeededError) -> None:
    """The error is the one of ``freshness``."""
    assert failure(Report("s1", overdue=[overdue])) is overdue


def test_two_failures_are_told_in_one_error() -> None:
    """One of them would hide the other."""
    error = failure(Report("s1", refused={"a.db": "x"}, duplicates=["k"]))
    assert isinstance(error, SweepFailedError)
    assert len(error.errors) == 2


def test_several_failures_are_told_in_one_error() -> None:
    """A person sees all of them at once. Each line begins with the name of the error."""
    silence = SilenceError("it is silent")
    error = failure(
        Report(
            "s1",
            duplicates=["k"],
            refused={"a.db": "x"},
            unavailable={"b.db": "y"},
            overdue=[silence],
        )
    )
    assert isinstance(error, SweepFailedError)
    assert [type(it) for it in error.errors] == [
        DuplicateRowsError,
        FilesRefusedError,
        FilesUnavailableError,
        SilenceError,
    ]
    assert str(error) == "\n".join(f"{type(it).__name__}: {it}" for it in error.errors)
