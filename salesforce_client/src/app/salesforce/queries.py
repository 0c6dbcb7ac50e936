"""Runs a query of the REST API page by page, and reads what its answers have.

Source: Salesforce "REST API Developer Guide", "Query" and "Query More Results".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import CheckRefusedError, CheckUnavailableError
from ..model.times import moment_of, timestamp
from .rest import Rest
from .rest_errors import INVALID_QUERY_LOCATOR

PAGE_RECORDS = 2000
BEGINNINGS_OF_A_QUERY = 3
# How Salesforce writes the time zone.
ZONE = re.compile(r"([+-]\d\d):?(\d\d)$")


def pages_of(
    rest: Rest, resource: str, soql: str, about: str
) -> Iterator[tuple[int, Sequence[Mapping[str, Any]]]]:
    """The pages of a query: the number of all records, and the records of the page."""
    headers = {"Sforce-Query-Options": f"batchSize={PAGE_RECORDS}"}
    beginnings, following = 1, ""
    while True:
        try:
            if following:
                told = rest.get(following, {}, about, headers=headers)
            else:
                path = rest.data(resource)
                told = rest.get(path, {"q": soql}, about, headers=headers)
        except CheckRefusedError as error:
            if error.code != INVALID_QUERY_LOCATOR or beginnings >= BEGINNINGS_OF_A_QUERY:
                raise
            beginnings, following = beginnings + 1, ""
            continue
        records, done = told.get("records"), told.get("done")
        following = str(told.get("nextRecordsUrl") or "")
        if not isinstance(records, list) or not (done is True or following.startswith("/")):
            raise strange(about)
        yield int(told.get("totalSize") or len(records)), records
        if done is True:
            return


def time_of(text: str) -> str:
    """A time of Salesforce as text of this app."""
    return timestamp(moment_of(ZONE.sub(r"\1:\2", text)))


def strange(about: str) -> CheckUnavailableError:
    """The error of an answer that cannot be read."""
    return CheckUnavailableError(
        f"{about}: the answer lacks what the documentation promises; if this stays, report this"
        " message"
    )
