"""What a run can cost, where the prices come from, and what a budget does. The Price List is botocore's stub: no network."""

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from finetune_flows.tasks.aws.instances import table
from finetune_flows.tasks.preflight.costs import estimate, hours_within, within_budget
from finetune_flows.tasks.preflight.prices import Prices
from finetune_flows.tasks.recipe import Recipe, load_recipe
from finetune_flows.tasks.sections.sagemaker import SageMakerPlatform


def recipe_with(**platform: Any) -> tuple[Recipe, SageMakerPlatform]:
    recipe = load_recipe(Path("recipes/text-to-sql-codellama-7b.yaml"), ["platform.kind=sagemaker"])
    section = SageMakerPlatform.model_validate({"region": "us-east-1"} | platform)
    return recipe.model_copy(update={"platform": section}), section


def product(usage: str, usd: str) -> str:
    """One entry of the Price List, with what we read of it."""
    dimension = {"unit": "Hrs", "pricePerUnit": {"USD": usd}}
    terms = {"OnDemand": {"A.B": {"priceDimensions": {"A.B.C": dimension}}}}
    return json.dumps({"product": {"attributes": {"usagetype": usage}}, "terms": terms})


class PriceList:
    """A boto3 session whose Price List answers what it is told; every question must be the one that is expected."""

    def __init__(self, *answers: list[str] | str) -> None:
        self.client_ = boto3.client("pricing", "us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        self.stub = Stubber(self.client_)
        for answer in answers:
            if isinstance(answer, str):
                self.stub.add_client_error("get_products", answer)
            else:
                self.stub.add_response("get_products", {"PriceList": answer})
        self.stub.activate()

    def client(self, service: str, **_: Any) -> Any:
        assert service == "pricing"
        return self.client_


def test_the_price_list_is_asked_and_the_use_tells_the_price() -> None:
    answer = [
        product("EU-Train:ml.g5.2xlarge", "1.70"),
        product("EU-Host:ml.g5.2xlarge", "1.80"),
        product("EU-Train:ml.g5.24xlarge", "11.0"),
        product("EU-Notebk:ml.g5.2xlarge", "9.0"),
    ]
    prices = Prices("eu-west-1", PriceList(answer, answer))
    training, endpoint = prices.of("ml.g5.2xlarge", "training"), prices.of("ml.g5.2xlarge", "endpoint")
    assert training is not None
    assert endpoint is not None
    assert (training.usd_per_hour, endpoint.usd_per_hour) == (1.7, 1.8)
    assert training.source.startswith("AWS Price List, eu-west-1, 20")
    assert prices.of("ml.g5.2xlarge", "training") == training  # the stub would refuse a third question


def test_without_an_answer_the_dated_table_is_read_and_says_so() -> None:
    refused = Prices("us-east-1", PriceList("AccessDeniedException"))
    unknown = Prices("us-east-1", PriceList([]))
    for prices in (refused, unknown, Prices("us-east-1")):
        price = prices.of("ml.g5.2xlarge", "training")
        assert price is not None
        assert price.usd_per_hour == 1.515
        assert price.source.startswith("about, AWS Price List for us-east-1, as publicly quoted in August 2026")
    assert refused.of("ml.g6.2xlarge", "endpoint") is not None, "it does not ask again what it was refused"


def test_elsewhere_the_table_is_raised_so_that_a_budget_holds() -> None:
    price = Prices("sa-east-1").of("ml.g5.2xlarge", "training")
    assert price is not None
    assert price.usd_per_hour == pytest.approx(1.515 * table().elsewhere)
    assert "times 1.6 for sa-east-1" in price.source


def test_nobody_knows_the_price_of_a_type_that_is_not_in_the_table() -> None:
    assert Prices("us-east-1").of("ml.u7.huge", "training") is None


def test_the_estimate_counts_every_limit_and_the_dearest_type() -> None:
    recipe, section = recipe_with(
        training_instances=["ml.g5.2xlarge", "ml.g5.12xlarge"],
        instance_count=2,
        max_runtime_hours=3,
        keep_alive_minutes=30,
        autoscaling={"max_instances": 4},
    )
    cost = estimate(recipe, section, Prices("us-east-1"))
    endpoint = 4 * 1.515 * recipe.serving.expires_after_hours
    assert cost.training.usd == pytest.approx(2 * 7.09 * 3)
    assert cost.usd == pytest.approx(2 * 7.09 * 3 + 2 * 7.09 * 0.5 + 2 * endpoint)
    assert [part.what for part in cost.costs] == [
        "endpoint of the base model",
        "training job",
        "warm pool",
        "endpoint of the tuned model",
    ]


def test_a_budget_lowers_the_runtime_of_the_job_so_that_all_of_it_stays_within() -> None:
    recipe, section = recipe_with(max_usd=10, max_runtime_hours=24)
    lowered, problems = within_budget(recipe, section, estimate(recipe, section, Prices("us-east-1")))
    assert problems == []
    assert isinstance(lowered.platform, SageMakerPlatform)
    assert 0 < lowered.platform.max_runtime_hours < 24
    again = estimate(lowered, lowered.platform, Prices("us-east-1"))
    assert 10 - 1.515 / 3600 <= again.usd <= 10


def test_a_budget_that_suffices_changes_nothing() -> None:
    recipe, section = recipe_with(max_usd=1000)
    assert within_budget(recipe, section, estimate(recipe, section, Prices("us-east-1"))) == (recipe, [])


def test_a_budget_that_pays_for_no_training_is_refused_with_what_to_do() -> None:
    recipe, section = recipe_with(max_usd=2)
    _, problems = within_budget(recipe, section, estimate(recipe, section, Prices("us-east-1")))
    assert len(problems) == 1
    assert "$2.00 does not pay for the run" in problems[0]
    assert "raise platform.max_usd" in problems[0]


def test_a_budget_cannot_be_kept_with_an_unknown_price() -> None:
    recipe, section = recipe_with(max_usd=50, training_instances=["ml.u7.huge"])
    _, problems = within_budget(recipe, section, estimate(recipe, section, Prices("us-east-1")))
    assert "the price of ml.u7.huge is unknown" in problems[0]
    assert hours_within(50, estimate(recipe, section, Prices("us-east-1"))) == section.max_runtime_hours


def test_every_type_in_the_table_is_one_that_aws_knows() -> None:
    model = boto3.client("sagemaker", "us-east-1").meta.service_model
    resources = model.operation_model("CreateTrainingJob").input_shape.members["ResourceConfig"]
    variants = model.operation_model("CreateEndpointConfig").input_shape.members["ProductionVariants"].member
    known = set(resources.members["InstanceType"].enum) | set(variants.members["InstanceType"].enum)
    assert set(table().instances) <= known
    for name, instance in table().instances.items():
        assert instance.usd_per_hour > 0
        assert bool(instance.gpu) == bool(instance.gpu_gib) == bool(instance.gpu_count), name
