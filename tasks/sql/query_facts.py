"""What a query says about its columns: the constants they meet, what they are joined with, what is computed of them."""

import math
from dataclasses import dataclass, field

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from finetune_flows.tasks.sql.query import lower_case, scopes_of
from finetune_flows.tasks.sql.schema import Column, Schema

Value = str | int | float | None

OPERATORS: dict[type[exp.Expr], str] = {
    exp.EQ: "=", exp.NEQ: "<>", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<=", exp.Like: "like", exp.ILike: "like",
}  # fmt: skip
MIRRORED = {">": "<", ">=": "<=", "<": ">", "<=": ">="}
OPERATORS_ON_NUMBERS = {"=", "<>", ">", ">=", "<", "<=", "in", "not in"}
NEGATED = {
    "=": "<>",
    "<>": "=",
    ">": "<=",
    "<=": ">",
    "<": ">=",
    ">=": "<",
    "like": "not like",
    "in": "not in",
    "null": "not null",
}


@dataclass(frozen=True)
class Condition:
    """`column operator value`. Operator "mentions": the constant stands near the column, in a way not understood."""

    operator: str
    values: tuple[Value, ...]


@dataclass
class QueryFacts:
    """What the made-up rows need to know of the gold query."""

    conditions: dict[Column, list[Condition]] = field(default_factory=dict)
    links: list[tuple[Column, Column]] = field(default_factory=list)
    numeric: set[Column] = field(default_factory=set)
    aggregated: set[Column] = field(default_factory=set)
    determined: set[tuple[Column, str]] = field(default_factory=set)
    group_size: int = 0


def query_facts(tree: exp.Expr | None, schema: Schema) -> QueryFacts:
    """Collect the facts of a query; nothing is known of a tree that is None."""
    facts = QueryFacts()
    if isinstance(tree, exp.Query):
        tree = lower_case(tree.copy())
        _Reader(tree, schema, facts).read()
    return facts


