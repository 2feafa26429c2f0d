"""The rows while they are sorted, in a temporary SQLite file, so that memory does not grow with their number.

rows      one line for each usable row: what it asks and answers (digests), its fate, its group and its split
bad       the rows without an example, one line for each reason
texts     the fields of each row, apart from `rows`, which is scanned often
mentions  which names (tables) each row has in common with others
tables    tables with their columns, `of` a name, and in `defined` the rows whose schema has them
groups    the sets of rows that stay together, filled by split.py
"""

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from finetune_flows.tasks.dataset.lengths import Measured
from finetune_flows.tasks.problems.example import digest

SOURCE, TEST_SOURCE = 0, 1

_SCHEMA = """
CREATE TABLE rows (
    n INTEGER PRIMARY KEY, part INTEGER, origin INTEGER, file TEXT, line INTEGER, id TEXT, asked TEXT, answered TEXT, slice TEXT,
    tokens INTEGER, shortened INTEGER, draw INTEGER,
    fate TEXT,      -- why the row is not used; NULL while it is
    twin INTEGER,   -- the row that decided so
    g INTEGER, split TEXT,
    question TEXT, template TEXT, key TEXT  -- what rows may have in common too: digests, and the value of dataset.split_column
);
CREATE TABLE bad (n INTEGER, kind TEXT, place TEXT);
CREATE TABLE texts (n INTEGER PRIMARY KEY, fields TEXT);
CREATE TABLE names (t INTEGER PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE mentions (n INTEGER, t INTEGER, PRIMARY KEY (n, t)) WITHOUT ROWID;
CREATE TABLE tables (t INTEGER PRIMARY KEY, name TEXT UNIQUE, of TEXT, columns TEXT);
CREATE TABLE defined (n INTEGER, t INTEGER, PRIMARY KEY (n, t)) WITHOUT ROWID;
CREATE TABLE groups (g INTEGER PRIMARY KEY, name TEXT, size INTEGER, draw INTEGER, split TEXT);
"""


def create_index(path: Path, seed: int) -> sqlite3.Connection:
    """An empty index. Its SQL function draw(text) gives the place of a text in the seeded random order."""
    db = sqlite3.connect(path, isolation_level=None)
    # The file is thrown away at the end, also after a crash, so it needs neither a journal nor syncing. 64 MB of cache.
    db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536;" + _SCHEMA)
    db.create_function("draw", 1, partial(_draw, seed), deterministic=True)
    return db


