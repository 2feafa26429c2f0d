"""What `finetune endpoint call` sends."""

from pathlib import Path

from finetune_flows.flows.cli.endpoints import prompt_of
from finetune_flows.tasks.recipe import load_recipe

USER = {"role": "user", "content": "Where is it?"}


def test_a_chat_model_gets_the_system_message_it_was_trained_behind() -> None:
    recipe = load_recipe(Path("recipes/chat.yaml"), ["problem.system=Be brief."])
    assert prompt_of(recipe, "Where is it?", "") == [{"role": "system", "content": "Be brief."}, USER]


def test_an_endpoint_without_a_recipe_gets_the_question_alone() -> None:
    assert prompt_of(None, "Where is it?", "") == [USER]