class _Reader:
    """Walks one query and fills in the facts."""

    def __init__(self, tree: exp.Expr, schema: Schema, facts: QueryFacts) -> None:
        self.tree, self.schema, self.facts = tree, schema, facts
        self.meaning: dict[int, Column] = {}

    def read(self) -> None:
        scopes = scopes_of(self.tree)
        for scope in scopes:
            for reference in scope.find_all(exp.Column):
                if column := self._resolve(reference, scope):
                    self.meaning.setdefault(id(reference), column)
        for node in self.tree.walk():
            self._read_node(node)
        for scope in scopes:
            self._read_grouping(scope.expression)

    def _resolve(self, node: exp.Column, scope: Scope) -> Column | None:
        """The column of a table that a name means: of this query, of a derived table in it, or of the query around it."""
        sources = [scope.sources.get(node.table)] if node.table else list(scope.sources.values())
        for source in sources:
            if isinstance(source, exp.Table) and (source.name, node.name) in self.schema:
                return source.name, node.name
            if isinstance(source, Scope) and isinstance(source.expression, exp.Query):
                for projection in source.expression.selects:
                    if projection.alias_or_name == node.name and (column := self._column(projection)):
                        return column
        return self._resolve(node, scope.parent) if scope.parent else None

    def _column(self, node: exp.Expr | None) -> Column | None:
        """The one column inside an expression, whatever is computed of it."""
        if node is None:
            return None
        if isinstance(node, exp.Subquery | exp.Query) and (query := node.unnest()) and isinstance(query, exp.Query):
            node = query.selects[0] if query.selects else node
        found = {self.meaning[id(column)] for column in node.find_all(exp.Column) if id(column) in self.meaning}
        return found.pop() if len(found) == 1 else None

    def _read_node(self, node: exp.Expr) -> None:
        if isinstance(node, exp.Binary) and type(node) in OPERATORS:
            self._read_comparison(node.left, OPERATORS[type(node)], node.right, node)
        elif isinstance(node, exp.Between):
            self._read_comparison(node.this, ">=", node.args["low"], node)
            self._read_comparison(node.this, "<=", node.args["high"], node)
        elif isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
            if isinstance(node.this, exp.Column) and (column := self._column(node.this)):
                self._add(column, Condition(self._negated("null", node), ()))
        elif isinstance(node, exp.In):
            self._read_membership(node)
        elif isinstance(node, exp.SetOperation):
            for left, right in zip(node.left.selects, node.right.selects, strict=False):
                self._link(self._column(left), self._column(right))
        elif isinstance(node, exp.Sum | exp.Avg | exp.Max | exp.Min) and (column := self._column(node.this)):
            self.facts.aggregated.add(column)
            if isinstance(node, exp.Sum | exp.Avg):
                self.facts.numeric.add(column)
        elif isinstance(node, exp.Add | exp.Sub | exp.Mul | exp.Div):
            self.facts.numeric.update(c for side in (node.left, node.right) if (c := self._column(side)))

    def _read_comparison(self, left: exp.Expr, operator: str, right: exp.Expr, node: exp.Expr) -> None:
        if self._constant(left) is not None:
            left, operator, right = right, MIRRORED.get(operator, operator), left
        column, constant = self._column(left), self._constant(right)
        if constant is None:
            self._link(column, self._column(right))
            return
        if isinstance(left, exp.Count) and isinstance(constant, int):
            self.facts.group_size = max(self.facts.group_size, constant)
        elif column:
            operator = self._negated(operator, node) if isinstance(left, exp.Column) else "mentions"
            self._add(column, Condition(operator, (constant,)))

    def _read_membership(self, node: exp.In) -> None:
        column = self._column(node.this)
        values = [value for item in node.expressions if (value := self._constant(item)) is not None]
        if column and values:
            self._add(column, Condition(self._negated("in", node), tuple(values)))
        if query := node.args.get("query"):
            self._link(column, self._column(query))

    def _negated(self, operator: str, node: exp.Expr) -> str:
        while isinstance(node.parent, exp.Paren):
            node = node.parent
        return NEGATED[operator] if isinstance(node.parent, exp.Not) else operator

    def _add(self, column: Column, condition: Condition) -> None:
        conditions = self.facts.conditions.setdefault(column, [])
        if condition not in conditions:
            conditions.append(condition)
        if condition.operator in OPERATORS_ON_NUMBERS and _numbers(condition.values):
            self.facts.numeric.add(column)

    def _link(self, left: Column | None, right: Column | None) -> None:
        if left and right and left != right:
            self.facts.links.append((left, right))

    def _constant(self, node: exp.Expr) -> Value:
        while isinstance(node, exp.Paren | exp.Cast):
            node = node.this
        if isinstance(node, exp.Neg):
            inner = self._constant(node.this)
            return -inner if isinstance(inner, int | float) else None
        if isinstance(node, exp.Literal):
            return str(node.this) if node.is_string else number(node.this)
        if (
            isinstance(node, exp.Column)
            and id(node) not in self.meaning
            and node.this.args.get("quoted")
            and not node.table
        ):
            return str(node.this.meta["written"])  # SQLite takes an unknown "name" for a string
        return None

    def _read_grouping(self, select: exp.Expr) -> None:
        """`SELECT name ... GROUP BY id`: the writer takes id for the key of the table that has the name."""
        group = select.args.get("group") if isinstance(select, exp.Select) else None
        if not isinstance(select, exp.Select) or group is None:
            return
        grouped = {column for node in group.expressions if (column := self._column(node))}
        bare = {column for node in select.selects if not node.find(exp.AggFunc) and (column := self._column(node))}
        self.facts.determined.update((key, column[0]) for key in grouped for column in bare - grouped)


def _numbers(values: tuple[Value, ...]) -> bool:
    return all(isinstance(value, int | float) for value in values)


def number(text: str) -> int | float | None:
    """The finite number that a text spells, if it does."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
