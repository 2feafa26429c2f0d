"""Classifiers trained on a tiny encoder and a tiny decoder, in this process."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from finetune_flows.training.choices import Device, choose
from finetune_flows.training.classifier_finish import best_threshold
from finetune_flows.training.classifier_trainer import class_weights, positive_weights
from finetune_flows.training.compilation import GRAPH, Validation, compile_classifier, graph_logits
from finetune_flows.training.contract import Folders
from finetune_flows.training.problems import TrainingProblem
from finetune_flows.training.run import run
from finetune_flows.training.settings import TrainingSettings
from finetune_flows.training.stopping import StopRequest
from finetune_flows.training.task import Task, read_task
from tests.support.tiny_classifier import build_tiny_encoder, write_labelled


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_encoder(tmp_path_factory.mktemp("encoder"))


def train(base: Path, rows: Path, output: Path, **settings: Any) -> tuple[dict[str, Any], Folders]:
    folders = Folders.by_hand(rows, base, output)
    run(folders, TrainingSettings(batch_size=8, **settings), StopRequest())
    return json.loads(folders.report.read_text()), folders


def test_a_classifier_learns_and_carries_its_labels(tiny_model: Path, tmp_path: Path) -> None:
    rows = write_labelled(
        tmp_path / "rows", 80, thresholds="best_f1", class_weights="balanced", cleaning=["lower_case"]
    )
    report, folders = train(
        tiny_model, rows, tmp_path / "job", method="full", learning_rate=3e-3, epochs=8, keep="best", best_by="accuracy"
    )
    best = max(entry["accuracy"] for entry in report["validation_losses"])
    assert best >= 0.9
    assert report["thresholds"].keys() == {"positive"}
    model = AutoModelForSequenceClassification.from_pretrained(folders.merged)
    assert model.config.id2label == {0: "negative", 1: "positive"}
    assert json.loads((folders.merged / "classifier.json").read_text()) == {
        "labels": ["negative", "positive"], "multi_label": False, "thresholds": report["thresholds"],
        "cleaning": ["lower_case"],
    }  # fmt: skip
    [probe, *_] = json.loads((folders.model / "probes.json").read_text())
    ids = AutoTokenizer.from_pretrained(folders.merged)(probe["text"], return_tensors="pt").input_ids
    with torch.inference_mode():
        scores = model(input_ids=ids).logits.softmax(-1)[0].tolist()
    assert list(probe["scores"].values()) == pytest.approx(scores, abs=1e-5)


@pytest.mark.parametrize("method", ["lora", "qlora"])
def test_an_adapter_and_its_new_head_become_part_of_the_model(
    encoder: Path, tiny_model: Path, tmp_path: Path, method: str
) -> None:
    rows = write_labelled(tmp_path / "rows", 40)
    base = encoder if method == "lora" else tiny_model
    report, folders = train(base, rows, tmp_path / "job", method=method, max_steps=3)
    assert report["checks"]["agreement"]["largest_difference"] <= report["checks"]["agreement"]["tolerance"]
    assert {path.name for path in folders.merged.iterdir()} >= {"model.safetensors", "classifier.json", "config.json"}


def test_training_stops_when_nothing_gets_better(
    encoder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = write_labelled(tmp_path / "rows", 40)
    report, _ = train(
        encoder, rows, tmp_path / "job", method="full", learning_rate=1e-9, epochs=20, patience=2, keep="best",
        best_by="accuracy",
    )  # fmt: skip
    assert report["steps"] == 3 * 5, "the first validation, and two that were no better"
    assert "stopped early: 2 validations" in capfd.readouterr().out


def test_several_labels_have_a_threshold_each(encoder: Path, tmp_path: Path) -> None:
    rows = write_labelled(tmp_path / "rows", 40, multi_label=True, thresholds="best_f1", class_weights="balanced")
    report, folders = train(encoder, rows, tmp_path / "job", method="full", max_steps=2)
    assert report["thresholds"].keys() == {"negative", "positive"}
    config = json.loads((folders.merged / "config.json").read_text())
    assert config["problem_type"] == "multi_label_classification"


def test_what_a_classifier_cannot_do_is_refused(tmp_path: Path) -> None:
    cpu, labels = (
        Device("cpu", "any", bfloat16=False, flash_attention=False),
        Task(head="classifier", labels=("a", "b")),
    )
    gpu = Device("cuda", "any", bfloat16=True, flash_attention=True)
    assert choose(TrainingSettings(), gpu, labels).batching.value == "length_grouping"
    assert choose(TrainingSettings(), gpu, labels).attention.value == "sdpa"
    for settings, task, words in (
        (TrainingSettings(batching="packing"), labels, "packing is for language models"),
        (TrainingSettings(merge="none"), labels, "leaves an adapter"),
        (TrainingSettings(best_by="accuracy"), Task(), "best_by: accuracy is for classifiers"),
    ):
        with pytest.raises(TrainingProblem, match=words):
            choose(settings, cpu, task)
    (tmp_path / "task.json").write_text('{"head": "classifier", "labels": ["a"]}')
    with pytest.raises(TrainingProblem, match="names 1 labels"):
        read_task(tmp_path)
    (tmp_path / "task.json").write_text('{"head": "regression"}')
    with pytest.raises(TrainingProblem, match="is not a valid task"):
        read_task(tmp_path)


def test_a_label_that_the_task_does_not_name_is_refused(encoder: Path, tmp_path: Path) -> None:
    rows = write_labelled(tmp_path / "rows", 40, labels=["negative", "neutral"])
    with pytest.raises(TrainingProblem, match=r"labelled \['positive'\]; task.json names"):
        train(encoder, rows, tmp_path / "job", method="full", max_steps=1)


def test_weights_are_those_of_scikit_learn() -> None:
    labels = np.array([0, 0, 0, 1, 2, 2])
    assert class_weights(labels, 3) == pytest.approx(compute_class_weight("balanced", classes=np.arange(3), y=labels))
    assert positive_weights(np.array([[1, 0], [0, 0], [0, 0], [0, 1]])) == pytest.approx([3, 3])


def test_the_threshold_is_the_one_with_the_highest_f1() -> None:
    probabilities = np.array([0.1, 0.2, 0.3, 0.35, 0.6])
    assert 0.2 < best_threshold(probabilities, np.array([False, False, True, True, True])) < 0.3
    assert best_threshold(probabilities, np.array([False, False, False, False, True])) == 0.5
    assert best_threshold(probabilities, np.zeros(5, dtype=bool)) == 0.5


@pytest.mark.parametrize(("way", "tolerance"), [("onnx", 1e-4), ("onnx-int8", 0.2)])
def test_a_graph_for_cpus_is_left_beside_the_weights_and_judged_again(
    encoder: Path, tmp_path: Path, way: str, tolerance: float
) -> None:
    rows = write_labelled(tmp_path / "rows", 40)
    report, folders = train(encoder, rows, tmp_path / "job", method="full", learning_rate=3e-3, epochs=4, compile=way)
    found = report["compiled"]
    assert (found["way"], found["rows"]) == (way, 10)
    assert found["right_after"] == found["right_before"] - found["only_before"] + found["only_after"]
    assert found["largest_difference"] < tolerance * 10
    [probe, *_] = json.loads((folders.model / "probes.json").read_text())
    tokenizer = AutoTokenizer.from_pretrained(folders.merged)
    ids = [tokenizer(probe["text"])["input_ids"]]
    served = graph_logits(folders.merged / GRAPH, tokenizer, ids).softmax(-1)[0].tolist()
    # In 8 bits the scale is that of the batch, so a text alone is rounded a little otherwise.
    assert list(probe["scores"].values()) == pytest.approx(served, abs=tolerance / 10), (
        "the probes are those of what is served"
    )
    plain = AutoModelForSequenceClassification.from_pretrained(folders.merged)
    with torch.inference_mode():
        assert served == pytest.approx(plain(input_ids=torch.tensor(ids)).logits.softmax(-1)[0].tolist(), abs=tolerance)


def test_a_graph_that_loses_too_much_is_left_out(encoder: Path, tmp_path: Path) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(encoder, num_labels=2)
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    rows = [{"input_ids": tokenizer(f"number {number}")["input_ids"]} for number in range(8)]
    right = np.tile([True, False], (8, 1))

    def predict(logits: torch.Tensor) -> Any:
        """Right for what the model said before, wrong for whatever comes from the graph."""
        return right if logits is before else ~right

    before = torch.zeros(8, 2)
    found = compile_classifier(
        model, tokenizer, tmp_path, "onnx", Validation(rows, before, right, predict), max_loss=0.5
    )
    assert (found["way"], found["only_before"]) == ("none", 8)
    assert "loses 100.0%" in found["because"]
    assert "training.compile_max_loss permits 50.0%" in found["because"]
    assert not list(tmp_path.iterdir())


def test_a_model_that_cannot_be_exported_is_served_as_it_is(encoder: Path, tmp_path: Path) -> None:
    class Odd(torch.nn.Module):
        def forward(self, input_ids: torch.Tensor) -> Any:
            raise NotImplementedError("no graph of this")

    tokenizer = AutoTokenizer.from_pretrained(encoder)
    nothing = np.zeros((0, 2), bool)
    validation = Validation([], torch.zeros(0, 2), nothing, lambda _: nothing)
    found = compile_classifier(Odd(), tokenizer, tmp_path, "onnx", validation, 0)
    assert found["way"] == "none"
    assert "could not be exported" in found["because"]
