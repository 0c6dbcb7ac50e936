"""Stores the progress of the checks beside the cursors, and the entries of earlier listings.

No run overwrites what another run has stored meanwhile (``versions.py``), except the members of
channels.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from azure.storage.blob import ContainerClient

from ..errors import CollectorError
from ..model.checks import Entry, KeptEntries, Member, Progress, StoredProgress
from ..model.times import moment_of
from . import versions
from .blob_errors import translated

log = logging.getLogger(__name__)

ABOUT = "progress of the checks"
CHANNELS = "channels"
CALLS = "calls"
# What reading a damaged blob may raise.
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


class CheckBlobs:
    """The blobs of the checks, in the container of cursors. Each method may raise
    StorageUnavailableError or StorageRefusedError.
    """

    def __init__(self, container: ContainerClient) -> None:
        self._container = container

    def load_progress(self, org_id: str, object_name: str) -> StoredProgress:
        """Load the progress of an object. Progress that cannot be read counts as none.

        The next check then lists the whole reach, which is harmless.
        """
        raw, etag = self._load(_name(org_id, object_name))
        try:
            return StoredProgress(_progress(raw, object_name) if raw else None, etag)
        except ValueError as error:
            log.warning("object=%s progress=unreadable reason=%s", object_name, error)
            return StoredProgress(None, etag)

    def save_progress(self, org_id: str, progress: Progress, etag: Optional[str]) -> Optional[str]:
        """Replace the version ``etag``. Returns the new one, or None if another run was first."""
        text = json.dumps({"org_id": org_id, **progress._asdict()}, indent=2)
        return self._save(_name(org_id, progress.object_name), text.encode(), etag)

    def load_kept(self, org_id: str, object_name: str, day: str) -> KeptEntries:
        """Load the entries of one day, ``2026-01-31``."""
        raw, etag = self._load(_name(org_id, f"{object_name}/{day}"))
        with contextlib.suppress(*UNREADABLE):
            found = json.loads(raw) if raw else []
            return KeptEntries(frozenset(Entry(str(one), str(date)) for one, date in found), etag)
        log.warning("object=%s day=%s entries=unreadable", object_name, day)
        return KeptEntries(frozenset(), etag)

    def save_kept(
        self, org_id: str, object_name: str, day: str, raw: bytes, etag: Optional[str]
    ) -> Optional[str]:
        """Replace the version ``etag`` of a day. Returns the new one, or None as above.

        ``raw`` is a JSON list of pairs: record id and date.
        """
        return self._save(_name(org_id, f"{object_name}/{day}"), raw, etag)

    def forget(self, org_id: str, object_name: str, before: str) -> None:
        """Remove the entries of the days before this one. A failure is only logged."""
        prefix = _name(org_id, f"{object_name}/").removesuffix(".json")
        try:
            with translated(f"entries of {object_name}"):
                for name in list(self._container.list_blob_names(name_starts_with=prefix)):
                    if name < f"{prefix}{before}":
                        self._container.delete_blob(name)
        except CollectorError as error:
            log.warning("object=%s old entries=kept reason=%s", object_name, error.text)

    def load_calls(self, org_id: str) -> tuple[Mapping[str, int], Optional[str]]:
        """Load the number of REST calls by the beginning of the poll that made them.

        Numbers that cannot be read count as none.
        """
        raw, etag = self._load(_name(org_id, CALLS))
        try:
            told = json.loads(raw) if raw else {}
            for at in told:
                moment_of(at)
            return {at: int(number) for at, number in told.items()}, etag
        except UNREADABLE:
            log.warning("calls of the checks=unreadable")
            return {}, etag

    def save_calls(
        self, org_id: str, calls: Mapping[str, int], etag: Optional[str]
    ) -> Optional[str]:
        """Replace the version ``etag``. Returns the new one, or None if another run was first."""
        return self._save(_name(org_id, CALLS), json.dumps(calls, indent=2).encode(), etag)

    def load_members(self, org_id: str) -> tuple[Optional[Sequence[Member]], Optional[str]]:
        """Load the members of the channels, and when Salesforce was asked. None if not stored.

        Members that cannot be read count as not stored, so the next check asks for them again.
        """
        raw, _ = self._load(_name(org_id, CHANNELS))
        if not raw:
            return None, None
        try:
            told = json.loads(raw)
            members = told["members"]
            moment_of(told["asked_at"])
            found = None if members is None else [_member(*one) for one in members]
        except UNREADABLE as error:
            log.warning("channels=unreadable reason=%s: %s", type(error).__name__, error)
            return None, None
        return found, told["asked_at"]

    def save_members(self, org_id: str, members: Optional[Sequence[Member]], asked_at: str) -> None:
        """Store them. The last run that asked wins."""
        text = json.dumps({"asked_at": asked_at, "members": members}, indent=2)
        name = _name(org_id, CHANNELS)
        with translated(f"channels {name}"):
            self._container.upload_blob(name, text.encode(), overwrite=True)

    def _load(self, name: str) -> versions.Version:
        return versions.load(self._container, name, ABOUT)

    def _save(self, name: str, raw: bytes, etag: Optional[str]) -> Optional[str]:
        return versions.save(self._container, name, ABOUT, raw, etag)


def _progress(raw: bytes, object_name: str) -> Progress:
    """Read stored progress.

    Raises:
        ValueError: the bytes are no progress of this object.
    """
    try:
        fields: Mapping[str, Any] = json.loads(raw)
        names = Progress._fields
        found = Progress(**{name: value for name, value in fields.items() if name in names})
        for time in (found.since, found.window_to, found.checked_at, found.tried_at):
            if time is not None:
                moment_of(time)
        for time in found.listed_again.values():
            moment_of(time)
        if found.succeeded_at:
            moment_of(found.succeeded_at)
    except UNREADABLE as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None
    if found.object_name != object_name:
        raise ValueError("it belongs to another object")
    return found


def _member(channel: object, object_name: object, filtered: object) -> Member:
    """Read one member. Raises a TypeError if a value is of another type."""
    if (
        isinstance(channel, str)
        and isinstance(object_name, (str, type(None)))
        and isinstance(filtered, bool)
    ):
        return Member(channel, object_name, filtered)
    raise TypeError(f"not a member: {channel!r}, {object_name!r}, {filtered!r}")


def _name(org_id: str, what: str) -> str:
    return f"{org_id}/check/{what}.json"
