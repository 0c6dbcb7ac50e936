"""Files on stages: PUT, LIST and REMOVE, and SHOW STAGES.

Source: Snowflake documentation, pages "PUT", "LIST", "REMOVE", "SHOW STAGES".
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fakesnow.transforms import stage

from . import access, results
from .errors import StatementError, missing
from .results import Result

if TYPE_CHECKING:
    from .sessions import Session

FLAGS = re.IGNORECASE | re.DOTALL
TEXT = r"'(?:[^'\\]|\\.|'')*'"
PUT = re.compile(rf"\s*PUT\s+({TEXT}|\S+)\s+({TEXT}|\S+)\s*(.*?)\s*;?\s*", FLAGS)
PLACE = re.compile(rf"\s*\w+\s+({TEXT}|\S+)\s*(?:PATTERN\s*=.*)?;?\s*", FLAGS)
SHOW = re.compile(
    r"\s*SHOW\s+(?:TERSE\s+)?STAGES(?:\s+LIKE\s+'([^']*)')?(?:\s+IN\s+(.*?))?\s*;?\s*", FLAGS
)
SHOWN = (
    "created_on", "name", "database_name", "schema_name", "url", "has_credentials",
    "has_encryption_key", "owner", "comment", "region", "type", "cloud", "notification_channel",
    "storage_integration", "endpoint", "owner_role_type", "directory_enabled",
)  # fmt: skip
SHOW_TYPE = 0x4400


def plain(text: str) -> str:
    """A path without its quotes."""
    if not text.startswith("'"):
        return text
    return re.sub(r"\\(.)", r"\1", text[1:-1].replace("''", "'"))


def place(session: Session, text: str, privilege: str) -> tuple[str, str, tuple[str, str, str]]:
    """Return the folder of a stage, the path in it, and the stage's name.

    Raises:
        StatementError: 002003 no such stage, 001003 no stage at all, 003001 the role lacks the
            privilege.
    """
    text = plain(text)
    if not text.startswith("@"):
        raise StatementError("001003", "42000", f"SQL compilation error:\nno stage: {text}")
    found = re.fullmatch(r'((?:"[^"]*"|[^"/])*)/?(.*)', text[1:], re.DOTALL)
    assert found
    name = stage.parts_from_var(found[1], session.database, session.schema)
    if not exists(session, name):
        raise missing("Stage", ".".join(name))
    access.need(session, ("STAGE", name), privilege)
    return stage.internal_dir(".".join(name)), found[2], name


def exists(session: Session, name: tuple[str, str, str]) -> bool:
    """Whether there is a stage of this name."""
    return bool(
        _rows(session, "database_name = ? AND schema_name = ? AND name = ?", list(name), "1")
    )


def _rows(session: Session, condition: str, values: list[str], what: str) -> list[Any]:
    with session.account.duck.cursor() as duck:
        stages = "_fs_global._fs_information_schema._fs_stages"
        return list(
            duck.execute(f"SELECT {what} FROM {stages} WHERE {condition}", values).fetchall()
        )


def put(session: Session, sql: str) -> Result:
    """Tell the client where to upload. The bytes follow in a request of their own."""
    found = PUT.fullmatch(sql)
    if not found:
        raise StatementError("001003", "42000", "SQL compilation error:\nsyntax error in PUT")
    folder, path, name = place(session, found[2], "WRITE")
    source = re.sub(r"^file://", "", plain(found[1]))
    options = found[3].upper().replace(" ", "")
    return Result(
        upload={
            "stageInfo": {"locationType": "LOCAL_FS", "location": f"{folder}{path}", "creds": {}},
            "stage": ".".join(name),
            "src_locations": [source],
            "parallel": 4,
            "autoCompress": "AUTO_COMPRESS=FALSE" not in options,
            "sourceCompression": "auto_detect",
            "overwrite": "OVERWRITE=TRUE" in options,
            "command": "UPLOAD",
        }
    )


def files(session: Session, text: str, privilege: str) -> tuple[str, list[Path]]:
    """The name of a stage, and its files whose path begins with the given one."""
    folder, prefix, name = place(session, text, privilege)
    root = Path(folder)
    found = [
        one
        for one in sorted(root.rglob("*"))
        if one.is_file() and one.relative_to(root).as_posix().startswith(prefix)
    ]
    return name[2].lower(), found


def _argument(sql: str) -> str:
    found = PLACE.fullmatch(sql)
    if not found:
        raise StatementError("001003", "42000", "SQL compilation error:\nsyntax error")
    return found[1]


def list_files(session: Session, sql: str) -> Result:
    """LIST: a path is a prefix."""
    folder = Path(place(session, _argument(sql), "READ")[0])
    name, found = files(session, _argument(sql), "READ")
    rows = [
        [
            f"{name}/{one.relative_to(folder).as_posix()}",
            one.stat().st_size,
            hashlib.md5(one.read_bytes()).hexdigest(),
            format_datetime(datetime.fromtimestamp(one.stat().st_mtime, timezone.utc), True),
        ]
        for one in found
    ]
    return results.table(["name", "size", "md5", "last_modified"], rows)


def remove(session: Session, sql: str) -> Result:
    """REMOVE: a path is a prefix, and no file is no error."""
    folder = Path(place(session, _argument(sql), "WRITE")[0])
    name, found = files(session, _argument(sql), "WRITE")
    rows = []
    for one in found:
        one.unlink()
        rows.append([f"{name}/{one.relative_to(folder).as_posix()}", "removed"])
    return results.table(["name", "result"], rows)


def show(session: Session, sql: str) -> Result:
    """SHOW STAGES without IN covers the database, and of objects of one name it shows one.

    That one is of another schema if there is one: the documentation leaves open which it is.
    """
    found = SHOW.fullmatch(sql)
    if not found:
        raise StatementError("001003", "42000", "SQL compilation error:\nsyntax error in SHOW")
    like, inside = found[1], re.sub(r"^(SCHEMA|DATABASE)\s*", "", found[2] or "", flags=FLAGS)
    is_database = (found[2] or "").upper().startswith("DATABASE")
    columns = ", ".join(SHOWN)
    if found[2] and not is_database and found[2].upper() != "ACCOUNT":
        database, schema = _schema(session, inside)
        rows = _rows(session, "database_name = ? AND schema_name = ?", [database, schema], columns)
    else:
        database = inside.strip('"') if is_database and inside else session.database
        mine = [session.schema]
        rows = _rows(
            session, "database_name = ? ORDER BY schema_name = ?", [database, *mine], columns
        )
        rows = list({row[1]: row for row in reversed(rows)}.values())
    rows = [row for row in rows if access.visible(session, ("STAGE", (row[2], row[3], row[1])))]
    if like is not None:
        pattern = re.escape(like).replace("%", ".*").replace("_", ".")
        rows = [row for row in rows if re.fullmatch(pattern, row[1], FLAGS)]
    return results.table(SHOWN, sorted(rows, key=lambda row: str(row[1])), SHOW_TYPE)


def _schema(session: Session, text: str) -> tuple[str, str]:
    parts = [
        one[1:-1] if one.startswith('"') else one.upper()
        for one in re.findall(r'"[^"]*"|[^."\s]+', text)
    ]
    if not parts:
        return session.database, session.schema
    return (parts[0] if len(parts) > 1 else session.database), parts[-1]
