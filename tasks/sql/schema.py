"""The tables that a row's context defines."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from graphlib import CycleError, TopologicalSorter

from sqlglot import exp

from finetune_flows.tasks.sql.column_types import TEXT, ColumnType, column_type
from finetune_flows.tasks.sql.statements import Statement, UnreadableSchema, statements_of

Column = tuple[str, str]
"""Table and column, both in lower case."""


@dataclass
class TableColumn:
    """One column of a table. A unique column never repeats a value, a required one is never NULL.

    computed: the database derives its value from other columns. spelling: its name as the schema writes it, quotes and all.
    """

    name: str
    type: ColumnType = TEXT
    unique: bool = False
    required: bool = False
    computed: bool = False
    spelling: str = ""


@dataclass
class Schema:
    """What a context defines; it never changes once it is read. Tables by lower-case name, each with its columns by lower-case name.

    foreign_keys: as (child, parent). keys: columns that are unique together. composite_foreign_keys: as (children, parents),
    column by column. checks: table and condition of each CHECK. enums: members of the types that CREATE TYPE defines.
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
    keys: list[tuple[Column, ...]] = field(default_factory=list)
    composite_foreign_keys: list[tuple[tuple[Column, ...], tuple[Column, ...]]] = field(default_factory=list)
    checks: list[tuple[str, exp.Expr]] = field(default_factory=list)
    enums: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __contains__(self, column: object) -> bool:
        """Whether a (table, column) pair is defined."""
        return isinstance(column, tuple) and column[1] in self.tables.get(column[0], {})

    def __getitem__(self, column: Column) -> TableColumn:
        """The column behind a (table, column) pair."""
        return self.tables[column[0]][column[1]]

    def needed_by(self, *trees: exp.Expr | None) -> "Schema":
        """The tables that queries name, and those that views and foreign keys lead to; all of them when a query is not understood."""
        if None in trees:
            return self
        named = {table.name.lower() for tree in trees if tree is not None for table in tree.find_all(exp.Table)}
        links = [
            (view, table.name.lower()) for view, query in self.views.items() for table in query.find_all(exp.Table)
        ]
        links += [(child[0], parent[0]) for child, parent in self.foreign_keys]
        links += [(children[0][0], parents[0][0]) for children, parents in self.composite_foreign_keys]
        while more := {parent for child, parent in links if child in named} - named:
            named |= more
        return replace(
            self,
            tables={name: columns for name, columns in self.tables.items() if name in named},
            foreign_keys=[link for link in self.foreign_keys if link[0][0] in named],
            composite_foreign_keys=[link for link in self.composite_foreign_keys if link[0][0][0] in named],
            keys=[key for key in self.keys if key[0][0] in named],
            checks=[check for check in self.checks if check[0] in named],
        )

    @cached_property
    def parents_first(self) -> list[str]:
        """The tables in an order in which foreign keys find their parents; as they come where the keys go in a circle."""
        parents: dict[str, set[str]] = {table: set() for table in self.tables}
        composite = [(children[0], keys[0]) for children, keys in self.composite_foreign_keys]
        for child, parent in [*self.foreign_keys, *composite]:
            if child[0] != parent[0] and parent[0] in parents and child[0] in parents:
                parents[child[0]].add(parent[0])
        try:
            return list(TopologicalSorter(parents).static_order())
        except CycleError:
            return list(parents)

    def columns(self) -> Iterator[Column]:
        """All columns, table by table."""
        for table, columns in self.tables.items():
            for name in columns:
                yield table, name


@lru_cache(maxsize=64)  # rows about one schema come in a row
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
    if isinstance(tree, exp.Alter):
        added = [part for action in tree.args["actions"] for part in _added(action)]
        _add_parts(schema, tree.this.name.lower(), added)
    if not isinstance(tree, exp.Create):
        return
    if isinstance(tree.expression, exp.DataType):
        schema.enums[tree.this.name.lower()] = tuple(member.name for member in tree.expression.expressions)
    elif tree.kind == "VIEW" and isinstance(tree.expression, exp.Query):
        view = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
        schema.views[view.name.lower()] = tree.expression
        if tree.find(exp.MaterializedProperty):
            schema.materialized.append(_spelling(view, schema.dialect))
    elif tree.kind == "TABLE" and isinstance(tree.this, exp.Schema):
        table = tree.this.this
        schema.spellings[table.name.lower()] = _spelling(table, schema.dialect)
        _add_parts(schema, table.name.lower(), tree.this.expressions)
        if tree.find(exp.PartitionedByProperty):
            schema.partitioned.append(table.name.lower())


