#!/usr/bin/env python3
"""A mock Salesforce whose REST API is faster than any client: for ``checks.py``.

Every object has the same deletes, all in one day. The server makes its answers before the
measurement, compressed as Salesforce compresses them. It answers what a check asks, and nothing
else. ``rest_server.py --now 2026-03-15T01:00:00+00:00 --events 100000 --prepare TOPIC`` prints the
settings that a client needs, and serves until SIGTERM. ``/figures`` tells what was answered so far.

Of the deletes of the day, 2 % are not in the recycle bin any more: four of five are purged, and the
others were restored. A check asks for them by id.
"""

from __future__ import annotations

import argparse
import bisect
import contextlib
import json
import re
import signal
import sys
import threading
import zlib
from collections import Counter
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
import server

from salesforce_client.src.app.mock_salesforce import certificate

DAY = datetime.fromisoformat("2026-03-14T00:00:00+00:00")
DELETES = 50_000
PAGE_RECORDS = 2000
SECONDS = [number * 86_400 // DELETES for number in range(DELETES)]  # of the day, of each delete
GONE, RESTORED = 50, 250  # one delete in so many
FIELDS = 100  # of each object
# What describe tells of a field: about 1.3 kB ("REST API Developer Guide", "sObject Describe").
FLAGS = (
    "aggregatable aiPredictionField autoNumber calculated cascadeDelete caseSensitive createable"
    " custom defaultedOnCreate dependentPicklist deprecatedAndHidden displayLocationInDecimal"
    " encrypted externalId filterable formulaTreatNullNumberAsZero groupable highScaleNumber"
    " htmlFormatted idLookup nameField namePointing nillable permissionable polymorphicForeignKey"
    " queryByDistance restrictedDelete restrictedPicklist searchPrefilterable sortable unique"
    " updateable writeRequiresMasterRead"
)
TEXTS = (
    "calculatedFormula compoundFieldName controllerName defaultValue defaultValueFormula"
    " extraTypeInfo filteredLookupInfo inlineHelpText mask maskType referenceTargetField"
    " relationshipName relationshipOrder"
)
QUESTION_BY_ID = re.compile(r"Id IN \(('.*)\)")


class Answer(NamedTuple):
    """A prepared answer: the bytes of its JSON, and the compressed ones."""

    plain: int
    body: bytes


def answer(value: Any) -> Answer:
    """Compress a JSON value for an answer with ``Content-Encoding: gzip``."""
    raw = json.dumps(value, separators=(",", ":")).encode()
    packer = zlib.compressobj(wbits=31)
    return Answer(len(raw), packer.compress(raw) + packer.flush())


def record_id(number: int) -> str:
    """Return the id of a record of a custom object."""
    return f"a01{number:012}AAA"


def time_of(number: int) -> str:
    """Return when a record was deleted, as Salesforce writes it."""
    moment = DAY + timedelta(seconds=SECONDS[number])
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000+0000"


def record(number: int, *, deleted: bool) -> dict[str, Any]:
    """Return a record as queryAll returns it."""
    key = record_id(number)
    return {
        "attributes": {
            "type": "Object_01__c",
            "url": f"/services/data/v67.0/sobjects/Object_01__c/{key}",
        },
        "Id": key,
        "IsDeleted": deleted,
        "SystemModstamp": time_of(number),
        "LastModifiedDate": time_of(number),
        "LastModifiedById": f"005{number % 20:012}AAA",
        "OwnerId": f"005{number % 700:012}AAA",
    }


def field(name: str) -> dict[str, Any]:
    """Return what describe tells of a field."""
    return {
        **dict.fromkeys(FLAGS.split(), False),
        **dict.fromkeys(TEXTS.split()),
        "byteLength": 18,
        "digits": 0,
        "label": name,
        "length": 18,
        "name": name,
        "picklistValues": [],
        "precision": 0,
        "referenceTo": [],
        "scale": 0,
        "soapType": "tns:ID",
        "type": "id",
    }


def described() -> Answer:
    """Return the answer of describe."""
    names = ["Id", "IsDeleted", "SystemModstamp", "LastModifiedDate", "LastModifiedById", "OwnerId"]
    names += [f"Field_{number:03}__c" for number in range(FIELDS - len(names))]
    return answer({"replicateable": True, "fields": [field(name) for name in names]})


def numbers(start: str, end: str) -> range:
    """Return the deletes of a window."""
    since, until = (
        (datetime.fromisoformat(one.replace("Z", "+00:00")) - DAY).total_seconds()
        for one in (start, end)
    )
    return range(bisect.bisect_left(SECONDS, since), bisect.bisect_left(SECONDS, until))


def listed(those: range, until: str) -> Answer:
    """Return the answer of getDeleted."""
    covered = datetime.fromisoformat(until.replace("Z", "+00:00"))
    return answer(
        {
            "deletedRecords": [
                {"deletedDate": time_of(number), "id": record_id(number)} for number in those
            ],
            "earliestDateAvailable": "2026-02-01T00:00:00.000+0000",
            "latestDateCovered": f"{covered:%Y-%m-%dT%H:%M:%S}.000+0000",
        }
    )


def found(records: list[dict[str, Any]], following: str = "", total: int = 0) -> Answer:
    """Return a page of a query."""
    page = {"totalSize": total or len(records), "done": not following, "records": records}
    return answer({**page, "nextRecordsUrl": following} if following else page)


class Lists:
    """The answers, and what was answered.

    Attributes:
        calls: the number of calls of each kind.
        plain: bytes of JSON.
        sent: bytes of the compressed bodies.
    """

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.plain = self.sent = 0
        self._describe = described()
        self._rights = found([{"PermissionsViewAllData": False, "PermissionsViewAllRecords": True}])
        self._limits = answer({"DailyApiRequests": {"Max": 100_000, "Remaining": 90_000}})
        self._nothing = found([])
        self._lists: dict[tuple[str, str], Answer] = {}
        self._pages: dict[str, Answer] = {}
        self.deleted("2026-03-14T00:00:00Z", "2026-03-15T00:00:00Z")
        self.in_bin("2026-03-14T00:00:00Z", "2026-03-15T00:00:00Z")

    def deleted(self, start: str, end: str) -> Answer:
        """Return the answer of getDeleted. It is made once for each window."""
        if (start, end) not in self._lists:
            self._lists[start, end] = listed(numbers(start, end), end)
        return self._lists[start, end]

    def in_bin(self, start: str, end: str) -> Answer:
        """Return the first page of the records in the recycle bin, and make the others."""
        first = f"01g{start}{end}-".replace(":", "")
        if first + "0" not in self._pages:
            here = [number for number in numbers(start, end) if number % GONE]
            pages = range(0, max(len(here), 1), PAGE_RECORDS)
            for place, begin in enumerate(pages):
                following = f"/services/data/v67.0/query/{first}{place + 1}"
                self._pages[f"{first}{place}"] = found(
                    [record(one, deleted=True) for one in here[begin : begin + PAGE_RECORDS]],
                    following if place + 1 < len(pages) else "",
                    len(here),
                )
        return self._pages[first + "0"]

    def answer(self, target: str) -> Answer:
        """Return the answer to a GET."""
        url = urlsplit(target)
        given = {name: values[0] for name, values in parse_qs(url.query).items()}
        kind, made = self._answer(url.path, given)
        self.calls[kind] += 1
        self.plain += made.plain
        self.sent += len(made.body)
        return made

    def _answer(self, path: str, given: dict[str, str]) -> tuple[str, Answer]:
        resource = path.removeprefix("/services/data/v67.0/").rstrip("/")
        if resource.endswith("/describe"):
            return "describe", self._describe
        if resource.endswith("/deleted"):
            return "getDeleted", self.deleted(given["start"], given["end"])
        if resource == "query":
            is_about_deletes = "FROM DeleteEvent" in given["q"]
            return ("DeleteEvent", self._nothing) if is_about_deletes else ("rights", self._rights)
        if resource.startswith("query/"):
            return "queryAll", self._pages[resource.partition("/")[2]]
        if resource == "limits":
            return "limits", self._limits
        assert resource == "queryAll", path
        return self._first_page(given["q"])

    def _first_page(self, soql: str) -> tuple[str, Answer]:
        if match := QUESTION_BY_ID.search(soql):
            numbers = [int(one.strip("'")[3:15]) for one in match[1].split(",")]
            alive = [number for number in numbers if not number % RESTORED]
            return "by id", found([record(number, deleted=False) for number in alive])
        start, end = re.findall(r"LastModifiedDate >?<?=? ?([\dTZ:-]+)", soql)
        return "queryAll", self.in_bin(start, end)


class Busy(server.Fast):
    """The fast Pub/Sub API, with the prepared lists as its REST API.

    Args:
        now: the time of its clock, which stands still.
        events: number of events of the topic.
        topic: the topic.
    """

    def __init__(self, now: datetime, events: int, topic: str) -> None:
        super().__init__(events, 0, [topic])
        self._now = now
        self._lists = Lists()

    def _serve(self, made: certificate.Certificate | None) -> str:
        rest = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        rest.daemon_threads = True
        threading.Thread(target=rest.serve_forever, daemon=True).start()
        self._resources.callback(rest.server_close)
        self._resources.callback(rest.shutdown)
        self.tokens.instance_url = f"http://127.0.0.1:{rest.server_address[1]}"
        return super()._serve(made)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        lists, now = self._lists, self._now

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body are sent together

            def do_GET(self) -> None:
                if self.path == "/figures":
                    told = {"calls": lists.calls, "plain": lists.plain, "sent": lists.sent}
                    made = answer(told)
                else:
                    made = lists.answer(self.path)
                self.send_response(200)
                for name, value in (
                    ("Content-Type", "application/json;charset=UTF-8"),
                    ("Content-Encoding", "gzip"),
                    ("Content-Length", str(len(made.body))),
                ):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(made.body)

            def handle(self) -> None:
                with contextlib.suppress(ConnectionError):  # a list that is too long is not read
                    super().handle()

            def date_time_string(self, timestamp: float | None = None) -> str:
                """Return the server's time, for the header ``Date``."""
                del timestamp
                return super().date_time_string(int(now.timestamp()))

            def log_message(self, *_: object) -> None:
                """Do not log requests."""

        return Handler


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--now", type=datetime.fromisoformat, required=True)
    parser.add_argument("--events", type=int, required=True, help="a multiple of 100")
    parser.add_argument("--prepare", required=True, metavar="TOPIC")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Busy(given.now, given.events, given.prepare) as busy:
        figures = f"{busy.tokens.instance_url}/figures"
        told = {"ca_file": busy.ca_file, "org_id": busy.org.org_id, "figures": figures}
        print(json.dumps({**busy.settings, **told}), flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
