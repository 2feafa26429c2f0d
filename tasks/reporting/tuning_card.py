"""The result of a search: a card for the Prefect UI, and a page with pictures by Optuna."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from finetune_flows.tasks.base.markdown import table
from finetune_flows.tasks.tuning.trials import TrialFacts, Tuned, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def tuning_card(tuned: Tuned) -> str:
    """The best trial, then all trials, the best first, as Markdown."""
    names = list(tuned.trials[0].settings) if tuned.trials else []
    lines = [
        f"# {tuned.recipe}: {verdict(tuned)}",
        "",
        f"{tuned.hours:.2f} hours of training. {tuned.left_out}".strip(),
        "",
    ]
    rows = [
        [
            str(each.number),
            short(each.value),
            *(short(each.settings[name]) for name in names),
            each.ending,
            f"{60 * each.hours:.1f}",
        ]
        for each in ranked(tuned)
    ]
    lines += table(["trial", tuned.metric, *names, "ending", "minutes"], rows)
    if tuned.best_recipe:
        lines += [
            "",
            f"Next: `finetune run {tuned.best_recipe}`. These settings were chosen on the validation rows, so their score "
            "there is too good. The run measures them on the test rows.",
        ]
    return "\n".join([*lines, ""])


def verdict(tuned: Tuned) -> str:
    """The score of the best trial, in words."""
    if tuned.best is None:
        return "no training finished"
    interval = f" (95 %: {tuned.interval.low:.3f} to {tuned.interval.high:.3f})" if tuned.interval else ""
    return f"{tuned.metric} {short(tuned.best.value)}{interval} in trial {tuned.best.number} of {len(tuned.trials)}"


def ranked(tuned: Tuned) -> list[TrialFacts]:
    """All trials: first the completed ones, from best to worst."""
    sign = -1 if tuned.higher_is_better else 1
    return sorted(tuned.trials, key=lambda t: (t.ending != "completed", t.value is None, sign * (t.value or 0)))


def tuning_page(tuned: Tuned, folder: Path) -> str:
    """HTML that needs no network and no script. `folder`: the folder of the search, with its study."""
    environment = Environment(
        loader=PackageLoader("finetune_flows.tasks.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["short"] = short
    pictures = _pictures(folder, tuned.metric) if sum(each.ending == "completed" for each in tuned.trials) > 1 else {}
    page = environment.get_template("tuning.html")
    return page.render(tuned=tuned, verdict=verdict(tuned), ranked=ranked(tuned), pictures=pictures)


def _pictures(folder: Path, metric: str) -> dict[str, Markup]:
    """The best score over time, scores by settings, and the importance of each setting."""
    import optuna
    from optuna.visualization import matplotlib as plots

    from finetune_flows.tasks.tuning.study import open_study

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = open_study(folder)
    drawn = {"history": plots.plot_optimization_history, "parallel": plots.plot_parallel_coordinate}
    if len(study.best_params) > 1:
        drawn["importance"] = plots.plot_param_importances
    return {name: _svg(plot, study, metric) for name, plot in drawn.items()}


def _svg(plot: Any, study: Any, metric: str) -> Markup:
    import warnings

    import matplotlib

    # Optuna draws with pyplot, which needs a backend without a display and keeps every figure until it is closed.
    matplotlib.use("svg")
    from matplotlib import pyplot

    with warnings.catch_warnings(), matplotlib.rc_context({"svg.fonttype": "none"}):
        warnings.simplefilter("ignore")  # Optuna warns that these plots are experimental
        axes: Axes = plot(study, target_name=metric)
        axes.set_title("")
        figure = axes.figure
        figure.set_size_inches(8.6, 3.4)  # type: ignore[union-attr]
        text = io.StringIO()
        figure.savefig(text, format="svg", bbox_inches="tight", metadata={"Date": None})  # type: ignore[union-attr]
        pyplot.close("all")
    return Markup(text.getvalue()[text.getvalue().index("<svg") :])
