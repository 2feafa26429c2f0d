"""A classifier through the whole flow: judged beside the linear baseline, served, asked again by its endpoint."""

from pathlib import Path

import httpx
import pytest

from finetune_flows.flows.finetune import finetune
from finetune_flows.tasks.evaluation.files import read_scores, read_wrong_answers
from finetune_flows.tasks.recipe import parse_recipe
from tests.support.tiny_classifier import classifier_recipe


@pytest.mark.slow
def test_labelled_rows_become_a_classifier_that_is_compared_with_a_linear_model(
    home: Path, tmp_path: Path, tiny_model: Path
) -> None:
    outcome = finetune(parse_recipe(classifier_recipe(tmp_path, tiny_model), "labels"))
    assert (outcome.promoted, outcome.metric) == (True, "accuracy")
    base, tuned = read_scores(outcome.base_evaluation), read_scores(outcome.evaluation)
    assert (base.who, tuned.who) == ("linear baseline", "tuned model")
    assert base.latency is None, "nobody was asked"
    assert tuned.latency is not None
    assert base.metrics["accuracy"].n == tuned.metrics["accuracy"].n == 24
    assert tuned.metrics["accuracy"].value >= 0.8
    assert sum(map(sum, tuned.details["confusion"])) == 24
    assert len(read_wrong_answers(outcome.evaluation)) == 24 - tuned.metrics["accuracy"].successes
    assert outcome.endpoint is not None
    reply = httpx.post(f"{outcome.endpoint.url}/invocations", json={"inputs": "THE   PLOT IS LOVELY"}, timeout=60)
    again = httpx.post(f"{outcome.endpoint.url}/invocations", json={"inputs": "the plot is lovely"}, timeout=60)
    assert reply.raise_for_status().json() == again.json(), "the steps of the data set are the server's too"
