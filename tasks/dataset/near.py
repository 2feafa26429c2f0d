"""Near duplicates: MinHash sketches of texts, compared if one band of two sketches is equal.

Sketches are stored in the index, not in memory. A. Broder, "On the resemblance and containment of documents", 1997; banding
after Leskovec, Rajaraman, Ullman, "Mining of massive datasets", chapter 3.
"""

import sqlite3
from array import array
from collections.abc import Iterable

from rensa import RMinHash

CHARACTERS = 5
"""A text is represented by the set of its runs of this many characters."""
# 25 bands of 5 numbers: a pair with a Jaccard similarity of 0.7 shares a band, and so is found, 99 times in 100.
BANDS, ROWS = 25, 5
_LENGTH = BANDS * ROWS
_SCHEMA = """
CREATE TABLE sketches (n INTEGER PRIMARY KEY, sketch BLOB);
CREATE TABLE bands (band INTEGER, key BLOB, n INTEGER);
"""


def add_sketches(db: sqlite3.Connection, texts: Iterable[tuple[int, str]]) -> None:
    """Stores a sketch of each row. `texts`: number and normalised question of each row."""
    db.executescript("BEGIN;" + _SCHEMA.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS"))
    db.executemany("INSERT INTO sketches VALUES (?, ?)", ((n, sketch(text).tobytes()) for n, text in texts))
    db.execute("COMMIT")


def sketch(text: str) -> "array[int]":
    """125 numbers of 32 bits. The share of them that two texts have in common estimates their Jaccard similarity."""
    minhash = RMinHash(num_perm=_LENGTH, seed=1)
    minhash.update(list({text[at : at + CHARACTERS] for at in range(max(1, len(text) - CHARACTERS + 1))}))
    return array("I", minhash.digest())


def similarity(one: "array[int]", other: "array[int]") -> float:
    """Estimate of the Jaccard similarity, with a standard error of at most 0.045."""
    return sum(a == b for a, b in zip(one, other, strict=True)) / _LENGTH


def settle_near_duplicates(db: sqlite3.Connection, least: float) -> None:
    """Of usable rows with a similarity of at least `least`, keeps the one with the smallest id; the others refer to it.

    All rows of a test source stay; rows of the source that are similar to one of them are dropped.
    """
    db.execute("CREATE INDEX by_band ON bands (band, key)")
    # Test rows first, so that they stay; then by id, so that the result does not depend on the order of files and rows.
    usable = db.execute("""
        SELECT n, part, sketch FROM rows JOIN sketches USING (n) WHERE fate IS NULL ORDER BY part DESC, id
    """)
    db.execute("BEGIN")
    for n, part, stored in usable:
        twin = None if part else _near(db, stored, least)
        if twin is None:
            db.executemany("INSERT INTO bands VALUES (?, ?, ?)", [(*band, n) for band in _bands(stored)])
        else:
            db.execute("UPDATE rows SET fate = 'near duplicate', twin = ? WHERE n = ?", (twin, n))
    db.execute("COMMIT")


def _near(db: sqlite3.Connection, stored: bytes, least: float) -> int | None:
    """The first kept row that is similar enough."""
    mine, seen = array("I", stored), set[int]()
    for band in _bands(stored):
        for n, theirs in db.execute(
            "SELECT n, sketch FROM bands JOIN sketches USING (n) WHERE band = ? AND key = ?", band
        ):
            if n not in seen and similarity(mine, array("I", theirs)) >= least:
                return int(n)
            seen.add(n)
    return None


def _bands(stored: bytes) -> list[tuple[int, bytes]]:
    width = 4 * ROWS
    return [(band, stored[band * width : (band + 1) * width]) for band in range(BANDS)]
