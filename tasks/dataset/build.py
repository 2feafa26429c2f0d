"""From a source of rows to a prepared data set: checked, without duplicates, measured, split, audited."""

import json
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TextIO

from finetune_flows.tasks.base.errors import DatasetError
from finetune_flows.tasks.dataset import index
from finetune_flows.tasks.dataset.audit import DatasetAudit, Noticed, count_quarantined, count_reasons, make_audit
from finetune_flows.tasks.dataset.check import check_rows
from finetune_flows.tasks.dataset.common import drop_related
from finetune_flows.tasks.dataset.lengths import Measured, TokenCounter, measure
from finetune_flows.tasks.dataset.near import add_sketches, settle_near_duplicates
from finetune_flows.tasks.dataset.preprocessing import Preprocessing
from finetune_flows.tasks.dataset.source import Source, find_source
from finetune_flows.tasks.dataset.split import SPLITS, Apart, split_rows
from finetune_flows.tasks.dataset.write import write_bad_rows, write_losers, write_split
from finetune_flows.tasks.problems.contract import Problem
from finetune_flows.tasks.sections.stages import DatasetSection

Progress = Callable[[str, int], None]


def build_dataset(
    section: DatasetSection,
    problem: Problem,
    tokenizer_folder: Path | None,
    out: Path,
    on_progress: Progress | None = None,
) -> DatasetAudit:
    """Writes train, validation and test Parquet, task.json, quarantine.jsonl and audit.json into the folder `out`.

    Without a tokenizer, lengths are not checked. `on_progress` receives the stage (read, split or write) and the number
    of rows that the stage has done.

    Raises:
        DatasetError: the source cannot be read, too large a share of the rows is unusable (quarantine.jsonl is written
            nevertheless), or the rows cannot be split.
        RecipeError: the tokenizer has no chat template, or one that refuses the messages.
    """
    report = on_progress or (lambda stage, rows: None)
    sources, before = find_sources(section), Preprocessing.of(section, problem)
    counter = TokenCounter(tokenizer_folder, problem.generates) if tokenizer_folder else None
    noticed = Noticed()
    out.mkdir(parents=True, exist_ok=True)
    quarantine = out / "quarantine.jsonl"
    with _open_index(out, section.seed) as db, quarantine.open("w", encoding="ascii") as file:
        rows = 0
        for origin, source in enumerate(sources):
            part = index.TEST_SOURCE if section.test_source and source is sources[-1] else index.SOURCE
            for batch in _read(source, part, section, problem, counter, before):
                write_bad_rows(file, (measured.row for measured in batch if not measured.row.example))
                noticed.add((measured.row for measured in batch), section)
                _add(db, (part, origin), batch, rows + 1, section)
                rows += len(batch)
                report("read", rows)
        with _losers_written(file, db):
            apart = _sort_out(db, section, problem.apart, rows, quarantine)
        report("split", rows)
        _write_splits(db, problem, out, report)
        digests = {name: digest for source in sources for name, digest in source.digests().items()}
        audit = make_audit(db, section, digests, rows, apart, noticed)
    return _write_papers(section, problem, out, audit)


@contextmanager
def _losers_written(file: TextIO, db: sqlite3.Connection) -> Iterator[None]:
    """Lists the rows that lost to another row, also when the build fails: the list says why it failed."""
    try:
        yield
    finally:
        write_losers(file, db)


def _add(
    db: sqlite3.Connection, origin: tuple[int, int], batch: list[Measured], first: int, section: DatasetSection
) -> None:
    index.add(db, origin, batch, first)
    if section.near_duplicates:
        examples = ((n, measured.row.example) for n, measured in enumerate(batch, first))
        add_sketches(db, ((n, example.asked) for n, example in examples if example))


def _write_splits(db: sqlite3.Connection, problem: Problem, out: Path, report: Progress) -> None:
    written = 0
    for split in SPLITS:
        written += write_split(db, split, problem, out / f"{split}.parquet")
        report("write", written)