def _draw(seed: int, text: str) -> int:
    """A random 63-bit number that depends only on seed and text, not on the order of the rows."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{text}".encode()).digest()[:8]) >> 1


def add(db: sqlite3.Connection, origin: tuple[int, int], batch: list[Measured], first: int) -> None:
    """Adds rows, numbered from `first`. `origin`: SOURCE or TEST_SOURCE, and the number of the source they are from."""
    lines, bad, texts, names, mentions, tables, defined = [], [], [], [], [], {}, []
    for n, (row, tokens, is_shortened) in enumerate(batch, first):
        if (example := row.example) is None:
            bad += [(n, kind, f"{row.file}:{row.line}{detail and f' ({detail})'}") for kind, detail in row.reasons]
            continue
        keys = (example.id, digest(example.asked), digest(example.answered))
        common = (digest(example.question or example.asked), example.template and digest(example.template), row.key)
        lines.append((n, *origin, row.file, row.line, *keys, row.slice, tokens, is_shortened, example.id, *common))
        texts.append((n, json.dumps(example.fields, ensure_ascii=False)))
        names += [(name,) for name in example.shares]
        mentions += [(n, name) for name in example.shares]
        for table, columns in example.tables:
            name = f"{table}#{digest(*columns)[:12]}"
            tables[name] = (name, table, json.dumps(columns))
            defined.append((n, name))
    db.execute("BEGIN")
    values = "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, draw(?), NULL, NULL, NULL, NULL, ?, NULLIF(?, ''), ?"
    db.executemany(f"INSERT INTO rows VALUES ({values})", lines)
    db.executemany("INSERT INTO bad VALUES (?, ?, ?)", bad)
    db.executemany("INSERT INTO texts VALUES (?, ?)", texts)
    db.executemany("INSERT OR IGNORE INTO names(name) VALUES (?)", names)
    db.executemany("INSERT INTO mentions SELECT ?, t FROM names WHERE name = ?", mentions)
    db.executemany("INSERT OR IGNORE INTO tables(name, of, columns) VALUES (?, ?, ?)", tables.values())
    db.executemany("INSERT OR IGNORE INTO defined SELECT ?, t FROM tables WHERE name = ?", defined)
    db.execute("COMMIT")


def settle_duplicates(db: sqlite3.Connection) -> None:
    """Keeps one of several equal rows, and drops all rows that answer the same question about one schema differently.

    The choice does not depend on the order of the rows: among exact copies the first slice wins, among normalised
    duplicates the smallest id. Each dropped row refers to the row it lost to.
    """
    db.executescript("""
        CREATE INDEX by_id ON rows (part, id);
        CREATE INDEX by_asked ON rows (part, asked, answered);

        UPDATE rows SET fate = 'exact duplicate', twin = kept.n FROM (
            SELECT part, id, n, MIN(COALESCE(slice, '')) FROM rows GROUP BY part, id HAVING COUNT(*) > 1
        ) AS kept WHERE rows.part = kept.part AND rows.id = kept.id AND rows.n <> kept.n;

        UPDATE rows SET fate = 'conflicting answers', twin = (
            SELECT MIN(other.n) FROM rows AS other
            WHERE other.part = rows.part AND other.asked = rows.asked AND other.answered <> rows.answered
        ) WHERE fate IS NULL AND (part, asked) IN (
            SELECT part, asked FROM rows GROUP BY part, asked HAVING MIN(answered) <> MAX(answered)
        );

        UPDATE rows SET fate = 'normalised duplicate', twin = kept.n FROM (
            SELECT part, asked, n, MIN(id) FROM rows WHERE fate IS NULL GROUP BY part, asked HAVING COUNT(*) > 1
        ) AS kept WHERE rows.fate IS NULL AND rows.part = kept.part AND rows.asked = kept.asked AND rows.n <> kept.n;
    """)


def drop_tested(db: sqlite3.Connection) -> None:
    """Drops source rows that ask the same as a test row about the same schema."""
    db.execute("""
        UPDATE rows SET fate = 'asked in the test', twin = test.n FROM rows AS test
        WHERE rows.part = 0 AND rows.fate IS NULL AND test.part = 1 AND test.fate IS NULL AND rows.asked = test.asked
    """)


def drop_without_key(db: sqlite3.Connection) -> None:
    """Drops source rows without a value in dataset.split_column. Rows of a test source need none."""
    db.execute("UPDATE rows SET fate = 'no value to split by' WHERE part = 0 AND key IS NULL")


def draw_shares(db: sqlite3.Connection, weights: Sequence[float | None]) -> None:
    """Keeps rows of each source in proportion to its weight, drawn by seed: as many as there are without repeating any.

    `weights`: by number of the source, that of the first is 1; None keeps all rows.
    """
    counts = dict(db.execute("SELECT origin, COUNT(*) FROM rows WHERE part = 0 AND fate IS NULL GROUP BY origin"))
    shares = {origin: weight for origin, weight in enumerate(weights) if weight is not None}
    if len(shares) < 2:
        return
    whole = min(counts.get(origin, 0) / weight for origin, weight in shares.items())
    for origin, weight in shares.items():
        _draw_of(db, "part = 0 AND origin = ?", [origin], round(whole * weight))


def draw_rows(db: sqlite3.Connection, count: int) -> None:
    """Keeps `count` rows of the source, drawn by seed."""
    _draw_of(db, "part = 0", [], count)


def _draw_of(db: sqlite3.Connection, which: str, values: list[int], count: int) -> None:
    """Keeps `count` of the rows for which the condition `which` holds, and drops the others."""
    db.execute(
        f"""UPDATE rows SET fate = 'not drawn' WHERE {which} AND fate IS NULL AND n NOT IN (
               SELECT n FROM rows WHERE {which} AND fate IS NULL ORDER BY draw LIMIT ?)""",
        [*values, *values, count],
    )
