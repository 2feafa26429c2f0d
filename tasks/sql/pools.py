"""The values that one column of a made-up table draws from."""

import math
import random
from typing import Self

from finetune_flows.tasks.sql.query_facts import Condition, Value
from finetune_flows.tasks.sql.values import meets


class Pool:
    """Values `near` the constants, and others. Of these, the `good` ones meet the column's conditions, the `bad` just miss."""

    def __init__(self, near: list[Value], others: list[Value]) -> None:
        self.near = near
        self.values = list(dict.fromkeys([*near, *others]))
        self.good: list[Value] = []
        self.bad: list[Value] = []
        self._left: list[Value] = []

    def for_conditions(self, conditions: list[Condition], may_be_null: bool) -> Self:
        """The same values for a column with these conditions."""
        pool = type(self)(self.near, self.values)
        about_null = any(condition.operator in ("null", "not null") for condition in conditions)
        candidates = [*self.values, None] if about_null and may_be_null else self.values
        if conditions:
            all_met = [value for value in candidates if all(meets(value, condition) for condition in conditions)]
            pool.good = all_met or [v for v in candidates if any(meets(v, condition) for condition in conditions)]
            missing = [value for value in candidates if value not in pool.good]
            pool.bad = [value for value in missing if value in self.near or value is None] or missing
        return pool

    def within(self, allowed: list[Value]) -> Self:
        """Only the values that are also in `allowed`, or all of `allowed` when there are none."""
        pool = type(self)([], [value for value in self.values if value in allowed] or allowed)
        pool.good = [value for value in self.good if value in allowed]
        pool.bad = [value for value in self.bad if value in allowed]
        return pool

    def next_value(self, rng: random.Random) -> Value:
        """A value that was not drawn before, as long as there is one."""
        if not self._left:
            self._left = rng.sample(self.values, len(self.values))
        return self._left.pop()

    def skewed_value(self, rng: random.Random) -> Value:
        """The first value half of the time, the second one a quarter, and so on."""
        return self.values[min(int(rng.expovariate(math.log(2))), len(self.values) - 1)]
