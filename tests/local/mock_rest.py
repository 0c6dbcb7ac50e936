"""A plain HTTP client of the mock's REST API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import requests

from salesforce_client.src.app.mock_salesforce import MockSalesforce

NOW = datetime(2026, 2, 1, 12, 30, tzinfo=timezone.utc)
DAY = timedelta(days=1)
WHOLE = (NOW - timedelta(days=14, hours=23), NOW)  # the window of a first check
Entries = list[tuple[str, datetime]]


class Rest:
    """Calls the REST API of a mock with a session of its own."""

    def __init__(self, mock: MockSalesforce, http: requests.Session, version: str = "60.0") -> None:
        self.mock = mock
        self.http = http
        self._base = f"{mock.tokens.instance_url}/services/data/v{version}"
        self.log_in()

    def log_in(self) -> None:
        """Begin a session."""
        self.http.headers["Authorization"] = f"Bearer {self.mock.tokens.new_token()}"

    def get(self, path: str, **parameters: str) -> requests.Response:
        """Send a GET. ``path`` is below the version, or begins with ``/services``.

        The parameter ``batch`` is the wish for a page size, and becomes a header.
        """
        batch = parameters.pop("batch", "")
        url = self.mock.tokens.instance_url + path if path[:1] == "/" else f"{self._base}/{path}"
        headers = {"Sforce-Query-Options": f"batchSize={batch}"} if batch else {}
        return self.http.get(url, params=parameters, headers=headers, timeout=20)

    def json(self, path: str, **parameters: str) -> Any:
        """Return the answer to a GET, which must succeed."""
        answer = self.get(path, **parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def error(self, path: str, **parameters: str) -> tuple[int, str, str]:
        """Return status, code and message of a GET, which must fail."""
        answer = self.get(path, **parameters)
        (error,) = answer.json()
        assert set(error) == {"errorCode", "message"}
        return answer.status_code, error["errorCode"], error["message"]

    def deleted(
        self, name: str = "Account", since: datetime = WHOLE[0], until: datetime = NOW
    ) -> dict[str, Any]:
        """Return the answer of getDeleted."""
        found: dict[str, Any] = self.json(
            f"sobjects/{name}/deleted/", start=since.isoformat(), end=until.isoformat()
        )
        return found

    def entries(
        self, name: str = "Account", since: datetime = WHOLE[0], until: datetime = NOW
    ) -> Entries:
        """Return ids and dates that getDeleted lists."""
        rows = self.deleted(name, since, until)["deletedRecords"]
        return [(row["id"], moment(row["deletedDate"])) for row in rows]

    def rows(self, soql: str, call: str = "queryAll") -> list[dict[str, Any]]:
        """Return the rows of a query, of all its pages."""
        page = self.json(call, q=soql)
        rows: list[dict[str, Any]] = page["records"]
        while not page["done"]:
            page = self.json(page["nextRecordsUrl"])
            rows += page["records"]
        assert page["totalSize"] == len(rows)
        return rows


def bin_query(
    name: str = "Account", since: datetime = WHOLE[0], until: datetime = NOW, fields: str = ""
) -> str:
    """Return the query for the deleted records of a window."""
    begin, end = (it.strftime("%Y-%m-%dT%H:%M:%SZ") for it in (since, until))
    columns = "Id, SystemModstamp, LastModifiedDate, LastModifiedById" + fields
    return (
        f"SELECT {columns} FROM {name} WHERE IsDeleted = TRUE AND SystemModstamp >= {begin}"
        f" AND LastModifiedDate >= {begin} AND LastModifiedDate < {end}"
    )


def moment(text: str) -> datetime:
    """Read a time of an answer."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")


@contextmanager
def rest(faults: str = "", interval: float = 3600, now: datetime | None = NOW) -> Iterator[Rest]:
    """Run a mock with these faults, and yield a client of its REST API."""
    with MockSalesforce(interval, now, faults=faults) as mock, requests.Session() as http:
        http.trust_env = False
        yield Rest(mock, http)
