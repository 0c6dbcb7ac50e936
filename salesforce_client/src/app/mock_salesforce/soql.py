"""Parses the SOQL that the mock understands: one SELECT with conditions that are joined by AND.

Anything else is an error, as a query that Salesforce could understand but the mock could not must
not bring a wrong answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn, Union

TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*')"
    r"|(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?(?:Z|[+-]\d\d:?\d\d))"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<sign><=|>=|!=|[=<>(),]))"
)
COMPARISONS = ("=", "<", "<=", ">", ">=")
RESERVED = {"SELECT", "FROM", "WHERE", "AND", "OR", "NOT", "IN", "ORDER", "LIMIT", "GROUP", "ALL"}


class MalformedQueryError(Exception):
    """The text is not a query that the mock understands."""


Value = Union[str, bool, datetime, "tuple[str, ...]", "Query"]


@dataclass(frozen=True)
class Condition:
    """One condition. ``operator`` is a comparison or ``IN``."""

    field: str
    operator: str
    value: Value

    def holds(self, value: object) -> bool:
        """Return whether a field with this value meets the condition."""
        if self.operator == "IN":
            assert isinstance(self.value, tuple)
            return value in self.value
        if isinstance(value, datetime) and isinstance(self.value, datetime):
            return {
                "=": value == self.value,
                "<": value < self.value,
                "<=": value <= self.value,
                ">": value > self.value,
                ">=": value >= self.value,
            }[self.operator]
        return self.operator == "=" and value == self.value


@dataclass(frozen=True)
class Query:
    """A parsed query."""

    fields: tuple[str, ...]
    object_name: str
    conditions: tuple[Condition, ...]

    def where(self, field: str) -> list[Condition]:
        """Return the conditions on a field."""
        return [it for it in self.conditions if it.field.lower() == field.lower()]


def moment_of(text: str) -> datetime:
    """Read a time with a time zone, in the forms that SOQL and getDeleted accept.

    Raises:
        ValueError: it is not one.
    """
    plain = re.sub(r"Z$", "+00:00", text)
    plain = re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", plain)
    plain = re.sub(r"\.(\d{1,3})", lambda found: "." + found[1].ljust(3, "0"), plain)
    moment = datetime.fromisoformat(plain)
    if moment.tzinfo is None or "T" not in plain:
        raise ValueError(text)
    return moment


def parse(text: str) -> Query:
    """Parse a query.

    Raises:
        MalformedQueryError: the text is not one that the mock understands.
    """
    parser = _Parser(text)
    query = parser.query()
    parser.end()
    return query


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        place = 0
        text = text.rstrip()
        while place < len(text):
            match = TOKEN.match(text, place)
            if match is None or match.lastgroup is None:
                raise MalformedQueryError(f"unexpected token: '{text[place:].split()[0][:40]}'")
            self._tokens.append((match.lastgroup, match[match.lastgroup]))
            place = match.end()

    def query(self) -> Query:
        self._word("SELECT")
        fields = [self._name()]
        while self._taken(","):
            fields.append(self._name())
        self._word("FROM")
        object_name, conditions = self._name(), []
        if self._peek().upper() == "WHERE":
            self._next()
            conditions.append(self._condition())
            while self._peek().upper() == "AND":
                self._next()
                conditions.append(self._condition())
        if len({field.lower() for field in fields}) < len(fields):
            raise MalformedQueryError("duplicate field selected")
        return Query(tuple(fields), object_name, tuple(conditions))

    def end(self) -> None:
        if self._tokens:
            self._unexpected(self._tokens[0][1])

    def _condition(self) -> Condition:
        field = self._name()
        if self._peek().upper() == "IN":
            self._next()
            return Condition(field, "IN", self._several())
        _, operator = self._next()
        if operator not in COMPARISONS:
            self._unexpected(operator)
        kind, text = self._next()
        if kind == "text":
            return Condition(field, operator, _plain(text))
        if kind == "time":
            try:
                return Condition(field, operator, moment_of(text))
            except ValueError:
                self._unexpected(text)
        if text.upper() not in ("TRUE", "FALSE"):
            self._unexpected(text)
        return Condition(field, operator, text.upper() == "TRUE")

    def _several(self) -> Value:
        self._sign("(")
        if self._peek().upper() == "SELECT":
            inner = self.query()
            self._sign(")")
            return inner
        values = [self._text()]
        while self._taken(","):
            values.append(self._text())
        self._sign(")")
        return tuple(values)

    def _name(self) -> str:
        kind, text = self._next()
        if kind != "word" or text.upper() in RESERVED:
            self._unexpected(text)
        return text

    def _text(self) -> str:
        kind, text = self._next()
        if kind != "text":
            self._unexpected(text)
        return _plain(text)

    def _word(self, expected: str) -> None:
        _, text = self._next()
        if text.upper() != expected:
            self._unexpected(text)

    def _sign(self, expected: str) -> None:
        _, text = self._next()
        if text != expected:
            self._unexpected(text)

    def _taken(self, sign: str) -> bool:
        if self._peek() != sign:
            return False
        self._next()
        return True

    def _peek(self) -> str:
        return self._tokens[0][1] if self._tokens else ""

    def _next(self) -> tuple[str, str]:
        if not self._tokens:
            self._unexpected("<EOF>")
        return self._tokens.pop(0)

    def _unexpected(self, text: str) -> NoReturn:
        raise MalformedQueryError(f"unexpected token: '{text}'")


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])
