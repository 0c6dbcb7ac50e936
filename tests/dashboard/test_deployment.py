"""The files with which ``snow streamlit deploy`` brings the dashboard to Snowflake."""

from __future__ import annotations

import re

from local import dashboard, requirements, warehouse


def test_the_tests_have_the_streamlit_that_snowflake_installs() -> None:
    """``environment.yml`` pins with one sign, pip with two."""
    environment = (dashboard.FOLDER / "environment.yml").read_text()
    (version,) = re.findall(r"- streamlit=([\d.]+)$", environment, re.MULTILINE)
    assert f"streamlit=={version}" in requirements.groups()["dashboard"]
    assert "- python=3.11\n" in environment
    assert "pip" not in environment


def test_the_role_of_the_dashboard_has_only_views() -> None:
    """The app has the rights of this role for every viewer."""
    grants = re.findall(
        r"GRANT ([A-Z, ]+) ON (.+?)\s+TO ROLE delete_tracker_dashboard;",
        (warehouse.SET_UP / "2_access.sql").read_text(),
    )
    assert grants == [
        ("USAGE", "WAREHOUSE delete_tracker_dashboard_wh"),
        ("USAGE", "DATABASE audit"),
        ("USAGE, CREATE STREAMLIT", "SCHEMA audit.salesforce"),
        ("SELECT", "ALL VIEWS IN SCHEMA audit.salesforce"),
        ("SELECT", "FUTURE VIEWS IN SCHEMA audit.salesforce"),
    ]


def test_the_queries_read_views_alone() -> None:
    """A view of 3_views.sql, and no table of 1_tables.sql."""
    made = re.findall(r"VIEW (\w+) AS", (warehouse.SET_UP / "3_views.sql").read_text())
    read = re.findall(r"FROM (\w+)", (dashboard.FOLDER / "queries.py").read_text())
    assert len(read) > 15
    assert set(read) <= set(made)
