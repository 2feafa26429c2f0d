"""Reads a query for what made-up rows need to know of it."""

import datetime
from collections.abc import Iterator
from typing import Any

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from finetune_flows.tasks.sql.column_types import NUMBERS
from finetune_flows.tasks.sql.generator.column_functions import followed
from finetune_flows.tasks.sql.generator.constants import (
    PATTERNS,
    NotConstant,
    as_moment,
    constant,
    interval_of,
    pattern_of,
    plain_form,
    shifted,
)
from finetune_flows.tasks.sql.generator.equations import Equation
from finetune_flows.tasks.sql.generator.facts import Condition, QueryFacts, read_computations
from finetune_flows.tasks.sql.query import lower_case, scopes_of
from finetune_flows.tasks.sql.schema import Column, Schema

OPERATORS: dict[type[exp.Expr], str] = {
    exp.EQ: "=", exp.NEQ: "<>", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<=",
    exp.NullSafeEQ: "=", exp.NullSafeNEQ: "<>",
}  # fmt: skip
MIRRORED = {">": "<", ">=": "<=", "<": ">", "<=": ">="}
NEGATED = {"=": "<>", "<>": "=", ">": "<=", "<=": ">", ">=": "<", "<": ">="}
_PREDICATES = exp.Where | exp.Having | exp.And | exp.Or | exp.Not | exp.Paren | exp.Filter | exp.Join


def query_facts(
    gold: exp.Expr | None,
    schema: Schema,
    prediction: exp.Expr | None = None,
    now: datetime.datetime | None = None,
) -> QueryFacts:
    """Collect the facts of a gold query and a prediction; nothing is known of a tree that is no query.

    `now`: the moment that the engine takes for now; by default, the clock says.
    """
    now = now or datetime.datetime.now().replace(microsecond=0)
    facts = _facts_of(gold, schema, now)
    if prediction is not None and prediction != gold:
        facts.add_hints(_facts_of(prediction, schema, now))
    for table, check in schema.checks:
        tree = exp.select("*").from_(exp.to_table(table)).where(check.copy())
        for column, conditions in _facts_of(tree, schema, now).conditions.items():
            facts.checks.setdefault(column, []).extend(conditions)
    return facts


def _facts_of(tree: exp.Expr | None, schema: Schema, now: datetime.datetime) -> QueryFacts:
    facts = QueryFacts(now)
    if isinstance(tree, exp.Query):
        tree = lower_case(tree.copy()).transform(lambda node: _plainer(node, schema.dialect), copy=False)
        _Reader(tree, schema, facts).read()
    return facts


def _plainer(node: exp.Expr, dialect: str) -> exp.Expr:
    """The same in fewer kinds of nodes: `x = ANY(ARRAY[a, b])` is `x IN (a, b)`, WEEKDAY(day) is EXTRACT(... FROM day)."""
    if isinstance(node, exp.EQ) and isinstance(node.expression, exp.Any):
        values = node.expression.this.unnest()
        if isinstance(values, exp.Array):
            return exp.In(this=node.this, expressions=values.expressions)
    if isinstance(node, exp.Dayname | exp.Monthname):
        form = "%A" if isinstance(node, exp.Dayname) else "%B"
        return exp.TimeToStr(this=node.this, format=exp.Literal.string(form))
    if isinstance(node, exp.TimeToStr):
        node.set("format", exp.Literal.string(plain_form(node.text("format"))))
    named = isinstance(node, exp.Anonymous) and node.name.lower() == "weekday"
    if named and len(node.expressions) == 1:
        return _part("weekday" if dialect == "mysql" else "dow", node.expressions[0])
    if isinstance(node, exp.DayOfWeek):
        return _part("dayofweek" if dialect == "mysql" else "dow", node.this)
    if isinstance(node, exp.DayOfWeekIso):
        return _part("isodow", node.this)
    if isinstance(node, exp.DayOfYear):
        return _part("doy", node.this)
    return _part("week", node.this) if isinstance(node, exp.Week | exp.WeekOfYear) else node


