"""The saved folder means the same to transformers 4.57 as to ours: token ids, logits, configuration."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from finetune_flows.training import reader_program
from finetune_flows.training.portable import save_tokenizer
from tests.support import portable_families
from tests.support.portable_families import CAUSAL, CLASSIFIERS
from tests.support.tiny_model import tiny_tokenizer
from tests.support.transformers4 import transformers_4

MESSAGES = [{"role": "system", "content": "Answer with SQL."}, {"role": "user", "content": "Which name of ships?"}]
TEXT = "The film and the story of number 12 are lovely, says <|im_end|>"
QUICK = [
    ("llama, llama3", False), ("qwen3_moe", False), ("gemma3_text", False), ("gpt_neox", False),
    ("phi3, longrope", False), ("granitemoehybrid", False), ("qwen2", True), ("modernbert, every second layer", True),
]  # fmt: skip
SLOW = [
    each for each in [(name, False) for name in CAUSAL] + [(name, True) for name in CLASSIFIERS] if each not in QUICK
]
READ_ALL = """
import json, pathlib, runpy, sys
import numpy
read = runpy.run_path(sys.argv[1])["read"]
for request in sorted(pathlib.Path(sys.argv[2]).glob("*.json")):
    try:
        answer = read(json.loads(request.read_text()))
    except Exception as error:
        answer = {"failed": numpy.array(f"{type(error).__name__}: {error}")}
    numpy.savez(request.with_suffix(".npz"), **answer)
"""
Readings = dict[tuple[str, bool], tuple[dict[str, Any], dict[str, Any]]]


def folder_name(name: str, classifier: bool) -> str:
    return f"{name}{' classifies' * classifier}".replace(",", "").replace(" ", "-")


def read_in_both(home: Path, families: list[tuple[str, bool]]) -> Readings:
    """What the trainer has, and what version 4 reads from the folder in another process."""
    ours = {}
    for name, classifier in families:
        folder = home / folder_name(name, classifier)
        model = portable_families.save(name, classifier, folder)
        if classifier:
            ids = read = tiny_tokenizer()(TEXT)["input_ids"]
        else:
            ids = tiny_tokenizer().apply_chat_template(MESSAGES, add_generation_prompt=True)["input_ids"]
            read = [*ids, *range(20, 40)]
        row = {"text": TEXT} if classifier else {"messages": MESSAGES, "ids": read, "answer_length": 20}
        request = {
            "engine": "transformers", "folder": str(folder), "classifier": classifier, "trust_remote_code": False, "rows": [row],
        }  # fmt: skip
        (home / f"{folder.name}.json").write_text(json.dumps(request))
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([read])).logits[0].numpy()
        ours[name, classifier] = {"ids0": np.array(ids), "logits0": logits if classifier else logits[-21:-1]}
    command = [transformers_4(), "-I", "-c", READ_ALL, reader_program.__file__, str(home)]
    subprocess.run(command, check=True, capture_output=True)
    return {each: (ours[each], dict(np.load(home / f"{folder_name(*each)}.npz"))) for each in families}


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Readings:
    return read_in_both(tmp_path_factory.mktemp("quick"), QUICK)


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Readings:
    return read_in_both(tmp_path_factory.mktemp("slow"), SLOW)


def check(readings: Readings, family: tuple[str, bool]) -> None:
    ours, theirs = readings[family]
    assert "failed" not in theirs, str(theirs["failed"])
    assert theirs["ids0"].tolist() == ours["ids0"].tolist()
    difference = float(np.abs(theirs["logits0"] - ours["logits0"]).max())
    assert difference <= 1e-3
    assert np.abs(ours["logits0"]).max() > 0.1, "answers of nearly nothing agree whatever is read"


@pytest.mark.parametrize("family", QUICK, ids=lambda each: folder_name(*each))
def test_transformers_4_reads_what_is_saved(quick: Readings, family: tuple[str, bool]) -> None:
    check(quick, family)


@pytest.mark.slow
@pytest.mark.parametrize("family", SLOW, ids=lambda each: folder_name(*each))
def test_transformers_4_reads_every_family(slow: Readings, family: tuple[str, bool]) -> None:
    check(slow, family)


@pytest.mark.parametrize(("name", "classifier"), [("llama, yarn", False), ("gemma3_text", False), ("modernbert", True)])
def test_our_own_generation_reads_the_same_as_without_the_old_names(
    name: str, classifier: bool, tmp_path: Path
) -> None:
    plain = portable_families.build(name, classifier)
    read = portable_families.save(name, classifier, tmp_path)
    assert read.config.rope_parameters == plain.config.rope_parameters
    ids = torch.arange(3, 40)[None]
    with torch.inference_mode():
        torch.testing.assert_close(read(input_ids=ids).logits, plain(input_ids=ids).logits, rtol=0, atol=1e-5)


def _special() -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=tiny_tokenizer().backend_tokenizer,
        eos_token="<|im_end|>",
        extra_special_tokens=["<|im_start|>"],
    )


def _of(kind: str, vocabulary: Any, **options: Any) -> Any:
    return getattr(transformers, kind)(vocab=vocabulary, **options)


_PIECES = {
    piece: number
    for number, piece in enumerate(["<unk>", "<s>", "</s>", "<pad>", "<bos>", "<eos>", "▁", *"Thefilmandstory"])
}
_WORDS = {
    word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "The", "film"])
}


TOKENIZERS: dict[str, Callable[[], Any]] = {
    "special tokens of its own": _special,
    "llama": lambda: _of("LlamaTokenizer", _PIECES, merges=[]),
    "gemma": lambda: _of("GemmaTokenizer", _PIECES, merges=[]),
    "cased": lambda: _of("BertTokenizer", _WORDS, do_lower_case=False),
    "roberta": lambda: _of("RobertaTokenizer", _bpe()[0], merges=_bpe()[1], add_prefix_space=True),
}
MAKE_IDS = """
import json, pathlib, sys, transformers
made = {}
for folder in pathlib.Path(sys.argv[1]).iterdir():
    one = transformers.AutoTokenizer.from_pretrained(folder)
    text = sys.argv[2]
    made[folder.name] = [one(text)["input_ids"], one(text, text)["input_ids"], sorted(one(text)), sorted(one.all_special_ids)]
print(json.dumps(made))
"""


def test_transformers_4_makes_the_same_ids(tmp_path: Path) -> None:
    """Its own classes for these families would add BOS, change the case, or refuse the special tokens."""
    expected = {}
    for name, make in TOKENIZERS.items():
        one = make()
        save_tokenizer(one, tmp_path / name)
        expected[name] = [
            one(TEXT)["input_ids"], one(TEXT, TEXT)["input_ids"], sorted(one(TEXT)), sorted(one.all_special_ids),
        ]  # fmt: skip
        assert AutoTokenizer.from_pretrained(tmp_path / name)(TEXT)["input_ids"] == expected[name][0]
    command = [transformers_4(), "-I", "-c", MAKE_IDS, str(tmp_path), TEXT]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-500:]
    assert json.loads(result.stdout) == expected


def _bpe() -> tuple[dict[str, int], list[tuple[str, str]]]:
    model = json.loads(tiny_tokenizer().backend_tokenizer.to_str())["model"]
    return model["vocab"], [tuple(pair) for pair in model["merges"]]
