"""The result of a statement, and its form in an answer."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

import pyarrow
from fakesnow.arrow import to_ipc, to_sf
from fakesnow.rowtype import describe_as_rowtype
from fakesnow.statement_type import DML_TYPE_IDS, statement_type_id
from sqlglot import exp

SUCCESS = "Statement executed successfully."


@dataclass
class Result:
    """Columns and rows, or the data of a PUT.

    Attributes:
        rowtype: the columns as the protocol describes them.
        rows: as text; or None if ``arrow`` has them.
        arrow: the rows as Arrow.
        type_id: the kind of the statement.
        upload: the data that a client needs to upload files.
    """

    rowtype: Sequence[Mapping[str, Any]] = ()
    rows: Optional[list[list[Optional[str]]]] = None
    arrow: Any = None
    type_id: int = 0
    upload: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of_cursor(cls, cursor: Any, statement: exp.Expr) -> Result:
        """The result of a statement that fakesnow ran."""
        type_id = statement_type_id(statement)
        described = cursor._duck_conn.description
        rowtype = describe_as_rowtype([(one[0], str(one[1]), *[None] * 4) for one in described])
        arrow = cursor._arrow_table
        if type_id in DML_TYPE_IDS and arrow is not None:
            values = zip(*(column.to_pylist() for column in arrow.columns))
            return cls(rowtype, [[text(one) for one in row] for row in values], type_id=type_id)
        return cls(rowtype, arrow=arrow, type_id=type_id)

    def answer(self) -> dict[str, Any]:
        """The part of an answer that has the rows."""
        if self.rows is not None:
            return {
                "rowtype": self.rowtype,
                "total": len(self.rows),
                "returned": len(self.rows),
                "queryResultFormat": "json",
                "rowset": self.rows,
            }
        table = self.arrow
        encoded = ""
        if table is not None:
            encoded = b64encode(to_ipc(_for_client(in_utc(table), self.rowtype))).decode()
        return {
            "rowtype": self.rowtype,
            "total": 0 if table is None else table.num_rows,
            "returned": 0 if table is None else table.num_rows,
            "queryResultFormat": "arrow",
            "rowsetBase64": encoded,
        }


def _for_client(table: Any, rowtype: Sequence[Mapping[str, Any]]) -> Any:
    """The rows in the types of the protocol. A NULL time stays NULL, which fakesnow forgets."""
    made = to_sf(table, list(rowtype))
    for index, original in enumerate(table.columns):
        if pyarrow.types.is_timestamp(original.type) and original.null_count:
            column = made.column(index).combine_chunks()
            nulls = original.combine_chunks().is_null()
            children = [child.fill_null(0) for child in column.flatten()]
            fields = [column.type.field(number) for number in range(column.type.num_fields)]
            fixed = pyarrow.StructArray.from_arrays(children, fields=fields, mask=nulls)
            made = made.set_column(index, made.schema.field(index), fixed)
    return made


def in_utc(table: Any) -> Any:
    """Give all times with a zone the zone UTC: fakesnow knows no other. The moments stay."""
    fields = [
        one.with_type(pyarrow.timestamp("us", "UTC"))
        if pyarrow.types.is_timestamp(one.type) and one.type.tz
        else one
        for one in table.schema
    ]
    return table.cast(pyarrow.schema(fields))


def text(value: object) -> Optional[str]:
    """A value in a JSON result."""
    return None if value is None else str(value)


def column(name: str, type: str = "text") -> dict[str, Any]:
    """The description of a column."""
    length = 16777216 if type == "text" else None
    number = type == "fixed"
    return {
        "name": name,
        "database": "",
        "schema": "",
        "table": "",
        "nullable": True,
        "type": type,
        "byteLength": length,
        "length": length,
        "scale": 0 if number else None,
        "precision": 38 if number else None,
        "collation": None,
    }


def table(names: Sequence[str], rows: Sequence[Sequence[object]], type_id: int = 0) -> Result:
    """A result of texts."""
    return Result(
        [column(name) for name in names],
        [[text(one) for one in row] for row in rows],
        type_id=type_id,
    )


def status(words: str = SUCCESS, type_id: int = 0x6000) -> Result:
    """The result of a statement that returns only words."""
    return table(["status"], [[words]], type_id)


def counts(numbers: Mapping[str, int], kind: type[exp.Expr]) -> Result:
    """The result of DML: how many rows it changed."""
    return Result(
        [column(name, "fixed") for name in numbers],
        [[str(number) for number in numbers.values()]],
        type_id=statement_type_id(kind()),
    )
