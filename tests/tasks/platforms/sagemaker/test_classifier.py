"""A classifier as a training job and an endpoint of SageMaker's, served by our own image."""

from pathlib import Path

import pytest

from finetune_flows.flows.finetune import finetune
from finetune_flows.tasks.evaluation.files import read_scores
from finetune_flows.tasks.platforms.sagemaker.invoking import SageMakerConnection
from finetune_flows.tasks.recipe import parse_recipe
from tests.flows.conftest import home, prefect_server, tiny_model
from tests.support.sagemaker.emulator import Emulator
from tests.support.tiny_classifier import classifier_recipe
from tests.tasks.platforms.sagemaker.platform_jobs import push_image

pytestmark = pytest.mark.slow
__all__ = ["home", "prefect_server", "tiny_model"]
IMAGES = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


def test_labelled_rows_become_a_classifier_behind_an_endpoint_of_sagemakers(
    emulator: Emulator, home: Path, tmp_path: Path, tiny_model: Path
) -> None:
    for image in ("training", "serving"):
        push_image(emulator, f"finetune-{image}", "1")
    own = {"serving_engine": "finetune-flows", "serving_image": f"{IMAGES}/finetune-serving:1"}
    platform = {"kind": "sagemaker", "training_image": f"{IMAGES}/finetune-training:1"} | own
    outcome = finetune(parse_recipe(classifier_recipe(tmp_path, tiny_model) | {"platform": platform}, "labels"))
    assert (outcome.promoted, outcome.metric) == (True, "accuracy")
    assert read_scores(outcome.evaluation).metrics["accuracy"].value >= 0.8
    (job,) = emulator.jobs.table.rows.values()
    assert {"train:loss", "validation:accuracy"} <= {each["MetricName"] for each in job.metrics}
    assert outcome.endpoint is not None
    with SageMakerConnection(outcome.endpoint.url).client(60) as client:
        (answer,) = client.post("/invocations", json={"inputs": "the plot is lovely"}).raise_for_status().json()
    assert answer["label"] == "positive"
    assert 0.5 < answer["score"] <= 1
