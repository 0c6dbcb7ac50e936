"""The calls of the mock's REST API: which call a path is, its answer, and the pages of queries."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from .faults import Faults
from .org import Org
from .rest_deleted import get_deleted
from .rest_errors import RestError, fail
from .rest_objects import Sight, describe
from .rest_queries import Queries, Row

OLDEST_VERSION, NEWEST_VERSION = 31, 68
SMALLEST_PAGE, LARGEST_PAGE = 200, 2000
LONGEST_URI = 16_384
DAILY_EVENTS, DAILY_REQUESTS = 25_000, 100_000
CALLS = (  # the name of a call, as faults use it, and its path below the version
    ("limits", re.compile(r"limits/?")),
    ("describe", re.compile(r"sobjects/(\w+)/describe/?")),
    ("deleted", re.compile(r"sobjects/(\w+)/deleted/?")),
    ("queryAll", re.compile(r"queryAll/?")),
    ("tooling", re.compile(r"tooling/query/?")),
    ("query", re.compile(r"query/?")),
    ("page", re.compile(r"query/([\w-]+)")),
)


class RestCalls:
    """Answers the calls of one org.

    Args:
        org: the org.
        user_id: id of the user of all sessions.
        faults: the faults that are switched on.
        delivered: returns how many events were delivered today.

    Attributes:
        made: how many calls were made.
    """

    def __init__(
        self, org: Org, user_id: str, faults: Faults, delivered: Callable[[], int]
    ) -> None:
        self._org = org
        self._faults = faults
        self._delivered = delivered
        self._sight = Sight(faults)
        self._queries = Queries(org, user_id, faults, self._sight)
        self._found: dict[str, list[Row]] = {}  # the rows of each query locator
        self._locators = itertools.count(1)
        self.made = 0

    def answer(self, target: str, headers: Mapping[str, str]) -> Any:
        """Return the answer to a GET as a JSON value.

        Args:
            target: path and query of the request.
            headers: the headers of the request.

        Raises:
            RestError: the call fails.
        """
        self.made += 1
        if len(target.encode()) > LONGEST_URI:
            fail("URI_TOO_LONG")
        url = urlsplit(target)
        given = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path.rstrip("/") == "/services/data":
            return [
                {"label": f"v{it}", "url": f"/services/data/v{it}.0", "version": f"{it}.0"}
                for it in range(OLDEST_VERSION, NEWEST_VERSION + 1)
            ]
        match = re.fullmatch(r"/services/data/v(\d+)\.0/(.*)", unquote(url.path))
        if not match or not OLDEST_VERSION <= int(match[1]) <= NEWEST_VERSION:
            fail("NOT_FOUND")
        for call, pattern in CALLS:
            if found := pattern.fullmatch(match[2]):
                name = found[1] if pattern.groups else ""
                self._fail_as_asked(call, name)
                return self._called(call, name, given, int(match[1]), headers)
        raise RestError("NOT_FOUND")

    def _called(
        self,
        call: str,
        name: str,
        given: Mapping[str, str],
        version: int,
        headers: Mapping[str, str],
    ) -> Any:
        if call == "limits":
            return self._limits()
        if call == "describe":
            return describe(name, self._faults)
        if call == "deleted":
            start, end = given.get("start", ""), given.get("end", "")
            return get_deleted(self._org, self._faults, self._sight, name, start, end)
        size = self._page_size(headers)
        if call == "page":
            locator, _, start = name.rpartition("-")
            if locator not in self._found or not start.isdigit():
                fail("INVALID_QUERY_LOCATOR")
            return self._page(locator, int(start), size, version)
        if "q" not in given:
            fail("MALFORMED_QUERY", "A query string has to be specified")
        rows = self._queries.rows(given["q"], deleted=call == "queryAll", tooling=call == "tooling")
        locator = f"01g5f00000{next(self._locators):05}AAA"
        self._found[locator] = rows
        return self._page(locator, 0, size, version)

    def _page_size(self, headers: Mapping[str, str]) -> int:
        """Return how many rows a page has. The client's wish counts within the limits."""
        asked = re.search(r"batchSize=(\d+)", headers.get("Sforce-Query-Options", ""))
        size = max(SMALLEST_PAGE, min(int(asked[1]) if asked else LARGEST_PAGE, LARGEST_PAGE))
        return int(self._faults.number("rest_page") or size)

    def _page(self, locator: str, start: int, size: int, version: int) -> dict[str, Any]:
        rows = self._found[locator]
        end = start + size
        page = {"totalSize": len(rows), "done": end >= len(rows), "records": rows[start:end]}
        if end < len(rows):
            page["nextRecordsUrl"] = f"/services/data/v{version}.0/query/{locator}-{end}"
        return page

    def _limits(self) -> dict[str, dict[str, int]]:
        if self._faults.on("no_view_setup"):
            fail("INSUFFICIENT_ACCESS")
        events = int(self._faults.number("delivery_limit") or DAILY_EVENTS)
        share = (self._faults.number("limits_used") or 0) / 100

        def limit(most: int, used: int) -> dict[str, int]:
            return {"Max": most, "Remaining": max(most - max(used, round(most * share)), 0)}

        return {
            "DailyApiRequests": limit(DAILY_REQUESTS, self.made),
            "DailyDeliveredPlatformEvents": limit(events, self._delivered()),
        }

    def _fail_as_asked(self, call: str, name: str) -> None:
        """Fail the call if the fault ``rest_error`` asks for it.

        The fault may be limited to a call or, with ``describe`` and ``deleted``, to an object.
        """
        place = name if self._faults.limited("rest_error", name) else call
        value = self._faults.value("rest_error", place)
        if value is None:
            return
        code, _, times = value.partition(":")
        limit = float("inf") if times in ("", "always") else float(times)
        if self._faults.happens("rest_error", place, times=limit):
            raise RestError(code)
