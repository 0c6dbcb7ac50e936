"""What Snowflake's connector raises, as our errors: by class, number and SQLSTATE, never by text.

Sources: the connector's ``errors`` module, versions 4 and 5; Snowflake documentation, page "Error codes" of the drivers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from snowflake.connector import errors

from ..errors import DataRefusedError, SyncError, WarehouseRefusedError, WarehouseUnavailableError

TRANSIENT = tuple(
    getattr(errors, name)
    for name in (
        "OperationalError", "InternalServerError", "ServiceUnavailableError", "BadGatewayError", "GatewayTimeoutError",
        "TooManyRequests", "RequestTimeoutError", "OtherHTTPRetryableError", "RequestExceedMaxRetryError", "RevocationCheckError",
    )
    if hasattr(errors, name)
)  # fmt: skip
# 604: statement or lock time-out; 625: too many waiters for a lock; 3901xx: the session has ended.
TRANSIENT_NUMBERS = {604, 625, 390111, 390112, 390114, 390115, 390195}
ADVICE = {
    606: "name a warehouse in SNOWFLAKE_WAREHOUSE that exists, and GRANT USAGE ON WAREHOUSE … to the role",
    2003: "check SNOWFLAKE_DATABASE, SNOWFLAKE_SCHEMA and SNOWFLAKE_TABLE, and that the role has USAGE on both and "
    "SELECT and INSERT on the tables",
    3001: "grant the role the right that the message names; docs/operations.md lists all that are needed",
    2043: "check SNOWFLAKE_DATABASE and SNOWFLAKE_SCHEMA, and GRANT USAGE on both to the role",
    90073: "resume the warehouse, or let it resume by itself: ALTER WAREHOUSE … SET AUTO_RESUME = TRUE",
    390100: "check SNOWFLAKE_USER and the secret",
    390144: "check that the public key of SNOWFLAKE_PRIVATE_KEY is set for SNOWFLAKE_USER: ALTER USER … SET RSA_PUBLIC_KEY = …",
    390186: "check SNOWFLAKE_ROLE: GRANT ROLE … TO USER …",
    390189: "check SNOWFLAKE_ROLE: GRANT ROLE … TO USER …",
    390201: "check SNOWFLAKE_WAREHOUSE, SNOWFLAKE_DATABASE and SNOWFLAKE_SCHEMA, and that the role may use them",
    390422: "add the app's outbound addresses to the user's network policy",
    540001: "check SNOWFLAKE_ACCOUNT",
    250001: "check SNOWFLAKE_ACCOUNT and the network if this stays",
}


@contextlib.contextmanager
def translated(doing: str) -> Iterator[None]:
    """The connector's errors as ours; ``doing`` names the statement in ``sql/``."""
    try:
        yield
    except errors.Error as error:
        raise translate(error, doing) from None


def translate(error: Any, doing: str) -> SyncError:
    """Our error for one of the connector's: by number and SQLSTATE, never by text."""
    number, state = int(error.errno or 0), str(error.sqlstate or "")
    advice = f" – {ADVICE[number]}" if number in ADVICE else ""
    message = f"{doing}: {' '.join(str(error.msg or error).split())[:1000]} (error {number}, SQLSTATE {state or '-'}){advice}"
    if number in TRANSIENT_NUMBERS or state == "57014":
        return WarehouseUnavailableError(message)
    if isinstance(error, TRANSIENT) and number not in (390422,):
        return WarehouseUnavailableError(message)
    if state.startswith("22") or 100_000 <= number < 101_000:
        return DataRefusedError(message)
    return WarehouseRefusedError(message)
