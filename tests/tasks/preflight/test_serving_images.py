"""Servers that are too old for what training saves are found before anything is paid for."""

from pathlib import Path

import pytest

from finetune_flows.tasks.base.errors import RecipeError
from finetune_flows.tasks.preflight.serving_images import AWS_IMAGES, CARRIED, VLLM_IMAGE, reads_models, transformers_in
from finetune_flows.tasks.preflight.sources import SOURCE_CHECKS
from finetune_flows.tasks.recipe import load_recipe
from finetune_flows.training.readers import OLDEST
from tests.support.transformers4 import PACKAGES

DEMO = Path("recipes/demo.yaml")


def numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


@pytest.mark.parametrize(
    ("engine", "tag"),
    [("vllm", VLLM_IMAGE.rpartition(":")[2]), *((engine, version) for engine, (_, version) in AWS_IMAGES.items())],
)
def test_no_default_image_is_older_than_what_training_saves(engine: str, tag: str) -> None:
    carried = transformers_in(engine, tag)
    assert carried or engine not in CARRIED, f"{engine} {tag}: say which transformers it carries"
    assert carried is None or numbers(carried) >= numbers(OLDEST)


def test_what_training_saves_is_tested_with_the_oldest_reader() -> None:
    assert PACKAGES[0].startswith(f"transformers=={OLDEST}.")


@pytest.mark.parametrize(
    ("engine", "tag", "carried"),
    [
        ("vllm", "v0.11.0", "4.55.2"),
        ("vllm", "0.31.0-gpu-py312-cu130-ubuntu24.04-sagemaker", "5.10.4"),
        ("vllm", "0.28.0-transformers5.15.0-gpu-py312-cu130-ubuntu24.04-v1.0", "5.15.0"),
        ("vllm", "v0.6.3", None),
        ("vllm", "nightly", None),
        ("tgi", "2.7.0-tgi3.3.6-gpu-py311-cu124-ubuntu22.04", None),
    ],
)
def test_the_tag_says_which_transformers_is_inside(engine: str, tag: str, carried: str | None) -> None:
    assert transformers_in(engine, tag) == carried


@pytest.mark.parametrize(
    "overrides",
    [
        ["platform.kind=docker", "platform.serving_engine=vllm", "platform.serving_image=vllm/vllm-openai:v0.11.0"],
        ["platform.kind=sagemaker", "platform.serving_version=0.11.0"],
    ],
)
def test_an_old_server_is_refused_before_the_run(overrides: list[str]) -> None:
    with pytest.raises(RecipeError, match=r"vllm v?0\.11\.0 may carry transformers 4\.55\.2, .* need 4\.57 or later"):
        load_recipe(DEMO, overrides, SOURCE_CHECKS)


def test_a_server_whose_transformers_is_not_known_is_only_noted() -> None:
    recipe = load_recipe(DEMO, ["platform.kind=sagemaker", "platform.serving_engine=tgi"], SOURCE_CHECKS)
    finding = reads_models(recipe)
    assert finding is not None
    assert finding.ok
    assert "not known which transformers tgi 3.3.6 carries" in finding.found


def test_our_own_server_needs_no_check() -> None:
    assert reads_models(load_recipe(DEMO)) is None
