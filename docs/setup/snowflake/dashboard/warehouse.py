"""Asks Snowflake. Values that a viewer types are bound, and never part of the SQL text."""

from __future__ import annotations

from typing import Any

import streamlit as st
from snowflake.connector.errors import Error

Row = dict[str, Any]
KEPT_SECONDS = 60  # a repeated question within this time does not start the warehouse
NO_RIGHT = (2003, 2043, 3001)
NO_WAREHOUSE = (606,)


class QueryError(Exception):
    """Snowflake refused a query. The text tells the viewer why, and what to do."""


def rows(sql: str, *values: Any) -> list[Row]:
    """The rows of a query, with the names of its columns in lower case.

    ``?`` in the text stands for the next of ``values``.

    Raises:
        QueryError: Snowflake refused the query, or could not be asked.
    """
    kept = st.cache_data(ttl=KEPT_SECONDS, show_spinner="Asking Snowflake …")(_rows)
    try:
        found: list[Row] = kept(sql, values)
    except Error as error:
        raise QueryError(_explained(error)) from error
    return found


def _rows(sql: str, values: tuple[Any, ...]) -> list[Row]:
    # In Snowflake, Streamlit takes the connection of the app, and so the rights of its role.
    with st.connection("snowflake").cursor() as cursor:
        cursor.execute(sql, values)
        names = [column[0].lower() for column in cursor.description]
        return [dict(zip(names, row)) for row in cursor.fetchall()]


def _explained(error: Error) -> str:
    said = " ".join(str(error.msg or error).split())
    if error.errno in NO_RIGHT:
        return (
            "The role of this dashboard may not read a view of delete_tracker, or the view does "
            "not exist. Nothing is lost: the dashboard only reads. Run 3_views.sql, and the grants "
            f"for delete_tracker_dashboard in 2_access.sql. Snowflake says: {said}"
        )
    if error.errno in NO_WAREHOUSE:
        return (
            "The role of this dashboard may not use its warehouse. Nothing is lost: the dashboard "
            "only reads. Run the grants for delete_tracker_dashboard in 2_access.sql. "
            f"Snowflake says: {said}"
        )
    return (
        "Snowflake did not answer the query. Nothing is lost: the dashboard only reads. Load the "
        f"page again. If the error stays, show it to an administrator. Snowflake says: {said}"
    )
