"""The names of the table and of all objects that belong to it."""

from __future__ import annotations

from dataclasses import dataclass

COMPANIONS = (
    *("loads", "gaps", "rejects", "polls", "restores", "checks", "listed"),
    *("erased", "acknowledged", "lock"),
)
TABLES = ("table", *COMPANIONS)
# Those that commands read. The sync itself needs no view.
VIEWS = ("freshness", "completeness", "incomplete")
BESIDE = (*COMPANIONS, "stage", "staging", *VIEWS)


@dataclass(frozen=True)
class Identifier:
    """A name in Snowflake. ``name`` has no quotes, as in the catalogue. ``str()`` adds them."""

    name: str

    @staticmethod
    def parse(quoted: str) -> Identifier:
        """Parse a name in double quotes. A quote inside the name is doubled."""
        return Identifier(quoted[1:-1].replace('""', '"'))

    def __str__(self) -> str:
        return '"{}"'.format(self.name.replace('"', '""'))

    def beside(self, part: str) -> Identifier:
        """The name of an object that belongs to this table: ``<table>_<PART>``."""
        return Identifier(f"{self.name}_{part.upper()}")


def names_of(table: Identifier, database: Identifier, schema: Identifier) -> dict[str, Identifier]:
    """The names of the table and all objects beside it, by their placeholder in statements."""
    beside = {part: table.beside(part) for part in BESIDE}
    return {"table": table, "database": database, "schema": schema, **beside}
