"""Base models of every family: each goes through all steps, or is refused before."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification, PreTrainedConfig

from finetune_flows.training.contract import Folders
from finetune_flows.training.families import Head, check_family, longest_text
from finetune_flows.training.model import load_plain_tokenizer
from finetune_flows.training.problems import TrainingProblem
from finetune_flows.training.run import run
from finetune_flows.training.settings import TrainingSettings
from finetune_flows.training.stage import stage
from finetune_flows.training.stopping import StopRequest
from tests import ROOT
from tests.support.families import ENCODERS, FAMILIES, POSITIONS, REFUSED, build_family, config_of
from tests.support.tiny_classifier import build_tiny_encoder, write_labelled
from tests.support.tiny_model import write_tiny_dataset
from tests.training.family_matrix import METHODS, page, try_family


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Few rows for each head."""
    home = tmp_path_factory.mktemp("rows")
    return {
        "language-model": write_tiny_dataset(home / "language-model", 8),
        "classifier": write_labelled(home / "classifier", 16),
    }


def train(base: Path, rows: Path, home: Path, **settings: Any) -> tuple[dict[str, Any], Folders]:
    folders = Folders.by_hand(rows, base, home)
    run(folders, TrainingSettings(max_steps=2, batch_size=4, max_length=400, **settings), StopRequest())
    return json.loads(folders.report.read_text()), folders


