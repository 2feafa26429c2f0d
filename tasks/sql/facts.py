"""What made-up rows need to know of a query: the constants its columns meet, their joins, what is computed of them."""

import datetime
from dataclasses import dataclass, field
from typing import Any

from finetune_flows.tasks.sql.functions import Function
from finetune_flows.tasks.sql.schema import Column

Path = tuple[str | int, ...]
"""Keys and positions that lead to a value in a JSON document."""


@dataclass(frozen=True)
class Condition:
    """`functions(column) operator values`.

    Operators: = <> > >= < <= in, null, like (pattern, escape sign, blind to case), regexp (pattern, blind to case), and
    each after `not `. "near": the values play some part that is not understood.
    """

    operator: str
    values: tuple[Any, ...] = ()
    functions: tuple[Function, ...] = ()


@dataclass
class QueryFacts:
    """What the rows need to know of the gold query and the predicted one.

    conditions: what the gold asks of a column. hints: more values that matter to either query. links: columns whose
    values meet. numeric, temporal: texts are read as numbers or dates there. formats: as dates in this form.
    functions, arguments: names of what is computed of a column, with the constants in it. paths: into JSON documents.
    positive: zero or less would be an error or change the sense of a comparison. counted: a count of it is a divisor.
    gaps: columns of one table that are so far apart, in numbers or days. now: for the dates that queries reckon from it.
    """

    now: datetime.datetime
    conditions: dict[Column, list[Condition]] = field(default_factory=dict)
    hints: dict[Column, list[Condition]] = field(default_factory=dict)
    links: list[tuple[Column, Column]] = field(default_factory=list)
    numeric: set[Column] = field(default_factory=set)
    temporal: set[Column] = field(default_factory=set)
    formats: dict[Column, str] = field(default_factory=dict)
    functions: dict[Column, set[str]] = field(default_factory=dict)
    arguments: dict[Column, list[str | int | float]] = field(default_factory=dict)
    paths: dict[Column, list[Path]] = field(default_factory=dict)
    positive: set[Column] = field(default_factory=set)
    counted: set[Column] = field(default_factory=set)
    aggregated: set[Column] = field(default_factory=set)
    determined: set[tuple[Column, str]] = field(default_factory=set)
    gaps: list[tuple[Column, Column, float]] = field(default_factory=list)
    checks: dict[Column, list[Condition]] = field(default_factory=dict)
    group_size: int = 0

    def of(self, column: Column) -> list[Condition]:
        """All that either query and the schema say about the values of a column, the gold's conditions first."""
        return [*self.conditions.get(column, ()), *self.checks.get(column, ()), *self.hints.get(column, ())]

    def add_hints(self, other: "QueryFacts") -> None:
        """Take in what the prediction looks at. It may only add values: never decide what the gold finds."""
        for column in dict.fromkeys([*other.conditions, *other.hints]):
            own = self.of(column)
            hints = [condition for condition in other.of(column) if condition not in own]
            self.hints.setdefault(column, []).extend(hints)
        self.numeric |= {column for column in other.numeric if self._is_free(column)}
        self.temporal |= {column for column in other.temporal if self._is_free(column)}
        for column, paths in other.paths.items():
            self.paths[column] = list(dict.fromkeys([*self.paths.get(column, ()), *paths]))
        for column, arguments in other.arguments.items():
            own_arguments = self.arguments.setdefault(column, [])
            own_arguments.extend(argument for argument in arguments if argument not in own_arguments)
        for column, names in other.functions.items():
            self.functions.setdefault(column, set()).update(names)
        self.positive |= other.positive
        self.counted |= other.counted
        self.gaps.extend(gap for gap in other.gaps if gap not in self.gaps)
        self.group_size = max(self.group_size, other.group_size)

    def _is_free(self, column: Column) -> bool:
        """Whether the gold leaves open what a text column holds."""
        return not self.conditions.get(column) and not self.functions.get(column)
