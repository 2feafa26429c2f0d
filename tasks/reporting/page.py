"""The report of one run: one HTML file that needs no network and no script, and prints well."""

import functools
from importlib.metadata import version
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import SqlLexer

from finetune_flows.tasks.base.statistics import Comparison, Estimate, Proportion
from finetune_flows.tasks.evaluation.scores import Scores
from finetune_flows.tasks.recipe import dump_recipe
from finetune_flows.tasks.reporting import charts
from finetune_flows.tasks.reporting.facts import RunFacts, quantiles

WRONG_ANSWERS_SHOWN = 25
_FORMAT = HtmlFormatter(nowrap=True, style="default")


def report_page(facts: RunFacts) -> str:
    """HTML. Text from data and model is escaped, so it cannot inject anything."""
    metric = facts.recipe.metric
    return (
        _environment()
        .get_template("report.html")
        .render(
            facts=facts,
            metric=metric,
            how_judged=facts.recipe.problem.how_judged(facts.tuned.rows_by_part),
            base=facts.base.metrics[metric],
            tuned=facts.tuned.metrics[metric],
            comparison=facts.comparisons[metric],
            audit=facts.audit(),
            training=facts.training(),
            latencies={name: quantiles(seconds) for name, seconds in facts.latencies().items()},
            wrong=facts.wrong_answers(WRONG_ANSWERS_SHOWN),
            pictures=_pictures(facts),
            cost=cost_of(facts),
            versions=versions_of(facts),
            recipe_text=dump_recipe(facts.recipe),
            sql_style=Markup(_FORMAT.get_style_defs(".sql")),
        )
    )


def cost_of(facts: RunFacts) -> list[tuple[str, str, float]]:
    """Step, machine and hours. The price of the machines is unknown here, so no money."""
    trains, serves = facts.recipe.platform.trains_on, facts.recipe.platform.serves_on
    seconds = [
        ("training job", trains, sum(facts.training()["seconds"].values())),
        (f"answers of the {facts.base.who}", serves, _busy_seconds(facts.base)),
        ("answers of the tuned model", serves, _busy_seconds(facts.tuned)),
        ("whole run", "the flow's machine", facts.seconds),
    ]
    return [(what, where, spent / 3600) for what, where, spent in seconds]


def _busy_seconds(scores: Scores) -> float:
    """The time with at least one open request."""
    return (scores.n - scores.errors) / scores.requests_per_second if scores.requests_per_second else 0.0


def versions_of(facts: RunFacts) -> dict[str, str]:
    """Versions of the libraries that trained the model and ran the flow."""
    trained = {name: str(number) for name, number in facts.training()["versions"].items() if number}
    return trained | {"prefect": version("prefect"), "pydantic": version("pydantic")} | dict(facts.versions)


def _pictures(facts: RunFacts) -> dict[str, Markup]:
    training = facts.training()
    drawn = {
        "scores": charts.score_intervals(facts.base.metrics, facts.tuned.metrics, facts.base.who),
        "losses": charts.loss_curve(training.get("losses", []), training.get("validation_losses", [])),
        "latencies": charts.latency_histogram(facts.latencies()),
        "lengths": charts.length_histogram(facts.token_lengths(), facts.recipe.dataset.max_tokens),
        "kinds": charts.kind_bars(facts.base.kinds, facts.tuned.kinds, facts.base.who),
    }
    return {name: Markup(svg) for name, svg in drawn.items()}  # safe: matplotlib escapes every text in them


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("finetune_flows.tasks.reporting"),
        autoescape=True,
        undefined=StrictUndefined,  # a missing fact fails the report instead of leaving a gap in it
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": _percent, "interval": _interval, "points": _points, "sql": _sql}
    environment.filters |= {
        "size": _size,
        "duration": _duration,
        "value": _value,
        "words": _words,
        "estimate": _estimate,
    }
    return environment


def _percent(score: Proportion) -> str:
    return f"{100 * score.value:.1f} %" if score.n else "no rows"


def _interval(score: Proportion) -> str:
    return f"{100 * score.low:.1f} to {100 * score.high:.1f}" if score.n else ""


def _estimate(score: Estimate) -> str:
    return f"{score.value:.3f} ({score.low:.3f} to {score.high:.3f})"


def _points(comparison: Comparison) -> str:
    low, high = 100 * comparison.low, 100 * comparison.high
    return f"{100 * comparison.difference:+.1f} points ({low:+.1f} to {high:+.1f})"


def _sql(text: str) -> Markup:
    """Highlighted SQL. pygments escapes it."""
    return Markup(highlight(text, SqlLexer(), _FORMAT))


def _size(bytes_: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if bytes_ < 1000:
            return f"{bytes_:.3g} {unit}"
        bytes_ /= 1000
    return f"{bytes_:.3g} GB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _value(value: Any) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def _words(name: str) -> str:
    return name.replace("_", " ")
