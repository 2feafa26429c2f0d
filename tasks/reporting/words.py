"""How scores are written in tables, cards and on the command line."""

from finetune_flows.tasks.base.statistics import Comparison, Estimate, Proportion


def percent(score: Proportion | None) -> str:
    """`62.5 % (48.4 to 74.8, n = 48)`."""
    if score is None or score.n == 0:
        return "no rows"
    return with_interval(score).removesuffix(")") + f", n = {score.n})"


def with_interval(score: Proportion) -> str:
    """`62.5 % (48.4 to 74.8)`, for a table with a column for n."""
    return f"{score.value * 100:.1f} % ({score.low * 100:.1f} to {score.high * 100:.1f})"


def estimated(score: Estimate | None) -> str:
    """`0.812 (0.770 to 0.851, n = 500)`."""
    return "" if score is None else f"{score.value:.3f} ({score.low:.3f} to {score.high:.3f}, n = {score.n})"


def gain(comparison: Comparison) -> str:
    """`+60.0 points (45.1 to 74.9), McNemar p = 1e-8, n = 48`."""
    points = f"{comparison.difference * 100:+.1f} points ({comparison.low * 100:+.1f} to {comparison.high * 100:+.1f})"
    return f"{points}, McNemar p = {comparison.p_value:.2g}, n = {comparison.n}"


def resampled(comparison: Comparison) -> str:
    """`+44.1 to +75.9 points (5,000 draws; 38 schemas, drawn whole)`."""
    drawn = comparison.bootstrap
    if drawn is None:
        return "too few rows"
    grouped = drawn.drawn == "groups" and drawn.groups < comparison.n
    what = f"{drawn.groups:,} schemas, drawn whole" if grouped else "rows, drawn one by one"
    return f"{drawn.low * 100:+.1f} to {drawn.high * 100:+.1f} points ({drawn.resamples:,} draws; {what})"
