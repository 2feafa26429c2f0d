"""The model card of one run, in the format of the Hugging Face hub: origin, scores, intended use and limits."""

from importlib import resources
from pathlib import PurePath
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from finetune_flows.tasks.base.markdown import block, code, plain, table
from finetune_flows.tasks.base.statistics import Estimate, Proportion
from finetune_flows.tasks.recipe import dump_recipe
from finetune_flows.tasks.reporting.facts import RunFacts
from finetune_flows.tasks.reporting.page import versions_of


def model_card(facts: RunFacts) -> str:
    """Markdown below a YAML head, as `ModelCard.load` reads it. The head sets no licence: the user must choose one."""
    recipe = facts.recipe
    card = ModelCard.from_template(
        _head(facts),
        template_str=(resources.files("finetune_flows.tasks.reporting") / "templates" / "model_card.md").read_text(
            encoding="utf-8"
        ),
        facts=facts,
        audit=facts.audit(),
        training=facts.training(),
        versions=versions_of(facts),
        use=recipe.problem.intended_use,
        limit=recipe.problem.caution,
        readers=_readers(facts.training()),
        labels=[plain(str(label)) for label in facts.tuned.details.get("labels", [])],
        scores_table="\n".join(_scores(facts)),
        settings_table="\n".join(_settings(facts.training())),
        code=code,
        plain=plain,
        recipe_text=block(dump_recipe(recipe), "yaml", most=100_000),
    )
    return str(card)


def _head(facts: RunFacts) -> ModelCardData:
    """The YAML head. It links base model and data set only if they have a revision, that is, a page on the hub."""
    recipe = facts.recipe
    task = "text-generation" if recipe.problem.generates else "text-classification"  # the hub's names
    return ModelCardData(
        model_name=recipe.name,
        base_model=recipe.model.source if recipe.model.revision else None,
        datasets=recipe.dataset.source if recipe.dataset.revision else None,
        library_name="transformers",
        pipeline_tag=task,
        tags=["finetune-flows", recipe.problem.kind],
        eval_results=_results(facts, task),
    )


def _results(facts: RunFacts, task: str) -> list[EvalResult]:
    """Every score on the test rows, with its 95 % interval and n."""
    scores: dict[str, Proportion | Estimate] = {**facts.tuned.metrics, **facts.tuned.estimates}
    source = facts.recipe.dataset.source
    return [
        EvalResult(
            task_type=task,
            dataset_type=source if facts.recipe.dataset.revision else PurePath(source).stem,
            dataset_name=PurePath(source).name,
            dataset_split="test",
            dataset_args={"sha256": facts.dataset.digest},
            metric_type=name,
            metric_value=round(score.value, 4),
            metric_args={"low": round(score.low, 4), "high": round(score.high, 4), "n": score.n},
        )
        for name, score in scores.items()
        if score.n
    ]


def _scores(facts: RunFacts) -> list[str]:
    """A table with a column for each evaluated model."""
    models = [facts.base, facts.tuned, *([facts.champion] if facts.champion else [])]
    kinds = ([each.metrics for each in models], [each.estimates for each in models])
    rows = [
        [name, str(tuned.n), *(_score(found.get(name)) for found in scores)]
        for scores in kinds
        for name, tuned in scores[1].items()
    ]
    return table(["metric", "n", facts.base.who, "this model", "previous champion"][: 2 + len(models)], rows)


def _readers(training: dict[str, Any]) -> list[str]:
    """What each reader found of the saved model. Models of earlier versions were not read elsewhere."""
    return [
        f"{each['reader']}: {each['skipped']}"
        if "skipped" in each
        else f"{each['reader']}: same token ids, logits differ by at most {each['largest_difference']:.1g}"
        for each in training.get("checks", {}).get("readers", [])
    ]


def _settings(training: dict[str, Any]) -> list[str]:
    """A table of the recipe's settings, and then of the values that the training program chose."""
    rows = [(name, code(str(value))) for name, value in training["settings"].items()]
    rows += [
        (f"{name}, as chosen", f"{code(str(choice['value']))} ({plain(str(choice['because']))})")
        for name, choice in training["choices"].items()
    ]
    return table(["setting", "value"], rows)


def _score(score: Proportion | Estimate | None) -> str:
    """`0.750 (0.505 to 0.898)`."""
    return f"{score.value:.3f} ({score.low:.3f} to {score.high:.3f})" if score and score.n else ""
