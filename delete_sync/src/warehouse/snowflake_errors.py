"""Translates the errors of Snowflake's connector into ours, by number and then by class.

Neither the text of an error nor its SQLSTATE decides. Snowflake uses the SQLSTATEs 22000 and 57014
for many different errors.
Sources: the connector's ``errors`` module, versions 4 and 5; Snowflake documentation, the pages of
the statements; answers of live accounts in public issue trackers.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from snowflake.connector import errors

from ..errors import (
    DataRefusedError,
    LocalStorageError,
    SyncError,
    WarehouseRefusedError,
    WarehouseUnavailableError,
)

# The connector's own errors for a server that does not answer. Their numbers are the connector's.
UNANSWERED = tuple(
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
# The next attempt may succeed.
TRANSIENT = {
    604,  # the statement was cancelled, also by the connector's own time limit
    615,  # the transaction was ended from outside
    625,  # too many statements wait for a lock
    630,  # the statement took too long
    # The session or its token has ended.
    *(390111, 390112, 390113, 390114, 390115, 390195, 390318),
    91016,  # a file is not on the stage
    251018,  # Azure gave no token for the workload identity, perhaps only for now
    253003,  # the upload of a file failed
}
# A value of a row is at fault. Two of them, 100072 and 100078, may be the table's fault instead.
OF_A_VALUE = {
    *(100035, 100096),  # timestamp
    100040,  # date
    100037,  # boolean
    100038,  # number
    *(100039, 100046),  # out of range
    100069,  # JSON, also a key twice
    100071,  # cast of a VARIANT
    100072,  # NULL in a column that is NOT NULL
    100078,  # text too long
    100082,  # larger than Snowflake's limit
}
# Errors of the data of a statement, which appear when it runs. Also the text of another one than
# ``OF_A_VALUE`` may quote values, for example 100090 a whole row ("Row Values: […]").
AT_RUN_TIME = range(100_000, 101_000)
# Where a value may begin in such a text. The words before it say what is wrong.
QUOTED = re.compile(r"""[:'"\[{(].*""", re.DOTALL)
_KEY = (
    "check that SNOWFLAKE_USER has the public key of SNOWFLAKE_PRIVATE_KEY "
    "(ALTER USER … SET RSA_PUBLIC_KEY = …), and that this machine's clock is right"
)
_OBJECT = (
    "check SNOWFLAKE_DATABASE, SNOWFLAKE_SCHEMA and SNOWFLAKE_TABLE, "
    "and that the role has USAGE on database and schema, and the rights on the tables and the stage"
)
_POLICY = "add the app's outbound addresses to the user's network policy"
_ROLE = "check SNOWFLAKE_ROLE: GRANT ROLE … TO USER …"
_PAT = "create a new token for SNOWFLAKE_TOKEN, and check the token's role restriction"
_RELEASE = "deploy the newest delete_sync, and report this error with the statement's name"
# Snowflake says so of an object that does not exist, and of one on which the role has no right.
NOT_FOR_THE_ROLE = (2003, 3001)
ADVICE = {
    606: "set SNOWFLAKE_WAREHOUSE to a warehouse that exists, "
    "and GRANT USAGE ON WAREHOUSE … to the role",
    608: "resume the warehouse, or let it resume by itself: "
    "ALTER WAREHOUSE … SET AUTO_RESUME = TRUE",
    615: "Snowflake or an administrator ended the transaction; if this stays, look for a "
    "statement that holds the lock: SHOW LOCKS IN ACCOUNT",
    625: "look for the statement that holds the lock: SHOW LOCKS IN ACCOUNT",
    630: "if this stays, use a larger warehouse or lower MAX_MERGE_ROWS",
    666: "the account is suspended: ask the account's administrator",
    904: _RELEASE,
    1003: _RELEASE,
    2003: _OBJECT,
    2014: _RELEASE,
    2043: _OBJECT,
    3001: "grant the role the right that the message names; "
    "docs/operations.md lists all rights that the role needs",
    3041: _OBJECT,
    90073: "a resource monitor stopped the warehouse: raise its quota, or wait for its next "
    "period (SHOW RESOURCE MONITORS)",
    90105: _OBJECT,
    100067: "deploy the newest delete_sync: Snowflake no longer accepts this connector",
    100080: _RELEASE,
    100090: _RELEASE,
    251018: "if this stays, check that the app has an identity, and that "
    "MANAGED_IDENTITY_CLIENT_ID is the client id of the one that Snowflake knows",
    290403: f"check SNOWFLAKE_ACCOUNT, or {_POLICY}",
    290404: "check SNOWFLAKE_ACCOUNT: there is no account of this name",
    390100: "check SNOWFLAKE_USER and the secret",
    390144: f"{_KEY}; SELECT SYSTEM$GET_LOGIN_FAILURE_DETAILS('<id in the message>') says more",
    390186: f"{_ROLE}; a token may be restricted to another role",
    390189: "check SNOWFLAKE_ROLE: the role does not exist",
    390201: "check SNOWFLAKE_WAREHOUSE, SNOWFLAKE_DATABASE and SNOWFLAKE_SCHEMA, "
    "and that the role may use them",
    390303: _PAT,
    390309: _PAT,
    390420: _POLICY,
    390422: _POLICY,
    390913: "the trial of the account has ended: ask the account's administrator",
    **dict.fromkeys(range(394300, 394307), _KEY),
    394400: _PAT,
    540001: "check SNOWFLAKE_ACCOUNT",
    250001: "if this error stays, check SNOWFLAKE_ACCOUNT and the network; "
    "if its account name has _ in it, write - instead",
}
# What to do about any other number.
IF_IT_STAYS = "if this stays, check the network, and look the error up in docs/operations.md"
LOOK_IT_UP = "see 'WarehouseRefusedError' in docs/operations.md, and report this error"
# The connector's number if no server answers. On this machine only the emulator would answer.
UNREACHABLE = 250001
START_EMULATORS = (
    "nothing answers at SNOWFLAKE_HOST and SNOWFLAKE_PORT: start the emulators"
    " (python3 tests/demo.py --keep)"
)
# Numbers that the server sends, with advice: a person must act, whatever class the error has.
# The other two are the connector's own.
OF_A_PERSON = set(ADVICE) - TRANSIENT - {UNREACHABLE, 540001}


@contextlib.contextmanager
def translated(doing: str, *, emulator: bool = False) -> Iterator[None]:
    """Raise our error instead of the connector's. The message begins with ``doing``.

    If the server is on this machine, it is the ``emulator``.

    Raises:
        WarehouseUnavailableError, WarehouseRefusedError, DataRefusedError: Snowflake does not
            answer, or refuses.
        LocalStorageError: the connector could not write a temporary file.
    """
    try:
        yield
    except errors.Error as error:
        raise translate(error, doing, emulator=emulator) from None
    except OSError as error:
        # The connector lets errors of its HTTP library pass: they are OSErrors without a number.
        if error.errno is None or isinstance(error, (ConnectionError, TimeoutError)):
            raise WarehouseUnavailableError(
                f"{doing}: {type(error).__name__}: {str(error)[:500]} – if this stays, allow the "
                "app to reach all hosts that SELECT SYSTEM$ALLOWLIST() lists"
            ) from None
        raise LocalStorageError(
            f"{doing}: {error.strerror}. The disk of this machine is full or fails: "
            "see 'LocalStorageError' in docs/operations.md"
        ) from None


def translate(error: Any, doing: str, *, emulator: bool = False) -> SyncError:
    """Our error for an error of the connector. See ``translated`` for the other arguments."""
    number, state = int(error.errno or 0), str(error.sqlstate or "")
    about = f"(error {number}, SQLSTATE {state or '-'})"
    if number in OF_A_VALUE:
        # The text quotes the value, which may be personal data. Only the column is taken from it.
        column = re.search(r"failed on column ([\w.\"]{1,255})", str(error.msg or ""))
        where = f" of the column {column.group(1)}" if column else ""
        return DataRefusedError(f"{doing}: Snowflake refuses a value{where} {about}", number)
    # Without the number, which stands at the end. Not each version of the connector has raw_msg.
    text = getattr(error, "raw_msg", None) or error.msg or str(error)
    if number in AT_RUN_TIME:
        text = QUOTED.sub("…", text)
    message = f"{doing}: {' '.join(text.split())[:1000]} {about}"
    if number in TRANSIENT or (number not in OF_A_PERSON and isinstance(error, UNANSWERED)):
        advice = ADVICE.get(number, IF_IT_STAYS)
        if emulator and number == UNREACHABLE:
            advice = START_EMULATORS
        return WarehouseUnavailableError(f"{message} – {advice}")
    return WarehouseRefusedError(f"{message} – {ADVICE.get(number, LOOK_IT_UP)}", number)
