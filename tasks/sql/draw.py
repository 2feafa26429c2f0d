"""Draws the rows of one made-up database."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from finetune_flows.tasks.sql.column_types import DATES, NUMBERS
from finetune_flows.tasks.sql.constants import as_moment, shifted
from finetune_flows.tasks.sql.facts import QueryFacts
from finetune_flows.tasks.sql.keys import hold_composite_keys, key_columns, linked_columns
from finetune_flows.tasks.sql.pools import Content, Pool, PoolMaker, PoolSize, content_of, converted
from finetune_flows.tasks.sql.schema import Column, Schema
from finetune_flows.tasks.sql.values import Value, as_text, fitted, meets


@dataclass(frozen=True)
class Profile:
    """How one database is drawn.

    variety: values per column without conditions; 0: every value another. nulls: share of NULL in a column that may hold
    it, at least one if any. repeats: share of the rows that repeat another one but for its keys.
    """

    rows: int
    variety: int
    skewed: bool
    nulls: float
    repeats: float


PROFILES = (
    Profile(rows=9, variety=4, skewed=False, nulls=0.01, repeats=0.2),  # one NULL: ORDER BY ... LIMIT 1 may find it
    Profile(rows=20, variety=8, skewed=True, nulls=0.12, repeats=0.1),
    Profile(rows=36, variety=0, skewed=False, nulls=0.0, repeats=0.0),  # no NULL here: one would blind every NOT IN
)
FIRST_SET = 6
"""Databases after these are drawn when they told too little; every other three then hold no NULL, which may be why."""
NULL_AMONG_MATCHES = 0.6
NULL_COUNTS = 4
"""Columns side by side differ by up to three in the number of their NULLs, those four apart in the next such database."""
GAP_SHARE = 0.6
MANY_TABLES = 4
MOST_ROWS = 250
Row = list[Value]


class Draw:
    """One database being drawn."""

    def __init__(self, schema: Schema, facts: QueryFacts, seed: int) -> None:
        self.schema, self.facts, self.groups = schema, facts, linked_columns(schema, facts)
        self.random = random.Random(seed)
        self.profile, self.round = PROFILES[seed % len(PROFILES)], seed // len(PROFILES)
        if seed >= FIRST_SET and seed // len(PROFILES) % 2 == 0:
            self.profile = replace(self.profile, nulls=0.0)
        self.most = self.profile.rows // (2 if len(schema.tables) >= MANY_TABLES else 1)
        if self.profile.skewed and facts.group_size:
            self.most = max(self.most, min(MOST_ROWS, 4 * (facts.group_size + 1)))
        self.parents = {child: parent for child, parent in schema.foreign_keys if parent in schema}
        self.key_columns = key_columns(schema, facts, self.groups)
        taken_for_keys = {column for column in self.key_columns if not schema[column].unique}
        self.nullable = {c for c in schema.columns() if not schema[c].required and c not in taken_for_keys}
        self.contents = {column: content_of(column, schema, facts) for column in schema.columns()}
        self.pools: dict[Column, Pool] = {}
        self.keys: dict[Column, list[Value]] = {}
        self.drawn: set[str] = set()
        self._make_pools()

    def rows(self) -> dict[str, list[Row]]:
        """The rows of every table that has columns, by its lower-case name."""
        found = {name: self._draw_table(name) for name, columns in self.schema.tables.items() if columns}
        hold_composite_keys(self.schema, found, self.random)
        return found

    # Pools

    def _make_pools(self) -> None:
        maker = PoolMaker(self.schema, self.facts, self.random)
        shared: dict[Column, tuple[Content, Pool]] = {}
        for column in self.schema.columns():
            group = self.groups[column]
            if group[0] not in shared:
                content = self._shared_content(group)
                distinct = not self.key_columns.isdisjoint(group)
                size = PoolSize(self.profile.variety or self.most, self.most, len(group) > 1, distinct)
                shared[group[0]] = content, maker.pool(group, content, size)
            content, pool = shared[group[0]]
            own = self.contents[column]
            if own != content or own.as_text:
                pool = converted(pool, _spelt_as(content, own), self.schema[column].type)
                if not pool.values:  # what the other columns hold, or what the queries read in it, does not fit
                    own = Content(self.schema[column].type)
                    pool = maker.pool((column,), own, PoolSize(self.most, self.most, False, True))
            self.pools[column] = pool.for_conditions(self.facts.conditions.get(column, ()), column in self.nullable)
        for table in self.schema.tables:
            self._draw_keys(table, frozenset())

    def _shared_content(self, group: tuple[Column, ...]) -> Content:
        """What linked columns hold: numbers if one of them does, else dates, else what the first one holds."""
        contents = [self.contents[column] for column in group]
        for kinds in (NUMBERS, DATES):
            if found := next((content for content in contents if content.kind.kind in kinds), None):
                return found
        return contents[0]

    def _draw_keys(self, table: str, children: frozenset[str]) -> None:
        """Draw the keys of a table, those of its parents before them; a child draws from its parent's keys."""
        columns = [(table, name) for name in self.schema.tables[table]]
        if table in self.drawn:
            return
        for column in columns:
            parent = self.parents.get(column)
            if parent and parent[0] != table and parent[0] not in children:
                self._draw_keys(parent[0], children | {table})
            if parent and parent[0] != table:
                self._restrict(column, parent)
        self.drawn.add(table)
        keys = [column for column in columns if column in self.key_columns]
        self.keys |= {column: self._draw_key(self.pools[column]) for column in keys}
        count = min((len(self.keys[column]) for column in keys), default=0)
        self.keys |= {column: self.keys[column][:count] for column in keys}
        for column in columns:
            if (parent := self.parents.get(column)) and parent[0] == table and column not in keys:
                self._restrict(column, parent)

    def _restrict(self, column: Column, parent: Column) -> None:
        if parent in self.keys:
            kind = self.schema[column].type
            allowed = [value for value in (fitted(v, kind) for v in self.keys[parent]) if value is not None]
            self.pools[column] = self.pools[column].within(allowed)

    def _draw_key(self, pool: Pool) -> list[Value]:
        """Distinct values; of those that meet the conditions, enough."""
        good = [value for value in pool.good if value is not None][: self.most // 2]
        rest = [value for value in pool.values if value not in good]
        drawn = [*good, *self.random.sample(rest, min(len(rest), self.most - len(good)))]
        self.random.shuffle(drawn)
        return drawn

    # Rows

    def _draw_table(self, name: str) -> list[Row]:
        columns = [(name, key) for key in self.schema.tables[name]]
        keys = {column: self.keys[column] for column in columns if column in self.keys}
        count = min([self.most, *(len(values) for values in keys.values())])
        rows: list[Row] = []
        matching: list[int] = []
        for i in range(count):
            if rows and self.random.random() < self.profile.repeats:
                source = self.random.randrange(len(rows))
                rows.append(list(rows[source]))
                matches = source in matching
            else:
                row, matches = self._draw_row(columns)
                rows.append(row)
            if matches:
                matching.append(i)
        if self.profile.nulls:
            self._put_nulls(columns, rows, matching)
        for j, column in enumerate(columns):
            if column in keys:
                for i, row in enumerate(rows):
                    row[j] = keys[column][i]
        self._put_key_nulls(columns, rows)
        return rows

    def _draw_row(self, columns: Sequence[Column]) -> tuple[Row, bool]:
        """A row, and whether it meets all conditions: 35 % of them do, 45 % miss one, 20 % are free."""
        bound = [column for column in columns if self.pools[column].good]
        draw = self.random.random()
        if draw >= 0.8:
            row = [self._draw_value(column) for column in columns]
        else:
            missed = self.random.choice(bound) if bound and draw >= 0.35 else None
            row = [
                self._draw_outlier(column) if missed and self._is_outlier(column) else
                self._draw_bound(column, column != missed) if column in bound else
                self._draw_value(column)
                for column in columns
            ]  # fmt: skip
        self._set_gaps(columns, row)
        return row, draw < 0.35

    def _is_outlier(self, column: Column) -> bool:
        """A row that just misses the conditions would move MAX and MIN: so a query that lets it in is found out."""
        free = not self.pools[column].near and len(self.groups[column]) == 1 and column in self.facts.aggregated
        return free and self.contents[column].kind.kind in ("integer", "decimal", "float")

    def _draw_outlier(self, column: Column) -> Value:
        sign = 1 if column in self.facts.positive else self.random.choice((-1, 1))
        value = fitted(sign * self.random.randint(1000, 1999), self.schema[column].type)
        allowed = value is not None and all(meets(value, check) for check in self.facts.checks.get(column, ()))
        return value if allowed else self._draw_value(column)

    def _draw_bound(self, column: Column, met: bool) -> Value:
        pool = self.pools[column]
        if met and pool.edge and self.random.random() < 0.5:
            return self.random.choice(pool.edge)
        return self.random.choice(pool.good if met or not pool.bad else pool.bad)

    def _draw_value(self, column: Column) -> Value:
        pool = self.pools[column]
        if self.profile.skewed and self.random.random() < 0.5:
            return pool.skewed_value(self.random)
        if self.profile.variety or len(self.groups[column]) > 1:
            return self.random.choice(pool.values)
        return pool.next_value(self.random)

    def _set_gaps(self, columns: Sequence[Column], row: Row) -> None:
        """Put two columns as far apart as a query asks, or one more or less."""
        for first, second, amount in self.facts.gaps:
            if first not in columns or second not in columns or self.random.random() >= GAP_SHARE:
                continue
            if first in self.keys or first in self.parents or self.pools[first].good:
                continue
            i, other = columns.index(first), row[columns.index(second)]
            distance = self.random.choice((1, 1, 1, -1)) * amount + self.random.choice((0, 0, 1, -1))
            moved = None if other is None else self._moved(other, distance, amount, self.contents[first])
            value = None if moved is None else fitted(moved, self.schema[first].type)
            if value is not None and all(meets(value, check) for check in self.facts.checks.get(first, ())):
                row[i] = value

    def _moved(self, value: Value, distance: float, factor: float, content: Content) -> Value:
        if content.kind.kind in DATES:
            moment = shifted(as_moment(value), distance, "day")
            return as_text([moment], content.form)[0] if content.as_text else moment
        if content.kind.kind not in NUMBERS or isinstance(value, str):
            return None
        exact = Decimal(str(value))
        in_decimals = self.schema.dialect in ("postgres", "mysql") and content.kind.kind != "float"  # no rounding
        if factor not in (0, 1) and in_decimals and self.random.random() < 0.5:
            return exact * Decimal(str(factor))
        return exact + Decimal(str(distance))

    # NULLs

    def _put_nulls(self, columns: Sequence[Column], rows: list[Row], matching: list[int]) -> None:
        """NULLs in every column that may hold them: among rows that meet the conditions, and among those that miss this one."""
        for j, column in enumerate(columns):
            if column not in self.nullable or column in self.keys or len(rows) < 2:
                continue
            conditions = self.facts.conditions.get(column)
            for _ in range(self._nulls_in(column, j, len(rows))):
                if conditions or not matching or self.random.random() > NULL_AMONG_MATCHES:
                    i = self._miss(rows, matching) if conditions else self.random.randrange(len(rows))
                else:
                    i = self.random.choice(matching)
                if column in self.facts.counted:  # a group without any value would be divided by zero
                    source = self.random.choice([k for k in range(len(rows)) if k != i])
                    rows[i] = list(rows[source])
                rows[i][j] = None

    def _nulls_in(self, column: Column, place: int, rows: int) -> int:
        """How many. COUNT of two columns would be the same if both had equally many in every database."""
        if not self.profile.skewed:
            return max(1, round(self.profile.nulls * rows))
        largest = column in self.facts.grouped  # NULL may be the largest group
        more = (place // NULL_COUNTS if self.round % 2 else place) % NULL_COUNTS
        return max(1, round((0.5 if largest else self.profile.nulls) * rows)) + more

    def _miss(self, rows: list[Row], matching: list[int]) -> int:
        misses = [i for i in range(len(rows)) if i not in matching]
        return self.random.choice(misses) if misses else self.random.randrange(len(rows))

    def _put_key_nulls(self, columns: Sequence[Column], rows: list[Row]) -> None:
        """A column that is unique but may be NULL has a NULL."""
        for j, column in enumerate(columns):
            if column in self.keys and column in self.nullable and self.profile.nulls and len(rows) > 2:
                self.random.choice(rows)[j] = None


def _spelt_as(content: Content, own: Content) -> Content:
    """The shared content, spelt as text where the column's own content is."""
    return Content(content.kind, own.as_text, own.form)
