"""``poll``: one run now, with its progress."""

from __future__ import annotations

import argparse
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone

from ..adapters import App
from ..console import ENDINGS, FINDINGS, WELL, Console, duration, exit_code
from ..errors import CollectorError
from ..model.times import moment_of, now
from ..report import Report
from ..run import poll
from .call import Call

HELP = "run one poll now"
EXAMPLE = "poll --yes"
SHOW_SECONDS = 1.0
LISTED = "listed"


def arguments(_: argparse.ArgumentParser) -> None:
    """Add nothing: the command has no arguments of its own."""


def run(_: argparse.Namespace, call: Call) -> int:
    """Run one poll. It does what the timer does, and may run beside it."""
    with call.app() as app:
        call.console.confirm(question(app))
        report = one_poll(app, call)
    return tell(report, call)


def question(app: App) -> str:
    """What a person is asked before a poll."""
    return (
        f"Read {len(app.settings.topics)} topic(s) now, write an event file into container"
        f" {app.settings.events_container}, and move the cursors?"
    )


def one_poll(app: App, call: Call, *, check_now: bool = False) -> Report:
    """Run one poll and show its progress. Errors are in the report."""
    began, began_at = time.monotonic(), now()
    with call.console.progress() as show, _watching(show, began) as watch:
        return poll(app, began, began_at, watch, check_now=check_now)


def tell(report: Report, call: Call) -> int:
    """Print what a poll did. Returns the exit code."""
    console, code, error = call.console, WELL, None
    try:
        report.raise_if_failed()
    except Exception as failed:  # noqa: BLE001  (the exit code and the text tell of it)
        code, error = exit_code(failed), failed
    found = any(it.rejected or it.gaps for it in report.topics.values()) or report.unknown
    if code == WELL and (found or any(it.outcome != LISTED or it.reason for it in report.checks)):
        code = FINDINGS
    _show(report, console)
    console.line(said(report, code))
    if error:
        console.note(f"{type(error).__name__}: {error}" if _known(error) else _unexpected(error))
    console.result(
        {
            "exit_code": code,
            "org_id": report.org_id or None,
            "began_at": report.began_at,
            "files": report.files,
            "topics": [row._asdict() for row in report.polls()],
            "checks": [vars(it) for it in report.checks],
            "objects_unknown": list(report.unknown),
        }
    )
    return code


def _show(report: Report, console: Console) -> None:
    """Print the tables of the topics and of the checks, and the event files."""
    console.table(
        ("topic", "ended", "received", "deletes", "rejected", "gaps", "cursor", "error"),
        [
            (
                *(it.topic, it.ended, it.received, it.deletes, it.rejected, it.gaps, it.cursor),
                type(it.error).__name__ if it.error else None,
            )
            for it in report.topics.values()
        ],
    )
    console.table(
        ("object", "windows", "listed", "restored", "calls", "outcome", "reason"),
        [
            (it.object_name, it.windows, it.listed, it.restored, it.calls, it.outcome, it.reason)
            for it in report.checks
        ],
    )
    for topic in report.unknown:
        console.line(f"{topic}: its objects are not known: name them in CHECK_OBJECTS")
    for name in report.files:
        console.line(f"event file {name}")


def said(report: Report, code: int) -> str:
    """One sentence: whether anything was new, what was checked, and whether all is well."""
    topics = report.topics.values()
    received, deletes = (sum(getattr(it, one) for it in topics) for one in ("received", "deletes"))
    parts = [f"{received:,} event(s) read, {deletes:,} delete(s)" if received else "no new event"]
    cut_off = sum(it.ended == "deadline" for it in topics)
    for number, what in (
        (cut_off, "not read to the end: the time was up"),
        (sum(it.error is not None for it in topics), "failed"),
    ):
        if number:
            parts.append(f"{number:,} of {len(topics):,} topic(s) {what}")
    if report.checks:
        checked = sum(it.outcome == LISTED for it in report.checks)
        parts.append(f"{checked:,} of {len(report.checks):,} object(s) checked")
    ending = "the next poll continues" if code == WELL and cut_off else ENDINGS[code]
    return "; ".join([*parts, ending])


def _known(error: Exception) -> bool:
    return isinstance(error, CollectorError)


def _unexpected(error: Exception) -> str:
    """Only the kind, because the text may quote a payload."""
    return f"{type(error).__name__}: unexpected, report it"


def told(report: Report, seconds: float) -> str:
    """One line of progress: events, their rate, files, and how far behind the slowest topic is."""
    topics = report.topics.values()
    received = sum(topic.received for topic in topics)
    oldest = [it.published_at for it in topics if it.ended == "-" and it.published_at]
    rate = received / max(seconds, 0.001)
    text = f"{received:,} events, {rate:,.0f}/s, {len(report.files)} files"
    if oldest:
        behind = datetime.now(timezone.utc) - moment_of(min(oldest))
        text += f", {duration(behind.total_seconds())} behind"
    return text


@contextlib.contextmanager
def _watching(
    show: Callable[[str], None], began: float, every: float = SHOW_SECONDS
) -> Iterator[Callable[[Report], None]]:
    """Show the progress of a report in a thread of its own, until the end of the block."""
    ended = threading.Event()
    threads: list[threading.Thread] = []

    def follow(report: Report) -> None:
        while not ended.wait(every):
            show(told(report, time.monotonic() - began))

    def watch(report: Report) -> None:
        thread = threading.Thread(target=follow, args=(report,), name="progress", daemon=True)
        threads.append(thread)
        thread.start()

    try:
        yield watch
    finally:
        ended.set()
        for thread in threads:
            thread.join()
