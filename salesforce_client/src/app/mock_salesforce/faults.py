"""The faults of the mock, by name: ``drop_stream=25, silent@/data/AccountChangeEvent``.

Most faults are a behaviour of Salesforce or of the network that was seen or is documented. The
others are variants of a behaviour that Salesforce does not document. ``MOCK_FAULTS``, ``--fault``
on the command line, or ``MockSalesforce(faults=…)`` switches them on. ``@<topic>`` limits most of
them to one topic.
"""

from __future__ import annotations

import threading
from collections import Counter

from .login_answers import LOGIN_ANSWERS
from .rest_faults import CHOICES, REST_FAULTS

FAULTS: dict[str, tuple[str, str]] = {
    # name: (what its value means and its default, what happens)
    "drop_stream": (
        "events, 10",
        "a stream breaks with UNAVAILABLE after this many events, like a reset connection",
    ),
    "end_stream": (
        "events, 10",
        "the server ends a stream without an error after this many events",
    ),
    "error": (
        "code[:events[:times]], subscription.internal.error:0:always",
        "a stream fails with this error-code after this many events, this many times",
    ),
    "status": (
        "status, INVALID_ARGUMENT",
        "every stream fails with this gRPC status and without an error-code",
    ),
    "expire_session": (
        "events, 10",
        "after this many events, all access tokens expire and the stream fails; happens once",
    ),
    "revoke_session": (
        "events, 10",
        "after this many events, all access tokens expire, but open streams continue; happens once",
    ),
    "refuse_session": ("", "no access token is accepted"),
    "silent": ("", "a stream is accepted, but no response is ever sent"),
    "keepalive": (
        "seconds or from-to, 270",
        "an empty response is sent after this many seconds of silence; from-to: a random time "
        "between the two, for each silence",
    ),
    "fast": (
        "times, 100",
        "everything that a stream waits for takes so many times less time: keepalives, trickle, "
        "delay_first and close_without_credit",
    ),
    "empty_first": (
        "responses, 1",
        "this many empty responses come before the backlog and name the newest position",
    ),
    "delay_first": ("seconds, 1", "no response is sent for this many seconds after subscribing"),
    "trickle": (
        "seconds, 0.2",
        "events are sent one at a time, with this many seconds between them",
    ),
    "odd_batches": (
        "",
        "the number of events in each response is random, even if more events wait",
    ),
    "latest_immediate": (
        "",
        "a subscription from LATEST gets an empty response at once",
    ),
    "corrupt": ("n, 5", "the payload of every n-th event is cut off in the middle"),
    "garbage": ("", "every payload consists of random bytes"),
    "duplicate": ("n, 3", "every n-th event is delivered a second time under a new replay id"),
    "split": (
        "shared or own, shared",
        "a delete of several records arrives as one event for each record, all with one replay id; "
        "shared: they also have the same event id; own: each has an event id of its own",
    ),
    "large": ("kilobytes, 50", "platform events carry this much extra text"),
    "schema_change": ("", "events alternate between two versions of their schema"),
    "schema_unavailable": ("times, 2", "GetSchema fails with UNAVAILABLE this many times"),
    "schema_missing": ("", "GetSchema finds no schema"),
    "topic_unavailable": ("times, 2", "GetTopic fails with UNAVAILABLE this many times"),
    "deny_topic": ("", "GetTopic returns can_subscribe=false"),
    "reject_replay_id": (
        "times, 1",
        "this many CUSTOM subscriptions fail as if their replay id were corrupted",
    ),
    "refuse_replay_id": (
        "times, 1",
        "this many CUSTOM subscriptions fail with the other documented code of a replay id, "
        "replayid.validation.failed",
    ),
    "strict_retention": (
        "",
        "a replay id that is older than 72 hours counts as corrupted",
    ),
    "opaque_ids": (
        "",
        "replay ids have different lengths and no order, as after an org migration",
    ),
    "delivery_limit": ("events, 100", "the org exceeds its delivery limit after this many events"),
    "close_without_credit": (
        "seconds, 60",
        "a stream without credit is closed after this many seconds; "
        "Salesforce's Java sample says 70",
    ),
    "rare_changes": (
        "",
        "the history also contains GAP_DELETE, GAP_UPDATE, GAP_OVERFLOW, SNAPSHOT and wildcards",
    ),
    "sandbox": ("", "the org is a sandbox: a login needs the audience https://test.salesforce.com"),
    "login_unavailable": ("times, 2", "the token endpoint answers 503 this many times"),
    "login_answer": (
        "name[:times], ip_restricted:always",
        "the token endpoint gives one of these answers, this many times: "
        + ", ".join(LOGIN_ANSWERS),
    ),
    **REST_FAULTS,
}


class UnknownFaultError(ValueError):
    """A name that is not in ``FAULTS``, or a value that is not in ``CHOICES``."""


class Faults:
    """The faults that are switched on, and how often each has happened.

    Args:
        text: the faults, written as in ``MOCK_FAULTS``.

    Raises:
        UnknownFaultError: the text has an unknown name or value. The message lists the known
            ones.
    """

    def __init__(self, text: str = "") -> None:
        self._values: dict[tuple[str, str], str] = {}
        self._happened: Counter[str] = Counter()
        self._lock = threading.Lock()
        for item in filter(None, (part.strip() for part in text.split(","))):
            switched, _, topic = item.partition("@")
            name, _, value = (part.strip() for part in switched.partition("="))
            if name not in FAULTS:
                raise UnknownFaultError(
                    f"has the unknown fault {name!r}: the faults are {', '.join(FAULTS)}"
                )
            value = value or FAULTS[name][0].rpartition(", ")[2]
            for part in value.split("+") if name in CHOICES else ():
                if part.partition(":")[0].strip() not in CHOICES[name]:
                    raise UnknownFaultError(
                        f"has the fault {name} with the unknown value {part!r}: the values are "
                        + ", ".join(CHOICES[name])
                    )
            self._values[name, topic.strip()] = value

    def value(self, name: str, topic: str = "") -> str | None:
        """Return the fault's value for this topic, or None if the fault is off."""
        return self._values.get((name, topic), self._values.get((name, "")))

    def limited(self, name: str, topic: str) -> bool:
        """Return whether the fault is on for exactly this topic."""
        return (name, topic) in self._values

    def on(self, name: str, topic: str = "") -> bool:
        """Return whether the fault is on for this topic."""
        return self.value(name, topic) is not None

    def number(self, name: str, topic: str = "") -> float | None:
        """Return the fault's value as a number, or None if the fault is off."""
        value = self.value(name, topic)
        return None if value is None else float(value)

    def happens(self, name: str, topic: str = "", *, times: float | None = None) -> bool:
        """Count one more occurrence of the fault, and return whether it happens this time.

        A fault that is off does not happen. Any other fault happens at most ``times`` times. The
        default of ``times`` is the fault's value.
        """
        limit = self.number(name, topic) if times is None else times
        if limit is None or not self.on(name, topic):
            return False
        with self._lock:
            self._happened[name + topic] += 1
            return self._happened[name + topic] <= limit
