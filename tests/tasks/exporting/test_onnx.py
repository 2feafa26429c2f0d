"""ONNX Runtime answers from an exported model as transformers answers from the original."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, BertConfig, BertForSequenceClassification

from finetune_flows.tasks.base.errors import EnvironmentProblem
from finetune_flows.tasks.endpoints.asking import TestRow
from finetune_flows.tasks.exporting import onnx
from finetune_flows.tasks.exporting.export import export
from finetune_flows.tasks.exporting.subject import Subject, find_subject
from tests.support.smol_model import build_smol_model
from tests.support.tiny_model import tiny_tokenizer

pytestmark = pytest.mark.slow
# Not `  12`, of which onnxruntime-genai 0.18 makes other ids: see docs/export.md.
TEXTS = ("SELECT name FROM ships WHERE tons > 1234567", "Zoë's «ship»\n12 34", "日本語のテーブル")


def exported(folder: Path, tools: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> Subject:
    monkeypatch.setenv("FINETUNE_HOME", str(tools))
    subject = find_subject(str(folder))
    export(subject, "onnx", kind, folder.with_name("out"), 0, lambda done, total: None)
    return subject


def test_a_language_model_answers_alike(tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = exported(build_smol_model(tmp_path / "smol"), tools, "f32", monkeypatch)
    tokenizer: Any = AutoTokenizer.from_pretrained(subject.weights)
    model = AutoModelForCausalLM.from_pretrained(subject.weights, dtype=torch.float32)
    rows = [TestRow(id=text, prompt=[{"role": "user", "content": text}], fields={}) for text in TEXTS]
    with onnx.serve(subject, tmp_path / "out", 512) as connection, connection.client(60) as client:
        found = onnx.prompt_ids(connection, rows)
        for row, ids in zip(rows, found, strict=True):
            assert ids == tokenizer.apply_chat_template(row.prompt, add_generation_prompt=True)["input_ids"]
            reply = client.post("/v1/chat/completions", json={"messages": row.prompt, "max_tokens": 12}).json()
            (own,) = model.generate(input_ids=torch.tensor([ids]), max_new_tokens=12, do_sample=False)
            assert reply["choices"][0]["message"]["content"] == tokenizer.decode(
                own[len(ids) :], skip_special_tokens=True
            )
            assert reply["usage"] == {"prompt_tokens": len(ids), "completion_tokens": len(own) - len(ids)}


def test_a_family_that_the_builder_does_not_know_is_refused(
    tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = build_smol_model(tmp_path / "smol")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "architectures": ["GPTNeoXForCausalLM"]}))
    with pytest.raises(EnvironmentProblem, match=r"smol cannot be written as ONNX: .*not currently supported"):
        exported(folder, tools, "int8", monkeypatch)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("kind", "tolerance"), [("f32", 1e-4), ("int8", 0.05)])
def test_a_classifier_answers_alike(
    tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, tolerance: float
) -> None:
    tokenizer = tiny_tokenizer()
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        id2label={0: "bad", 1: "good"}, label2id={"bad": 0, "good": 1}, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    model = BertForSequenceClassification(config).eval()
    model.save_pretrained(tmp_path / "labels")
    tokenizer.save_pretrained(tmp_path / "labels")
    subject = exported(tmp_path / "labels", tools, kind, monkeypatch)
    assert not list((tmp_path / "out").glob("*.safetensors"))
    with onnx.serve(subject, tmp_path / "out", 512) as connection, connection.client(60) as client:
        for text in TEXTS:
            reply = client.post("/invocations", json={"inputs": text, "parameters": {"top_k": 2}}).json()
            with torch.inference_mode():
                own = model(**tokenizer(text, return_tensors="pt")).logits.softmax(-1)[0]
            found = {each["label"]: each["score"] for each in reply}
            assert [found["bad"], found["good"]] == pytest.approx(own.tolist(), abs=tolerance)
