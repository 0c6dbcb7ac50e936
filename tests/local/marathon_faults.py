"""The faults of the mock that a marathon draws.

Together with ``LEFT_OUT`` these are all faults that the mock has. A test compares them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from salesforce_client.src.app.mock_salesforce.login_answers import LOGIN_ANSWERS
from salesforce_client.src.app.mock_salesforce.rest_errors import ERRORS
from salesforce_client.src.app.salesforce.rpc_errors import ERRORS_BY_CODE

# These shape the history of the org, so they are the same in every poll.
ALWAYS = (
    "rare_changes",
    "opaque_ids",
    "schema_change",
    "hide=update_delete:4+no_right:5+cascade:4+restore:3+lost:20",
)
# Each marathon has some of these, also in every poll. Of each group at most one.
HISTORIES = (
    ("merge=bin", "merge=absent"),
    ("redelete=one", "redelete=two", "redelete=log"),
    ("hard_delete",),
    ("long_transaction",),
    ("mass_delete",),
    ("modstamp_drift",),
    ("empty_bin", "empty_bin=48:2"),
    ("one_transaction",),
    ("filtered_channel",),
    ("large=2",),
    ("sandbox",),
    ("split=own",),
    ("rest_trim=silent:240", "rest_trim=told:240", "rest_trim=error:240"),
)
# An empty response comes after this many seconds of silence. The drain may count as idle before.
KEEPALIVES = ("keepalive=0.3", "keepalive=0.3", "keepalive=0.5-2")
FAULTS = (
    "drop_stream=7",
    "drop_stream=40",
    "end_stream=25",
    "expire_session=20",
    "revoke_session=10",
    "refuse_session",
    "delivery_limit=50",
    "close_without_credit=0.2",
    "odd_batches",
    "trickle=0.05",
    "empty_first=2",
    "delay_first=0.5",
    "duplicate=3",
    "schema_unavailable=2",
    "schema_missing",
    "topic_unavailable=2",
    "login_unavailable=1",
    "corrupt=7",
    "garbage@/event/Delete_Event__e",
    "silent@/data/AccountChangeEvent",
    "deny_topic@/data/ChangeEvents",
    "latest_immediate",
    "split",
    "split",
    "reject_replay_id",
    "refuse_replay_id",
    "strict_retention",
)
STATUSES = ("INVALID_ARGUMENT", "UNAVAILABLE", "INTERNAL", "UNAUTHENTICATED", "RESOURCE_EXHAUSTED")
# What REST does wrong. The checks must prove less, or fail.
REST_FAULTS = (
    "rest_error=UNKNOWN_EXCEPTION:3@deleted",
    "rest_error=INVALID_TYPE@deleted",
    "rest_error=QUERY_TIMEOUT:3@queryAll",
    "rest_session=2:3",
    "rest_page=2",
    "rest_page=50",
    "rest_id_limit=10",
    "rest_timeout=6",
    "rest_down=json",
    "rest_down=page",
    "rest_down=close",
    "rest_slow=0.2",
    "rest_past_end",
    "open_transaction=50",
    "no_view_all=2@Account",
    "view_all_data",
    "no_view_setup=error",
    "no_view_setup=type",
    "no_view_setup=empty",
    "no_delete_event",
    "not_replicateable",
    "limits_used=90",
    "clock_off=600",
)
REST_CALLS = ("describe", "deleted", "queryAll", "query", "page", "tooling", "limits")
LEFT_OUT = {
    "fast": "it shortens the waits of the mock, and those of a marathon are short already",
}


def histories(chance: random.Random) -> str:
    """The faults of all polls of a marathon."""
    return ",".join([*ALWAYS, *(chance.choice(it) for it in HISTORIES if chance.random() < 0.5)])


def of_a_round(chance: random.Random) -> str:
    """The faults of the polls of one round."""
    faults = chance.sample(FAULTS, chance.choice((0, 1, 1, 2)))
    faults += chance.sample(REST_FAULTS, chance.choice((0, 0, 1, 1, 2)))
    faults += [one for one in with_values(chance) if chance.random() < 0.08]
    return ",".join([chance.choice(KEEPALIVES), *faults])


def with_values(chance: random.Random) -> Iterator[str]:
    """The faults that have many values. Each has one of them."""
    code, after = chance.choice(sorted(ERRORS_BY_CODE)), chance.choice((0, 5, 30))
    yield f"error={code}:{after}:{chance.choice((1, 2, 'always'))}"
    yield f"status={chance.choice(STATUSES)}"
    yield f"login_answer={chance.choice(sorted(LOGIN_ANSWERS))}:{chance.choice((1, 'always'))}"
    rest, call = chance.choice(sorted(ERRORS)), chance.choice(REST_CALLS)
    yield f"rest_error={rest}:{chance.choice((1, 3, 'always'))}@{call}"


def names(faults: str) -> list[str]:
    """The names of faults, without their values."""
    return [one.partition("@")[0].partition("=")[0] for one in faults.split(",")]