def _write_papers(section: DatasetSection, problem: Problem, out: Path, audit: DatasetAudit) -> DatasetAudit:
    """Writes the task and the audit, to which it adds the notes of the problem."""
    audit = audit.model_copy(update={"notes": problem.notes(out / "train.parquet")})
    task = dict(problem.task(out / "train.parquet"))
    if not problem.generates:
        # The server cleans each request in the same way: the model must read there what it was trained on.
        task["cleaning"] = section.steps
    (out / "task.json").write_text(json.dumps(task, indent=2) + "\n", encoding="utf-8")
    (out / "audit.json").write_text(audit.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return audit


def find_sources(section: DatasetSection) -> list[Source]:
    """The source, those mixed with it, then the test source if the recipe names one.

    On the hub, the test source is split `test` at the same revision.
    """
    sources = [find_source(section.source, section.revision, section.hub_split)]
    for number, mixed in enumerate(section.mix_with):
        sources.append(find_source(mixed.source, mixed.revision, mixed.hub_split, label=f"mix_with[{number}]:"))
    if section.test_source:
        sources.append(find_source(section.test_source, section.revision, "test", label="test_source:"))
    return sources


@contextmanager
def _open_index(out: Path, seed: int) -> Iterator[sqlite3.Connection]:
    """A temporary index in the output folder, whose disk must have room for the rows anyway; removed at the end."""
    with (
        tempfile.TemporaryDirectory(dir=out, prefix=".index-") as folder,
        closing(index.create_index(Path(folder) / "rows.sqlite", seed)) as db,
    ):
        yield db


def _read(
    source: Source,
    part: int,
    section: DatasetSection,
    problem: Problem,
    counter: TokenCounter | None,
    before: Preprocessing,
) -> Iterator[list[Measured]]:
    """The checked and measured rows of a source, in batches."""
    special_tokens = counter.special_tokens if counter else ()
    # A test row is never shortened: a schema cut down to what its answer uses would give the answer away.
    shorten = section.too_long == "shorten_context" and part == index.SOURCE
    columns = section.slice_column, section.split_column
    for batch in check_rows(source.rows(), problem, columns[0], special_tokens, before, columns[1]):
        if counter:
            yield list(measure(batch, counter, section, problem, shorten))
        else:
            yield [Measured(row, None) for row in batch]


def _sort_out(db: sqlite3.Connection, section: DatasetSection, what: str, rows: int, quarantine: Path) -> Apart:
    """Settles duplicates and conflicts, draws the rows, splits them; returns what the splits do not share."""
    if section.split_column:
        index.drop_without_key(db)
    index.settle_duplicates(db)
    if section.near_duplicates:
        settle_near_duplicates(db, section.near_duplicates)
    _stop_if_unusable(db, section, rows, quarantine)
    if section.test_source:
        index.drop_tested(db)
        if section.test_groups_apart:
            drop_related(db, section)
    if section.mix_with:
        index.draw_shares(db, [1, *(mixed.weight for mixed in section.mix_with)])
    if section.max_rows:
        index.draw_rows(db, section.max_rows)
    apart = split_rows(db, section, what)
    # Once more: only now is it known which test rows are too long.
    _stop_if_unusable(db, section, rows, quarantine)
    return apart


def _stop_if_unusable(db: sqlite3.Connection, section: DatasetSection, rows: int, quarantine: Path) -> None:
    if not rows:
        raise DatasetError(f"{section.source}: the source holds no rows; check dataset.source")
    bad = count_quarantined(db)
    if bad / rows > section.max_quarantined:
        raise DatasetError(
            f"{section.source}: {bad:,} of {rows:,} rows are unusable ({bad / rows:.1%}; dataset.max_quarantined is "
            f"{section.max_quarantined:.1%}).\n{_top_reasons(db)}\nEvery one is listed in {quarantine}. "
            "Correct the rows, or raise dataset.max_quarantined"
        )
    column = section.slice_column
    if column and not db.execute("SELECT 1 FROM rows WHERE slice IS NOT NULL LIMIT 1").fetchone():
        raise DatasetError(
            f"{section.source}: no usable row has a value in column {column!r}; check dataset.slice_column"
        )


def _top_reasons(db: sqlite3.Connection) -> str:
    return "\n".join(f"  - {kind}: {rows:,} rows, first at {place}" for kind, rows, place in count_reasons(db)[:5])
