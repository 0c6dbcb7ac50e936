"""fakesnow's changes of a statement, without those that cannot change it.

fakesnow changes each statement in about eighty passes, and each pass visits every node. Nearly all
passes look for a few kinds of node. Without the passes whose kinds are not in the statement, a
statement takes half as long. ``test_passes.py`` compares the results with all passes.
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


def transformed(cursor: Any, statement: exp.Expr) -> Any:
    """Change a statement of Snowflake in place into one of DuckDB, with fakesnow's own passes."""
    return FakeSnowflakeCursor._transform(cursor, _Passes(statement), None).statement


class _Passes:
    """Stands for the statement in fakesnow's chain of passes."""

    def __init__(self, statement: exp.Expr) -> None:
        self.statement = statement
        self._find_kinds()

    def transform(self, change: Callable[..., Any], *, copy: bool, **options: Any) -> _Passes:
        """Run one pass, if the statement has a node of its kinds."""
        wanted = _kinds(_function(change))
        if not wanted or not wanted.isdisjoint(self._kinds):
            self.statement = self.statement.transform(change, copy=copy, **options)
            self._find_kinds()
        return self

    def _find_kinds(self) -> None:
        self._kinds = {type(node) for node in self.statement.walk()}


def _function(change: Callable[..., Any]) -> Callable[..., Any]:
    """The function of fakesnow that a lambda calls, or else the function itself."""
    names = change.__code__.co_names if change.__name__ == "<lambda>" else ()
    called = (getattr(transforms, name, None) for name in names)
    return next((one for one in called if callable(one)), change)


@functools.cache
def _kinds(change: Callable[..., Any]) -> frozenset[type]:
    """The kinds of node that a pass asks for, or none if it does not ask in this way."""
    listed = ",".join(KINDS.findall(inspect.getsource(change)))
    names = {name.strip().removeprefix("exp.") for name in listed.split(",")}
    kinds = [getattr(exp, name) for name in names if hasattr(exp, name)]
    return frozenset().union(*(_with_subkinds(kind) for kind in kinds))


def _with_subkinds(kind: type) -> set[type]:
    direct: list[type] = type.__subclasses__(kind)
    return {kind}.union(*map(_with_subkinds, direct))
