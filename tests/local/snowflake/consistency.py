"""Which commits of others a session sees, if READ_CONSISTENCY_MODE is SESSION.

Source: Snowflake documentation, page "Parameters": only what was committed before a session started
is surely visible to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .versions import Change, Key, Versions

if TYPE_CHECKING:
    from .scope import Scope

SEEN = 0.3  # the chance that a statement of a random session sees a commit for the first time


class Consistency:
    """What one session has seen.

    Attributes:
        began_at: the number of the last commit before the login.
    """

    def __init__(self, scope: Scope, versions: Versions) -> None:
        self.began_at = versions.commits
        self._scope = scope
        self._versions = versions
        self._latest: dict[Key, int] = {}
        self._seen: dict[tuple[int, Key], bool] = {}

    def begin(self) -> None:
        """A statement begins: it may see commits that the statement before did not see."""
        self._seen = {commit: seen for commit, seen in self._seen.items() if seen}

    def has_seen(self, key: Key) -> None:
        """An UPDATE works on the latest version of its table. From then on the session sees it."""
        self._latest[key] = self._versions.commits

    def is_blind_to(self, change: Change) -> bool:
        """Whether the session does not see a committed change. All of a statement agrees on it."""
        commit = change.committed or 0
        if self._scope.blind == "off" or commit <= max(
            self.began_at, self._latest.get(change.key, 0)
        ):
            return False
        if self._scope.blind == "always":
            return True
        seen = (commit, change.key)
        if seen not in self._seen:
            self._seen[seen] = self._scope.chance.random() < SEEN
        return not self._seen[seen]
