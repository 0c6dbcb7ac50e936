"""The page *Freshness*: when each topic was last read, and what the last sweeps loaded."""

from __future__ import annotations

import parts
import queries
import streamlit as st
import warehouse


def draw() -> None:
    """Draw the page."""
    topics = warehouse.rows(queries.FRESHNESS)
    failed = sorted({row["topic"] for row in topics if row["last_error"]})
    if failed:
        st.error(f"The last poll of these topics failed: {', '.join(failed)}.")
    st.subheader("By topic and object")
    parts.table(
        topics,
        {
            "topic": "Topic",
            "object_name": "Object",
            "last_poll_at": "Last poll (UTC)",
            "minutes": "Minutes ago",
            "read_until": "Read until (UTC)",
            "proven_until": "Proven until (UTC)",
            "last_error": "Error",
        },
        "by topic and object",
        "No poll has reached the table yet.",
    )
    st.subheader("The last 10 sweeps")
    parts.table(
        warehouse.rows(queries.SWEEPS),
        {
            "loaded_at": "Loaded (UTC)",
            "files": "Files",
            "rows_read": "Rows read",
            "rows_inserted": "Rows new",
            "rows_rejected": "Rejected",
            "gaps": "Gaps",
            "files_refused": "Files refused",
            "last_event_at": "Last event (UTC)",
        },
        "the newest first",
        "No sweep has loaded a file yet.",
    )