def _part(unit: str, of: exp.Expr) -> exp.Extract:
    return exp.Extract(this=exp.var(unit), expression=of)


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
        references = []
        for node in list(self.tree.walk()):
            if isinstance(node, exp.Column):
                if column := self.meaning.get(id(node)):
                    node.meta["column"] = column
                    references.append((node, column))
                    self._read_predicate(node, column)
                elif not node.table and node.this.args.get("quoted"):
                    # SQLite takes an unknown "name" for a string.
                    node.replace(exp.Literal.string(str(node.this.meta["written"])))
        read_computations(references, self.schema, self.facts)
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
        found = set(self._columns(node))
        return found.pop() if len(found) == 1 else None

    def _columns(self, node: exp.Expr | None) -> Iterator[Column]:
        if isinstance(node, exp.Subquery | exp.Query) and isinstance(query := node.unnest(), exp.Query):
            node = query.selects[0] if query.selects else node
        for reference in node.find_all(exp.Column) if node else ():
            if id(reference) in self.meaning:
                yield self.meaning[id(reference)]

    def _constant(self, node: exp.Expr | None) -> Any:
        return None if node is None else constant(node, self.facts.now)

    def _read_node(self, node: exp.Expr) -> None:
        if type(node) in OPERATORS and isinstance(node, exp.Binary):
            self._read_comparison(node.left, OPERATORS[type(node)], node.right, node)
        elif isinstance(node, exp.Between):
            self._read_comparison(node.this, ">=", node.args["low"], node)
            self._read_comparison(node.this, "<=", node.args["high"], node)
        elif isinstance(node, exp.Is):
            self._read_is(node)
        elif isinstance(node, exp.Case) and node.this:
            for branch in node.args["ifs"]:
                self._read_comparison(node.this, "near", branch.this, node)
        elif isinstance(node, exp.Nullif | exp.Coalesce | exp.Greatest | exp.Least):
            for other in filter(None, [node.args.get("expression"), *node.expressions]):
                self._read_comparison(node.this, "near", other, node)
        elif isinstance(node, exp.In):
            self._read_membership(node)
        elif isinstance(node, PATTERNS):
            self._read_pattern(node)
        elif (
            isinstance(node, exp.SetOperation)
            and isinstance(node.left, exp.Query)
            and isinstance(node.right, exp.Query)
        ):
            for left, right in zip(node.left.selects, node.right.selects, strict=False):
                self._link(self._column(left), self._column(right))

    def _read_comparison(self, left: exp.Expr, operator: str, right: exp.Expr, node: exp.Expr) -> None:
        if self._constant(left) is not None:
            left, operator, right = right, MIRRORED.get(operator, operator), left
        value = self._constant(right)
        if value is None:
            column, other = self._column(left), self._column(right)
            self._link(column, other)
            self._read_equation(left, right)
            self._read_distance(left, right)
        elif isinstance(left, exp.Count) and isinstance(value, int):
            self.facts.group_size = max(self.facts.group_size, value)
        elif left.find(exp.Column):
            if self._column(left):
                self._add_comparison(left, self._negated(operator, node), (value,))
            self._read_equation(left, right)
            self._read_distance(left, right)

    def _add_comparison(self, left: exp.Expr, operator: str, values: tuple[Any, ...]) -> None:
        """A condition of the column that `left` is a function of; a hint where the function is not understood."""
        understood = followed(left)
        column = self._column(left)
        if column is None:
            return
        if operator != "near" and understood and id(understood[0]) in self.meaning:
            self._add(column, Condition(operator, values, understood[1]))
        else:
            self._add_hint(column, values)

    def _add_hint(self, column: Column, values: tuple[Any, ...]) -> None:
        self.facts.hints.setdefault(column, []).append(Condition("near", values))

    def _add(self, column: Column, condition: Condition) -> None:
        conditions = self.facts.conditions.setdefault(column, [])
        if condition not in conditions:
            conditions.append(condition)
        if not condition.functions and condition.values:
            if all(isinstance(value, int | float) for value in condition.values):
                self.facts.numeric.add(column)
            elif all(_is_date(value) for value in condition.values):
                self.facts.temporal.add(column)

    def _read_equation(self, left: exp.Expr, right: exp.Expr) -> None:
        """Two sides of which one is computed, of columns of one table."""
        columns = tuple(dict.fromkeys([*self._columns(left), *self._columns(right)]))
        if len({table for table, _ in columns}) != 1 or any(side.find(exp.Query) for side in (left, right)):
            return
        groups = None
        if left.find(exp.AggFunc) or right.find(exp.AggFunc):
            select = left.find_ancestor(exp.Select)
            group = select.args.get("group") if select else None
            groups = tuple(self._columns(group))
        elif len(columns) == 1 and any(isinstance(side, exp.Column) for side in (left, right)):
            return  # its values are near the constant anyway
        self.facts.equations.append(Equation(left, right, columns, groups))

    def _read_distance(self, left: exp.Expr, right: exp.Expr) -> None:
        """A column that is so far from a date: `CURRENT_DATE - paid > 30`."""
        column = self._column(left)
        if column is None or isinstance(left, exp.Column) or self.schema[column].type.kind in NUMBERS:
            return
        dates = [day for node in left.find_all(exp.Expr) if isinstance(day := self._constant(node), datetime.date)]
        dates += [as_moment(text) for node in left.find_all(exp.Literal) if _is_date(text := self._constant(node))]
        interval = right.find(exp.Interval)
        value, unit = (
            self._constant(right),
            next((u for node in left.find_all(exp.Expr) if (u := node.text("unit"))), "day"),
        )
        try:
            amounts = interval_of(interval) if interval else [(float(value), unit)]
            found = [
                shifted(day, s * n, u) for day in dates[:1] or [self.facts.now] for n, u in amounts for s in (-1, 1)
            ]
        except (TypeError, ValueError, OverflowError, NotConstant):
            return
        self._add_hint(column, tuple(found))

    def _read_predicate(self, node: exp.Column, column: Column) -> None:
        """A column that is a condition by itself."""
        if isinstance(node.parent, _PREDICATES) and self.schema[column].type.kind in ("boolean", "integer"):
            self._add(column, Condition(self._negated("=", node), (True,)))

    def _read_is(self, node: exp.Is) -> None:
        column = self._column(node.this) if isinstance(node.this, exp.Column) else None
        if column and isinstance(node.expression, exp.Null):
            self._add(column, Condition(self._negated("null", node)))
        elif column and isinstance(node.expression, exp.Boolean):
            self._add(column, Condition(self._negated("=", node), (bool(node.expression.this),)))

    def _read_membership(self, node: exp.In) -> None:
        values = tuple(value for item in node.expressions if (value := self._constant(item)) is not None)
        if values:
            self._add_comparison(node.this, self._negated("in", node), values)
        if query := node.args.get("query"):
            self._link(self._column(node.this), self._column(query))

    def _read_pattern(self, node: exp.Expr) -> None:
        found = pattern_of(node, self.schema.dialect)
        if found is None or not self._column(node.this):
            return
        operator, values = found
        outer = node.parent if isinstance(node.parent, exp.Escape) else node
        negated = self._negated(operator, outer)
        if node.args.get("negate"):
            negated = operator if negated != operator else f"not {operator}"
        self._add_comparison(node.this, negated, values)

    def _negated(self, operator: str, node: exp.Expr) -> str:
        while isinstance(node.parent, exp.Paren):
            node = node.parent
        if operator == "near":
            return operator
        return NEGATED.get(operator, f"not {operator}") if isinstance(node.parent, exp.Not) else operator

    def _link(self, left: Column | None, right: Column | None) -> None:
        if left and right and left != right:
            self.facts.links.append((left, right))

    def _read_grouping(self, select: exp.Expr) -> None:
        """`SELECT name ... GROUP BY id`: the writer takes id for the key of the table that has the name."""
        group = select.args.get("group") if isinstance(select, exp.Select) else None
        if not isinstance(select, exp.Select) or group is None:
            return
        grouped = {column for node in group.expressions if (column := self._column(node))}
        self.facts.grouped |= grouped
        bare = {column for node in select.selects if not node.find(exp.AggFunc) and (column := self._column(node))}
        self.facts.determined.update((key, column[0]) for key in grouped for column in bare - grouped)


def _is_date(value: Any) -> bool:
    if isinstance(value, str):
        try:
            moment = datetime.datetime.fromisoformat(value)
        except ValueError:
            return False
        return value in (moment.isoformat(sep=" "), moment.date().isoformat())  # a text is compared letter by letter
    return isinstance(value, datetime.date)
