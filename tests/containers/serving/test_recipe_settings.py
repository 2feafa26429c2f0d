"""What a recipe says of serving is what the server is told."""

import pytest

from finetune_flows.containers.serving.settings import ServingSettings
from finetune_flows.tasks.platforms.engines import environment
from finetune_flows.tasks.recipe import ServingSection

# Of the endpoint, not of the server in it.
ENDPOINT_ONLY = {"startup_minutes", "expires_after_hours"}


def test_every_setting_reaches_the_server():
    section = ServingSection(
        engine="transformers", dtype="bfloat16", max_batch_size=7, max_queue=9, request_seconds=12.5,
        prefix_megabytes=3, max_model_length=99, capture=0.25,
    )  # fmt: skip
    told = ServingSettings.from_environment(environment("finetune-flows", section))
    asked = section.model_dump(exclude=ENDPOINT_ONLY)
    assert told.model_dump(include=set(asked)) == asked
    assert not any(value == ServingSection.model_fields[name].default for name, value in asked.items())


def test_both_have_the_same_defaults():
    asked = ServingSection().model_dump(exclude=ENDPOINT_ONLY)
    assert ServingSettings().model_dump(include=set(asked)) == asked


def test_all_wrong_variables_are_named():
    with pytest.raises(ValueError, match=r"SERVING_ENGINE: .*; SERVING_REQUEST_SECONDS: "):
        ServingSettings.from_environment({"SERVING_ENGINE": "tgi", "SERVING_REQUEST_SECONDS": "0"})
