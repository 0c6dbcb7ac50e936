"""Translates the errors of Snowflake's connector into ours, by class, number and SQLSTATE.

The text of an error is not used for that.
Sources: the connector's ``errors`` module, versions 4 and 5; Snowflake documentation, page
"Error codes" of the drivers.
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
        "OperationalError",
        "InternalServerError",
        "ServiceUnavailableError",
        "BadGatewayError",
        "GatewayTimeoutError",
        "TooManyRequests",
        "RequestTimeoutError",
        "OtherHTTPRetryableError",
        "RequestExceedMaxRetryError",
        "RevocationCheckError",
    )
    if hasattr(errors, name)
)
# 604: a statement or lock timed out. 625: too many sessions wait for a lock.
# 3901xx: the session has ended.
TRANSIENT_NUMBERS = {604, 625, 390111, 390112, 390114, 390115, 390195}
ADVICE = {
    606: "set SNOWFLAKE_WAREHOUSE to a warehouse that exists, "
    "and GRANT USAGE ON WAREHOUSE … to the role",
    2003: "check SNOWFLAKE_DATABASE, SNOWFLAKE_SCHEMA and SNOWFLAKE_TABLE, "
    "and that the role has USAGE on database and schema, and the rights on the tables",
    3001: "grant the role the right that the message names; "
    "docs/operations.md lists all rights that the role needs",
    2043: "check SNOWFLAKE_DATABASE and SNOWFLAKE_SCHEMA, and GRANT USAGE on both to the role",
    90073: "resume the warehouse, or let it resume by itself: "
    "ALTER WAREHOUSE … SET AUTO_RESUME = TRUE",
    390100: "check SNOWFLAKE_USER and the secret",
    390144: "check that SNOWFLAKE_USER has the public key of SNOWFLAKE_PRIVATE_KEY: "
    "ALTER USER … SET RSA_PUBLIC_KEY = …",
    390186: "check SNOWFLAKE_ROLE: GRANT ROLE … TO USER …",
    390189: "check SNOWFLAKE_ROLE: GRANT ROLE … TO USER …",
    390201: "check SNOWFLAKE_WAREHOUSE, SNOWFLAKE_DATABASE and SNOWFLAKE_SCHEMA, "
    "and that the role may use them",
    390422: "add the app's outbound addresses to the user's network policy",
    540001: "check SNOWFLAKE_ACCOUNT",
    250001: "if this error stays, check SNOWFLAKE_ACCOUNT and the network",
}


@contextlib.contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raise our error instead of the connector's. The message begins with ``doing``."""
    try:
        yield
    except errors.Error as error:
        raise translate(error, doing) from None


def translate(error: Any, doing: str) -> SyncError:
    """Our error for an error of the connector, by class, number and SQLSTATE."""
    number, state = int(error.errno or 0), str(error.sqlstate or "")
    advice = f" – {ADVICE[number]}" if number in ADVICE else ""
    message = (
        f"{doing}: {' '.join(str(error.msg or error).split())[:1000]} "
        f"(error {number}, SQLSTATE {state or '-'}){advice}"
    )
    if number in TRANSIENT_NUMBERS or state == "57014":
        return WarehouseUnavailableError(message)
    if isinstance(error, TRANSIENT) and number not in (390422,):
        return WarehouseUnavailableError(message)
    if state.startswith("22") or 100_000 <= number < 101_000:
        return DataRefusedError(message)
    return WarehouseRefusedError(message)
