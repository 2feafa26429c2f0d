"""What Prefect's form is drawn from, and its server checks parameters with: the JSON schema of each flow."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools.validation import is_valid

from finetune_flows.flows.evaluate import evaluate
from finetune_flows.flows.finetune import finetune
from finetune_flows.flows.promote import promote, rollback
from finetune_flows.flows.retrain import retrain
from finetune_flows.tasks.recipe import load_recipe

SCHEMAS = {
    flow.name: parameter_schema(flow).model_dump_for_openapi()
    for flow in (finetune, evaluate, promote, rollback, retrain)
}
each_schema = pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)


def fields(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field of every section, by the path of its section."""
    for section, content in [("", schema), *schema["definitions"].items()]:
        for name, field in content.get("properties", {}).items():
            yield f"{section}.{name}", field


@each_schema
def test_no_description_is_swallowed_as_a_tag(schema: dict[str, Any]) -> None:
    described = {path: field.get("description", "") for path, field in fields(schema)}
    described |= {section: content.get("description", "") for section, content in schema["definitions"].items()}
    assert {path: text for path, text in described.items() if "<" in text or ">" in text} == {}


@each_schema
def test_a_field_that_may_stay_empty_is_one_field_and_no_pair_of_tabs(schema: dict[str, Any]) -> None:
    tabs = {path for path, field in fields(schema) if {"type": "null"} in field.get("anyOf", [])}
    assert tabs <= {"GateSection.max_loss"}, "there, null is not the default"


def test_problem_and_platform_are_choices() -> None:
    recipe = SCHEMAS["finetune"]["definitions"]["Recipe"]["properties"]
    for name in ("problem", "platform"):
        assert len(recipe[name]["oneOf"]) == 3


def test_the_server_permits_what_a_recipe_permits() -> None:
    recipe = load_recipe("recipes/demo.yaml").model_dump(mode="json")
    assert "null" in json.dumps(recipe)
    recipe["gate"]["max_loss"] = None
    assert is_valid({"recipe": recipe}, SCHEMAS["finetune"])
    assert is_valid({"recipe": recipe, "continue_from": "1a2b"}, SCHEMAS["finetune"])
    assert not is_valid({"recipe": recipe | {"gate": {"max_loss": "much"}}}, SCHEMAS["finetune"])
    assert not is_valid({"recipe": recipe, "continue_from": 3}, SCHEMAS["finetune"])
