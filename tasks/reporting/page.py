"""The report of one run: one HTML file that needs no network and no script, and prints well."""

import functools
from importlib.metadata import version
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import SqlLexer

from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.base.statistics import Comparison, Estimate
from finetune_flows.tasks.evaluation.files import Evaluation
from finetune_flows.tasks.evaluation.scores import Scores
from finetune_flows.tasks.recipe import dump_recipe
from finetune_flows.tasks.reporting import charts
from finetune_flows.tasks.reporting.charts import Score
from finetune_flows.tasks.reporting.facts import RunFacts, quantiles, training_of
from finetune_flows.tasks.reporting.next_step import next_step

WRONG_ANSWERS_SHOWN, BEST_ANSWERS_SHOWN = 25, 5
Gain = Comparison | Estimate
_FORMAT = HtmlFormatter(nowrap=True, style="default")


def report_page(facts: RunFacts) -> str:
    """HTML. Text from data and model is escaped, so it cannot inject anything."""
    metric = facts.recipe.metric
    return (
        environment()
        .get_template("report.html")
        .render(
            metric=metric,
            figures=_figures(facts),
            **score_table(facts),
            language=facts.recipe.problem.language,
            next=next_step(facts),
            best=facts.best_answers(BEST_ANSWERS_SHOWN),
            how_judged=facts.recipe.problem.how_judged(facts.tuned.rows_by_part),
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


class Figure(NamedTuple):
    """One of the large figures of the first screen, with its interval or another remark."""

    what: str
    value: str
    remark: str


def _figures(facts: RunFacts) -> list[Figure]:
    """The headline score of each model, the paired difference, and the number of test rows."""
    gains, over_champion = _gains(facts)
    headline = facts.recipe.problem.headline
    name = headline if headline in gains else facts.recipe.metric
    models = {facts.base.who: facts.base, "tuned model": facts.tuned}
    figures = [
        Figure(f"{_words(name)}, {who}", _value(_all(scores)[name]), _interval(_all(scores)[name]))
        for who, scores in models.items()
    ]
    figures.append(Figure("gain on the same rows", _gain(gains[name]), _gain_interval(gains[name])))
    if facts.champion:
        against = f"tuned model against it: {_difference(over_champion[name])}"
        figures.append(Figure(f"{_words(name)}, champion", _value(_all(facts.champion)[name]), against))
    left_out = facts.tuned.not_evaluable
    remark = f"{left_out} cannot be judged" if left_out else "not used in training"
    return [*figures, Figure("test rows", f"{facts.tuned.n:,}", remark)]


def score_table(facts: RunFacts | Evaluation) -> dict[str, Any]:
    """What the template scores.html shows: the scores of base, tuned model and champion, and the paired differences."""
    models = [facts.base, facts.tuned, *([facts.champion] if facts.champion else [])]
    return {"facts": facts, "scores": [_all(each) for each in models], "gains": _gains(facts)}


def _all(scores: Scores) -> dict[str, Score]:
    return {**scores.metrics, **scores.estimates}


def _gains(facts: RunFacts | Evaluation) -> tuple[dict[str, Gain], dict[str, Gain]]:
    """The paired differences from the base model, and from the champion."""
    return {**facts.comparisons, **facts.differences}, {**facts.champion_comparisons, **facts.champion_differences}


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
    texts = "prompt and answer" if facts.recipe.problem.generates else "the text"
    drawn = {
        "scores": charts.score_intervals(_shown(facts.base), _shown(facts.tuned), facts.base.who),
        "losses": losses_of(facts.model, facts.recipe.problem.loss_unit),
        "latencies": charts.latency_histogram(facts.latencies()),
        "lengths": charts.length_histogram(facts.token_lengths(), facts.recipe.dataset.max_tokens, texts),
        "kinds": charts.kind_bars(facts.base.kinds, facts.tuned.kinds, facts.base.who),
    }
    return {name: Markup(svg) for name, svg in drawn.items()}  # safe: matplotlib escapes every text in them


def losses_of(model: Reference, unit: str = "") -> str:
    """The loss curve of a model, as SVG. `unit`: what the loss is a mean of."""
    training = training_of(model)
    return charts.loss_curve(training.get("losses", []), training.get("validation_losses", []), unit)


def _shown(scores: Scores) -> dict[str, Score]:
    """The scores of the picture: of nine averages for classifiers the macro averages are enough."""
    return {**scores.metrics, **dict(list(scores.estimates.items())[:3])}


@functools.cache
def environment() -> Environment:
    """The templates, with the filters that write figures."""
    made = Environment(
        loader=PackageLoader("finetune_flows.tasks.reporting"),
        autoescape=True,
        undefined=StrictUndefined,  # a missing fact fails the report instead of leaving a gap in it
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"value": _value, "interval": _interval, "difference": _difference, "sql": _sql}
    made.filters |= {"size": _size, "duration": _duration, "number": _number, "words": _words}
    return made


def _value(score: Score) -> str:
    if isinstance(score, Estimate):
        return f"{score.value:.3f}"
    return f"{100 * score.value:.1f} %" if score.n else "no rows"


def _interval(score: Score) -> str:
    if isinstance(score, Estimate):
        return f"{score.low:.3f} to {score.high:.3f}"
    return f"{100 * score.low:.1f} to {100 * score.high:.1f}" if score.n else ""


def _gain(found: Gain) -> str:
    return f"{found.value:+.3f}" if isinstance(found, Estimate) else f"{100 * found.difference:+.1f} points"


def _gain_interval(found: Gain) -> str:
    if isinstance(found, Estimate):
        return f"{found.low:+.3f} to {found.high:+.3f}"
    return f"{100 * found.low:+.1f} to {100 * found.high:+.1f}"


def _difference(found: Gain) -> str:
    return f"{_gain(found)} ({_gain_interval(found)})"


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


def _number(value: Any) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def _words(name: str) -> str:
    return name.replace("_", " ")
