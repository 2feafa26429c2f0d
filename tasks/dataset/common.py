"""What rows have in common: tables, tables with their columns, query templates, questions, or the value of a column."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Literal, NamedTuple

from finetune_flows.tasks.sections.stages import DatasetSection

Way = Literal["names", "tables", "template", "question", "asked", "key"]

SPLIT_BY: dict[Way, str] = {
    "names": "schema", "tables": "schema", "template": "query", "question": "question", "asked": "question", "key": "column",
}  # fmt: skip
"""What dataset.split_by calls each way."""


class Common(NamedTuple):
    """Tables of the index: names of what rows have in common (t, name), and which row has which (n, t)."""

    names: str
    members: str


def ways(section: DatasetSection, templates: bool) -> Sequence[Way]:
    """How the rows may be split, the strictest way first. With a test source, only validation rows are split off."""
    if section.split_by == "auto":
        if section.test_source:
            return "names", "asked"
        return ("names", "tables", "template", "question") if templates else ("names",)
    chosen: dict[str, Sequence[Way]] = {
        "schema": ("names", "tables"), "query": ("template",), "question": ("question",), "column": ("key",),
    }  # fmt: skip
    return chosen[section.split_by]


def has_templates(db: sqlite3.Connection) -> bool:
    """Whether the rows hold queries."""
    return db.execute("SELECT 1 FROM rows WHERE template IS NOT NULL LIMIT 1").fetchone() is not None


def in_common(db: sqlite3.Connection, way: Way) -> Common:
    """What the usable rows have in common. The tables are valid until the next call, which may replace them."""
    if way == "names":
        return Common("names", "mentions")
    if way == "tables":
        return Common("tables", "defined")
    # Rows of a test source may lack the value of the split column: they are not split any further.
    column = "COALESCE(key, asked)" if way == "key" else way
    db.executescript(f"""
        DROP TABLE IF EXISTS keys;
        DROP TABLE IF EXISTS keyed;
        CREATE TABLE keys (t INTEGER PRIMARY KEY, name TEXT UNIQUE);
        CREATE TABLE keyed (n INTEGER, t INTEGER, PRIMARY KEY (n, t)) WITHOUT ROWID;
        INSERT INTO keys(name) SELECT DISTINCT {column} FROM rows WHERE fate IS NULL AND {column} IS NOT NULL;
        INSERT INTO keyed SELECT n, t FROM rows JOIN keys ON name = {column} WHERE fate IS NULL;
    """)
    return Common("keys", "keyed")


def same_tables(db: sqlite3.Connection) -> Iterator[tuple[int, int]]:
    """Pairs of tables with the same name where one has all the columns of the other.

    A context may leave columns out, so the smaller of the two is taken to be the same table. Tables of two databases
    that share only their name are not a pair.
    """
    cursor = db.execute("SELECT of, t, columns FROM tables ORDER BY of")
    for _, group in groupby(cursor, key=itemgetter(0)):
        tables = [(t, frozenset(json.loads(columns))) for _, t, columns in group]
        having: dict[str, list[tuple[int, frozenset[str]]]] = {}
        for t, columns in tables:
            for column in columns:
                having.setdefault(column, []).append((t, columns))
        for t, columns in tables:
            # A table that has all these columns has the rarest of them too, and few others have that one.
            rarest = min((having[column] for column in columns), key=len, default=tables)
            yield from ((t, other) for other, more in rarest if other != t and columns <= more)


def drop_related(db: sqlite3.Connection, section: DatasetSection) -> None:
    """Drops source rows that share with a test row what the split keeps apart.

    If every source row shares a table name with the test, tables are compared by name and columns instead.
    """
    tried: Sequence[Way] = ("names", "tables") if section.split_by in ("auto", "schema") else ways(section, True)
    for way in tried:
        _relate(db, way)
        [(left,)] = db.execute("""
            SELECT COUNT(*) FROM rows WHERE part = 0 AND fate IS NULL AND n NOT IN (SELECT n FROM related)
        """)
        if left:
            break
    db.execute("""
        UPDATE rows SET fate = 'shares a group with the test', twin = related.twin FROM related
        WHERE rows.n = related.n AND rows.part = 0 AND rows.fate IS NULL
    """)
    db.execute("DROP TABLE related")


def _relate(db: sqlite3.Connection, way: Way) -> None:
    """Fills `related` with the rows that have something in common with a row of the test, and the first such row."""
    _, members = in_common(db, way)
    db.executescript("""
        DROP TABLE IF EXISTS related;
        DROP TABLE IF EXISTS tested;
        CREATE TEMP TABLE related (n INTEGER PRIMARY KEY, twin INTEGER);
        CREATE TEMP TABLE tested (t INTEGER, n INTEGER);
        CREATE INDEX temp.by_name ON tested (t);
    """)
    db.execute(f"""
        INSERT INTO tested SELECT t, MIN(n) FROM {members} JOIN rows USING (n) WHERE part = 1 AND fate IS NULL GROUP BY t
    """)
    if way == "tables":
        for one, other in same_tables(db):
            for t, same in ((one, other), (other, one)):
                db.execute("INSERT INTO tested SELECT ?, n FROM tested WHERE t = ? LIMIT 1", (t, same))
    db.execute(f"""
        INSERT INTO related SELECT {members}.n, MIN(tested.n) FROM {members} JOIN tested USING (t) GROUP BY {members}.n
    """)
    db.execute("DROP TABLE tested")
