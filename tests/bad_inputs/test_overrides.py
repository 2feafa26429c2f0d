"""`--set` with what nobody should have typed."""

from pathlib import Path

import pytest

from tests.bad_inputs.command import check_refusal, finetune
from tests.bad_inputs.test_recipe_files import BOMB, SOUND

LONG = "x" * 5_000
SET = {
    "training": "write it as section.field=value",
    "=": "write it as section.field=value",
    "=1": "write it as section.field=value",
    ".=1": "write it as section.field=value",
    "training.=1": "write it as section.field=value",
    ".epochs=1": "write it as section.field=value",
    "training..epochs=1": "write it as section.field=value",
    "training.epochs.more=1": "training.epochs: ",
    "training.epochs=": "training.epochs: ",
    "training.epochs=[": "the value is not YAML",
    "training.epochs={a: 1, a: 2}": "the value is not YAML",
    "training.epochs=!!timestamp now": "the value is not YAML",
    "training.epochs=!!bool now": "the value is not YAML",
    "training.epochs=2024-13-45": "the value is not YAML",
    "training.epochs=\x00": "the value is not YAML",
    f"training.epochs={'[' * 20_000}": "the value is not YAML",
    f"training.epochs={'9' * 5_000}": "the value is not YAML",
    f"training.epochs={BOMB}": "the value is not YAML",
    "training.epochs=.nan": "training.epochs: ",
    "training.epochs=.inf": "training.epochs: ",
    "training.epochs=-.inf": "training.epochs: ",
    f"training.epochs={LONG}": "training.epochs: ",
    "training=1": "training: ",
    "training={}": "",
    "name=tidy up": "name: ",
    "problem.kind=magic": "'magic' is not one of",
    "problem=": "problem: ",
    "dataset.source=": "dataset.source: ",
    f"dataset.source={LONG}": "dataset.source: ",
    f"dataset.source={LONG}.jsonl": "dataset.source: ",
    "dataset.source=~unknown-user/rows.jsonl": "dataset.source: ",
    "dataset.source='a\\0b.jsonl'": "dataset.source: ",
    '"dataset.source"=rows.jsonl': "unknown",
    'dataset.source="a\\0b.jsonl"': "dataset.source: ",
    "dataset.source=pipe.jsonl": "is no file",
    "dataset.source=dangling.jsonl": "it is a link to ",
    "dataset.source=folder.jsonl": "the folder holds no",
    "dataset.source=/dev/zero": "is no file",
    "dataset.source=recipe.yaml": "unknown file format",
    "dataset.source=nowhere/*.jsonl": "the pattern matches no",
    "dataset.source=gopher://nowhere/rows.jsonl": "gopher",
    "dataset.source=https://[::1/rows.jsonl": "dataset.source: ",
    "dataset.source=https://me:secret@nowhere/rows.jsonl": "put no password",
    "dataset.test_source=~unknown-user/rows.jsonl": "dataset.test_source: ",
    "dataset.mix_with=[{source: pipe.jsonl}]": "dataset.mix_with[0].source: ",
    f"model.source={LONG}": "model.source: ",
    f"model.source={'x' * 300}/{'y' * 300}": "model.",
    "model.source=~unknown-user/model": "model.source: ",
    'model.source="a\\0b"': "model.source: ",
    "model.source=nowhere": "model.source: nowhere: there is no such file",
    "model.source=package:": "model.source: ",
    "model.source=package:no_such_package/x.gguf": "is not installed here",
    "model.source=package:../x": "model.source: ",
    "model.source=package:finetune_flows/../../etc": "model.source: ",
    "model.source=pipe.jsonl": "model.source: pipe.jsonl: it is no file",
    "model.source=dangling.jsonl": "model.source: ",
    "model.source=rows.jsonl": "model.source: rows.jsonl: a model is a folder",
    "model.chat_template=nowhere.jinja": "model.chat_template: nowhere.jinja: there is no such file",
    "model.chat_template=model": "model.chat_template: model",
    "model.chat_template=pipe.jsonl": "model.chat_template: ",
    f"model.chat_template={LONG}": "model.chat_template: ",
    "model.chat_template=~unknown-user/x": "model.chat_template: ",
}


@pytest.mark.parametrize("text", SET, ids=lambda text: repr(text[:40]))
def test_an_override_is_refused_with_everything_else(text: str, home: Path, project: Path) -> None:
    (project / "recipe.yaml").write_text(SOUND, encoding="utf-8")
    said = finetune("run", "recipe.yaml", "--set", "evaluation.rows=-1", "--set", text)
    check_refusal(said, 2, SET[text], "evaluation.rows: input should be")
    assert len(said.problems) >= (2 if SET[text] else 1), said.err
    assert len(said.problems) <= 4, said.err
