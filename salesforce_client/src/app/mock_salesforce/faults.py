"""What the mock can do wrong, by name: ``drop_stream=25, silent@/data/AccountChangeEvent``.

Each name is a behaviour of Salesforce or of the network that has been seen or is documented, or one of two variants where
Salesforce's own behaviour is not documented. They are switched by ``MOCK_FAULTS``, by ``--fault`` on the command line, or by
``MockSalesforce(faults=…)``; most may be limited to one topic with ``@<topic>``.
"""

from __future__ import annotations

import threading
from collections import Counter

FAULTS = {
    # name: (what its value means and its default, what happens)
    "drop_stream": (
        "events, 10",
        "a stream breaks with UNAVAILABLE after so many events, like a reset connection",
    ),
    "end_stream": ("events, 10", "the server ends a stream without an error after so many events"),
    "error": (
        "code[:events[:times]], subscription.internal.error:0:always",
        "a stream fails with this error-code after so many events",
    ),
    "status": (
        "status, INVALID_ARGUMENT",
        "every stream fails with this gRPC status and no error-code",
    ),
    "expire_session": ("events, 10", "once: all access tokens end, and the stream with them"),
    "revoke_session": ("events, 10", "once: all access tokens end, open streams go on"),
    "refuse_session": ("", "no access token is ever accepted"),
    "silent": ("", "a stream is accepted and never answered"),
    "keepalive": ("seconds, 270", "silence before an empty response"),
    "empty_first": (
        "responses, 1",
        "empty responses, naming the newest position, come before the backlog",
    ),
    "delay_first": ("seconds, 1", "nothing comes for so long after subscribing"),
    "trickle": ("seconds, 0.2", "one event at a time, so far apart"),
    "odd_batches": ("", "responses of all sizes instead of full ones"),
    "latest_immediate": (
        "",
        "LATEST is answered at once with an empty response instead of with silence",
    ),
    "corrupt": ("every, 5", "the payload of every n-th event is cut off"),
    "garbage": ("", "every payload is random bytes"),
    "duplicate": ("every, 3", "every n-th event comes again under a new replay id"),
    "split": (
        "shared|own, shared",
        "a delete of several records comes as single events with one replay id, and one event id or each its own",
    ),
    "large": ("kilobytes, 50", "platform events carry so much text"),
    "schema_change": ("", "events come in two versions of their schema by turns"),
    "schema_unavailable": ("times, 2", "GetSchema fails with UNAVAILABLE so often"),
    "schema_missing": ("", "GetSchema knows no schema"),
    "topic_unavailable": ("times, 2", "GetTopic fails with UNAVAILABLE so often"),
    "deny_topic": ("", "GetTopic says can_subscribe=false"),
    "reject_replay_id": (
        "times, 1",
        "so many CUSTOM subscriptions are told that their replay id is corrupted",
    ),
    "strict_retention": ("", "replay ids older than 72 hours are corrupted, without late purging"),
    "opaque_ids": ("", "replay ids of all lengths in no order, as after an org migration"),
    "delivery_limit": ("events, 100", "the org's delivery limit is exceeded after so many events"),
    "close_without_credit": (
        "seconds, 60",
        "a stream without credit is closed after so long; a Java sample says 70",
    ),
    "rare_changes": (
        "",
        "the history also holds GAP_DELETE, GAP_OVERFLOW, wildcards, SNAPSHOT and nested bitmaps",
    ),
    "login_unavailable": ("times, 2", "the token endpoint answers 503 so often"),
}


class UnknownFaultError(ValueError):
    """A name that is none of ``FAULTS``."""


class Faults:
    """The faults that are switched on, and how often each has happened.

    Args:
        text: as in ``MOCK_FAULTS``.

    Raises:
        UnknownFaultError: names the culprit and all that there are.
    """

    def __init__(self, text: str = "") -> None:
        self._values: dict[tuple[str, str], str] = {}
        self._happened: Counter[str] = Counter()
        self._lock = threading.Lock()
        for item in filter(None, (part.strip() for part in text.split(","))):
            switched, _, topic = item.partition("@")
            name, _, value = (part.strip() for part in switched.partition("="))
            if name not in FAULTS:
                raise UnknownFaultError(f"has {name!r}: the faults are {', '.join(FAULTS)}")
            default = FAULTS[name][0].rpartition(", ")[2]
            self._values[name, topic.strip()] = value or default

    def value(self, name: str, topic: str = "") -> str | None:
        """The fault's value for this topic, None where it is off."""
        return self._values.get((name, topic), self._values.get((name, "")))

    def on(self, name: str, topic: str = "") -> bool:
        """Whether the fault is on for this topic."""
        return self.value(name, topic) is not None

    def number(self, name: str, topic: str = "") -> float | None:
        """The fault's value as a number."""
        value = self.value(name, topic)
        return None if value is None else float(value)

    def happens(self, name: str, topic: str = "", *, times: float | None = None) -> bool:
        """Whether it happens once more: it is on and has happened fewer times than its value, or than ``times``, says."""
        limit = self.number(name, topic) if times is None else times
        if limit is None or not self.on(name, topic):
            return False
        with self._lock:
            self._happened[name + topic] += 1
            return self._happened[name + topic] <= limit
