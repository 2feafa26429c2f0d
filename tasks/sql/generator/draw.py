"""Draws the rows of one made-up database."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from finetune_flows.tasks.sql.column_types import DATES, NUMBERS
from finetune_flows.tasks.sql.generator.equations import Equation, as_day, partitions
from finetune_flows.tasks.sql.generator.facts import QueryFacts
from finetune_flows.tasks.sql.generator.keys import hold_composite_keys, key_columns, linked_columns
from finetune_flows.tasks.sql.generator.pools import Content, Pool, PoolMaker, PoolSize, content_of, converted
from finetune_flows.tasks.sql.generator.values import Value, as_text, fitted, meets
from finetune_flows.tasks.sql.schema import Column, Schema


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
"""Databases after these are drawn when they told too little; every other three then hold no NULL
and no text in two cases, which may be why."""
NULL_AMONG_MATCHES = 0.6
NULL_COUNTS = 4
"""Columns side by side differ by up to three in the number of their NULLs, those four apart in the next such database."""
SOLVED_SHARE = 0.6
MOST_PLACES = 6
MANY_TABLES = 4
MOST_ROWS = 250
Row = list[Value]


class Draw:
    """One database being drawn."""

    def __init__(self, schema: Schema, facts: QueryFacts, seed: int) -> None:
        self.schema, self.facts, self.groups = schema, facts, linked_columns(schema, facts)
        self.random = random.Random(seed)
        self.profile, self.round = PROFILES[seed % len(PROFILES)], seed // len(PROFILES)
        self.plain = seed >= FIRST_SET and seed // len(PROFILES) % 2 == 0
        if self.plain:
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
        maker = PoolMaker(self.schema, self.facts, self.random, plain=self.plain)
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
        self._solve(name, rows, matching)
        if self.profile.skewed:
            self._hide_largest(columns, rows, matching)
            self._tie_extremes(columns, rows, matching)
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

    # Rows in which both sides of a comparison are equal

    def _solve(self, table: str, rows: list[Row], matching: list[int]) -> None:
        """Move one value of many rows, and of groups of rows, so that the sides of a comparison are equal, or nearly so."""
        names = list(self.schema.tables[table])
        by_name = [dict(zip(names, row, strict=True)) for row in rows]
        for equation in sorted(self.facts.equations, key=lambda equation: equation.groups is not None):
            if equation.table != table:
                continue
            for group in self._compared(equation, rows, matching):
                if self.random.random() < SOLVED_SHARE:
                    self._solve_one(equation, [by_name[i] for i in group])
        rows[:] = [list(row.values()) for row in by_name]

    def _compared(self, equation: Equation, rows: list[Row], matching: list[int]) -> list[list[int]]:
        """Numbers of the rows that each comparison is about: of each row by itself, or of those in a group."""
        if equation.groups is None:
            return [[i] for i in range(len(rows))]
        return self._grouped(equation.table, equation.groups, rows, matching)

    def _grouped(self, table: str, grouped: Sequence[Column], rows: list[Row], matching: list[int]) -> list[list[int]]:
        """Numbers of the rows of each group, of those that meet the conditions, if there are any."""
        names = enumerate(self.schema.tables[table])
        places = [j for j, name in names if any(self._tells_apart((table, name), by) for by in grouped)]
        chosen = self._counted_rows(table, rows, matching)
        return [[chosen[k] for k in group] for group in partitions([rows[i] for i in chosen], places)]

    def _counted_rows(self, table: str, rows: list[Row], matching: list[int]) -> Sequence[int]:
        bound = any(column[0] == table for column in self.facts.conditions)
        return matching if bound and matching else range(len(rows))

    def _tells_apart(self, column: Column, grouped: Column) -> bool:
        """Whether rows with the same value of a column are in the same group: it is the one, or leads to its table."""
        return column == grouped or any(member[0] == grouped[0] != column[0] for member in self.groups[column])

    def _solve_one(self, equation: Equation, rows: list[dict[str, Value]]) -> None:
        """Try the columns in any row of the group, in any order, until one can be moved."""
        places = [(row, column) for row in rows for column in equation.columns]
        for row, column in self.random.sample(places, min(len(places), MOST_PLACES)):
            if column in self.keys or column in self.parents or row[column[1]] is None:
                continue
            found = equation.solved(row, column[1], rows, self.facts.now)
            value = None if found is None else self._near(column, found)
            conditions = [*self.facts.conditions.get(column, ()), *self.facts.checks.get(column, ())]
            if value is not None and all(meets(value, condition) for condition in conditions):
                row[column[1]] = value
                return

    def _near(self, column: Column, found: Fraction) -> Value:
        """The value of the column that is nearest, or the next one above or below; None if the column cannot hold it."""
        content, declared = self.contents[column], self.schema[column].type
        if content.kind.kind in DATES:
            seconds = 86400 if content.kind.kind == "date" else self.random.choice((1, 1800))
            try:
                value: Value = as_day(found + self.random.choice((0, 0, 1, -1)) * Fraction(seconds, 86400))
            except OverflowError:
                return None
        elif content.kind.kind in NUMBERS and (found > 0 or column not in self.facts.positive):
            scale = {"decimal": content.kind.scale, "float": 2}.get(content.kind.kind, 0)
            units = round(found * 10**scale)
            step = max(1, abs(units) // 1000)  # MySQL's division rounds, so a smaller one may not show
            value = Decimal(units + self.random.choice((0, 0, step, -step))).scaleb(-scale)
        else:
            return None
        value = fitted(value, content.kind)
        return fitted(as_text([value], content.form)[0], declared) if content.as_text and value is not None else value

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

    def _hide_largest(self, columns: Sequence[Column], rows: list[Row], matching: list[int]) -> None:
        """NULLs in the largest group, until the next one has more values: COUNT(x) then finds another one than COUNT(*)."""
        for j, column in enumerate(columns):
            if column not in self.facts.tallied or column not in self.nullable or column in self.keys:
                continue
            groups = self._grouped(column[0], sorted(self.facts.grouped - {column}), rows, matching)
            filled = sorted(([i for i in group if rows[i][j] is not None] for group in groups), key=len)
            for i in filled[-1][max(len(filled[-2]) - 1, 0) :] if len(filled) > 1 else ():
                rows[i][j] = None

    def _tie_extremes(self, columns: Sequence[Column], rows: list[Row], matching: list[int]) -> None:
        """A second row with the largest value, and a second one with the smallest."""
        for j, column in enumerate(columns):
            chosen = [i for i in self._counted_rows(column[0], rows, matching) if rows[i][j] is not None]
            if column not in self.facts.extremes or column in self.keys or len(chosen) < 2:
                continue
            chosen.sort(key=lambda i: _rank(rows[i][j]))
            rows[chosen[-2]][j] = rows[chosen[-1]][j]
            rows[chosen[1]] = list(rows[chosen[0]])

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


def _rank(value: Value) -> Any:
    """For a sort: values of one column are of one kind, but for documents."""
    return repr(value) if isinstance(value, dict | list) else value


def _spelt_as(content: Content, own: Content) -> Content:
    """The shared content, spelt as text where the column's own content is."""
    return Content(content.kind, own.as_text, own.form)
