"""The faults of the mock's history and of its REST API, in the form of ``faults.FAULTS``."""

from __future__ import annotations

from .rest_errors import ERRORS

CHOICES: dict[str, tuple[str, ...]] = {  # the values of a fault, without what follows a colon
    "hide": ("update_delete", "no_right", "cascade", "lost", "restore"),
    "redelete": ("one", "two", "log"),
    "merge": ("bin", "absent"),
    "rest_trim": ("error", "silent", "told"),
    "rest_error": tuple(ERRORS),
    "rest_down": ("json", "page", "close"),
    "no_view_setup": ("error", "type", "empty"),
}
REST_FAULTS: dict[str, tuple[str, str]] = {
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
    "mass_delete": (
        "n, 20",
        "one in n of the deletes that delete up to 20 accounts at once deletes 90",
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
}
