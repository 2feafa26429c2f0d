"""A classifier through the whole flow: judged beside the linear baseline, served, asked again by its endpoint."""

import json
from pathlib import Path

import httpx
import pytest

from flows.finetune import finetune
from tasks.evaluation.files import read_scores, read_wrong_answers
from tasks.recipe import parse_recipe
from tests.support.tiny_classifier import labelled_rows


@pytest.mark.slow
def test_labelled_rows_become_a_classifier_that_is_compared_with_a_linear_model(
    home: Path, tmp_path: Path, tiny_model: Path
) -> None:
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in labelled_rows(80)), encoding="utf-8")
    content = {
        "name": "labels",
        "problem": {"kind": "text-classification", "thresholds": "best_f1"},
        "dataset": {"source": str(source), "max_tokens": 128, "test_share": 0.3, "steps": ["whitespace", "lower_case"]},
        "model": {"source": str(tiny_model)},
        "training": {"method": "full", "epochs": 6, "max_length": 128, "batch_size": 8, "learning_rate": 3e-3},
        "serving": {"expires_after_hours": 0.2},
        "gate": {"min_gain": -1},
    }
    outcome = finetune(parse_recipe(content, "labels"))
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
