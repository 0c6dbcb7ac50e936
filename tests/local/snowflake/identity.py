"""Who a session is: its user, its roles and its warehouse."""

from __future__ import annotations

from .rights import SYSTEM_ROLES, Rights


class Identity:
    """The user, the current role and the current warehouse of a session.

    Attributes:
        role: the current role. A session without one may do everything.
        secondary_roles: whether all roles of the user count.
        warehouse: the current warehouse.
    """

    def __init__(self, rights: Rights, user: str, role: str, warehouse: str) -> None:
        known = rights.users.get(user)
        self.user = user
        self.role = role
        self.secondary_roles = bool(known and known.secondary_roles)
        self.warehouse = warehouse or (known.default_warehouse if known else "")
        self._rights = rights

    @property
    def is_held(self) -> bool:
        """Whether the session is held to the rights of its role, as CREATE ROLE made the role."""
        return bool(self.role) and self.role not in SYSTEM_ROLES

    def roles(self) -> set[str]:
        """All roles whose rights count. Source: page "USE SECONDARY ROLES"."""
        user = self._rights.users.get(self.user)
        secondary = user.roles if user and self.secondary_roles else ()
        return self._rights.with_inherited([self.role, *secondary])

    def has_warehouse(self) -> bool:
        """Whether there is a warehouse that the roles may use."""
        what = ("WAREHOUSE", (self.warehouse,))
        return self.warehouse in self._rights.warehouses and bool(
            self._rights.privileges(self.roles(), what)
        )
