"""Checks the queries of the alerts and of the docs by Kusto's own language service."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from local import node
from local.alerts import alerts
from local.environments import REPOSITORY


def test_the_queries_are_valid(tmp_path: Path) -> None:
    """The queries of the alerts and of the docs use columns that the tables have."""
    written = []
    texts = [alert["query"] for alert in alerts("c", "d").values()]
    for page in sorted((REPOSITORY / "docs").rglob("*.md")):
        texts += re.findall(r"```kusto\n(.*?)```", page.read_text(), re.DOTALL)
    for number, text in enumerate(texts):
        written.append(tmp_path / f"{number}.kql")
        written[-1].write_text(text)
    assert len(written) > 6
    assert node.check(*written) == []


@pytest.mark.parametrize(
    "slip",
    ["AppTraces | where Mesage has 'x'", "AppTrace | take 1", "AppRequests | summarise count()"],
)
def test_a_mistake_in_a_query_is_found(slip: str, tmp_path: Path) -> None:
    """The checker finds wrong columns, wrong tables and wrong grammar."""
    (tmp_path / "x.kql").write_text(slip)
    assert node.check(tmp_path / "x.kql")
