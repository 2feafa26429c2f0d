"""One form for queries that differ in their spelling only.

Queries of the same form differ at most in: case and quotes of names, aliases, table names written before columns, brackets,
numbers in quotes, `a > b` for `b < a`, BETWEEN for two comparisons, COUNT(1) for COUNT(*), ASC, and the order of what may
change places (beside AND, OR, =, <>, +, * and inside IN). Names given to derived tables and their columns are kept.
"""

import re
from collections import Counter

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from finetune_flows.tasks.sql.query import scopes_of
from finetune_flows.tasks.sql.schema import Schema

_NUMBER = re.compile(r"\d+(\.\d+)?")
_MIRRORED: dict[type[exp.Expr], type[exp.Binary]] = {exp.GT: exp.LT, exp.GTE: exp.LTE}


def normal_form(tree: exp.Expr | None, schema: Schema) -> exp.Query | None:
    """The form of a query; of two queries they compare with `==`. None of what is no query, or is nested too deeply."""
    if not isinstance(tree, exp.Query):
        return None
    try:
        tree = tree.copy().unnest()
        _name(tree, schema)
        for node in reversed(list(tree.walk())):  # what is inside comes before what is around it
            if (replacement := _normal(node)) is not node:
                node.replace(replacement)
    except Exception:  # half of these queries were made up by a model: sqlglot has seen no such trees
        return None
    return tree if isinstance(tree, exp.Query) else None


def _name(tree: exp.Expr, schema: Schema) -> None:
    """Names in lower case, each column with its table, each table without alias: `emp`, and `emp#2` for its second use."""
    quoted = {}
    for identifier in tree.find_all(exp.Identifier):
        if identifier.quoted:
            quoted[id(identifier)] = identifier.name
            identifier.set("quoted", False)
        identifier.set("this", identifier.name.lower())
    for select in list(tree.find_all(exp.Select)):
        _drop_aliases(select, schema)
    nodes, scopes = list(tree.walk()), scopes_of(tree)
    labels = _labels(nodes, scopes)
    tables: dict[int, str | None] = {}
    for scope in scopes:
        for column in scope.find_all(exp.Column):
            tables.setdefault(id(column), _table_of(column, scope, schema, labels))
    for node in nodes:
        if isinstance(node, exp.Column):
            if label := tables.get(id(node)):
                node.set("table", exp.to_identifier(label))
            elif id(node.this) in quoted and not node.table:
                node.replace(exp.Literal.string(quoted[id(node.this)]))  # SQLite takes an unknown "name" for a string
        elif isinstance(node, exp.Table) and id(node) in labels:
            node.set("this", exp.to_identifier(labels[id(node)]))
            node.set("alias", None)


def _labels(nodes: list[exp.Expr], scopes: list[Scope]) -> dict[int, str]:
    """By id of a table's mention; those that mean a query of the WITH clause have none."""
    real = {id(source) for scope in scopes for source in scope.sources.values() if isinstance(source, exp.Table)}
    seen: Counter[str] = Counter()
    labels = {}
    for table in nodes:
        if isinstance(table, exp.Table) and id(table) in real:
            seen[table.name] += 1
            labels[id(table)] = table.name if seen[table.name] == 1 else f"{table.name}#{seen[table.name]}"
    return labels


def _table_of(column: exp.Column, scope: Scope | None, schema: Schema, labels: dict[int, str]) -> str | None:
    """The table that a column belongs to, in this query or the nearest one around it; None when that is open."""
    while scope is not None:
        sources = {column.table: scope.sources.get(column.table)} if column.table else scope.sources
        found = {name: source for name, source in sources.items() if _has(source, column, schema)}
        if found:
            name, source = next(iter(found.items()))
            return (labels.get(id(source)) or name) if len(found) == 1 else None
        scope = scope.parent
    return None


