"""The values that the columns of made-up tables draw from."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from finetune_flows.tasks.sql.column_types import NUMBERS, TEXT, ColumnType
from finetune_flows.tasks.sql.generator.facts import Condition, QueryFacts
from finetune_flows.tasks.sql.generator.near_values import arrays, documents, near_values, partition
from finetune_flows.tasks.sql.generator.text_values import in_other_forms
from finetune_flows.tasks.sql.generator.values import Value, as_text, by_chance, close_together, fitted, meets
from finetune_flows.tasks.sql.schema import Column, Schema

_FRACTIONS = {"round", "floor", "ceil", "cast_integer", "trunc"}
_SIGNED = _FRACTIONS | {"abs", "sign", "mod", "intdiv"}
_NUMBER = ColumnType("integer")


@dataclass
class Pool:
    """Values `near` the constants, and others.

    Of these, `good` ones meet the column's conditions, those on the `edge` just so; `bad` ones just miss.
    """

    near: list[Value]
    values: list[Value]
    good: list[Value] = field(default_factory=list)
    bad: list[Value] = field(default_factory=list)
    edge: list[Value] = field(default_factory=list)
    _left: list[Value] = field(default_factory=list)

    def for_conditions(self, conditions: Sequence[Condition], may_be_null: bool) -> "Pool":
        """The same values for a column with these conditions."""
        pool = Pool(self.near, self.values)
        about_null = any(condition.operator in ("null", "not null") for condition in conditions)
        if conditions:
            pool.good, missing = partition([*self.values, *([None] if about_null and may_be_null else [])], conditions)
            near = {None, *self.near}
            pool.edge = [value for value in pool.good if not isinstance(value, list | dict) and value in near]
            pool.bad = [value for value in missing if not isinstance(value, list | dict) and value in near] or missing
        return pool

    def within(self, allowed: list[Value]) -> "Pool":
        """Only the values that are also in `allowed`, or all of `allowed` when there are none."""
        pool = Pool([], [value for value in self.values if value in allowed] or allowed)
        pool.good = [value for value in self.good if value in allowed]
        pool.bad = [value for value in self.bad if value in allowed]
        pool.edge = [value for value in self.edge if value in allowed]
        return pool

    def next_value(self, rng: random.Random) -> Value:
        """A value that was not drawn before, as long as there is one."""
        if not self._left:
            self._left = rng.sample(self.values, len(self.values))
        return self._left.pop()

    def skewed_value(self, rng: random.Random) -> Value:
        """The first value half of the time, the second one a quarter, and so on."""
        return self.values[min(int(rng.expovariate(math.log(2))), len(self.values) - 1)]


@dataclass(frozen=True)
class Content:
    """What a column holds: values of `kind`, spelt as text in a column of another type."""

    kind: ColumnType
    as_text: bool = False
    form: str | None = None


def content_of(column: Column, schema: Schema, facts: QueryFacts) -> Content:
    """What a column holds. A text column holds what the queries read in it: numbers, dates or documents."""
    declared = schema[column].type
    if schema.dialect == "sqlite" and not _takes(declared, facts.conditions.get(column, ())):
        return Content(TEXT)  # SQLite lets any column hold any value, and this one is compared with such
    if declared.kind != "text":
        return Content(declared)
    functions = facts.functions.get(column, set())
    if facts.paths.get(column):
        return Content(ColumnType("json"), as_text=True)
    if column in facts.temporal:
        moments = any(len(str(c)) > 10 for condition in facts.of(column) for c in condition.values)
        times = moments or bool(functions & {"hour", "minute", "second", "datetime", "timestamptrunc"})
        return Content(ColumnType("timestamp" if times else "date"), True, facts.formats.get(column))
    if column in facts.numeric:
        constants = [value for condition in facts.of(column) for value in condition.values]
        fractions = functions & _FRACTIONS - {"cast_integer"} or any(isinstance(value, float) for value in constants)
        return Content(ColumnType("float") if fractions else _NUMBER, as_text=True)
    return Content(declared)


def _takes(declared: ColumnType, conditions: Sequence[Condition]) -> bool:
    """Whether the constants that a column is compared with can be in it."""
    if declared.kind not in ("boolean", "integer", "decimal", "float", "date", "timestamp"):
        return True
    plain = [c for c in conditions if not c.functions and c.operator in ("=", "<>", "in", "not in")]
    texts = [value for condition in plain for value in condition.values if isinstance(value, str)]
    return not texts or any(fitted(text, declared) is not None for text in texts)


@dataclass(frozen=True)
class PoolSize:
    """How many values a pool should have: `count` in general, `rows` for a column that may not repeat."""

    count: int
    rows: int
    joined: bool
    distinct: bool


class PoolMaker:
    """Makes the pools of the columns of one database. Columns that are linked draw from one pool.

    plain: texts are in one case, and without spaces around them.
    """

    def __init__(self, schema: Schema, facts: QueryFacts, rng: random.Random, *, plain: bool) -> None:
        self.schema, self.facts, self.random, self.plain = schema, facts, rng, plain

    def pool(self, group: tuple[Column, ...], content: Content, size: PoolSize) -> Pool:
        """The pool of linked columns that hold the same."""
        conditions = [condition for column in group for condition in self.facts.of(column)]
        functions = {name for column in group for name in self.facts.functions.get(column, ())}
        if self.plain and content.kind.kind == "text":
            functions = set()
        near = near_values(conditions, content.kind, functions)
        count = size.count
        if size.joined or near:
            count = max(3, min(count, size.rows // 2))
        if size.distinct or (group[0] in self.facts.aggregated and not size.joined):
            count = max(count, size.rows)
        others = self._others(group, content.kind, near, count, functions)
        if content.as_text and content.kind.kind == "integer":  # '9' comes after '10' in a text
            others = list(dict.fromkeys(value // (1, 10, 100)[i % 3] for i, value in enumerate(others)))
        required = [condition for column in group for condition in self.facts.checks.get(column, ())]
        if not self.facts.positive.isdisjoint(group):
            required.append(Condition(">", (0,)))
        if required:
            near, others = _meeting(near, required), _meeting(others, required)
        if not near and not others:
            others = by_chance(content.kind, count, self.random, top=1000, signed=False)
        return Pool(near, near + [value for value in others if value not in near])

    def _others(
        self, group: tuple[Column, ...], kind: ColumnType, near: list[Value], count: int, functions: set[str]
    ) -> list[Value]:
        """Values that no constant suggests."""
        arguments = [argument for column in group for argument in self.facts.arguments.get(column, ())]
        if kind.kind == "json":
            paths = [path for column in group for path in self.facts.paths.get(column, ())]
            return documents(paths, self.facts.of(group[0]), arguments, count + 4, self.random)
        if kind.kind == "array":
            named = [value for condition in self.facts.of(group[0]) for value in condition.values]
            return arrays(kind, [*named, *arguments], count + 4, self.random)
        top = 3 * count if len(group) > 1 else 1000
        if kind.kind in NUMBERS:
            top = max([top, *(2 * abs(int(value)) for value in near)])
        signed = bool(functions & _SIGNED) and self.facts.positive.isdisjoint(group)
        found = by_chance(kind, count, self.random, top=top, signed=signed)
        if kind.kind in ("decimal", "float") and functions & _FRACTIONS:
            found = close_together(found, kind)
        if kind.kind == "text" and len(group) == 1 and functions:
            texts = [argument for argument in arguments if isinstance(argument, str) and len(argument) < 9]
            found = [text for text in in_other_forms(found, functions, texts) if len(text) <= kind.length]
        return found


def converted(pool: Pool, content: Content, declared: ColumnType) -> Pool:
    """The pool of another column of the group, whose type or content may differ."""
    if content.kind.kind in ("json", "array", "struct") and not content.as_text:
        return pool
    return Pool(_stored(pool.near, content, declared), _stored(pool.values, content, declared))


def _stored(values: list[Value], content: Content, declared: ColumnType) -> list[Value]:
    if content.as_text:
        values = as_text(values, content.form)
    return list(dict.fromkeys(value for value in (fitted(v, declared) for v in values) if value is not None))


def _meeting(values: list[Value], conditions: Sequence[Condition]) -> list[Value]:
    return [value for value in values if all(meets(value, condition) for condition in conditions)]
