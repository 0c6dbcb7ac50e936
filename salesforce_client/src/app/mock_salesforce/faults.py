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

FAULTS = {
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
    "hide": (
        "kind[:n][+kind[:n]], update_delete:3",
        "no event tells of one in n changes, but REST does; update_delete: of a delete the event "
        "tells an update in the same transaction; no_right: a change event is not delivered; "
        "cascade: a platform event is not published; restore: the event of a restore is not "
        "delivered; lost: neither an event nor REST tells of the delete",
    ),
    "one_transaction": (
        "",
        "the history also contains records that one transaction deletes and restores; their events "
        "are DELETE",
    ),
    "redelete": (
        "one, two or log, one",
        "the history also contains records that are restored and deleted again; after a restore, "
        "getDeleted lists: one: only the last delete of a record that is deleted now; two: all "
        "deletes of a record that is deleted now; log: all deletes, also of live records",
    ),
    "merge": (
        "bin or absent, bin",
        "the history also contains merges in chains; absent: queryAll does not return the losers",
    ),
    "hard_delete": (
        "",
        "the history also contains platform events of CampaignMember, whose records have no "
        "recycle bin",
    ),
    "long_transaction": (
        "n[:minutes], 4:8",
        "one in n transactions dates its changes this many minutes before it commits them",
    ),
    "modstamp_drift": (
        "n, 3",
        "the SystemModstamp of one in n deleted records moves to a later time in the recycle bin, "
        "and the date in getDeleted with it",
    ),
    "empty_bin": (
        "hours[:hours], 24:24",
        "all recycle bins are emptied every so many hours; queryAll returns the purged records for "
        "the second number of hours",
    ),
    "filtered_channel": (
        "object, Account",
        "the channel of all changes has a filter, and lacks one in two deletes of this object",
    ),
    "clock_off": ("seconds, 600", "the clock of the org differs from this machine's by this much"),
    "rest_trim": (
        "error, silent or told[:hours], silent:48",
        "the delete log has lost the entries that are older than so many hours; error: a call that "
        "starts before fails; silent: the entries are missing; told: they are missing, and "
        "earliestDateAvailable says so",
    ),
    "rest_past_end": (
        "seconds, 59",
        "getDeleted also lists deletes up to so many seconds after latestDateCovered",
    ),
    "open_transaction": (
        "minutes, 10",
        "a transaction is open since so many minutes: REST tells of nothing that is newer, and "
        "latestDateCovered says so",
    ),
    "rest_id_limit": ("ids, 600000", "getDeleted fails if a window has more ids than this"),
    "rest_timeout": (
        "hours, 24",
        "a query fails with QUERY_TIMEOUT if its range of LastModifiedDate is longer than this",
    ),
    "rest_page": ("rows, 2", "a page of a query has this many rows, whatever the client wishes"),
    "rest_session": (
        "calls[:times], 1:1",
        "all sessions end after so many REST calls; happens this many times",
    ),
    "rest_error": (
        "code[:times], UNKNOWN_EXCEPTION:always",
        "a REST call fails with this code, this many times; @ and a call limits it (describe, "
        "deleted, queryAll, query, page, tooling, limits), @ and an object too",
    ),
    "rest_down": (
        "json, page or close, json",
        "the REST API is down; json: it answers 503 SERVER_UNAVAILABLE; page: it answers 503 with "
        "an HTML page; close: it closes the connection without an answer",
    ),
    "rest_slow": ("seconds, 5", "the REST API answers after this many seconds"),
    "no_view_all": (
        "n, 2",
        "the user lacks View All, and REST does not list one in n records; @ and an object limits "
        "it",
    ),
    "view_all_data": ("", "the user has View All Data instead of View All for each object"),
    "no_view_setup": (
        "error, type or empty, error",
        "the user lacks View Setup and Configuration; a query for permissions or channels fails "
        "with INSUFFICIENT_ACCESS (error) or INVALID_TYPE (type), or has no rows (empty)",
    ),
    "no_delete_event": ("", "the user cannot query DeleteEvent"),
    "not_replicateable": ("object, Contact", "getDeleted does not know this object"),
    "limits_used": ("percent, 90", "so many percent of the daily limits are used"),
    "rare_changes": (
        "",
        "the history also contains GAP_DELETE, GAP_UPDATE, GAP_OVERFLOW, SNAPSHOT and wildcards",
    ),
    "login_unavailable": ("times, 2", "the token endpoint answers 503 this many times"),
    "login_answer": (
        "name[:times], ip_restricted:always",
        "the token endpoint gives one of these answers, this many times: "
        + ", ".join(LOGIN_ANSWERS),
    ),
}


class UnknownFaultError(ValueError):
    """A name that is not in ``FAULTS``."""


class Faults:
    """The faults that are switched on, and how often each has happened.

    Args:
        text: the faults, written as in ``MOCK_FAULTS``.

    Raises:
        UnknownFaultError: the text has an unknown name. The message lists the known names.
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
            default = FAULTS[name][0].rpartition(", ")[2]
            self._values[name, topic.strip()] = value or default

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
