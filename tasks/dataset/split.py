"""Splits that share nothing: rows with something in common, directly or through other rows, go into the same split."""

import sqlite3
from itertools import chain, combinations
from typing import Literal, NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from finetune_flows.tasks.base.errors import DatasetError
from finetune_flows.tasks.dataset.common import SPLIT_BY, Way, has_templates, in_common, same_tables, ways
from finetune_flows.tasks.sections.stages import DatasetSection

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


class Apart(NamedTuple):
    """What training and test do not share: in words, and as a value of dataset.split_by."""

    words: str
    split_by: str


def split_rows(db: sqlite3.Connection, section: DatasetSection, what: str) -> Apart:
    """Gives each usable row its group and its split; returns what is kept apart.

    `what` names what rows have in common, for instance tables. Rows with a common name are in one group. A table name
    is less than a table (WikiSQL has many called `table_name_7`), so groups are larger than they must be, but the promise
    is simple: no table name of the test occurs in training. If names connect all rows, the next way that
    dataset.split_by allows is tried. With a test source, only train and validation are split.

    Raises:
        DatasetError: there are fewer groups than splits.
    """
    wanted = 1 + (section.test_source is None) + (section.validation_share > 0)
    for way in ways(section, has_templates(db)):
        groups = _connect(db, way)
        apart = Apart(_words(way, what, section), SPLIT_BY[way])
        if groups >= wanted:
            break
    else:
        raise DatasetError(_too_few(db, wanted, apart))
    _assign(db, section)
    db.executescript("""
        UPDATE rows SET split = CASE part WHEN 1 THEN 'test' ELSE (SELECT split FROM groups WHERE g = rows.g) END
        WHERE fate IS NULL;
        -- A test row is not shortened: a schema cut down to what the answer uses would give the answer away.
        UPDATE rows SET fate = 'too long for the test', split = NULL WHERE split = 'test' AND shortened;
        CREATE INDEX by_split ON rows (split, draw);
    """)
    _check(db, section)
    return apart


def _words(way: Way, what: str, section: DatasetSection) -> str:
    known = {
        "names": what,
        "tables": f"{what} with their columns",
        "template": "query templates",
        "question": "questions",
    }
    return known.get(way, f"values of {section.split_column}" if way == "key" else "questions")


def _check(db: sqlite3.Connection, section: DatasetSection) -> None:
    """Raises DatasetError when a wanted split is empty, RuntimeError when two splits share a group or a question."""
    wanted: list[Split] = ["train", "test", "validation"] if section.validation_share else ["train", "test"]
    filled = {split for (split,) in db.execute("SELECT DISTINCT split FROM rows WHERE split IS NOT NULL")}
    if empty := [split for split in wanted if split not in filled]:
        raise DatasetError(
            f"no usable rows are left for {' and '.join(empty)}; quarantine.jsonl says why each other row was left out"
        )
    leaks = sum(shared(db, "asked", pair) for pair in combinations(SPLITS, 2))
    if not section.test_source:
        leaks += sum(shared(db, "g", pair) for pair in combinations(SPLITS, 2))
    if leaks:
        raise RuntimeError(
            f"{leaks} groups or questions are in two splits. This is a bug in tasks/dataset/split.py; please report it"
        )


def shared(db: sqlite3.Connection, what: Literal["g", "asked"], splits: tuple[Split, Split]) -> int:
    """How many groups (g) or normalised questions with their schema (asked) occur in both splits."""
    query = f"SELECT {what} FROM rows WHERE split = ? INTERSECT SELECT {what} FROM rows WHERE split = ?"
    [(count,)] = db.execute(f"SELECT COUNT(*) FROM ({query})", splits)
    return int(count)


def _connect(db: sqlite3.Connection, way: Way) -> int:
    """Fills `groups` and rows.g with the connected components; returns the number of groups with rows to split."""
    names, members = in_common(db, way)
    pairs = db.execute(f"""
        SELECT first, t FROM {members}
        JOIN (SELECT n, MIN(t) AS first FROM {members} GROUP BY n) USING (n) JOIN rows USING (n) WHERE fate IS NULL
    """)
    more = same_tables(db) if way == "tables" else ()
    edges = np.fromiter(chain.from_iterable(chain(pairs, more)), dtype=np.int32).reshape(-1, 2)
    [(count,)] = db.execute(f"SELECT COALESCE(MAX(t), 0) + 1 FROM {names}")
    graph = coo_array((np.ones(len(edges), dtype=np.bool_), edges.T), shape=(count, count))
    _, components = connected_components(graph, directed=False)
    db.executescript("DROP TABLE IF EXISTS component; CREATE TEMP TABLE component (t INTEGER PRIMARY KEY, g INTEGER)")
    db.execute("BEGIN")
    db.executemany("INSERT INTO component VALUES (?, ?)", ((t, int(g)) for t, g in enumerate(components)))
    db.execute("COMMIT")
    db.executescript(f"""
        UPDATE rows SET g = (SELECT g FROM {members} JOIN component USING (t) WHERE n = rows.n LIMIT 1) WHERE fate IS NULL;
        DELETE FROM groups;
        INSERT INTO groups SELECT g, name, size, draw(name), 'train'
        FROM (SELECT g, MIN(name) AS name FROM component JOIN {names} USING (t) GROUP BY g)
        JOIN (SELECT g, SUM(part = 0) AS size FROM rows WHERE fate IS NULL GROUP BY g) USING (g);
    """)
    [(groups,)] = db.execute("SELECT COUNT(*) FROM groups WHERE size > 0")
    return int(groups)


def _assign(db: sqlite3.Connection, section: DatasetSection) -> None:
    """Fills test and validation with groups in seeded order, each where it still fits; the rest is training.

    A group larger than the share never fits, so the giant group that common names (`student`) connect goes to training.
    If a split is still short, it gets the smallest group, provided that this comes nearer to its share.
    """
    [(total,)] = db.execute("SELECT SUM(size) FROM groups")
    targets: dict[Split, float] = {} if section.test_source else {"test": total * section.test_share}
    if section.validation_share:
        targets["validation"] = total * section.validation_share
    taken = dict.fromkeys(targets, 0)
    chosen: list[tuple[Split, int]] = []
    for g, size in db.execute("SELECT g, size FROM groups WHERE size > 0 ORDER BY draw"):
        fits = next((split for split in targets if taken[split] + size <= targets[split]), None)
        if fits:
            taken[fits] += size
            chosen.append((fits, g))
    db.execute("BEGIN")
    db.executemany("UPDATE groups SET split = ? WHERE g = ?", chosen)
    db.execute("COMMIT")
    for split, target in targets.items():
        g, size = db.execute(
            "SELECT g, size FROM groups WHERE split = 'train' AND size > 0 ORDER BY size, draw"
        ).fetchone()
        if taken[split] == 0 or abs(taken[split] + size - target) < target - taken[split]:
            db.execute("UPDATE groups SET split = ? WHERE g = ?", (split, g))


def _too_few(db: sqlite3.Connection, wanted: int, apart: Apart) -> str:
    if apart.words == "questions":
        return f"too few usable rows are left to split: at least {wanted} different questions are needed; add rows"
    names = ", ".join(name for (name,) in db.execute("SELECT name FROM groups ORDER BY name LIMIT 5"))
    return (
        f"the rows cannot be split into {wanted} parts that have no {apart.words} in common: shared {apart.words} "
        f"({names}, ...) connect them. Set dataset.split_by to auto, name a test of your own in dataset.test_source, or "
        "use rows that share less"
    )
