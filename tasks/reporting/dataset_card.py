"""The audit as Markdown, for the artifact in the Prefect UI and for the terminal."""

from collections.abc import Sequence

from finetune_flows.tasks.dataset.audit import DatasetAudit, Lengths


def dataset_card(audit: DatasetAudit) -> str:
    """A page that says what was read, what was left out and why, how the rows were split, and how long they are."""
    parts = ["# Data set", _rows(audit), "## Left out", _left_out(audit), "## Train and test", _leakage(audit)]
    if audit.steps:
        steps = [(name.replace("_", " "), f"{count:,}") for name, count in audit.steps.items()]
        parts += ["## Steps", _table(("step", "rows that it changed"), steps)]
    if audit.lengths:
        parts += ["## Length in tokens", _lengths(audit.lengths)]
    sources = "\n".join(f"- {name}: `{digest}`" for name, digest in audit.sources.items())
    return "\n\n".join([*parts, "## Sources", sources, f"Seed of the draw and the split: {audit.seed}."]) + "\n"


def _rows(audit: DatasetAudit) -> str:
    counts = [("read", audit.rows), ("usable", audit.usable), *audit.splits.items()]
    return _table(("rows", "number"), [(name, f"{count:,}") for name, count in counts])


def _left_out(audit: DatasetAudit) -> str:
    counts = [
        (f"quarantined ({audit.quarantined_share:.2%})", audit.quarantined),
        *((f"... {reason}", count) for reason, count in audit.reasons.items()),
        ("exact duplicates", audit.exact_duplicates),
        ("duplicates but for case and white space", audit.normalised_duplicates),
        ("near duplicates", audit.near_duplicates),
        ("in training, but asked in the test", audit.leakage.dropped_from_train),
        ("not drawn (max_rows)", audit.not_drawn),
    ]
    rows = [(name, f"{count:,}") for name, count in counts if count]
    return _table(("reason", "rows"), rows) if rows else "Nothing."


def _leakage(audit: DatasetAudit) -> str:
    leakage = audit.leakage
    lines = [f"- {leakage.groups:,} groups, the largest of {leakage.largest_group:,} rows."]
    lines.append(f"- Questions with their schema that are in two splits: {leakage.shared_questions:,}.")
    if leakage.shared_groups:
        lines.append(f"- The test was given; {leakage.shared_groups:,} groups of tables occur in training too.")
    else:
        lines.append(f"- Groups that training and test share: 0. Kept apart: {leakage.kept_apart}.")
    lines.append(f"- Split by: {leakage.split_by} (dataset.split_by).")
    seen = {
        "a table name": leakage.seen_tables,
        "the query template": leakage.seen_templates,
        "the question": leakage.seen_questions,
    }
    lines += [
        f"- Test rows of which {what} occurs in training: {count:,} of {audit.splits['test']:,}."
        for what, count in seen.items()
        if count is not None
    ]
    return "\n".join(lines)


def _lengths(lengths: Lengths) -> str:
    values = [lengths.median, lengths.p90, lengths.p99, lengths.longest, lengths.limit]
    table = _table(("median", "90 %", "99 %", "longest", "limit"), [tuple(f"{value:,}" for value in values)])
    return f"{table}\n\n{lengths.shortened:,} rows have a shortened schema."


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