def _spelling(named: exp.Expr, dialect: str) -> str:
    bare = isinstance(named, exp.Identifier) and not named.quoted
    return named.name if bare else named.sql(dialect=dialect, comments=False)


def _added(action: exp.Expr) -> list[exp.Expr]:
    """What ALTER TABLE adds: a column or constraints."""
    return action.expressions if isinstance(action, exp.AddConstraint) else [action]


def _add_parts(schema: Schema, table: str, parts: list[exp.Expr]) -> None:
    schema.tables.setdefault(table, {})
    for part in parts:
        if isinstance(part, exp.ColumnDef):
            _add_column(schema, table, part)
    for part in parts:
        _add_constraint(schema, table, part)


def _add_column(schema: Schema, table: str, definition: exp.ColumnDef) -> None:
    column = schema.tables[table].setdefault(definition.name.lower(), TableColumn(definition.name))
    column.spelling = _spelling(definition.this, schema.dialect)
    column.type = column_type(definition.args.get("kind"), schema.dialect, schema.enums)
    for constraint in definition.constraints:
        if isinstance(constraint.kind, exp.PrimaryKeyColumnConstraint):
            column.unique = column.required = True
        elif isinstance(constraint.kind, exp.UniqueColumnConstraint):
            column.unique = True
        elif isinstance(constraint.kind, exp.NotNullColumnConstraint):
            column.required = not constraint.kind.args.get("allow_null")
        elif isinstance(constraint.kind, exp.ComputedColumnConstraint):
            column.computed = True
        elif isinstance(constraint.kind, exp.CheckColumnConstraint):
            schema.checks.append((table, constraint.kind.this))
        elif isinstance(constraint.kind, exp.Reference):
            _add_foreign_key(schema, table, [definition.name], constraint.kind)


def _add_constraint(schema: Schema, table: str, part: exp.Expr) -> None:
    """PRIMARY KEY, UNIQUE, FOREIGN KEY and CHECK of a table, with a name or without."""
    if isinstance(part, exp.Constraint):
        for inner in part.expressions:
            _add_constraint(schema, table, inner)
    elif isinstance(part, exp.CheckColumnConstraint):
        schema.checks.append((table, part.this))
    elif isinstance(part, exp.ForeignKey):
        _add_foreign_key(schema, table, [column.name for column in part.expressions], part.args.get("reference"))
    elif isinstance(part, exp.PrimaryKey | exp.UniqueColumnConstraint):
        listed = part.expressions or (part.this.expressions if isinstance(part.this, exp.Schema) else [])
        _add_key(schema, table, [column.name.lower() for column in listed], isinstance(part, exp.PrimaryKey))


def _add_key(schema: Schema, table: str, names: list[str], primary: bool) -> None:
    columns = schema.tables[table]
    if not set(names) <= set(columns):
        return
    for name in names:
        columns[name].required = columns[name].required or primary
        columns[name].unique = columns[name].unique or len(names) == 1
    if len(names) > 1:
        schema.keys.append(tuple((table, name) for name in names))


def _add_foreign_key(schema: Schema, table: str, names: list[str], reference: exp.Expr | None) -> None:
    """REFERENCES without columns means the key of the other table, which must be defined before."""
    target = reference.this if reference else None
    if isinstance(target, exp.Schema):
        parent = target.this.name.lower()
        parents = [column.name.lower() for column in target.expressions]
    elif isinstance(target, exp.Table):
        parent = target.name.lower()
        parents = [name for name, column in schema.tables.get(parent, {}).items() if column.unique and column.required]
    else:
        return
    children = [(table, name.lower()) for name in names]
    if len(parents) == len(names) == 1:
        schema.foreign_keys.append((children[0], (parent, parents[0])))
    elif len(parents) == len(names):
        schema.composite_foreign_keys.append((tuple(children), tuple((parent, name) for name in parents)))
