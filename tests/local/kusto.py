"""Answers Kusto queries from rows in memory, as far as the queries of the alerts need it.

Source: Microsoft Learn, "Kusto Query Language". A word that it does not know is an error. Whether a
query is valid Kusto, ``node.check`` says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Row = dict[str, Any]
CONDITION = re.compile(r"(\w+) (=~|==|<|in~|has|contains|matches regex) (.*)")
CALL = re.compile(r"(\w+)\((.*)\)")
JOIN = re.compile(r"kind=(inner|leftouter) \((.*)\) on (\w+)")


def answer(query: str, tables: Mapping[str, Sequence[Row]]) -> list[Row]:
    """The rows that a query returns."""
    name, *stages = split(query, "|")
    rows = [dict(row) for row in tables[name]]
    for stage in stages:
        verb, _, rest = stage.partition(" ")
        if verb == "where":
            rows = [row for row in rows if all(holds(it, row) for it in split(rest, " and "))]
        elif verb in ("extend", "project"):
            for row in rows:
                made = dict(_assigned(part, row) for part in split(rest, ","))
                if verb == "project":
                    row.clear()
                row.update(made)
        elif verb == "summarize":
            rows = _summarized(rest, rows)
        elif verb == "join" and (found := JOIN.fullmatch(rest)):
            rows = list(_joined(found[1], rows, answer(found[2], tables), found[3]))
        else:
            raise ValueError(f"not known: {stage}")
    return rows


def split(text: str, separator: str) -> list[str]:
    """The parts between separators that are in no string and in no brackets."""
    parts, depth, quoted, begin = [], 0, False, 0
    for place, sign in enumerate(text):
        if sign == '"':
            quoted = not quoted
        elif not quoted:
            depth += {"(": 1, ")": -1}.get(sign, 0)
            if depth == 0 and text.startswith(separator, place) and place >= begin:
                parts.append(text[begin:place])
                begin = place + len(separator)
    return [part.strip() for part in [*parts, text[begin:]]]


def holds(condition: str, row: Row) -> bool:
    """Whether a condition is true."""
    found = CONDITION.fullmatch(condition)
    if not found:
        raise ValueError(f"not known: {condition}")
    left, operator, right = row[found[1]], found[2], found[3]
    if operator == "in~":
        return str(left).lower() in [str(value(it, row)).lower() for it in split(right[1:-1], ",")]
    other = value(right, row)
    tests: dict[str, Callable[[], bool]] = {
        "==": lambda: bool(left == other),
        "<": lambda: bool(left < other),
        "=~": lambda: str(left).lower() == str(other).lower(),
        "contains": lambda: str(other).lower() in str(left).lower(),
        "has": lambda: bool(re.search(rf"(?i)(?<![A-Z0-9]){re.escape(other)}(?![A-Z0-9])", left)),
        "matches regex": lambda: bool(re.search(other, left)),
    }
    return tests[operator]()


def value(text: str, row: Row) -> Any:
    """The value of an expression."""
    if text.startswith(('"', '@"')):
        return text.removeprefix("@")[1:-1]
    if text in ("true", "false") or text.isdigit():
        return {"true": True, "false": False}.get(text) if not text.isdigit() else int(text)
    if not (call := CALL.fullmatch(text)):
        return row[text]
    arguments = [value(part, row) for part in split(call[2], ",")]
    if call[1] == "extract":
        pattern, group, of = arguments
        found = re.search(pattern, of)
        return found[group] if found else ""
    if call[1] == "replace_regex":
        of, pattern, by = arguments
        return re.sub(pattern, by, of)
    raise ValueError(f"not known: {text}")


def _assigned(part: str, row: Row) -> tuple[str, Any]:
    name, equals, text = part.partition(" = ")
    return name, value(text if equals else name, row)


def _summarized(text: str, rows: Sequence[Row]) -> list[Row]:
    """One row for each value of the column behind ``by``. Without it, one row also of no rows."""
    aggregate, _, by = text.partition(" by ")
    groups: dict[Any, list[Row]] = {} if by else {"": []}
    for row in rows:
        groups.setdefault(row[by] if by else "", []).append(row)
    return [
        {**_aggregated(aggregate, of), **({by: key} if by else {})} for key, of in groups.items()
    ]


def _aggregated(text: str, rows: Sequence[Row]) -> Row:
    name, equals, right = text.partition(" = ")
    call = CALL.fullmatch(right if equals else name)
    if call and call[1] == "count":
        return {name: len(rows)}
    if call and call[1] == "take_any":
        return {name: rows[0][call[2]]}
    if call and call[1] == "arg_max":
        columns = split(call[2], ",")
        newest = max(rows, key=lambda row: row[columns[0]], default={})
        return {column: newest.get(column) for column in columns}
    raise ValueError(f"not known: {text}")


def _joined(kind: str, left: list[Row], right: list[Row], on: str) -> Iterator[Row]:
    columns = list(dict.fromkeys(column for row in right for column in row))
    for row in left:
        found = [other for other in right if other[on] == row[on]]
        for other in found or ([{}] if kind == "leftouter" else []):
            added = {column: other.get(column, "") for column in columns or ("Text",)}
            yield {
                **row,
                **{f"{name}1" if name in row else name: it for name, it in added.items()},
            }
