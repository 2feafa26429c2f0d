"""Pictures of the report: SVG by matplotlib, without a display, and the same bytes for the same data."""

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from finetune_flows.tasks.base.statistics import Estimate, Proportion

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Score = Proportion | Estimate
BASE, TUNED, QUIET = "#8a94a6", "#1f6feb", "#57606a"
_STYLE: Any = {
    "svg.fonttype": "none",  # text stays text: small, sharp, and searchable
    "svg.hashsalt": "finetune-flows",  # matplotlib's ids are random without it
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": QUIET,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "legend.frameon": False,
}


class Picture:
    """An SVG picture: draw on `axes` inside the block, read `svg` after it."""

    def __init__(self, axes: "Axes") -> None:
        self.axes = axes
        self.svg = ""


@contextmanager
def picture(width: float, height: float) -> Iterator[Picture]:
    """A picture of `width` by `height` inches."""
    # Imported here: nothing else in a flow needs matplotlib.
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        # A Figure of its own, not pyplot: it needs no display and is freed without being closed.
        figure = Figure(figsize=(width, height), layout="constrained")
        drawn = Picture(figure.add_subplot())
        yield drawn
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    drawn.svg = text.getvalue()[text.getvalue().index("<svg") :]


def score_intervals(base: Mapping[str, Score], tuned: Mapping[str, Score], base_name: str) -> str:
    """A line for each score: both models' values with their 95 % intervals, in hundredths."""
    metrics = [name for name in tuned if tuned[name].n]
    with picture(8.6, 0.9 + 0.42 * len(metrics)) as drawn:
        axes = drawn.axes
        for scores, colour, label, shift in ((base, BASE, base_name, 0.14), (tuned, TUNED, "tuned model", -0.14)):
            known = [(place, scores[name]) for place, name in enumerate(reversed(metrics)) if name in scores]
            values = [100 * score.value for _, score in known]
            below = [100 * max(score.value - score.low, 0) for _, score in known]
            above = [100 * max(score.high - score.value, 0) for _, score in known]
            places = [place + shift for place, _ in known]
            axes.errorbar(values, places, xerr=[below, above], fmt="o", color=colour, capsize=3, label=label)
        axes.set_yticks(range(len(metrics)), [name.replace("_", " ") for name in reversed(metrics)])
        axes.set(xlim=(-2, 102), ylim=(-0.6, len(metrics) - 0.4), xlabel="score of 100, with 95 % intervals")
        axes.grid(axis="x", alpha=0.25)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return drawn.svg


def loss_curve(
    training: Sequence[Mapping[str, float]], validation: Sequence[Mapping[str, float]], unit: str = ""
) -> str:
    """Loss by step: every logged training loss and every validation loss."""
    with picture(8.6, 2.8) as drawn:
        axes = drawn.axes
        steps, losses = [entry["step"] for entry in training], [entry["loss"] for entry in training]
        axes.plot(steps, losses, color=BASE, linewidth=1.2, label="training")
        if validation:
            points = [(entry["step"], entry["loss"]) for entry in validation]
            axes.plot(*zip(*points, strict=True), "o-", color=TUNED, markersize=5, label="validation")
        axes.set(xlabel="optimizer step", ylabel=f"loss\n{unit}" if unit else "loss")
        known = [entry["loss"] for entry in (*training, *validation) if math.isfinite(entry["loss"])]
        axes.set_ylim(0, 1.05 * max(known, default=1.0) or 1.0)
        axes.locator_params(axis="x", integer=True)
        axes.grid(alpha=0.25)
        axes.legend()
    return drawn.svg


def latency_histogram(latencies: Mapping[str, Sequence[float]]) -> str:
    """Histogram of the seconds from request to answer, by model."""
    longest = max((max(seconds) for seconds in latencies.values() if seconds), default=1.0)
    with picture(8.6, 2.4) as drawn:
        bins = [longest * step / 40 for step in range(41)]
        for (name, seconds), colour in zip(reversed(list(latencies.items())), (TUNED, BASE), strict=False):
            drawn.axes.hist(seconds, bins=bins, color=colour, alpha=0.6, label=name)
        drawn.axes.set(xlabel="seconds from request to answer", ylabel="answers", xlim=(0, None))
        drawn.axes.legend()
    return drawn.svg


def length_histogram(lengths: Sequence[int], limit: int, what: str) -> str:
    """Histogram of tokens per row, with the recipe's limit. `what`: the texts that were counted."""
    with picture(8.6, 2.2) as drawn:
        drawn.axes.hist(lengths, bins=40, color=TUNED, alpha=0.7)
        drawn.axes.axvline(limit, color=QUIET, linestyle="--")
        drawn.axes.annotate(
            f"limit {limit:,}", (limit, 0.95), xycoords=("data", "axes fraction"), ha="right", rotation=90, va="top"
        )
        drawn.axes.set(xlabel=f"tokens of {what}", ylabel="rows", xlim=(0, None))
    return drawn.svg


def kind_bars(base: Mapping[str, int], tuned: Mapping[str, int], base_name: str, most: int = 12) -> str:
    """Verdicts by kind, without `right`: the `most` frequent of either model, sorted by the tuned model's."""
    often = sorted({*tuned, *base} - {"right"}, key=lambda name: -max(base.get(name, 0), tuned.get(name, 0)))[:most]
    names = sorted(often, key=lambda name: (-tuned.get(name, 0), -base.get(name, 0), name))
    with picture(8.6, 0.8 + 0.36 * max(len(names), 1)) as drawn:
        places = list(range(len(names)))[::-1]
        drawn.axes.barh([p + 0.19 for p in places], [base.get(n, 0) for n in names], 0.36, color=BASE, label=base_name)
        drawn.axes.barh(
            [p - 0.19 for p in places], [tuned.get(n, 0) for n in names], 0.36, color=TUNED, label="tuned model"
        )
        drawn.axes.set_yticks(places, names)
        drawn.axes.set(xlabel="answers")
        drawn.axes.locator_params(axis="x", integer=True)
        drawn.axes.legend(loc="lower right")
    return drawn.svg
