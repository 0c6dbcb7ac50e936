"""Removes the blobs of an org that no longer exists, for ``status --remove-org``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..adapters import App
from ..console import USAGE, WELL, StoppedError
from .call import Call


def remove(app: App, call: Call, org_id: str) -> int:
    """Remove all blobs of another org. The org of the settings is never removed.

    Raises:
        StoppedError: the org is in use or has no cursors, or the person does not consent.
        CollectorError: the login failed, or Blob Storage cannot be used.
    """
    own = app.login().org_id
    if org_id == own:
        raise StoppedError(
            f"{org_id} is the org of these settings: its cursors are in use. To read a topic again,"
            " use the command replay",
            USAGE,
        )
    cursors = app.cursors()
    known: Sequence[str] = cursors.org_ids() if cursors.exists() else ()
    if org_id not in known:
        raise StoppedError(
            f"{org_id} has no cursors in container {app.settings.cursors_container}:"
            f" the orgs there are {', '.join(known) or 'none'}",
            USAGE,
        )
    names = cursors.blobs_of(org_id)
    call.console.confirm(
        f"Remove {len(names)} blobs of org {org_id}? If this org still exists and you come back to"
        " it, its topics begin as if they had never been read, and no gap is recorded."
    )
    for name in names:
        cursors.remove(name)
        call.console.line(f"removed {name}")
    removed: Mapping[str, Any] = {"exit_code": WELL, "org_id": org_id, "removed": list(names)}
    call.console.result(removed)
    return WELL
