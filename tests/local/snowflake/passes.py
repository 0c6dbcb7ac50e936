"""fakesnow's changes of a statement, without those that cannot change it.

fakesnow changes each statement in about eighty passes, and each pass visits every node. Nearly all
passes look for a few kinds of node, and some for one name. The passes that would find nothing are
left out, which saves most of the time. ``test_passes.py`` compares the results with all passes.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any

from fakesnow import transforms
from fakesnow.cursor import FakeSnowflakeCursor
from sqlglot import exp

KINDS = re.compile(r"isinstance\(\s*expression,\s*\(?([^()]+)\)")
# What else must be in the statement, for passes whose own kinds nearly every statement has, or that
# ask in a helper. No statement has UNSET, which is not a Set.
ALSO: dict[str, tuple[type, ...]] = {
    "alias_in_join": (exp.Join,),
    "alias_in_where": (exp.Anonymous,),
    "alter_table_strip_cluster_by": (exp.Alter, exp.Command),
    "flatten_value_cast_as_varchar": (exp.Explode,),
    "identifier": (exp.Anonymous, exp.DynamicIdentifier),
    "random": (exp.Rand,),
    "result_scan": (exp.TableFromRows,),
    "update_variables": (exp.Set,),
}
# The name that must be in the statement, for passes that look for one.
NAMES = {
    "information_schema_databases": "INFORMATION_SCHEMA",
    "information_schema_fs": "INFORMATION_SCHEMA",
    "sequence_nextval": "NEXTVAL",
}


def transformed(cursor: Any, statement: exp.Expr) -> Any:
    """Change a statement of Snowflake in place into one of DuckDB, with fakesnow's own passes."""
    passes = _Passes(statement, str(cursor._conn.schema or ""))
    return FakeSnowflakeCursor._transform(cursor, passes, None).statement


class _Passes:
    """Stands for the statement in fakesnow's chain of passes.

    Args:
        statement: it is changed in place.
        schema: the current schema.
    """

    def __init__(self, statement: exp.Expr, schema: str) -> None:
        self.statement = statement
        self._names = {schema}
        self._find_kinds()

    def transform(self, change: Callable[..., Any], *, copy: bool, **options: Any) -> _Passes:
        """Run one pass, if the statement has what it needs."""
        function = _function(change)
        if function is transforms.upper_case_unquoted_identifiers:
            self._in_upper_case()
        elif self._needs(function):
            self.statement = self.statement.transform(change, copy=copy, **options)
            self._find_kinds()
        return self

    def _needs(self, function: Callable[..., Any]) -> bool:
        """Whether the statement has what a pass looks for."""
        name = NAMES.get(function.__name__)
        return (
            function is not unchanged
            and (name is None or name in self._names)
            and not any(wanted.isdisjoint(self._kinds) for wanted in _needed(function))
        )

    def _in_upper_case(self) -> None:
        """Do what fakesnow's pass does, without a copy of each name, and note the names."""
        for name in self.statement.find_all(exp.Identifier):
            if isinstance(name.this, str) and not name.quoted:
                name.set("this", name.this.upper())
            self._names.add(name.name.upper())

    def _find_kinds(self) -> None:
        self._kinds = {type(node) for node in self.statement.walk()}


def unchanged(expression: exp.Expr) -> exp.Expr:
    """Stands for a pass of fakesnow that must not run."""
    return expression


def _function(change: Callable[..., Any]) -> Callable[..., Any]:
    """The function of fakesnow that a lambda calls, or else the function itself."""
    names = change.__code__.co_names if change.__name__ == "<lambda>" else ()
    called = (getattr(transforms, name, None) for name in names)
    return next((one for one in called if callable(one)), change)


@functools.cache
def _needed(change: Callable[..., Any]) -> list[set[type]]:
    """The kinds of node that a pass needs: at least one of each set.

    They are those for which it asks, if it asks in the usual way, and those of ``ALSO``.
    """
    listed = ",".join(KINDS.findall(inspect.getsource(change)))
    names = {name.strip().removeprefix("exp.") for name in listed.split(",")}
    asked = [getattr(exp, name) for name in names if hasattr(exp, name)]
    return [
        set[type]().union(*(_with_subkinds(kind) for kind in kinds))
        for kinds in (asked, ALSO.get(change.__name__, ()))
        if kinds
    ]


def _with_subkinds(kind: type) -> set[type]:
    direct: list[type] = type.__subclasses__(kind)
    return {kind}.union(*map(_with_subkinds, direct))
