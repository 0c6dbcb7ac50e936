"""The page *One transaction*: what was deleted together, and what it began with."""

from __future__ import annotations

import parts
import queries
import streamlit as st
import warehouse


def draw() -> None:
    """Draw the page."""
    typed = st.text_input("Transaction key, or id of a deleted record").strip()
    if typed:
        known = warehouse.rows(queries.TRANSACTIONS_OF, typed, typed)
        if not known:
            st.info(
                "No transaction has this key or this record. Only change events name their "
                "transaction. A delete that a trigger or a check told of has none."
            )
            return
        label = "Its transactions"
    else:
        known = warehouse.rows(queries.LARGE_TRANSACTIONS)
        if not known:
            st.info("No change event of the last 30 days told of a delete.")
            return
        label = "Or one of the 20 largest of the last 30 days"
    titles = {
        row["transaction_key"]: f"{parts.count(int(row['deletes']), 'delete')}, "
        f"{parts.time(row['deleted_date'])}"
        for row in known
    }
    _draw_story(st.selectbox(label, titles, format_func=lambda key: titles[key]))


def _draw_story(key: str) -> None:
    found = warehouse.rows(queries.TRANSACTION, key)
    first = found[0]
    objects = [
        parts.count(int(row["records"]), f"{row['object_name']} record")
        for row in warehouse.rows(queries.OBJECTS_OF_TRANSACTION, key)
    ]
    st.subheader("Its story")
    story = (
        f"User `{first['deleted_by']}` deleted {', '.join(objects)} in one transaction, at "
        f"{parts.time(first['deleted_date'])}. It began with {first['first_object_name']} "
        f"`{first['first_record_id']}`."
    )
    if len({row["sequence_number"] for row in found}) > 1:
        story += " What has a higher number followed, for example by cascade."
    st.write(story)
    st.write(f"Transaction key: `{key}`")
    parts.table(
        found,
        {
            "sequence_number": "Number",
            "object_name": "Object",
            "record_id": "Record id",
            "deleted_by": "User id",
            "deleted_date": "Deleted (UTC)",
        },
        "by their number",
        "",
    )
