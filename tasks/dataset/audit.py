"""The audit of a data set: how many rows were read, why rows were left out, and what training and test share."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations

from pydantic import Field

from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.dataset.check import CheckedRow
from finetune_flows.tasks.dataset.common import has_templates
from finetune_flows.tasks.dataset.split import SPLITS, Apart, Split, shared
from finetune_flows.tasks.problems.example import writable
from finetune_flows.tasks.sections.stages import DatasetSection

MOST_NAMES = 100
_QUARANTINED = """
    SELECT n, kind, place FROM bad UNION ALL
    SELECT n, fate, file || ':' || line FROM rows WHERE fate IN ('conflicting answers', 'too long for the test', 'no value to split by')
"""


class Lengths(Frozen):
    """Tokens of prompt and answer together, over the usable rows."""

    median: int
    p90: int
    p99: int
    longest: int
    limit: int
    shortened: int
    """Training and validation rows whose schema was cut down to fit."""


class Leakage(Frozen):
    """What training and test have in common, counted in the finished split."""

    kept_apart: str
    """tables: no table name of the test occurs in training or validation (between train and validation too).
    tables with their columns: tables of one name may, but then neither has all the columns of the other.
    query templates: no query does, whatever its values and aliases. values of <column>: none does.
    texts, questions: no normalised text or question does."""
    split_by: str = "schema"
    """The same as a value of dataset.split_by."""
    seen_tables: int | None = None
    """Test rows with a table name that training rows have too; None where rows have no tables."""
    seen_templates: int | None = None
    """Test rows whose query occurs in training, values and aliases aside; None where rows have no queries."""
    seen_questions: int | None = None
    """Test rows whose question occurs in training, about whichever schema."""
    groups: int
    largest_group: int
    """Rows of the largest group."""
    shared_groups: int
    """Groups in both train and test. Always 0 without a test source; with one, it says how much the schemas overlap."""
    shared_questions: int
    """Normalised questions (with their schema) that occur in more than one split. Always 0."""
    dropped_from_train: int
    """Source rows that ask the same as a test row or, with test_groups_apart, are in a group of one."""


class DatasetAudit(Frozen):
    """rows = usable + not_drawn + quarantined + exact, normalised and near duplicates + leakage.dropped_from_train."""

    sources: dict[str, str]
    """SHA-256 of each file; for a hub data set, its revision and split."""
    seed: int
    rows: int
    """Rows read."""
    usable: int
    """Rows in the train, validation and test files together."""
    splits: dict[Split, int]
    quarantined: int
    quarantined_share: float
    steps: dict[str, int] = Field(default_factory=dict)
    """Rows that each step of dataset.steps changed, quarantined rows included."""
    unused: dict[str, int] = Field(default_factory=dict)
    """Usable rows with each thing that is not used: columns, and parts of messages. The most frequent first."""
    notes: list[str] = Field(default_factory=list)
    """What a person should look at, in a sentence each."""
    reasons: dict[str, int]
    """Quarantined rows by reason, the most frequent first. A row with two reasons counts for both."""
    exact_duplicates: int
    normalised_duplicates: int
    """Rows that differ from another only in case and white space."""
    near_duplicates: int = 0
    """Rows at least as similar to another as dataset.near_duplicates."""
    conflicting_answers: int
    """Rows that answer one question differently. All are quarantined, because nobody knows which is right."""
    not_drawn: int
    """Sound rows left out by dataset.max_rows."""
    leakage: Leakage
    lengths: Lengths | None
    """None when no tokenizer was given."""


@dataclass
class Noticed:
    """What was counted while the rows were read."""

    changed: Counter[str] = field(default_factory=Counter)
    """Rows by step that changed them."""
    unused: Counter[str] = field(default_factory=Counter)
    """Usable rows by what of them is not used."""

    def add(self, rows: Iterable[CheckedRow], section: DatasetSection) -> None:
        """Counts rows. The columns that the section itself uses are used."""
        own = (section.slice_column, section.split_column)
        for row in rows:
            self.changed.update(row.changed)
            unused = row.example.unused if row.example else ()
            self.unused.update(writable(name) for name in unused if name not in own)


def make_audit(
    db: sqlite3.Connection,
    section: DatasetSection,
    digests: dict[str, str],
    rows: int,
    apart: Apart,
    noticed: Noticed,
) -> DatasetAudit:
    """The audit of an index after the split. `rows` is the number of rows read."""
    fates = dict(db.execute("SELECT fate, COUNT(*) FROM rows WHERE fate IS NOT NULL GROUP BY fate"))
    splits = dict(db.execute("SELECT split, COUNT(*) FROM rows WHERE split IS NOT NULL GROUP BY split"))
    quarantined = count_quarantined(db)
    return DatasetAudit(
        sources=digests,
        seed=section.seed,
        rows=rows,
        usable=sum(splits.values()),
        splits={split: splits.get(split, 0) for split in SPLITS},
        quarantined=quarantined,
        quarantined_share=quarantined / rows,
        steps=dict(noticed.changed),
        unused=_most_frequent(noticed.unused),
        reasons={kind: count for kind, count, _ in count_reasons(db)},
        exact_duplicates=fates.get("exact duplicate", 0),
        normalised_duplicates=fates.get("normalised duplicate", 0),
        near_duplicates=fates.get("near duplicate", 0),
        conflicting_answers=fates.get("conflicting answers", 0),
        not_drawn=fates.get("not drawn", 0),
        leakage=_leakage(db, apart, fates.get("asked in the test", 0) + fates.get("shares a group with the test", 0)),
        lengths=_lengths(db, section.max_tokens),
    )


def _most_frequent(counts: Mapping[str, int]) -> dict[str, int]:
    """Counts in their order. Names come from the rows, so their number has a limit; the others are counted together."""
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    rest = len(ordered) - MOST_NAMES
    return dict(ordered[:MOST_NAMES]) | (
        {f"{rest:,} others": sum(c for _, c in ordered[MOST_NAMES:])} if rest > 0 else {}
    )


def count_quarantined(db: sqlite3.Connection) -> int:
    """The number of unusable rows. A duplicate is not unusable in itself and does not count."""
    [(count,)] = db.execute(f"SELECT COUNT(DISTINCT n) FROM ({_QUARANTINED})")
    return int(count)


def count_reasons(db: sqlite3.Connection) -> list[tuple[str, int, str]]:
    """Reason, rows and the first row with it; the most frequent reason first."""
    # With MIN(n), SQLite takes `place` from the row that has it.
    by_kind = f"SELECT kind, COUNT(DISTINCT n) AS rows, place, MIN(n) FROM ({_QUARANTINED}) GROUP BY kind"
    return db.execute(f"SELECT kind, rows, place FROM ({by_kind}) ORDER BY rows DESC, kind").fetchall()


def _leakage(db: sqlite3.Connection, apart: Apart, dropped: int) -> Leakage:
    [(groups, largest)] = db.execute(
        "SELECT COUNT(*), MAX(size) FROM (SELECT COUNT(*) AS size FROM rows WHERE split IS NOT NULL GROUP BY g)"
    )
    queries = has_templates(db)
    return Leakage(
        kept_apart=apart.words,
        split_by=apart.split_by,
        seen_tables=_seen(db, "t", "rows JOIN mentions USING (n)") if queries else None,
        seen_templates=_seen(db, "template") if queries else None,
        seen_questions=_seen(db, "question"),
        groups=groups,
        largest_group=largest,
        shared_groups=shared(db, "g", ("train", "test")),
        shared_questions=sum(shared(db, "asked", pair) for pair in combinations(SPLITS, 2)),
        dropped_from_train=dropped,
    )


def _seen(db: sqlite3.Connection, what: str, source: str = "rows") -> int:
    """Test rows that have a value of this column in common with a training row."""
    [(count,)] = db.execute(f"""
        SELECT COUNT(DISTINCT n) FROM {source} WHERE split = 'test' AND {what} IN (SELECT {what} FROM {source} WHERE split = 'train')
    """)
    return int(count)


def _lengths(db: sqlite3.Connection, limit: int) -> Lengths | None:
    """Lengths of the rows in use; None without a tokenizer. The histogram is small, however many rows there are."""
    histogram = db.execute(
        "SELECT tokens, COUNT(*) FROM rows WHERE split IS NOT NULL AND tokens IS NOT NULL GROUP BY tokens ORDER BY tokens"
    ).fetchall()
    if not histogram:
        return None
    [(shortened,)] = db.execute("SELECT COUNT(*) FROM rows WHERE split IS NOT NULL AND shortened")
    median, p90, p99 = (_quantile(histogram, share) for share in (0.5, 0.9, 0.99))
    return Lengths(median=median, p90=p90, p99=p99, longest=histogram[-1][0], limit=limit, shortened=shortened)


def _quantile(histogram: list[tuple[int, int]], share: float) -> int:
    """The least value that this share of the rows does not exceed."""
    rank = share * sum(count for _, count in histogram)
    for value, count in histogram:
        rank -= count
        if rank <= 0:
            return value
    return histogram[-1][0]
