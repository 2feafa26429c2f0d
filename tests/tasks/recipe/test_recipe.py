from pathlib import Path

import pytest
import yaml

from finetune_flows.tasks.base.errors import RecipeError
from finetune_flows.tasks.recipe import Recipe, TrainingSettings, dump_recipe, load_recipe, parse_recipe
from finetune_flows.tasks.recipe.reference import reference

RECIPES = sorted(Path("recipes").glob("*.yaml"))
DEMO = Path("recipes/demo.yaml")


def problems_of(*overrides: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        load_recipe(DEMO, overrides)
    return caught.value.problems


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_shipped_recipe_is_valid_and_its_first_comment_is_its_command(path: Path) -> None:
    recipe = load_recipe(path)
    assert path.read_text(encoding="utf-8").splitlines()[0] == f"# finetune run recipes/{path.name}"
    assert recipe.name == path.stem


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_resolved_recipe_reads_back_as_itself(path: Path) -> None:
    recipe = load_recipe(path)
    assert parse_recipe(yaml.safe_load(dump_recipe(recipe)), "again") == recipe


@pytest.mark.parametrize("name", ["sentiment", "sentiment-roberta", "sentiment-gpt-qlora"])
@pytest.mark.parametrize(
    "platform",
    [
        ["platform.kind=process"],
        ["platform.kind=docker"],
        ["platform.kind=sagemaker", "platform.serving_engine=finetune-flows", "platform.serving_image=image"],
    ],
    ids=lambda overrides: overrides[0].split("=")[1],
)
def test_a_classifier_can_be_trained_on_each_platform(name: str, platform: list[str]) -> None:
    assert load_recipe(Path(f"recipes/{name}.yaml"), platform).metric == "accuracy"


def test_a_classifier_is_not_given_to_a_server_that_generates_text() -> None:
    with pytest.raises(RecipeError, match="vllm generates text"):
        load_recipe(Path("recipes/sentiment.yaml"), ["platform.kind=docker", "platform.serving_engine=vllm"])
    with pytest.raises(RecipeError, match=r"evaluation.metric: 'execution' is not one of accuracy"):
        load_recipe(Path("recipes/sentiment.yaml"), ["evaluation.metric=execution"])


def test_a_limit_on_sql_is_a_mistake_where_there_is_none() -> None:
    with pytest.raises(RecipeError, match=r"gate\.max_invalid_sql: text-classification produces no SQL"):
        load_recipe(Path("recipes/sentiment.yaml"), ["gate.max_invalid_sql=0.1"])


def test_every_problem_is_told_at_once_with_path_and_what_is_permitted() -> None:
    problems = problems_of(
        "training.epocs=2",
        "training.method=qlorra",
        "evaluation.rows=0",
        "nam=x",
        "dataset.test_share=banana",
        "evaluation.max_new_tokens=4000",
    )
    told = "\n".join(problems)
    assert "training.epocs: unknown; did you mean epochs?" in told
    assert "training.method: 'qlorra' is not one of 'qlora', 'lora' or 'full'" in told
    assert "evaluation.rows: input should be greater than or equal to 1, got 0" in told
    assert "nam: unknown; did you mean name?" in told
    assert "dataset.test_share: input should be a valid number" in told
    assert "do not fit into serving.max_model_length" in told, (
        "rules across sections are told even when fields are wrong"
    )
    assert len(problems) == 6


def test_a_missing_field_is_told_with_what_belongs_there() -> None:
    with pytest.raises(RecipeError, match=r"dataset\.source: missing; File or folder of JSONL"):
        parse_recipe(
            {"name": "a", "problem": {"kind": "text-to-sql"}, "dataset": {}, "model": {"source": "x"}}, "recipe"
        )


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training", "write it as section.field=value"),
        ("training.sharding=fsdp", "sharding: fsdp needs processes: 2 or more"),
        ("dataset.max_tokens=9999", "longer rows would lose their answer"),
        ("problem.instruction=Write SQL", "must contain {context}"),
        ("platform.kind=sagmaker", "'sagmaker' is not one of"),
        ("name=Demo Run", "string should match pattern"),
    ],
)
def test_an_override_that_cannot_be_run_is_refused(override: str, message: str) -> None:
    assert message in "\n".join(problems_of(override))


