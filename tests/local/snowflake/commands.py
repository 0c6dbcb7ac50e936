"""Statements that the stand-in answers itself: transactions, sessions, and files on stages."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Optional

from sqlglot import exp

from . import grants, results, stages
from .errors import StatementError
from .results import Result

if TYPE_CHECKING:
    from .sessions import Session

Command = Callable[["Session", str], Result]
FLAGS = re.IGNORECASE | re.DOTALL
ROLLBACK = re.compile(r"\s*ROLLBACK(\s+WORK)?\s*;?\s*", FLAGS)
ALTER_SESSION = re.compile(r"\s*ALTER\s+SESSION\s+(SET|UNSET)\s+(.*?)\s*;?\s*", FLAGS)
TCL = 0x5000


def run_rollback(session: Session) -> Result:
    """ROLLBACK succeeds without a transaction too. Source: page "ROLLBACK"."""
    session.roll_back()
    return results.status(type_id=TCL)


def _commit(session: Session, sql: str) -> Result:
    """COMMIT succeeds without a transaction too. Source: page "COMMIT"."""
    session.commit()
    return results.status(type_id=TCL)


def _begin(session: Session, sql: str) -> Result:
    """BEGIN inside a transaction is ignored. Source: page "BEGIN"."""
    session.begin()
    return results.status(type_id=TCL)


def _alter_session(session: Session, sql: str) -> Result:
    """A change of AUTOCOMMIT commits. Source: page "Transactions"."""
    found = ALTER_SESSION.fullmatch(sql)
    assert found
    for name, value in re.findall(r"(\w+)(?:\s*=\s*('[^']*'|[^\s,]+))?", found[2]):
        given = None if found[1].upper() == "UNSET" else value.strip("'")
        session.set_parameter(name.upper(), given)
    return results.status()


def _abort_transaction(session: Session, sql: str) -> Result:
    """Source: page "SYSTEM$ABORT_TRANSACTION"."""
    number = int(re.findall(r"\d+", sql)[0])
    for other in list(session.account.sessions.values()):
        if other.transaction and other.transaction.number == number:
            other.abort()
            words = f"Aborted transaction id: {number}"
            return results.table(["SYSTEM$ABORT_TRANSACTION"], [[words]], 0x1000)
    raise StatementError("000633", "02000", f"Transaction {number} does not exist.")


COMMANDS: tuple[tuple[re.Pattern[str], Command], ...] = tuple(
    (re.compile(pattern, FLAGS), command)
    for pattern, command in (
        (r"\s*COMMIT(\s+WORK)?\s*;?\s*", _commit),
        (r"\s*(BEGIN|START\s+TRANSACTION)(\s+(WORK|TRANSACTION))?(\s+NAME\s+\w+)?\s*;?\s*", _begin),
        (ALTER_SESSION.pattern, _alter_session),
        (r"\s*SELECT\s+SYSTEM\$ABORT_TRANSACTION\s*\(\s*'?\d+'?\s*\)\s*;?\s*", _abort_transaction),
        (r"\s*PUT\s+.*", stages.put),
        (r"\s*(LIST|LS)\s+.*", stages.list_files),
        (r"\s*(REMOVE|RM)\s+.*", stages.remove),
        *grants.COMMANDS,
        (r"\s*SHOW\s+(TERSE\s+)?STAGES\b.*", stages.show),
    )
)


def find(sql: str) -> Optional[Command]:
    """The command that a text is, or None."""
    return next((command for pattern, command in COMMANDS if pattern.fullmatch(sql)), None)


def with_values(session: Session, statement: exp.Expr) -> exp.Expr:
    """Put the session's own values in the place of functions that fakesnow does not know."""
    transaction = session.transaction
    values = {
        "currenttransaction": str(transaction.number) if transaction else None,
        "currentsession": str(session.number),
        "currentuser": session.who.user,
        "currentrole": session.who.role or None,
        "currentwarehouse": session.who.warehouse or None,
    }
    for function in list(statement.find_all(exp.Func)):
        if function.key in values:
            function.replace(exp.convert(values[function.key]))
    return statement
