"""All problems of a recipe are reported together, whichever level finds them."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune_flows.tasks.base.errors import RecipeError
from finetune_flows.tasks.preflight.sources import SOURCE_CHECKS
from finetune_flows.tasks.recipe import load_recipe, parse_recipe

DEMO = Path("recipes/demo.yaml")
# Each breaks something by itself: what is written, and how the line about it begins.
FAULTS = {
    "epochs": (["training.epochs=-1"], "training.epochs: "),
    "typo": (["training.epocs=1"], "training.epocs: unknown"),
    "malformed": (["broken"], "--set broken: "),
    "not YAML": (["name=["], "--set name=[: "),
    "in a kind": (["problem.judging.databases=0"], "problem.judging.databases: "),
    "in a list": (["dataset.languages=[1]"], "dataset.languages.0: "),
    "in a dictionary": (["gate.scores.rouge_l.min_score=2"], "gate.scores.rouge_l.min_score: "),
    "rule of a section": (["dataset.missing=fill"], "dataset: missing: fill needs fill_with"),
    "its other rule": (["dataset.test_share=0.9", "dataset.validation_share=0.9"], "dataset: test_share and "),
    "rule of training": (["training.sharding=fsdp"], "training: sharding: fsdp needs"),
    "rule of a kind": (["problem.instruction=x"], "problem: instruction must contain"),
    "rule in a dictionary": (["tuning.space.lora_r.low=1"], "tuning.space.lora_r: needs low and high"),
    "rule of a platform": (["platform.kind=sagemaker", "platform.subnets=[a]"], "platform: subnets and "),
    "across sections": (["dataset.max_tokens=100000"], "dataset.max_tokens (100000) is above"),
    "across others": (["monitoring.length_drift=0.5"], "monitoring.length_drift needs prompts"),
    "of the problem": (["evaluation.metric=execution_real"], "evaluation.metric: execution_real needs"),
    "of the search": (["tuning.space.nope.choices=[1]"], "tuning.space.nope: cannot be searched"),
    "no model": (["model.source=gpt2"], "model.source: gpt2: there is no such file"),
    "no template": (["model.chat_template=nowhere.jinja"], "model.chat_template: nowhere.jinja"),
    "no rows": (["dataset.source=nowhere.jsonl"], "dataset.source: nowhere.jsonl"),
    "no test rows": (["dataset.test_source=nowhere/else.csv"], "dataset.test_source: nowhere/else.csv"),
}
HIDDEN = {("its other rule", "no test rows")}  # with rows of its own for the test, test_share says nothing


def problems_of(*names: str) -> list[str]:
    overrides = [text for name in names for text in FAULTS[name][0]]
    with pytest.raises(RecipeError) as caught:
        load_recipe(DEMO, overrides, SOURCE_CHECKS)
    return caught.value.problems


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_one_line(name: str) -> None:
    (problem, *others) = problems_of(name)
    if name == "across sections":  # so long a row fits into no server either
        others.pop()
    if name == "in a dictionary":  # this problem has no such score
        others.pop()
    assert problem.startswith(FAULTS[name][1])
    assert others == []


@settings(deadline=None)
@given(st.sets(st.sampled_from(sorted(FAULTS)), min_size=2))
def test_no_fault_hides_another(names: set[str]) -> None:
    told = problems_of(*names)
    for name in names - {first for first, second in HIDDEN if second in names}:
        assert any(problem.startswith(FAULTS[name][1]) for problem in told), name
    assert len(told) == len(set(told)), "each once"


def test_a_rule_is_silent_about_a_value_that_nobody_wrote() -> None:
    """With the default in the place of the wrong value, these would be said to contradict it."""
    with pytest.raises(RecipeError) as caught:
        load_recipe(DEMO, ["dataset.max_tokens=many", "training.max_length=64"])
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["dataset.max_tokens"]


def test_rules_are_checked_where_whole_sections_are_missing() -> None:
    content = {"name": "a", "dataset": {"missing": "fill"}, "training": {"sharding": "fsdp"}, "evaluation": 7}
    with pytest.raises(RecipeError) as caught:
        parse_recipe(content, "recipe")
    told = "\n".join(caught.value.problems)
    for words in (
        "problem: missing",
        "dataset.source: missing",
        "model: missing",
        "evaluation: ",
        "fill_with",
        "fsdp needs",
    ):
        assert words in told


def test_a_password_in_a_url_is_not_repeated() -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(DEMO, ["problem.judging.real_databases=postgresql://me:secret@host/shop", "training.epochs=0"])
    assert "must be a section" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_sources_on_this_machine_are_found(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "rows.jsonl").touch()
    overrides = [f"model.source={tmp_path / 'model'}", f"dataset.source={tmp_path / 'rows.jsonl'}"]
    assert load_recipe(DEMO, overrides, SOURCE_CHECKS).model.source == str(tmp_path / "model")


def test_a_hub_id_needs_its_revision() -> None:
    overrides = ["model.source=owner/name", "dataset.source=owner/rows", "training.epochs=0"]
    with pytest.raises(RecipeError) as caught:
        load_recipe(DEMO, overrides, SOURCE_CHECKS)
    assert [problem.split(": ")[0] for problem in caught.value.problems] == [
        "training.epochs",
        "model.revision",
        "dataset.source",
    ]
