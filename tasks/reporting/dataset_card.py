"""The audit as Markdown, for the artifact in the Prefect UI and for the terminal."""

from finetune_flows.tasks.base.markdown import table
from finetune_flows.tasks.dataset.audit import DatasetAudit, Lengths


def dataset_card(audit: DatasetAudit) -> str:
    """Rows read, rows left out and why, the splits, and lengths in tokens."""
    parts = ["# Data set", _rows(audit), "## Left out", _left_out(audit), "## Training and test", _leakage(audit)]
    if audit.notes:
        parts[2:2] = ["## Look at this", "\n".join(f"- {note}" for note in audit.notes)]
    if audit.unused:
        unused = [(name, f"{count:,}") for name, count in audit.unused.items()]
        parts += ["## Not used", "\n".join(table(("column, or part of a message", "usable rows that have it"), unused))]
    if audit.steps:
        steps = [(name.replace("_", " "), f"{count:,}") for name, count in audit.steps.items()]
        parts += ["## Preprocessing", "\n".join(table(("step", "rows changed"), steps))]
    if audit.lengths:
        parts += ["## Length in tokens", _lengths(audit.lengths)]
    sources = "\n".join(f"- {name}: `{digest}`" for name, digest in audit.sources.items())
    return "\n\n".join([*parts, "## Sources", sources, f"Seed of the sample and the split: {audit.seed}."]) + "\n"


def _rows(audit: DatasetAudit) -> str:
    counts = [("read", audit.rows), ("usable", audit.usable), *audit.splits.items()]
    return "\n".join(table(("rows", "number"), [(name, f"{count:,}") for name, count in counts]))


def _left_out(audit: DatasetAudit) -> str:
    counts = [
        (f"quarantined ({audit.quarantined_share:.2%})", audit.quarantined),
        *((f"... {reason}", count) for reason, count in audit.reasons.items()),
        ("exact duplicates", audit.exact_duplicates),
        ("duplicates apart from case and white space", audit.normalised_duplicates),
        ("near duplicates", audit.near_duplicates),
        ("the same question as a test row", audit.leakage.dropped_from_train),
        ("not in the sample (max_rows)", audit.not_drawn),
    ]
    rows = [(name, f"{count:,}") for name, count in counts if count]
    return "\n".join(table(("reason", "rows"), rows)) if rows else "Nothing."


def _leakage(audit: DatasetAudit) -> str:
    leakage = audit.leakage
    lines = [f"- {leakage.groups:,} groups; the largest has {leakage.largest_group:,} rows."]
    lines.append(f"- Inputs that occur in two splits: {leakage.shared_questions:,}.")
    if leakage.shared_groups:
        lines.append(f"- The test rows were given; {leakage.shared_groups:,} of their groups also occur in training.")
    else:
        lines.append(f"- Groups shared by training and test: 0. Kept apart: {leakage.kept_apart}.")
    lines.append(f"- Split by: {leakage.split_by} (dataset.split_by).")
    seen = {
        "a table name": leakage.seen_tables,
        "the query template": leakage.seen_templates,
        "the question": leakage.seen_questions,
    }
    lines += [
        f"- Test rows with {what} that also occurs in training: {count:,} of {audit.splits['test']:,}."
        for what, count in seen.items()
        if count is not None
    ]
    return "\n".join(lines)


def _lengths(lengths: Lengths) -> str:
    values = [lengths.median, lengths.p90, lengths.p99, lengths.longest, lengths.limit]
    quantiles = table(("median", "90 %", "99 %", "longest", "limit"), [[f"{value:,}" for value in values]])
    return "\n".join([*quantiles, "", f"{lengths.shortened:,} rows have a shortened schema."])
