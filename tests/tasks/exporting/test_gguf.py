"""A GGUF file holds the model's own tensors, tokens and chat template, and llama.cpp reads its prompts alike.

Slow, because the tokenizer is a whole one.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from finetune_flows.tasks.base.errors import EnvironmentProblem
from finetune_flows.tasks.endpoints.asking import TestRow
from finetune_flows.tasks.exporting import llama_cpp
from finetune_flows.tasks.exporting.export import export
from finetune_flows.tasks.exporting.subject import Subject, find_subject
from tests.support.smol_model import build_smol_model
from tests.support.tiny_model import build_tiny_model

TEXTS = ("SELECT name FROM ships WHERE tons > 1234567", "Zoë's «ship»\n\t  12 34", "日本語のテーブル")


def quietly(done: int, total: int) -> None:
    """No progress is shown."""


@pytest.fixture(scope="module")
def smol(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_smol_model(tmp_path_factory.mktemp("smol"))


def exported(smol: Path, tools: Path, folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> Subject:
    monkeypatch.setenv("FINETUNE_HOME", str(tools))
    subject = find_subject(str(smol))
    result = export(subject, "gguf", kind, folder, 40, quietly)
    assert result.difference is None
    assert "test rows of this folder are not known" in result.notes[0]
    return subject


@pytest.mark.slow
def test_tensors_tokens_and_template_are_the_models_own(
    smol: Path, tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gguf
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    exported(smol, tools, tmp_path / "out", "f32", monkeypatch)
    (file,) = (tmp_path / "out").glob("*.gguf")
    original = AutoModelForCausalLM.from_pretrained(smol).state_dict()
    read = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32).state_dict()
    assert read.keys() == original.keys()
    assert all(torch.equal(read[name], original[name]) for name in original)

    tokenizer: Any = AutoTokenizer.from_pretrained(smol)
    fields = gguf.GGUFReader(file).fields
    assert fields["tokenizer.ggml.tokens"].contents() == tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    assert fields["tokenizer.chat_template"].contents() == tokenizer.chat_template
    assert fields["tokenizer.ggml.eos_token_id"].contents() == tokenizer.eos_token_id
    assert fields["tokenizer.ggml.bos_token_id"].contents() == tokenizer.bos_token_id
    modelfile = (tmp_path / "out" / "Modelfile").read_text(encoding="utf-8")
    assert modelfile.startswith(f"FROM ./{file.name}\n")
    assert 'PARAMETER stop "<|im_end|>"' in modelfile

    if find_spec("xllamacpp") is None:
        pytest.skip("llama.cpp is not installed: its token ids were not compared")
    rows = [TestRow(id=text, prompt=[{"role": "user", "content": text}], fields={}) for text in TEXTS]
    with llama_cpp.serve(file.parent, 512) as connection:
        found = llama_cpp.prompt_ids(connection, rows)
    own = [tokenizer.apply_chat_template(row.prompt, add_generation_prompt=True)["input_ids"] for row in rows]
    assert found == own


@pytest.mark.slow
def test_a_tokenizer_that_the_converter_does_not_know_is_refused(
    tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tokenizer that is taken for another would give other tokens."""
    monkeypatch.setenv("FINETUNE_HOME", str(tools))
    subject = find_subject(str(build_tiny_model(tmp_path / "tiny")))
    with pytest.raises(EnvironmentProblem, match=r"tiny cannot be written as GGUF: .*pre-tokenizer"):
        export(subject, "q8_0", tmp_path / "out", 0, quietly)
    assert not (tmp_path / "out").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]
