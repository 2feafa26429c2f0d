"""The tables that a row's context defines."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

Column = tuple[str, str]
"""Table and column, both in lower case."""


class UnreadableSchema(ValueError):
    """The context is not a list of CREATE TABLE statements. The message says what is wrong with it."""


@dataclass
class TableColumn:
    """One column of a table. A unique column never repeats a value, a required one is never NULL."""

    name: str
    kind: str = "text"  # text, number or date
    unique: bool = False
    required: bool = False


@dataclass
class Schema:
    """Tables by lower-case name, each with its columns by lower-case name; foreign keys as (child, parent)."""

    tables: dict[str, dict[str, TableColumn]] = field(default_factory=dict)
    foreign_keys: list[tuple[Column, Column]] = field(default_factory=list)

    def __contains__(self, column: object) -> bool:
        """Whether a (table, column) pair is defined."""
        return isinstance(column, tuple) and column[1] in self.tables.get(column[0], {})

    def __getitem__(self, column: Column) -> TableColumn:
        """The column behind a (table, column) pair."""
        return self.tables[column[0]][column[1]]

    def columns(self) -> Iterator[Column]:
        """All columns, table by table."""
        for table, columns in self.tables.items():
            for name in columns:
                yield table, name


def read_schema(context: str, dialect: str) -> Schema:
    """Read CREATE TABLE statements. A table defined twice gets the columns of both, names are blind to case.

    Raises UnreadableSchema when nothing can be made of the context.
    """
    schema = Schema()
    for create in _create_statements(context, dialect):
        body = create.this
        columns = schema.tables.setdefault(body.this.name.lower(), {})
        for part in body.expressions:
            if isinstance(part, exp.ColumnDef):
                _add_column(columns, part)
        for part in body.expressions:
            _add_table_constraint(schema, body.this.name.lower(), part)
    if not any(schema.tables.values()):
        raise UnreadableSchema("the context defines no table with columns")
    return schema


def _create_statements(context: str, dialect: str) -> Iterator[exp.Create]:
    try:
        statements = sqlglot.parse(context, read=dialect)
    except (SqlglotError, RecursionError) as problem:
        raise UnreadableSchema(f"the context is not readable as CREATE TABLE statements: {problem}") from problem
    for statement in statements:
        if isinstance(statement, exp.Create) and isinstance(statement.this, exp.Schema):
            yield statement


def _add_column(columns: dict[str, TableColumn], definition: exp.ColumnDef) -> None:
    column = columns.setdefault(definition.name.lower(), TableColumn(definition.name))
    column.kind = _kind(definition.args.get("kind"))
    for constraint in definition.constraints:
        if isinstance(constraint.kind, exp.PrimaryKeyColumnConstraint):
            column.unique = column.required = True
        elif isinstance(constraint.kind, exp.UniqueColumnConstraint):
            column.unique = True
        elif isinstance(constraint.kind, exp.NotNullColumnConstraint):
            column.required = not constraint.kind.args.get("allow_null")


def _kind(declared: exp.DataType | None) -> str:
    if declared is None:
        return "text"
    if declared.this in exp.DataType.NUMERIC_TYPES:
        return "number"
    return "date" if declared.this in exp.DataType.TEMPORAL_TYPES else "text"


def _add_table_constraint(schema: Schema, table: str, part: exp.Expr) -> None:
    """PRIMARY KEY (a), UNIQUE (a) and FOREIGN KEY (a) REFERENCES t (b). Keys of several columns are left out."""
    columns = schema.tables[table]
    if isinstance(part, exp.Constraint):
        for inner in part.expressions:
            _add_table_constraint(schema, table, inner)
    elif isinstance(part, exp.PrimaryKey | exp.UniqueColumnConstraint):
        keys = [column for key in part.find_all(exp.Identifier) if (column := columns.get(key.name.lower()))]
        if len(keys) == 1:
            keys[0].unique = True
            keys[0].required = keys[0].required or isinstance(part, exp.PrimaryKey)
    for reference in part.find_all(exp.Reference):
        _add_foreign_key(schema, table, part, reference)


def _add_foreign_key(schema: Schema, table: str, part: exp.Expr, reference: exp.Reference) -> None:
    target = reference.this
    if not isinstance(target, exp.Schema) or len(target.expressions) != 1:
        return
    child = part.expressions[0].name if isinstance(part, exp.ForeignKey) else part.name
    parent = (target.this.name.lower(), target.expressions[0].name.lower())
    schema.foreign_keys.append(((table, child.lower()), parent))