def test_overrides_are_read_as_yaml_and_change_only_their_field() -> None:
    recipe = load_recipe(DEMO, ["training.epochs=2", "dataset.slice_column=part", "training.method=lora"])
    plain = load_recipe(DEMO)
    assert (recipe.training.epochs, recipe.dataset.slice_column, recipe.training.method) == (2.0, "part", "lora")
    assert recipe.model == plain.model


@pytest.mark.parametrize(
    ("content", "message"),
    [("- a\n- b\n", "must hold sections"), ("name: [", "is not YAML"), ("\x00", "is not YAML")],
)
def test_a_file_that_is_no_recipe_is_told_in_one_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(content)
    with pytest.raises(RecipeError, match=message):
        load_recipe(path)


def test_a_misspelt_file_name_suggests_the_right_one() -> None:
    with pytest.raises(RecipeError, match=r"did you mean recipes/demo\.yaml"):
        load_recipe(Path("recipes/dmeo.yaml"))


def test_training_settings_survive_the_trip_through_hyperparameters() -> None:
    settings = TrainingSettings(epochs=1.5, learning_rate=3e-4, trust_remote_code=True, lora_targets="q_proj,v_proj")
    flat = settings.to_hyperparameters()
    assert all(isinstance(value, str) for value in flat.values())
    assert TrainingSettings.from_hyperparameters(flat | {"sagemaker_region": "eu-west-1"}) == settings


def test_every_field_of_the_form_is_described() -> None:
    def fields(schema: dict[str, object]) -> list[str]:
        bare = []
        for name, definition in schema["$defs"].items():  # type: ignore[attr-defined]
            for field, content in definition["properties"].items():
                if "description" not in content and "$ref" not in content:
                    bare.append(f"{name}.{field}")
        return bare

    assert fields(Recipe.model_json_schema()) == []


def test_the_page_on_recipes_is_what_the_models_say() -> None:
    assert Path("docs/recipes.md").read_text(encoding="utf-8") == reference()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: a\nname: b\n", "name is written twice"),
        ("name: a\ntraining:\n  epochs: 1\n  method: lora\n  epochs: 2\n", "epochs is written twice"),
        ("name: a\nmade: 2024-13-45\n", "is not YAML: month must be in 1..12"),
        ("name: !!python/object:os.system {}\n", "is not YAML"),
        ("a: [" * 5000, "is not YAML"),
        ("- a\n", "must hold sections"),
        ("\x00", "is not YAML"),
    ],
)
def test_what_yaml_would_take_silently_or_fail_on_is_one_problem(text: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(text)
    with pytest.raises(RecipeError) as caught:
        load_recipe(file)
    (problem,) = caught.value.problems
    assert says in problem
    assert "\n" not in problem


@pytest.mark.parametrize("value", ["[", "2024-13-45", "{a: 1, a: 2}", "!!python/name:os.system x"])
def test_an_override_that_is_no_value_is_one_problem(value: str) -> None:
    assert problems_of(f"training.epochs={value}") == [
        f"--set training.epochs={value}: the value is not YAML; put it in quotation marks"
    ]


def test_a_merge_key_may_be_overridden(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(DEMO.read_text() + "monitoring: &m {min_requests: 5}\n")
    text = file.read_text().replace(
        "monitoring: &m {min_requests: 5}\n", "monitoring: {<<: {min_requests: 5}, min_requests: 6}\n"
    )
    file.write_text(text)
    assert load_recipe(file).monitoring.min_requests == 6
