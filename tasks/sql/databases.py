"""Small made-up databases on which two queries can be told apart.

Rows drawn at random nearly never meet `WHERE name = 'Iris'`: both queries return nothing and look equal. So the values
are drawn around the constants of the gold query, after the fuzzing of Zhong, Yu and Klein, "Semantic Evaluation for
Text-to-SQL with Distilled Test Suites", EMNLP 2020 (arXiv 2010.02840), but for one query and without a real database.

Keys that the schema declares hold in the rows. Keys of several columns, CHECK and other constraints do not.
"""

import datetime
import random
import sqlite3
from dataclasses import dataclass, replace

from finetune_flows.tasks.sql.pools import Pool
from finetune_flows.tasks.sql.query_facts import QueryFacts, Value
from finetune_flows.tasks.sql.schema import Column, Schema
from finetune_flows.tasks.sql.values import WORDS, around


@dataclass(frozen=True)
class Profile:
    """How one database is drawn.

    variety: values per column without conditions; 0: every value another. nulls: share of NULL. repeats: share of the
    rows that repeat another one but for its keys.
    """

    rows: int
    variety: int
    skewed: bool
    nulls: float
    repeats: float


PROFILES = (
    Profile(rows=9, variety=4, skewed=False, nulls=0.0, repeats=0.2),
    Profile(rows=20, variety=8, skewed=True, nulls=0.04, repeats=0.1),
    Profile(rows=36, variety=0, skewed=False, nulls=0.0, repeats=0.0),  # no NULL here: one would blind every NOT IN
)
NULLS_AMONG_MISSES = 5  # times as many as elsewhere
MANY_TABLES = 4
MOST_ROWS = 250
FIRST_DAY = datetime.date(2015, 1, 1)


@dataclass(frozen=True)
class Table:
    """A table with its rows. `columns`: name and SQLite type (TEXT or NUMERIC)."""

    name: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Value, ...], ...]


Database = tuple[Table, ...]


def make_database(schema: Schema, facts: QueryFacts, seed: int) -> Database:
    """Database number `seed` for a schema and a query. The same arguments give the same rows."""
    return _Draw(schema, facts, seed).database()


def storage_orders(database: Database, count: int) -> list[Database]:
    """The same rows stored as drawn, in reverse, and shuffled: what a query leaves unordered comes in another order."""
    orders = [database, tuple(replace(table, rows=table.rows[::-1]) for table in database)]
    shuffle = random.Random(count)
    for _ in range(count - 2):
        orders.append(tuple(replace(t, rows=tuple(shuffle.sample(t.rows, len(t.rows)))) for t in database))
    return orders


def fill(connection: sqlite3.Connection, database: Database, *, caseless: bool = False) -> None:
    """Create the tables in an empty SQLite database. With `caseless`, ASCII letters compare blind to case."""
    collation = " COLLATE NOCASE" if caseless else ""
    for table in database:
        columns = ", ".join(f"{_quoted(name)} {kind}{collation}" for name, kind in table.columns)
        connection.execute(f"CREATE TABLE {_quoted(table.name)} ({columns})")
        places = ", ".join("?" * len(table.columns))
        connection.executemany(f"INSERT INTO {_quoted(table.name)} VALUES ({places})", table.rows)


def _keys(schema: Schema, facts: QueryFacts, groups: dict[Column, tuple[Column, ...]]) -> set[Column]:
    """Columns that never repeat a value: the schema says so, or the gold query takes it for granted."""
    keys = {column for column in schema.columns() if schema[column].unique}
    for column, table in facts.determined:
        keys.update([column] if column[0] == table else [member for member in groups[column] if member[0] == table])
    return keys


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _linked(schema: Schema, facts: QueryFacts) -> dict[Column, tuple[Column, ...]]:
    """For every column, the columns that draw from the same pool: joined, compared or a foreign key of it."""
    groups = {column: [column] for column in schema.columns()}
    for left, right in [*facts.links, *schema.foreign_keys]:
        if left in groups and right in groups and groups[left] is not groups[right]:
            groups[left].extend(groups[right])
            for member in groups[right]:
                groups[member] = groups[left]
    return {column: tuple(members) for column, members in groups.items()}


