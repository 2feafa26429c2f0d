"""Values around the constants of a query, in the type of a column: some that meet its conditions, some that just miss."""

import itertools
import json
import math
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from finetune_flows.tasks.sql.column_types import DATES, NUMBERS, TEXT, ColumnType
from finetune_flows.tasks.sql.generator.constants import number
from finetune_flows.tasks.sql.generator.date_values import dates_around
from finetune_flows.tasks.sql.generator.facts import Condition, Path
from finetune_flows.tasks.sql.generator.text_values import (
    in_other_case,
    of_length,
    texts_around,
    texts_around_like,
    texts_around_regexp,
)
from finetune_flows.tasks.sql.generator.values import Value, by_chance, fitted, meets

_CASE = {"lower", "upper", "initcap", "ilike", "collate", "regexpilike"}
_LEADING = re.compile(r"\s*([+-]?\d+(?:\.\d+)?).*", re.DOTALL)
"""MySQL takes a text that begins with a number for it."""
_SPACE = {"trim", "ltrim", "rtrim", "btrim"}


def near_values(conditions: Sequence[Condition], kind: ColumnType, functions: set[str]) -> list[Value]:
    """Different values of the type. `functions`: names of what the queries compute of the column."""
    if kind.kind in NUMBERS:
        found: Iterable[Value] = itertools.chain.from_iterable(_numbers(condition, kind) for condition in conditions)
    elif kind.kind in DATES:
        found = dates_around(conditions)
    elif kind.kind == "boolean":
        found = (value for condition in conditions for value in condition.values)
    elif kind.kind == "enum":
        found = (value for condition in conditions for value in condition.values if isinstance(value, str))
    elif kind.kind == "text":
        found = itertools.chain.from_iterable(_texts(condition, functions) for condition in conditions)
    elif kind.kind in ("json", "array", "struct"):
        found = ()  # see `documents` and `arrays`
    else:
        found = (value for condition in conditions for value in condition.values)
    fitting = (fitted(value, kind) for value in found)
    return list(dict.fromkeys(value for value in fitting if value is not None))


def _numbers(condition: Condition, kind: ColumnType) -> Iterator[Value]:
    steps = {name for name, *_ in condition.functions}
    for constant in condition.values:
        value = number(_LEADING.sub(r"\1", constant)) if isinstance(constant, str) else constant
        if not isinstance(value, int | float) or abs(value) >= 2**53:
            continue
        exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(int(value))
        whole = kind.kind in ("integer", "year") or (kind.kind == "decimal" and not kind.scale)
        bases = [Decimal(math.floor(exact)), Decimal(math.ceil(exact))] if whole else [exact]
        for base in dict.fromkeys(bases):
            yield from (base, base + 1, base - 1, 2 * base + 3)
            if not whole:
                unit = Decimal(1).scaleb(-kind.scale if kind.kind == "decimal" else -2)
                yield from (base + Decimal("0.5"), base - Decimal("0.5"), base + unit, base - unit)
            if "abs" in steps:
                yield from (-base, -base - 1)


def _texts(condition: Condition, functions: set[str]) -> Iterator[Value]:
    steps = {name for name, *_ in condition.functions}
    met = condition.operator.removeprefix("not ")
    if met == "like":
        yield from texts_around_like(*condition.values)
    elif met == "regexp":
        yield from texts_around_regexp(*condition.values)
    elif met == "null":
        return
    else:
        for constant in condition.values:
            yield from _texts_around(constant, condition, steps)
    if (steps | functions) & (_CASE | _SPACE) and condition.values:
        text = str(condition.values[0])
        if (steps | functions) & _CASE:
            yield from in_other_case(text)
        if (steps | functions) & _SPACE:
            yield from (f" {text}", f"{text} ")