@pytest.mark.parametrize(
    ("name", "head", "method"),
    [
        ("mixtral", "language-model", "full"),
        ("gemma2", "language-model", "lora"),
        ("bloom", "language-model", "full"),
        ("gpt2", "language-model", "qlora"),
        ("gpt2", "classifier", "lora"),
        ("gpt_neox", "classifier", "qlora"),
        ("deberta-v2", "classifier", "lora"),
    ],
)
def test_some_families_from_staging_to_an_answer(
    name: str, head: Head, method: Any, rows: dict[str, Path], tmp_path: Path
) -> None:
    try_family(FAMILIES[name], head, method, rows[head], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_from_staging_to_an_answer(name: str, rows: dict[str, Path], tmp_path: Path) -> None:
    family = FAMILIES[name]
    for head in check_family(config_of(family)):
        for method in METHODS:
            try_family(family, head, method, rows[head], tmp_path)


def test_the_page_of_families_is_the_table_of_this_test() -> None:
    found = (ROOT / "docs" / "families.md").read_text(encoding="utf-8")
    assert found == page(), "write it again: python -m tests.training.family_matrix > docs/families.md"


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_trained_or_served_is_refused_in_one_sentence(name: str) -> None:
    with pytest.raises(TrainingProblem, match=rf"^{name} [^.\n]*\.$"):
        check_family(config_of(REFUSED[name]))


def test_the_config_of_a_mixture_of_experts_is_the_bases_own(rows: dict[str, Path], tmp_path: Path) -> None:
    """The trainer switches the router's scores on for its loss. A server would compute them for every token."""
    base = build_family(FAMILIES["mixtral"], tmp_path / "base", router_aux_loss_coef=0.02)
    _, folders = train(base, rows["language-model"], tmp_path / "job", method="full")
    saved, own = (PreTrainedConfig.from_pretrained(folder) for folder in (folders.merged, base))
    assert saved.output_router_logits is own.output_router_logits is False
    assert saved.router_aux_loss_coef == 0.02


@pytest.mark.parametrize("attention", ["auto", "eager"])
def test_a_family_without_fast_attention_falls_back_and_says_so(
    rows: dict[str, Path], tmp_path: Path, attention: str
) -> None:
    base = build_family(FAMILIES["gemma2"], tmp_path / "base")
    report, _ = train(base, rows["language-model"], tmp_path / "job", method="lora", attention=attention)
    because = "this model has no faster attention" if attention == "auto" else "the settings say so"
    assert report["choices"]["attention"] == {"value": "eager", "because": because}


def test_an_attention_that_the_family_lacks_is_refused(rows: dict[str, Path], tmp_path: Path) -> None:
    base = build_family(FAMILIES["gemma2"], tmp_path / "base")
    with pytest.raises(TrainingProblem, match="attention: this model has no sdpa"):
        train(base, rows["language-model"], tmp_path / "job", attention="sdpa")


@pytest.mark.parametrize(("name", "head"), [("bert", "classifier"), ("gpt2", "language-model")])
def test_a_text_longer_than_the_models_positions_is_named_before_the_training(
    rows: dict[str, Path], tmp_path: Path, name: str, head: str
) -> None:
    base = build_family(FAMILIES[name], tmp_path / "base", max_position_embeddings=12)
    tokenizer_config = json.loads((base / "tokenizer_config.json").read_text())
    del tokenizer_config["model_max_length"]
    (base / "tokenizer_config.json").write_text(json.dumps(tokenizer_config))
    with pytest.raises(TrainingProblem, match=r"are longer than (the )?12 tokens"):
        train(base, rows[head], tmp_path / "job")


def test_positions_that_are_counted_from_the_padding_id_on_are_not_for_tokens() -> None:
    assert longest_text(config_of(ENCODERS["roberta"])) == POSITIONS
    assert longest_text(config_of(ENCODERS["roberta"], pad_token_id=1)) == POSITIONS - 1
    assert longest_text(config_of(ENCODERS["bert"], pad_token_id=1)) == POSITIONS
    assert longest_text(config_of(FAMILIES["bloom"])) is None


@pytest.mark.parametrize(("name", "method"), [("gpt2", "lora"), ("gpt_neox", "qlora")])
def test_a_decoder_without_a_padding_token_classifies(
    rows: dict[str, Path], tmp_path: Path, name: str, method: str
) -> None:
    base = build_family(FAMILIES[name], tmp_path / "base", pad_token_id=None)
    _, folders = train(base, rows["classifier"], tmp_path / "job", method=method)
    assert PreTrainedConfig.from_pretrained(folders.merged).pad_token_id == load_plain_tokenizer(base).pad_token_id


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_base_with_other_labels_gets_a_new_head_and_says_so(
    rows: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    base = build_tiny_encoder(tmp_path / "base")
    AutoModelForSequenceClassification.from_pretrained(base, num_labels=5).save_pretrained(base)
    _, folders = train(base, rows["classifier"], tmp_path / "job", method=method)
    assert "it gets a new head for negative, positive" in capsys.readouterr().out
    assert PreTrainedConfig.from_pretrained(folders.merged).num_labels == 2


@pytest.mark.parametrize("method", ["lora", "qlora"])
def test_a_pooler_that_the_base_was_saved_without_is_trained_and_kept(
    rows: dict[str, Path], tmp_path: Path, method: str
) -> None:
    base = build_tiny_encoder(tmp_path / "base")
    AutoModelForMaskedLM.from_pretrained(base).save_pretrained(base)
    _, folders = train(base, rows["classifier"], tmp_path / "job", method=method)
    kept = load_file(folders.adapter / "adapter_model.safetensors")
    assert any("pooler" in name for name in kept)


def test_an_encoder_is_refused_as_a_language_model(rows: dict[str, Path], tmp_path: Path) -> None:
    stage(build_tiny_encoder(tmp_path / "base"), tmp_path / "staged")
    with pytest.raises(TrainingProblem, match="bert can only classify here"):
        train(tmp_path / "staged", rows["language-model"], tmp_path / "job")


def test_an_adapter_on_tied_embeddings_is_refused_before_the_training(
    tiny_model: Path, rows: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(TrainingProblem, match="must not name embed_tokens: in this model the output layer shares"):
        train(tiny_model, rows["language-model"], tmp_path / "job", method="lora", lora_targets="q_proj,embed_tokens")
    untied = build_family(FAMILIES["llama"], tmp_path / "untied", tie_word_embeddings=False)
    report, _ = train(
        untied, rows["language-model"], tmp_path / "untied-job", method="lora", lora_targets="q_proj,embed_tokens"
    )
    assert report["steps"] == 2


@pytest.mark.parametrize("ended", ["at the last step", "early"])
def test_a_run_that_is_started_again_after_its_training_takes_no_further_step(jobs: Any, ended: str) -> None:
    """Epochs that end in the middle of the rows, and a restart because the process was killed while it merged."""
    early = {"patience": 1, "learning_rate": 1e-9, "validation_every": 5, "epochs": 5}
    settings = {"method": "lora", "batch_size": 8} | (early if ended == "early" else {"epochs": 1.5})
    first = jobs.run("job", **settings)
    before = load_file(jobs.folders("job").adapter / "adapter_model.safetensors")
    for _ in range(2):
        jobs.folders("job").report.unlink()
        again = jobs.run("job", **settings)
        assert again["resumed_from_step"] == again["steps"] == first["steps"]
        after = load_file(jobs.folders("job").adapter / "adapter_model.safetensors")
        assert all(torch.equal(before[name], after[name]) for name in before | after)
