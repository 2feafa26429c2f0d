"""Which columns are keys, which share their values, and how keys of several columns are held in rows."""

import random
from collections.abc import Sequence
from typing import Any

from finetune_flows.tasks.sql.generator.facts import QueryFacts
from finetune_flows.tasks.sql.schema import Column, Schema

Rows = list[list[Any]]


def key_columns(schema: Schema, facts: QueryFacts, groups: dict[Column, tuple[Column, ...]]) -> set[Column]:
    """Columns that never repeat a value: the schema says so, or the gold query takes it for granted."""
    keys = {column for column in schema.columns() if schema[column].unique}
    for column, table in facts.determined:
        members = [column] if column[0] == table else [member for member in groups[column] if member[0] == table]
        keys.update(member for member in members if schema[member].type.kind not in ("boolean", "enum"))
    return keys


def linked_columns(schema: Schema, facts: QueryFacts) -> dict[Column, tuple[Column, ...]]:
    """For every column, the columns that draw from the same pool: joined, compared or a foreign key of it."""
    groups = {column: [column] for column in schema.columns()}
    composite = [pair for both in schema.composite_foreign_keys for pair in zip(*both, strict=True)]
    for left, right in [*facts.links, *schema.foreign_keys, *composite]:
        if left in groups and right in groups and groups[left] is not groups[right]:
            groups[left].extend(groups[right])
            for member in groups[right]:
                groups[member] = groups[left]
    return {column: tuple(members) for column, members in groups.items()}


def hold_composite_keys(schema: Schema, found: dict[str, Rows], rng: random.Random) -> None:
    """Give children the keys of rows that are there, then drop rows that repeat a key."""
    for children, parents in schema.composite_foreign_keys:
        if not all(column in schema for column in (*children, *parents)):
            continue
        into, of = _places(schema, children), _places(schema, parents)
        sources = [row for row in found[parents[0][0]] if all(row[j] is not None for j in of)]
        for row in found[children[0][0]]:
            if sources and all(row[j] is not None for j in into):
                source = rng.choice(sources)
                for j, k in zip(into, of, strict=True):
                    row[j] = source[k]
    for key in schema.keys:
        found[key[0][0]] = _without_repeats(found[key[0][0]], _places(schema, key))


def _without_repeats(rows: Rows, places: Sequence[int]) -> Rows:
    kept: dict[object, list[Any]] = {}
    for i, row in enumerate(rows):
        together = tuple(repr(row[j]) for j in places)
        kept.setdefault(i if any(row[j] is None for j in places) else together, row)
    return list(kept.values())


def _places(schema: Schema, columns: Sequence[Column]) -> list[int]:
    names = list(schema.tables[columns[0][0]])
    return [names.index(column[1]) for column in columns]
