"""Roles, users, warehouses and grants: who may do what.

Source: Snowflake documentation, pages "Overview of Access Control", "Access control privileges",
"GRANT <privileges>", "Secondary roles".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

# Roles that every account has. The stand-in lets them do everything with databases and tables.
SYSTEM_ROLES = ("ACCOUNTADMIN", "SECURITYADMIN", "USERADMIN", "SYSADMIN", "PUBLIC", "ORGADMIN")
Name = tuple[str, ...]
Object = tuple[str, Name]  # the kind, in the singular, and the full name


@dataclass
class User:
    """A user that CREATE USER made."""

    default_role: str = ""
    default_warehouse: str = ""
    secondary_roles: bool = True  # DEFAULT_SECONDARY_ROLES is ALL unless the user says ()
    roles: set[str] = field(default_factory=set)


@dataclass
class Rights:
    """All grants of the account.

    Attributes:
        users: by name.
        warehouses: the names.
        owners: the role that owns an object.
    """

    users: dict[str, User] = field(default_factory=dict)
    warehouses: set[str] = field(default_factory=set)
    owners: dict[Object, str] = field(default_factory=dict)
    _inherited: dict[str, set[str]] = field(default_factory=dict)
    _privileges: dict[Object, dict[str, set[str]]] = field(default_factory=dict)
    _future: list[tuple[str, str, Name, set[str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for role in SYSTEM_ROLES:
            self._inherited[role] = set()

    # -- roles

    def make_role(self, role: str) -> None:
        """Create a role."""
        self._inherited.setdefault(role, set())

    def has_role(self, role: str) -> bool:
        """Whether a role exists."""
        return role in self._inherited

    def drop_role(self, role: str) -> None:
        """Drop a role with its grants."""
        self._inherited.pop(role, None)
        for inherited in self._inherited.values():
            inherited.discard(role)
        for granted in self._privileges.values():
            granted.pop(role, None)

    def grant_role(self, role: str, to: str) -> None:
        """Let the role ``to`` have all privileges of another role."""
        self._inherited[to].add(role)

    def with_inherited(self, roles: Iterable[str]) -> set[str]:
        """These roles and all that they inherit."""
        found: set[str] = set()
        waiting = list(roles)
        while waiting:
            role = waiting.pop()
            if role not in found:
                found.add(role)
                waiting += self._inherited.get(role, ())
        return found

    # -- privileges

    def grant(self, role: str, privileges: Iterable[str], what: Object) -> None:
        """Grant privileges on an object."""
        self._privileges.setdefault(what, {}).setdefault(role, set()).update(privileges)

    def revoke(self, role: str, privileges: Iterable[str], what: Object) -> None:
        """Take privileges on an object away."""
        self._granted(what, role).difference_update(privileges)

    def grant_future(self, role: str, privileges: Iterable[str], kind: str, inside: Name) -> None:
        """Grant privileges on all objects of a kind that will be made in a schema or database."""
        self._future.append((role, kind, inside, set(privileges)))

    def created(self, what: Object, owner: str) -> None:
        """An object was made: its owner has all rights, and future grants begin.

        If its schema has future grants of the kind, those of the database do not count, whatever
        role they are for.
        """
        self.forget(what)
        self.owners[what] = owner
        kind, name = what
        fitting = [one for one in self._future if one[1] == kind and name[: len(one[2])] == one[2]]
        nearest = max((len(inside) for _, _, inside, _ in fitting), default=0)
        for role, _, inside, privileges in fitting:
            if len(inside) == nearest:
                self.grant(role, privileges, what)

    def forget(self, what: Object) -> None:
        """An object was dropped, with all grants on it."""
        self.owners.pop(what, None)
        self._privileges.pop(what, None)

    def rename(self, what: Object, name: Name) -> None:
        """Give an object another name. Its grants stay."""
        new = (what[0], name)
        self.owners[new] = self.owners.pop(what)
        if what in self._privileges:
            self._privileges[new] = self._privileges.pop(what)

    def privileges(self, roles: Iterable[str], what: Object) -> set[str]:
        """What these roles may do with an object. ``OWNERSHIP`` stands for everything."""
        own = set(roles)
        found = {"OWNERSHIP"} if self.owners.get(what) in own else set()
        for role in own:
            found |= self._granted(what, role)
        return found

    def _granted(self, what: Object, role: str) -> set[str]:
        return self._privileges.get(what, {}).get(role, set())

    def objects(self, kind: str) -> Iterator[Name]:
        """The names of all objects of a kind."""
        for found, name in list(self.owners):
            if found == kind:
                yield name
