"""What queries of the mock's REST API may ask. The functions refuse what the mock cannot answer."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from ..model.ids import with_checksum
from .rest_errors import fail
from .soql import Condition, Query

TIMES = {"SystemModstamp", "LastModifiedDate"}


def ids_of(condition: Condition) -> tuple[str, ...]:
    """Return the 18-character ids of a condition on ``Id``.

    Raises:
        RestError: the condition is not one on ids.
    """
    values = condition.value if isinstance(condition.value, tuple) else (str(condition.value),)
    if condition.operator not in ("IN", "=") or isinstance(condition.value, Query):
        fail("MALFORMED_QUERY", "unexpected condition on Id")
    for one in values:
        if len(one) not in (15, 18) or not one.isalnum():
            fail("INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {one}")
    return tuple(with_checksum(one[:15]) for one in values)


def require(query: Query, allowed: set[str], required: set[str]) -> None:
    """Check that the query has conditions on these fields only, and on all that are required.

    Raises:
        RestError: it has others, or a value does not fit its field.
    """
    given = {it.field for it in query.conditions}
    twice = len(query.where("Id")) > 1
    if twice or not given <= allowed or not required <= given:
        fail("MALFORMED_QUERY", f"unexpected conditions on {query.object_name}: {sorted(given)}")
    times = TIMES | {"DeletedDate"}
    for it in query.conditions:
        if (it.field in times) != isinstance(it.value, datetime):
            fail("INVALID_FIELD", f"value of filter criterion for field '{it.field}' is wrong")


def columns_of(query: Query, known: Iterable[str]) -> list[str]:
    """Return the selected fields in the spelling of the object.

    Raises:
        RestError: the object has no such field.
    """
    by_name = {name.lower(): name for name in known}
    for field in query.fields:
        if field.lower() not in by_name:
            fail(
                "INVALID_FIELD",
                f"No such column '{field}' on entity '{query.object_name}'.",
            )
    return [by_name[field.lower()] for field in query.fields]
