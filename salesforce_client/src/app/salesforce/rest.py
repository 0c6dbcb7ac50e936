"""Calls the Salesforce REST API: session, proxies, retries, and a limit of calls and of time.

Sources: Salesforce "REST API Developer Guide"; the documentation of requests, "Advanced Usage", and
of urllib3, "Retry".
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Optional

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from ..errors import (
    CallsSpentError,
    CheckRefusedError,
    CheckUnavailableError,
    ListTooLongError,
    SessionExpiredError,
)
from ..model.events import Session
from .network import Route, route_to
from .rest_errors import error_of, is_for_now, refusal_of

# The newest version is v68.0. This one has every call of a check, and every org has it.
API_VERSION = "v67.0"
CONNECT_SECONDS, READ_SECONDS = 10, 120
ATTEMPTS = 3
PAUSE_SECONDS = 2.0
SERVER_ERRORS = (502, 503, 504)  # urllib3 repeats these; a 500 may be a time-out of the query
USER_ID = re.compile(r"005[A-Za-z0-9]{12,15}")
CHUNK_BYTES = 256 * 1024
ERROR_BYTES = 64 * 1024


class Rest:
    """The REST API of one org, for one thread at a time. Close it when the run ends.

    Args:
        session: returns the session that calls use now.
        renew: replaces a session that has expired.
        deadline: when the last answer must have arrived, on the clock of ``time.monotonic``.
        clock: returns the time of this machine.
        ca_file: path of a PEM file with the trusted certificate authorities.
        pause_seconds: the first pause before a retry. Each further one is twice as long.

    Attributes:
        calls: the number of requests so far.
        allowed: how many requests may be sent in all.
        before: called before each request, with the number of all requests including it.
        skew: how far Salesforce's clock is ahead of this machine's. None before the first answer
            that tells its time.
    """

    def __init__(
        self,
        session: Callable[[], Session],
        renew: Callable[[Session], None],
        *,
        deadline: float,
        clock: Callable[[], datetime],
        ca_file: str = "",
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        self._session = session
        self._renew = renew
        self._deadline = deadline
        self._clock = clock
        self._ca_file = ca_file
        self._pause_seconds = pause_seconds
        self._client = requests.Session()
        self._client.trust_env = False
        retries = Retry(
            total=ATTEMPTS - 1,
            status_forcelist=SERVER_ERRORS,
            allowed_methods=["GET"],
            backoff_factor=pause_seconds / 2,
            raise_on_status=False,
            respect_retry_after_header=False,  # it may be longer than the poll
        )
        for scheme in ("https://", "http://"):
            self._client.mount(scheme, HTTPAdapter(max_retries=retries))
        self.calls = 0
        self.allowed = 0
        self.before: Callable[[int], None] = lambda _: None
        self.skew: Optional[timedelta] = None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def data(self, path: str) -> str:
        """The path of a resource of this version of the API."""
        return f"/services/data/{API_VERSION}/{path}"

    def user_id(self) -> str:
        """The user of the token. Empty if Salesforce does not tell."""
        known = self._session().user_id
        if known:
            return known
        told = self.get("/services/oauth2/userinfo", {}, "the user of the token").get("user_id")
        return told if isinstance(told, str) and USER_ID.fullmatch(told) else ""

    def get(
        self,
        path: str,
        parameters: Mapping[str, str],
        about: str,
        *,
        headers: Optional[Mapping[str, str]] = None,
        most_bytes: Optional[int] = None,
    ) -> Mapping[str, Any]:
        """Ask, and return the JSON object of the answer.

        Args:
            path: the path below the host, for example of ``data``.
            parameters: those of the URL.
            about: what is asked, for messages.
            headers: more headers.
            most_bytes: maximum size of the body. None if there is none.

        Raises:
            CallsSpentError: no call or no time is left.
            SessionExpiredError, AuthenticationError: the session cannot be renewed.
            ListTooLongError, ListTrimmedError: see there. Also if the body has more bytes.
            CheckUnavailableError: a later poll tries again.
            CheckRefusedError: a person must act.
        """
        renewed = False
        attempt = 1
        while True:
            session = self._session()
            status, body = self._ask(session, path, parameters, about, headers or {}, most_bytes)
            if status == 200:
                return _object(body, about)
            refusal = refusal_of(body)
            error = error_of(status, refusal, about)
            if isinstance(error, SessionExpiredError):
                if renewed:
                    raise error.in_a_new_session() from None
                renewed = True
                self._renew(session)
            elif is_for_now(status, refusal) and status not in SERVER_ERRORS and attempt < ATTEMPTS:
                self._wait(self._pause_seconds * 2.0 ** (attempt - 1), about)
                attempt += 1
            else:
                raise error

    def _ask(
        self,
        session: Session,
        path: str,
        parameters: Mapping[str, str],
        about: str,
        headers: Mapping[str, str],
        most_bytes: Optional[int],
    ) -> tuple[int, str]:
        """Send one request. Returns the status and the body."""
        left = self._deadline - time.monotonic()
        if self.calls >= self.allowed or left < 1:
            raise CallsSpentError(f"{about}: no {'time' if left < 1 else 'call'} is left")
        route = route_to(session.instance_url, "SALESFORCE_LOGIN_URL", self._ca_file)
        self.before(self.calls + 1)
        self.calls += 1
        each = left / ATTEMPTS  # urllib3 may repeat the request
        try:
            with self._client.get(
                f"{session.instance_url}{path}",
                params=parameters,
                headers={"Authorization": f"Bearer {session.access_token}", **headers},
                timeout=(min(CONNECT_SECONDS, each), min(READ_SECONDS, each)),
                allow_redirects=False,
                stream=True,
                proxies={"http": route.proxy, "https": route.proxy} if route.proxy else {},
                verify=route.ca_file or True,
            ) as answer:
                history = getattr(answer.raw.retries, "history", ())
                self.calls += len(history)
                self._note_clock(answer.headers.get("Date", ""))
                limit = most_bytes if answer.status_code == 200 else ERROR_BYTES
                return answer.status_code, self._body(answer, limit, about)
        except requests.RequestException as error:
            raise _unreachable(error, about, route) from None

    def _body(self, answer: requests.Response, most_bytes: Optional[int], about: str) -> str:
        parts, size = [], 0
        for part in answer.iter_content(CHUNK_BYTES):
            size += len(part)
            if most_bytes is not None and size > most_bytes:
                if answer.status_code == 200:
                    raise ListTooLongError(f"{about}: more than {most_bytes:,} bytes")
                break
            if time.monotonic() > self._deadline:
                raise CallsSpentError(f"{about}: no time is left")
            parts.append(part)
        return b"".join(parts).decode("utf-8", "replace")

    def _note_clock(self, date: str) -> None:
        try:
            told = parsedate_to_datetime(date)
        except (TypeError, ValueError):
            return
        # A header has whole seconds, so Salesforce's clock is never behind this value.
        self.skew = told.astimezone(timezone.utc) - self._clock().astimezone(timezone.utc)

    def _wait(self, seconds: float, about: str) -> None:
        if time.monotonic() + seconds >= self._deadline:
            raise CallsSpentError(f"{about}: no time is left")
        time.sleep(seconds)


def _object(body: str, about: str) -> Mapping[str, Any]:
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise CheckUnavailableError(
            f"{about}: the answer is not the JSON of the REST API; if this stays, check whether a"
            " proxy or firewall inspects the connection"
        )
    return content


def _unreachable(
    error: requests.RequestException, about: str, route: Route
) -> CheckRefusedError | CheckUnavailableError:
    """The error of a request without an answer."""
    cause: Any = error
    while isinstance(cause.args[0] if cause.args else None, Exception):
        cause = cause.args[0]
    # The text of an error may have the URL with its query.
    text = re.sub(r"<[^>]* at 0x[0-9a-f]+>", "", str(getattr(cause, "reason", cause)))
    reason = f"{type(cause).__name__}: {re.sub(r'[?][^ ]*', '', text)}"
    if cure := route.cure(reason):
        return CheckRefusedError(f"{about}: {reason} – {cure}")
    return CheckUnavailableError(
        f"{about}: {reason}{route.through}; if this stays, allow the app to reach {route.host}"
    )
