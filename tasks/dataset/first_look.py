"""A look at the rows before anything is downloaded: most mistakes in them need no tokenizer to be seen."""

from itertools import chain, islice
from pathlib import Path

from finetune_flows.tasks.base.errors import DatasetError
from finetune_flows.tasks.dataset.build import build_dataset, find_sources
from finetune_flows.tasks.dataset.check import check_rows
from finetune_flows.tasks.dataset.preprocessing import Preprocessing
from finetune_flows.tasks.problems.contract import Problem
from finetune_flows.tasks.sections.stages import DatasetSection

ALL = 20_000
"""Up to this many rows are all checked, which takes seconds; a longer source is judged by its first rows."""
_FIRST = 1_000


def look_at_rows(section: DatasetSection, problem: Problem, out: Path) -> None:
    """Checks the rows as `build_dataset` does without a tokenizer; of more than `ALL` rows only the first ones.

    Raises:
        DatasetError: the rows cannot be used, whatever the base model is; of a long source, none of its first rows can.
    """
    rows = chain.from_iterable(source.rows() for source in find_sources(section))
    if sum(1 for _ in islice(rows, ALL + 1)) <= ALL:
        build_dataset(section, problem, None, out)
        return
    first = islice(find_sources(section)[0].rows(), _FIRST)
    before = Preprocessing.of(section, problem)
    batches = check_rows(first, problem, section.slice_column, (), before, section.split_column)
    checked = [row for batch in batches for row in batch]
    if not any(row.example for row in checked):
        reasons = {reason.kind: reason.detail for row in checked for reason in row.reasons}
        listed = "\n".join(f"  - {kind}: {detail}" for kind, detail in reasons.items())
        raise DatasetError(f"{section.source}: none of its first {len(checked):,} rows can be used:\n{listed}")