def _has(source: exp.Expr | Scope | None, column: exp.Column, schema: Schema) -> bool:
    if source is None or column.table:
        return source is not None
    if isinstance(source, exp.Table):
        return (source.name, column.name) in schema
    query = source.expression if isinstance(source, Scope) else None
    return isinstance(query, exp.Query) and column.name in query.named_selects


def _drop_aliases(select: exp.Select, schema: Schema) -> None:
    """Where ORDER BY, GROUP BY or HAVING names or numbers a column of the result, that column itself is put there."""
    named = {part.alias: part.this for part in select.selects if isinstance(part, exp.Alias)}
    hidden = {name for _, name in schema.columns()}  # GROUP BY and HAVING take a column of a table first
    for clause in ("order", "group", "having"):
        for column in _columns(select.args.get(clause), select):
            if column.name in named and (clause == "order" or column.name not in hidden):
                column.replace(named[column.name].copy())
    for clause in ("order", "group"):
        for part in select.args[clause].expressions if select.args.get(clause) else ():
            key = part.this if isinstance(part, exp.Ordered) else part
            if isinstance(key, exp.Literal) and key.is_int and 0 < int(key.this) <= len(select.selects):
                key.replace(select.selects[int(key.this) - 1].unalias().copy())
    around = select.find_ancestor(exp.From, exp.Join, exp.CTE, exp.Select)
    if not isinstance(around, exp.From | exp.Join | exp.CTE):
        select.set("expressions", [part.unalias() for part in select.selects])


def _columns(clause: exp.Expr | None, select: exp.Select) -> list[exp.Column]:
    """The columns without table in a clause of a SELECT, not those in its subqueries."""
    columns = list(clause.find_all(exp.Column)) if clause else []
    return [column for column in columns if not column.table and column.find_ancestor(exp.Select) is select]


def _normal(node: exp.Expr) -> exp.Expr:
    """What stands for a node whose parts are in normal form."""
    if isinstance(node, exp.Paren):
        inner: exp.Expr = node.this
        return inner
    if isinstance(node, exp.Literal):
        node.set("is_string", not _NUMBER.fullmatch(node.this))  # in place: a list of thousands would be quadratic
        return node
    if isinstance(node, exp.Between):
        low, high = (
            exp.LTE(this=node.args["low"], expression=node.this.copy()),
            exp.LTE(this=node.this, expression=node.args["high"]),
        )
        return exp.And(this=low, expression=high)
    if isinstance(node, exp.GT | exp.GTE):
        return _MIRRORED[type(node)](this=node.expression, expression=node.this)
    if isinstance(node, exp.And | exp.Or):
        return node if type(node.parent) is type(node) else _sorted_chain(node)
    if isinstance(node, exp.EQ | exp.NEQ | exp.Add | exp.Mul):
        left, right = node.left, node.right
        if isinstance(left, exp.Literal) or (not isinstance(right, exp.Literal) and _text(left) > _text(right)):
            return type(node)(this=right, expression=left)
    if isinstance(node, exp.In):
        node.set("expressions", sorted(node.expressions, key=_text))
    if isinstance(node, exp.Count) and isinstance(node.this, exp.Literal):
        node.set("this", exp.Star())
    if isinstance(node, exp.Ordered):
        return exp.Ordered(this=node.this, desc=bool(node.args.get("desc")))
    if isinstance(node, exp.Join) and node.kind == "INNER":
        node.set("kind", None)
    return node


def _text(node: exp.Expr) -> str:
    return node.sql(copy=False)


def _sorted_chain(node: exp.And | exp.Or) -> exp.Expr:
    first, *others = sorted(operands(node), key=_text)
    for other in others:
        first = type(node)(this=first, expression=other)
    return first


def operands(node: exp.Expr, kind: type[exp.Expr] | None = None) -> list[exp.Expr]:
    """What a chain of ANDs, or of ORs, connects; the node itself when it is no chain (of that kind)."""
    kind = kind or type(node)
    if not isinstance(node, exp.And | exp.Or) or type(node) is not kind:
        return [node]
    return [*operands(node.left, kind), *operands(node.right, kind)]
