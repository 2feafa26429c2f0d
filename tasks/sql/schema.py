"""The tables that a row's context defines."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlglot import exp

from finetune_flows.tasks.sql.statements import Statement, UnreadableSchema, statements_of

Column = tuple[str, str]
"""Table and column, both in lower case."""


@dataclass
class TableColumn:
    """One column of a table. A unique column never repeats a value, a required one is never NULL.

    computed: the database derives its value from other columns. spelling: its name as the schema writes it, quotes and all.
    """

    name: str
    kind: str = "text"  # text, number or date
    unique: bool = False
    required: bool = False
    computed: bool = False
    spelling: str = ""


@dataclass
class Schema:
    """Tables by lower-case name, each with its columns by lower-case name; foreign keys as (child, parent).

    statements: the text that says so, for an engine to read. views: the queries behind the views, by lower-case name.
    spellings: how the schema writes each table's name, with quotes and the name of its own schema. partitioned: tables
    that hold no row but in their partitions. materialized: views that keep their rows.
    """

    dialect: str = "sqlite"

    statements: list[Statement] = field(default_factory=list)
    views: dict[str, exp.Query] = field(default_factory=dict)
    spellings: dict[str, str] = field(default_factory=dict)
    partitioned: list[str] = field(default_factory=list)
    materialized: list[str] = field(default_factory=list)
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
    """Read the statements that define tables. A table defined twice gets the columns of both, names are blind to case.

    Raises UnreadableSchema when nothing can be made of the context.
    """
    schema = Schema(dialect, statements_of(context, dialect))
    for statement in schema.statements:
        if statement.kind != "rows" and (tree := statement.tree(dialect)) is not None:
            _read(schema, tree)
    if not any(schema.tables.values()):
        raise UnreadableSchema("the context defines no table with columns")
    return schema


def _read(schema: Schema, tree: exp.Expr) -> None:
    if isinstance(tree, exp.Create) and isinstance(tree.this, exp.Schema) and tree.kind == "TABLE":
        table = tree.this.this
        schema.spellings[table.name.lower()] = table.sql(dialect=schema.dialect, comments=False)
        _add_parts(schema, table.name.lower(), tree.this.expressions)
        if tree.find(exp.PartitionedByProperty):
            schema.partitioned.append(table.name.lower())
    elif isinstance(tree, exp.Create) and tree.kind == "VIEW" and isinstance(tree.expression, exp.Query):
        view = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
        schema.views[view.name.lower()] = tree.expression
        if tree.find(exp.MaterializedProperty):
            schema.materialized.append(view.sql(dialect=schema.dialect, comments=False))
    elif isinstance(tree, exp.Alter):
        _add_parts(schema, tree.this.name.lower(), [part for action in tree.args["actions"] for part in _added(action)])


def _added(action: exp.Expr) -> list[exp.Expr]:
    """What ALTER TABLE adds: a column or constraints."""
    return action.expressions if isinstance(action, exp.AddConstraint) else [action]


def _add_parts(schema: Schema, table: str, parts: list[exp.Expr]) -> None:
    columns = schema.tables.setdefault(table, {})
    for part in parts:
        if isinstance(part, exp.ColumnDef):
            _add_column(columns, part, schema.dialect)
    for part in parts:
        _add_table_constraint(schema, table, part)


def _add_column(columns: dict[str, TableColumn], definition: exp.ColumnDef, dialect: str) -> None:
    column = columns.setdefault(definition.name.lower(), TableColumn(definition.name))
    column.spelling = definition.this.sql(dialect=dialect, comments=False)
    column.kind = _kind(definition.args.get("kind"))
    for constraint in definition.constraints:
        if isinstance(constraint.kind, exp.PrimaryKeyColumnConstraint):
            column.unique = column.required = True
        elif isinstance(constraint.kind, exp.UniqueColumnConstraint):
            column.unique = True
        elif isinstance(constraint.kind, exp.NotNullColumnConstraint):
            column.required = not constraint.kind.args.get("allow_null")
        elif isinstance(constraint.kind, exp.ComputedColumnConstraint):
            column.computed = True


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
