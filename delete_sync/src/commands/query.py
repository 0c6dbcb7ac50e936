"""``query``: one statement against the target, also the local emulator."""

from __future__ import annotations

import argparse
import re

from ..console import USAGE, WELL, StoppedError
from ..errors import WarehouseRefusedError
from .call import Call
from .listing import shown

HELP = "run one statement in the schema of the target"
EXAMPLE = 'query "SELECT COUNT(*) FROM delete_tracker"'
COMMENT = re.compile(r"--[^\n]*|//[^\n]*|/\*.*?\*/", re.DOTALL)
READS = {"SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "LIST", "LS"}
# A query may call a system function, or begin with a procedure of its own. Both may change things.
MAY_CHANGE = re.compile(r"\bSYSTEM\s*\$|\bAS\s+PROCEDURE\b|->>", re.IGNORECASE)


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("sql", metavar="SQL", help="the statement")


def run(options: argparse.Namespace, call: Call) -> int:
    """Run the statement. One that only reads is rolled back, any other one is committed."""
    console, reads = call.console, only_reads(options.sql)
    with call.app() as app:
        if not reads:
            target = app.settings.snowflake
            console.confirm(
                f"Run a statement that may change something in {target.database}.{target.schema}?"
            )
        with app.session("query") as session:
            try:
                columns, rows = session.answer(options.sql)
            except WarehouseRefusedError as error:
                told, _, _ = error.text.partition(" – ")
                raise StoppedError(f"{told}. Correct the statement", USAGE) from None
            if reads:
                session.rollback()
            else:
                session.commit()
    console.table(columns, [[shown(it) for it in row] for row in rows], named_by=())
    console.note(f"{len(rows)} row(s)")
    console.result({"exit_code": WELL, "columns": columns, "rows": rows})
    return WELL


def only_reads(sql: str) -> bool:
    """Whether a statement surely changes nothing. Its first word tells."""
    words = COMMENT.sub(" ", sql).replace("(", " ").split()
    return bool(words) and words[0].upper() in READS and not MAY_CHANGE.search(sql)