def _texts_around(constant: Any, condition: Condition, steps: set[str]) -> Iterator[Value]:
    value = number(constant) if isinstance(constant, str) else constant
    if "length" in steps:
        yield from (of_length(int(value) + more) for more in (0, 1, -1)) if isinstance(value, int) else ()
    elif condition.functions and condition.functions[-1][0] in ("substring", "item"):
        start = condition.functions[-1][1] - (condition.functions[-1][0] == "substring")
        yield from (f"{of_length(start)}{constant}{rest}" for rest in ("", "le"))
        yield from texts_around(str(constant))
    elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**53:
        yield from (str(constant), str(value + 1), str(value - 1), str(2 * value + 3))
    else:
        yield from texts_around(str(constant))


def documents(
    paths: Sequence[Path], conditions: Sequence[Condition], arguments: Sequence[Value], count: int, rng: random.Random
) -> list[Value]:
    """JSON documents with something at the paths that queries read: near their constants, by chance, null or missing."""
    pools = {}
    compared = [value for condition in conditions for value in condition.values]
    keys = [key for key in arguments if isinstance(key, str) and key.isidentifier() and key not in compared]
    paths = [*paths, *((key,) for key in keys)]
    for path in dict.fromkeys(paths):
        own = [c for c in conditions if c.functions and tuple(_path_of(c)) == path]
        kind = ColumnType("integer") if any(_is_about_number(condition) for condition in own) else TEXT
        leaves = [Condition(c.operator, c.values) for c in own]
        pools[path] = [*near_values(leaves, kind, set()), *by_chance(kind, 4, rng, top=40, signed=False)]
    found = []
    for argument in arguments:  # a document to be contained: meta @> '{"a": 1}'
        if isinstance(argument, str) and argument.startswith(("{", "[")):
            found.append(_read_document(argument))
    while len(found) < count:
        document: Any = {"name": rng.choice(by_chance(TEXT, 4, rng, top=9, signed=False))}
        for path, leaves_of_path in pools.items():
            chance = rng.random()
            if chance > 0.1:
                document = _with(document, path, rng.choice(leaves_of_path) if chance > 0.2 else None)
        found.append(document)
    return [document for document in found if document is not None]


def _path_of(condition: Condition) -> Iterator[str | int]:
    for name, *steps in condition.functions:
        if name == "path":
            yield from steps


def _is_about_number(condition: Condition) -> bool:
    numbers = [isinstance(value, int | float) for value in condition.values if not isinstance(value, bool)]
    patterned = condition.operator.endswith(("like", "regexp"))
    return (any(numbers) and not patterned) or ("integer",) in condition.functions


def _read_document(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _with(document: Any, path: Path, leaf: Value) -> Any:
    """The document with the leaf at the path."""
    if not path:
        return leaf
    step, *rest = path
    if isinstance(step, int):
        items = list(document) if isinstance(document, list) else []
        items += [None] * (step + 1 - len(items))
        items[step] = _with(items[step], tuple(rest), leaf)
        return items
    members = dict(document) if isinstance(document, dict) else {}
    members[step] = _with(members.get(step), tuple(rest), leaf)
    return members


def arrays(kind: ColumnType, constants: Sequence[Value], count: int, rng: random.Random) -> list[Value]:
    """Arrays: empty, of one and of several elements; half of them hold a constant of the queries."""
    element = kind.element or TEXT
    named = [value for constant in constants if (value := fitted(constant, element)) is not None]
    others = by_chance(element, 5, rng, top=20, signed=False)
    found: list[Value] = [[], *([named] if len(named) > 1 else [])]
    while len(found) < count:
        chosen = rng.sample(others, min(len(others), rng.randrange(1, 4)))
        if named and rng.random() < 0.6:
            chosen.insert(rng.randrange(len(chosen)), rng.choice(named))
        found.append(chosen)
    return found


def partition(candidates: Sequence[Value], conditions: Sequence[Condition]) -> tuple[list[Value], list[Value]]:
    """Values that meet all the conditions, or if there are none, any of them; and the rest."""
    met = [value for value in candidates if all(meets(value, condition) for condition in conditions)]
    met = met or [value for value in candidates if any(meets(value, condition) for condition in conditions)]
    known = {id(value) for value in met}
    return met, [value for value in candidates if id(value) not in known]