class _Draw:
    """One database being drawn."""

    def __init__(self, schema: Schema, facts: QueryFacts, seed: int) -> None:
        self.schema, self.facts, self.groups = schema, facts, _linked(schema, facts)
        self.random = random.Random(seed)
        self.profile = PROFILES[seed % len(PROFILES)]
        self.rows = self.profile.rows // (2 if len(schema.tables) >= MANY_TABLES else 1)
        if self.profile.skewed and facts.group_size:
            self.rows = max(self.rows, min(MOST_ROWS, 4 * (facts.group_size + 1)))
        self.pools: dict[Column, Pool] = {}
        key_columns = _keys(schema, facts, self.groups)
        self.nullable = {c for c in schema.columns() if not schema[c].required and c not in key_columns}
        for column in schema.columns():
            self.pools[column] = self._pool(column, key_columns)
        self.keys = {column: self._draw_key(column) for column in schema.columns() if column in key_columns}
        for child, parent in schema.foreign_keys:
            if child in self.pools and parent in self.keys:
                self.pools[child] = self.pools[child].within(self.keys[parent])

    def database(self) -> Database:
        return tuple(self._table(name) for name, columns in self.schema.tables.items() if columns)

    def _table(self, name: str) -> Table:
        columns = [(name, key) for key in self.schema.tables[name]]
        kinds = ("NUMERIC" if self._kind(column) == "number" else "TEXT" for column in columns)
        names = (self.schema[column].name for column in columns)
        return Table(name, tuple(zip(names, kinds, strict=True)), self._draw_rows(columns))

    def _kind(self, column: Column) -> str:
        kinds = {self.schema[member].kind for member in self.groups[column]}
        if "number" in kinds or any(member in self.facts.numeric for member in self.groups[column]):
            return "number"
        return "date" if "date" in kinds else "text"

    def _pool(self, column: Column, keys: set[Column]) -> Pool:
        first = self.groups[column][0]
        if first in self.pools:
            shared = self.pools[first]
        else:
            kind = self._kind(first)
            conditions = [c for member in self.groups[first] for c in self.facts.conditions.get(member, [])]
            near = list(dict.fromkeys(value for condition in conditions for value in around(condition, kind)))
            shared = Pool(near, self._others(first, kind, near, keys))
        own = [condition for condition in self.facts.conditions.get(column, []) if condition.operator != "mentions"]
        return shared.for_conditions(own, column in self.nullable)

    def _others(self, column: Column, kind: str, near: list[Value], keys: set[Column]) -> list[Value]:
        """Values that no constant suggests."""
        joined = len(self.groups[column]) > 1
        count = self.profile.variety or self.rows
        if joined or near:
            count = max(3, min(count, self.rows // 2))
        if not keys.isdisjoint(self.groups[column]) or (column in self.facts.aggregated and not joined):
            count = max(count, self.rows)
        if kind == "number":
            top = max([1000, *(2 * abs(int(value)) for value in near if isinstance(value, int | float))])
            return list(self.random.sample(range(3 * count if joined else top), count))
        if kind == "date":
            days = self.random.sample(range(4000), count)
            return [(FIRST_DAY + datetime.timedelta(days=day)).isoformat() for day in days]
        words = self.random.sample(WORDS, len(WORDS))
        return [words[i % len(words)] + (f" {i}" if i >= len(words) else "") for i in range(count)]

    def _draw_key(self, column: Column) -> list[Value]:
        """Distinct values; of those that meet the conditions, enough."""
        pool = self.pools[column]
        good = pool.good[: self.rows // 2]
        rest = [value for value in pool.values if value not in good]
        drawn = [*good, *self.random.sample(rest, min(len(rest), self.rows - len(good)))]
        self.random.shuffle(drawn)
        return drawn

    def _draw_rows(self, columns: list[Column]) -> tuple[tuple[Value, ...], ...]:
        keys = {column: self.keys[column] for column in columns if column in self.keys}
        count = min([self.rows, *(len(values) for values in keys.values())])
        drawn: list[list[Value]] = []
        for _ in range(count):
            repeat = drawn and self.random.random() < self.profile.repeats
            drawn.append(self.random.choice(drawn) if repeat else self._draw_row(columns))
        return tuple(
            tuple(keys[column][i] if column in keys else value for column, value in zip(columns, row, strict=True))
            for i, row in enumerate(drawn)
        )

    def _draw_row(self, columns: list[Column]) -> list[Value]:
        """35 % of the rows meet all conditions, 45 % all but one, 20 % are free."""
        bound = [column for column in columns if self.pools[column].good]
        draw = self.random.random()
        if draw >= 0.8:
            return [self._draw_value(column) for column in columns]
        missed = self.random.choice(bound) if bound and draw >= 0.35 else None
        return [
            self._draw_outlier() if missed and self._is_outlier(column) else
            self._draw_bound(column, column != missed) if column in bound else
            self._draw_value(column)
            for column in columns
        ]  # fmt: skip

    def _is_outlier(self, column: Column) -> bool:
        """A row that just misses the conditions would move MAX and MIN: so a query that lets it in is found out."""
        free = not self.pools[column].near and len(self.groups[column]) == 1
        return free and column in self.facts.aggregated and self._kind(column) == "number"

    def _draw_outlier(self) -> Value:
        return self.random.choice((-1, 1)) * self.random.randint(1000, 1999)

    def _draw_bound(self, column: Column, met: bool) -> Value:
        pool = self.pools[column]
        if not met and self.random.random() < NULLS_AMONG_MISSES * self.profile.nulls and column in self.nullable:
            return None
        return self.random.choice(pool.good if met or not pool.bad else pool.bad)

    def _draw_value(self, column: Column) -> Value:
        if self.random.random() < self.profile.nulls and column in self.nullable:
            return None
        pool = self.pools[column]
        if self.profile.skewed and self.random.random() < 0.5:
            return pool.skewed_value(self.random)
        if self.profile.variety or len(self.groups[column]) > 1:
            return self.random.choice(pool.values)
        return pool.next_value(self.random)
