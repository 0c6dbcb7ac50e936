"""Reads Avro binary with Python code that is generated for one schema.

The code does not need to look up the type of each field. For small records such as events it is
faster than ``fastavro`` (``docs/performance.md``). It reads the types that events have, in the form
that encoders write. Another engine, which knows all of Avro, reads everything else: maps, types
that are defined once and referred to later, very long texts, and damaged bytes.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

Lines = Iterator[str]

# The code of each type takes a value from ``raw`` at ``at`` and moves ``at`` behind it. Avro sends
# a number n as 2n, and a negative number n as -2n - 1. The other engine reads lengths of more than
# two bytes.
LENGTH = """\
n = raw[at]; at += 1
if n & 129:
    n += (raw[at] << 7) - 128; at += 1
    if n > 16383 or n & 1: raise Irregular"""


def _indented(lines: Iterable[str]) -> Lines:
    return (f"    {line}" for line in lines)


def _bytes_of_number(name: str, most: int) -> list[str]:
    """Code that sums the bytes of a number: one step for each byte, ``most`` at most.

    A loop would take a fifth longer.
    """
    lines = [f"{name} = raw[at]; at += 1"]
    for place in range(1, most):
        inside = "    " * (place - 1)
        lines += [
            f"{inside}if {name} > {128**place - 1}:",
            f"{inside}    {name} += (raw[at] << {7 * place}) - {128**place}; at += 1",
        ]
    return lines


def _number() -> str:
    """The code for a number, which has up to 10 bytes.

    The bytes from the fifth on are summed on their own, because Python is faster with numbers of
    less than 30 bits. A time in milliseconds has 6 bytes, and so two such sums.
    """
    high = [*_bytes_of_number("high", 6), f"{'    ' * 5}if high >> 36: raise Irregular"]
    beyond = ["if n > 268435455:", *_indented(high), "    n += high - 1 << 28"]
    lines = [*_bytes_of_number("n", 4), *_indented(_indented(_indented(beyond)))]
    return "\n".join([*lines, "{into} = n >> 1 ^ -(n & 1)"])


PRIMITIVES = {
    "null": "{into} = None",
    "boolean": "{into} = (False, True)[raw[at]]; at += 1",
    "int": _number(),
    "long": _number(),
    "float": "{into} = float_at(raw, at)[0]; at += 4",
    "double": "{into} = double_at(raw, at)[0]; at += 8",
    "bytes": f"{LENGTH}\n{{into}} = raw[at : (at := at + (n >> 1))]",
    "string": f"{LENGTH}\n{{into}} = raw[at : (at := at + (n >> 1))].decode()",
}


class Irregular(Exception):  # noqa: N818  (it never leaves the generated code)
    """The generated code does not read these bytes. Another engine does."""


def compiled(
    schema: Any, otherwise: Callable[[bytes], tuple[Any, int]]
) -> Callable[[bytes], tuple[Any, int]]:
    """Make a function that reads a value, as ``reader`` in this folder describes it.

    Args:
        schema: parsed JSON, without logical types.
        otherwise: reads the bytes that the compiled code does not.

    Raises:
        Exception: of any kind, if no code can be generated for the schema. The schema has a type
            that another engine must read, or too many levels.
    """
    code = _Code()
    body = [*code.value(schema, "value"), "if at > len(raw): raise Irregular", "return value, at"]
    lines = [
        "def read(raw):",
        "    try:",
        "        at = 0",
        *(f"        {line}" for line in body),
        "    except Exception:",
        "        return otherwise(raw)",
    ]
    names: dict[str, Any] = {
        **code.constants,
        "otherwise": otherwise,
        "Irregular": Irregular,
        "float_at": struct.Struct("<f").unpack_from,
        "double_at": struct.Struct("<d").unpack_from,
    }
    # The code contains no text of the schema except names of fields, and these as string literals.
    exec("\n".join(lines), names)  # noqa: S102
    read: Callable[[bytes], tuple[Any, int]] = names["read"]
    return read


class _Code:
    """Generates lines of Python that read values. The lines use the names in ``constants``."""

    def __init__(self) -> None:
        self.constants: dict[str, Mapping[int, str]] = {}
        self._number = itertools.count()

    def value(self, kind: Any, into: str) -> Lines:
        """Lines that read a value of the type ``kind`` into the variable ``into``."""
        if isinstance(kind, list):
            yield from self._union(kind, into)
        elif isinstance(kind, dict) and kind["type"] in ("record", "array", "enum"):
            yield from getattr(self, f"_{kind['type']}")(kind, into)
        else:
            code = PRIMITIVES[kind["type"] if isinstance(kind, dict) else kind]
            yield from code.format(into=into).splitlines()

    def _record(self, kind: Any, into: str) -> Lines:
        variables = []
        for field in kind["fields"]:
            variables.append(self._variable())
            yield from self.value(field["type"], variables[-1])
        items = (
            f"{field['name']!r}: {variable}" for field, variable in zip(kind["fields"], variables)
        )
        yield f"{into} = {{{', '.join(items)}}}"

    def _array(self, kind: Any, into: str) -> Lines:
        item = self._variable()
        yield f"{into} = []"
        yield "while raw[at]:"
        yield from _indented([*LENGTH.splitlines(), "if not n: raise Irregular"])
        yield "    for _ in range(n >> 1):"
        yield from _indented(_indented(self.value(kind["items"], item)))
        yield f"        {into}.append({item})"
        yield "at += 1"

    def _enum(self, kind: Any, into: str) -> Lines:
        symbols = self._variable()
        self.constants[symbols] = {
            2 * place: symbol for place, symbol in enumerate(kind["symbols"][:64])
        }
        yield f"{into} = {symbols}[raw[at]]; at += 1"

    def _union(self, kinds: Sequence[Any], into: str) -> Lines:
        yield "n = raw[at]; at += 1"
        word = "if"
        # Null is usually the first type but the rarer value. So the last type is checked first.
        for place, kind in reversed([*enumerate(kinds[:64])]):
            yield f"{word} n == {2 * place}:"
            yield from _indented(self.value(kind, into))
            word = "elif"
        yield "else: raise Irregular"

    def _variable(self) -> str:
        return f"v{next(self._number)}"
