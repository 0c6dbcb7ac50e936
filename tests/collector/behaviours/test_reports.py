"""Reports and logs

A poll logs one line for itself and one line for each topic.
After each test in ``tests/collector/behaviours``, the logs and errors are searched for access
tokens, JWTs, keys and payloads.
"""

from __future__ import annotations

from collections.abc import Callable

from local.faulty_org import ACCOUNT, EVENT, Org


def test_a_poll_reports_every_topic_with_its_figures(salesforce: Callable[..., Org]) -> None:
    """The line of a topic counts received events, deletes, restores, skipped events, rejected
    events and gaps. It says why the drain ended and whether the cursor moved. It also has the last
    rpc id, because Salesforce's support asks for it.
    """
    report = salesforce(f"deny_topic@{ACCOUNT}").poll()
    lines = list(report.lines())
    assert len(lines) == 5  # of the poll, three topics, and the org's allocation
    assert any(
        line.startswith(f"topic={ACCOUNT} state=failed") and line.endswith("error=TopicError")
        for line in lines
    )
    assert any(
        line.startswith(f"topic={EVENT} state=ok received=18 deletes=18 restores=0 skipped=0")
        and "rpc_id=" in line
        for line in lines
    )
