"""Whole jobs on the tiny model, in this process."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from finetune_flows.training import checkpoints
from finetune_flows.training.checks import check_files, check_prompts, probes
from finetune_flows.training.data import read_rows
from finetune_flows.training.model import load_base, load_tokenizer
from finetune_flows.training.problems import TrainingProblem
from finetune_flows.training.stopping import Stopped
from tests.support.stop_at_step import StopAtStep

LEARNS = {"method": "full", "learning_rate": 5e-3, "batch_size": 8, "epochs": 12}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(next(folder.glob("*.safetensors")))


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_full_fine_tuning_learns_to_answer_and_to_stop(jobs: Any) -> None:
    report = jobs.run("job", **LEARNS)
    losses = [entry["loss"] for entry in report["losses"]]
    assert losses[-1] < 0.3 * losses[0]
    assert report["validation_losses"][-1]["loss"] < 0.3 * losses[0]
    assert report["checks"]["stopped_share"] == 1.0
    answers = json.loads((jobs.folders("job").model / "probes.json").read_text())
    assert all(answer["text"].startswith("SELECT ") for answer in answers)


@pytest.mark.parametrize("method", ["qlora", "lora", "full"])
def test_the_artefact_is_whole(jobs: Any, tiny_rows: Path, method: str) -> None:
    report = jobs.run("job", method=method, max_steps=3)
    folders = jobs.folders("job")
    assert report["steps"] == 3
    assert report["rows"] == {"train": 48, "validation": 12}
    assert set(report["seconds"]) == {"read", "load", "train", "merge", "check"}
    assert report["tokens_trained"] > 0
    assert report["checks"]["agreement"]["divergence_nats"] < report["checks"]["agreement"]["tolerance_nats"]
    check_files(folders.merged)
    assert not list(folders.model.rglob("*.bin"))
    assert folders.adapter.exists() == (method != "full")
    model, tokenizer = load_base(folders.merged, "float32"), load_tokenizer(folders.merged)
    assert model.generation_config.eos_token_id == [tokenizer.eos_token_id]
    rows = read_rows(tiny_rows, "validation", tokenizer, 512)
    assert rows is not None
    assert check_prompts(tokenizer, probes(rows, 4)) == {"same_prompt_ids": True, "leading_bos": 0}


def test_probes_hold_what_a_server_is_asked(jobs: Any) -> None:
    jobs.run("job", method="lora", max_steps=1)
    folders = jobs.folders("job")
    tokenizer = load_tokenizer(folders.merged)
    for probe in json.loads((folders.model / "probes.json").read_text()):
        rendered = tokenizer.apply_chat_template(probe["messages"], add_generation_prompt=True)["input_ids"]
        assert rendered == probe["prompt_token_ids"]


@pytest.mark.parametrize("batching", ["length_grouping", "random", "packing"])
def test_a_stopped_and_resumed_run_gives_the_same_weights(jobs: Any, batching: str) -> None:
    settings = {
        "method": "qlora",
        "lora_dropout": 0.1,  # draws from the generator, whose state must come back too
        "batch_size": 2 if batching == "packing" else 8,
        "max_length": 256,
        "batching": batching,
        "epochs": 2.5,
        "validation_every": 4,
        "checkpoint_every": 3,
    }
    whole = jobs.run("whole", **settings)
    with pytest.raises(Stopped):
        jobs.run("parts", StopAtStep(8), **settings)
    assert checkpoints.latest(jobs.folders("parts").checkpoints).name == "checkpoint-8"
    assert not jobs.folders("parts").report.exists()
    parts = jobs.run("parts", **settings)
    assert parts["resumed_from_step"] == 8
    assert parts["losses"] == whole["losses"]
    assert parts["tokens_trained"] == whole["tokens_trained"]
    assert same(weights(jobs.folders("parts").adapter), weights(jobs.folders("whole").adapter))


def test_a_finished_run_that_is_started_again_trains_no_further(jobs: Any) -> None:
    jobs.run("job", method="lora", max_steps=3)
    before = weights(jobs.folders("job").merged)
    again = jobs.run("job", method="lora", max_steps=3)
    assert again["resumed_from_step"] == 3
    assert same(weights(jobs.folders("job").merged), before)


def test_checkpoints_of_other_settings_are_not_gone_on_from(jobs: Any) -> None:
    jobs.run("job", method="lora", max_steps=2)
    with pytest.raises(TrainingProblem, match="another run: settings differ"):
        jobs.run("job", method="lora", max_steps=2, learning_rate=1e-2)


def test_keep_best_takes_the_weights_of_the_lowest_validation_loss(jobs: Any) -> None:
    """A learning rate that destroys the model after a few steps makes an early checkpoint the best."""
    settings = {"method": "full", "learning_rate": 0.3, "schedule": "linear", "warmup": 0.9, "max_steps": 12}
    report = jobs.run("job", keep="best", validation_every=2, max_grad_norm=1e9, **settings)
    losses = {entry["step"]: entry["loss"] for entry in report["validation_losses"]}
    best = min(losses, key=losses.__getitem__)
    assert best != max(losses), "the last step must not be the best one, or the test shows nothing"
    assert report["weights_from"] == f"best-{best}"
    folders = jobs.folders("job")
    assert same(weights(folders.merged), weights(folders.checkpoints / f"best-{best}"))


def test_an_adapter_can_be_left_unmerged(jobs: Any) -> None:
    report = jobs.run("job", merge="none", max_steps=2)
    assert report["merge"]["way"] == "none"
    assert not jobs.folders("job").merged.exists()
    assert report["checks"]["probes"] == 4


def test_without_validation_rows_nothing_is_validated(jobs: Any, tiny_rows: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows"
    rows.mkdir()
    pq.write_table(pq.read_table(tiny_rows / "train.parquet"), rows / "train.parquet")
    report = jobs.run("job", rows=rows, max_steps=2)
    assert report["validation_losses"] == []
    assert report["merge"]["way"] == "dequantize"


def test_max_steps_caps_the_epochs_and_epochs_cap_the_steps(jobs: Any) -> None:
    assert jobs.run("few", method="lora", batch_size=16, epochs=1, max_steps=100)["steps"] == 3
    assert jobs.run("many", method="lora", batch_size=16, epochs=100, max_steps=2)["steps"] == 2


def test_a_loss_that_is_no_number_ends_the_job(jobs: Any, tiny_model: Path, tmp_path: Path) -> None:
    model = load_base(tiny_model, "float32")
    with torch.no_grad():
        model.model.norm.weight[0] = torch.inf
    model.save_pretrained(tmp_path / "broken")
    load_tokenizer(tiny_model).save_pretrained(tmp_path / "broken")
    jobs.model = tmp_path / "broken"
    with pytest.raises(TrainingProblem, match=r"loss is nan at step 1\. Lower training\.learning_rate"):
        jobs.run("job", method="lora", max_steps=5)


def test_every_step_is_one_line(jobs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    jobs.run("job", method="lora", max_steps=4, validation_every=2)
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("step=")]
    pairs = [dict(pair.split("=") for pair in line) for line in lines]
    steps = [pair for pair in pairs if "loss" in pair]
    assert [pair["step"] for pair in steps] == ["1", "2", "3", "4"]
    keys = "step steps epoch loss learning_rate grad_norm tokens_per_second seconds_left"
    assert all(list(pair) == keys.split() for pair in steps)
    assert [pair["step"] for pair in pairs if "validation_loss" in pair] == ["2", "4"]


def test_long_runs_log_about_a_hundred_steps(jobs: Any) -> None:
    report = jobs.run("job", method="lora", batch_size=1, lora_targets="q_proj", max_steps=230, epochs=100)
    assert [entry["step"] for entry in report["losses"]] == list(range(2, 231, 2))
