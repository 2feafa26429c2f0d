"""What a declared type means: which values a column of it can hold, in each dialect."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlglot import exp

Kind = Literal[
    "boolean", "bits", "integer", "decimal", "float", "year", "date", "time", "timestamp", "interval", "text", "enum",
    "uuid", "blob", "json", "array", "struct",
]  # fmt: skip
NUMBERS = frozenset({"integer", "decimal", "float", "year"})
DATES = frozenset({"date", "timestamp"})

_Type = exp.DataType.Type


@dataclass(frozen=True)
class ColumnType:
    """A type. Integers lie in lowest..highest; decimals have `digits` in all, `scale` of them after the point.

    length: most characters of a text, or number of bits. members: of an enum. element: of an array. fields: of a struct.
    """

    kind: Kind
    lowest: int = -(2**31)
    highest: int = 2**31 - 1
    digits: int = 18
    scale: int = 2
    length: int = 255
    members: tuple[str, ...] = ()
    element: "ColumnType | None" = None
    fields: "tuple[tuple[str, ColumnType], ...]" = ()


TEXT = ColumnType("text")
_SIGNED_BITS = {
    _Type.TINYINT: 8, _Type.SMALLINT: 16, _Type.SMALLSERIAL: 16, _Type.MEDIUMINT: 24, _Type.INT: 32, _Type.SERIAL: 32,
    _Type.BIGINT: 64, _Type.BIGSERIAL: 64, _Type.INT128: 64, _Type.INT256: 64,
}  # fmt: skip
_UNSIGNED_BITS = {
    _Type.UTINYINT: 8, _Type.USMALLINT: 16, _Type.UMEDIUMINT: 24, _Type.UINT: 32, _Type.UBIGINT: 63, _Type.UINT128: 63,
}  # fmt: skip
_DECIMALS = {_Type.DECIMAL, _Type.UDECIMAL, _Type.BIGDECIMAL, _Type.MONEY, _Type.SMALLMONEY, _Type.DECIMAL32,
             _Type.DECIMAL64, _Type.DECIMAL128, _Type.BIGNUM}  # fmt: skip
_TIMESTAMPS = {
    _Type.DATETIME, _Type.DATETIME2, _Type.DATETIME64, _Type.SMALLDATETIME, _Type.TIMESTAMP, _Type.TIMESTAMPTZ,
    _Type.TIMESTAMPLTZ, _Type.TIMESTAMPNTZ, _Type.TIMESTAMP_S, _Type.TIMESTAMP_MS, _Type.TIMESTAMP_NS,
}  # fmt: skip
_PLAIN: dict[Any, Kind] = {
    _Type.BOOLEAN: "boolean", _Type.FLOAT: "float", _Type.DOUBLE: "float", _Type.UDOUBLE: "float", _Type.YEAR: "year",
    _Type.DATE: "date", _Type.DATE32: "date", _Type.TIME: "time", _Type.TIMETZ: "time", _Type.INTERVAL: "interval",
    _Type.UUID: "uuid", _Type.JSON: "json", _Type.JSONB: "json", _Type.BINARY: "blob", _Type.VARBINARY: "blob",
    _Type.BLOB: "blob", _Type.TINYBLOB: "blob", _Type.MEDIUMBLOB: "blob", _Type.LONGBLOB: "blob",
}  # fmt: skip


def column_type(declared: exp.DataType | None, dialect: str, enums: Mapping[str, tuple[str, ...]]) -> ColumnType:
    """The meaning of a declared type; text where it is left out or not known. `enums`: members of the user's own types."""
    if declared is None:
        return TEXT
    sizes = [int(size.name) for size in declared.expressions if size.name.isdigit()]
    if declared.this in _SIGNED_BITS or declared.this in _UNSIGNED_BITS:
        return _integer(declared.this, sizes, dialect)
    if declared.this in _DECIMALS:
        return _decimal(sizes, dialect)
    if declared.this in _TIMESTAMPS:
        return ColumnType("timestamp")
    if declared.this in _PLAIN:
        return ColumnType(_PLAIN[declared.this])
    if declared.this == _Type.BIT:
        width = sizes[0] if sizes else 1
        return ColumnType("boolean") if dialect == "mysql" and width == 1 else ColumnType("bits", length=width)
    if declared.this in (_Type.ENUM, _Type.SET):
        return ColumnType("enum", members=tuple(member.name for member in declared.expressions))
    if declared.this in (_Type.ARRAY, _Type.LIST) and declared.expressions:
        return ColumnType("array", element=column_type(declared.expressions[0], dialect, enums))
    if declared.this == _Type.STRUCT:
        parts = [part for part in declared.expressions if isinstance(part, exp.ColumnDef)]
        return ColumnType("struct", fields=tuple((p.name, column_type(p.kind, dialect, enums)) for p in parts))
    if declared.this == _Type.USERDEFINED:
        name = declared.args.get("kind") or ""
        members = enums.get((name if isinstance(name, str) else name.name).lower())
        return ColumnType("enum", members=members) if members else TEXT
    return ColumnType("text", length=sizes[0]) if sizes else TEXT


def _integer(name: Any, sizes: list[int], dialect: str) -> ColumnType:
    if name == _Type.TINYINT and dialect == "mysql" and sizes == [1]:
        return ColumnType("boolean")  # how MySQL spells BOOLEAN
    if name in _UNSIGNED_BITS:
        return ColumnType("integer", 0, 2 ** _UNSIGNED_BITS[name] - 1)
    bits = _SIGNED_BITS[name] if dialect != "sqlite" else 64
    return ColumnType("integer", -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _decimal(sizes: list[int], dialect: str) -> ColumnType:
    """MySQL's DECIMAL has no place after the point; SQLite's and PostgreSQL's bare one takes any number."""
    if not sizes:
        return ColumnType("decimal", digits=10, scale=0) if dialect == "mysql" else ColumnType("decimal")
    scale = sizes[1] if len(sizes) > 1 else 0
    return ColumnType("decimal", digits=max(sizes[0], scale), scale=scale)
