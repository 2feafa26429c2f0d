"""Where SQLite is laxer than other engines about columns without an aggregate, aliases and DISTINCT with ORDER BY."""

from collections.abc import Iterator

from sqlglot import exp

from finetune_flows.tasks.sql.schema import Schema


def grouping_gaps(tree: exp.Expr, schema: Schema) -> Iterator[exp.Expr]:
    """The parts that the dialect's own engine may refuse."""
    for select in tree.find_all(exp.Select):
        if schema.dialect != "mysql":  # MariaDB takes any of a group's rows, as SQLite does
            yield from _bare_columns(select, schema)
        yield from _aliases(select, schema)
        if select.args.get("distinct"):
            yield from _ordered_by_others(select)


def _own(select: exp.Select, part: exp.Expr | None) -> Iterator[exp.Column]:
    """The columns in a part of a SELECT, not those of its subqueries."""
    for column in part.find_all(exp.Column) if part is not None else ():
        if column.find_ancestor(exp.Select) is select:
            yield column


def _bare_columns(select: exp.Select, schema: Schema) -> Iterator[exp.Expr]:
    group = select.args.get("group")
    parts = [*select.expressions, *(select.args.get(name) for name in ("having", "order"))]
    aggregates = any(
        node.find_ancestor(exp.Select) is select and not isinstance(node.parent, exp.Window)
        for part in parts
        if part is not None
        for node in part.find_all(exp.AggFunc)
    )
    if not (group or aggregates):
        return
    keys = _keys(select, group)
    if schema.dialect == "postgres" and any(_is_primary(key, schema) for key in keys):
        return
    written = {key.sql().lower() for key in keys}
    names = {key.name.lower() for key in keys if isinstance(key, exp.Column)} | _aliases_of(select).keys()
    for part in filter(None, parts):
        for column in _own(select, part):
            inside = any(
                isinstance(above, exp.AggFunc | exp.Filter) or above.sql().lower() in written
                for above in _above(column, select)
            )
            if not inside and column.name.lower() not in names:
                yield column


def _keys(select: exp.Select, group: exp.Expr | None) -> list[exp.Expr]:
    """What a SELECT groups by; a number or an alias is what it stands for."""
    aliases, found = _aliases_of(select), []
    for key in group.expressions if group else []:
        if isinstance(key, exp.Literal) and key.name.isdigit() and 0 < int(key.name) <= len(select.expressions):
            key = select.expressions[int(key.name) - 1]
        elif isinstance(key, exp.Column) and not key.table:
            key = aliases.get(key.name.lower(), key)
        found.append(key.unalias())
    return found


def _above(node: exp.Expr, end: exp.Expr) -> Iterator[exp.Expr]:
    current: exp.Expr | None = node
    while current is not None and current is not end:
        yield current
        current = current.parent


def _is_primary(key: exp.Expr, schema: Schema) -> bool:
    """Whether a key is unique wherever it may be from: PostgreSQL then allows the other columns of its table."""
    columns = [
        c[key.name.lower()] for c in schema.tables.values() if isinstance(key, exp.Column) and key.name.lower() in c
    ]
    return bool(columns) and all(column.unique and column.required for column in columns)


def _aliases_of(select: exp.Select) -> dict[str, exp.Expr]:
    return {each.alias.lower(): each.this for each in select.expressions if isinstance(each, exp.Alias)}


def _aliases(select: exp.Select, schema: Schema) -> Iterator[exp.Expr]:
    """Where an alias may be used, and whether it or a column of its name is meant, differs."""
    columns = {name for _, name in schema.columns()}
    aliases = _aliases_of(select)
    renamed = {name for name, what in aliases.items() if name in columns and what.name.lower() != name}
    new = aliases.keys() - columns
    places = {
        "postgres": ("where", "having"),
        "mysql": ("where",),
        "duckdb": ("expressions",),
    }[schema.dialect]
    for place in places:
        parts = select.expressions if place == "expressions" else [select.args.get(place)]
        yield from (c for part in parts for c in _own(select, part) if not c.table and c.name.lower() in new)
    for place in ("group", "having"):
        yield from (c for c in _own(select, select.args.get(place)) if not c.table and c.name.lower() in renamed)
    order = select.args.get("order")
    for ordered in order.expressions if order and schema.dialect == "postgres" else []:
        if not isinstance(ordered.this, exp.Column):
            yield from (c for c in _own(select, ordered) if not c.table and c.name.lower() in aliases)


def _ordered_by_others(select: exp.Select) -> Iterator[exp.Expr]:
    """SELECT DISTINCT may be ordered by what it selects only."""
    chosen = {each.unalias().sql().lower() for each in select.expressions}
    chosen |= {each.alias_or_name.lower() for each in select.expressions}
    order = select.args.get("order")
    for ordered in order.expressions if order else []:
        written = ordered.this.sql().lower()
        if (
            not isinstance(ordered.this, exp.Literal)
            and written not in chosen
            and ordered.this.name.lower() not in chosen
        ):
            yield ordered
