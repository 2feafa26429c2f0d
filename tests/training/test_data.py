"""Token ids and labels of the rows."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune_flows.training.data import read_rows
from finetune_flows.training.masks import IGNORED, tokenize
from finetune_flows.training.problems import TrainingProblem
from tests.support.tiny_model import CHATML, tiny_tokenizer

text = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=60)


def fresh_tokenizer() -> Any:
    from copy import deepcopy

    return deepcopy(tiny_tokenizer())


def test_ids_and_labels_are_those_of_trl(tiny_model: Path, tiny_rows: Path, tmp_path: Path) -> None:
    from datasets import Dataset
    from transformers import AutoModelForCausalLM
    from trl import SFTConfig, SFTTrainer

    table = pq.read_table(tiny_rows / "train.parquet", columns=["prompt", "completion"])
    theirs = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(tiny_model),
        args=SFTConfig(output_dir=str(tmp_path), use_cpu=True, bf16=False, report_to="none"),
        train_dataset=Dataset(table),
        processing_class=fresh_tokenizer(),
    ).train_dataset
    ours = read_rows(tiny_rows, "train", tiny_tokenizer(), 512)
    assert ours is not None
    assert ours.tokens["input_ids"][:] == theirs["input_ids"][:]
    assert ours.tokens["labels"][:] == theirs["labels"][:]


@settings(max_examples=50)
@given(text, text, text)
def test_only_the_answer_and_its_end_have_labels(system: str, question: str, answer: str) -> None:
    tokenizer = tiny_tokenizer()
    prompt = [{"role": "system", "content": system}, {"role": "user", "content": question}]
    [(ids, labels)] = tokenize(tokenizer, [prompt], [[{"role": "assistant", "content": answer}]])
    trained = [label for label in labels if label != IGNORED]
    assert len(ids) == len(labels)
    assert ids[len(ids) - len(trained) :] == trained, "labels are a suffix of the ids"
    assert tokenizer.decode(trained) == f"{answer}<|im_end|>\n"


def test_rows_that_are_too_long_are_refused_and_counted(tiny_rows: Path) -> None:
    rows = read_rows(tiny_rows, "train", tiny_tokenizer(), 512)
    assert rows is not None
    limit = sorted(rows.lengths)[-3] - 1
    longer = sum(length > limit for length in rows.lengths)
    with pytest.raises(TrainingProblem, match=rf"{longer} of {len(rows)} rows of train.parquet are longer"):
        read_rows(tiny_rows, "train", tiny_tokenizer(), limit)


def test_an_answer_without_an_end_is_refused(tiny_rows: Path) -> None:
    tokenizer = fresh_tokenizer()
    tokenizer.chat_template = CHATML.read_text().replace("+ eos_token", "")
    with pytest.raises(TrainingProblem, match="never learn to stop"):
        read_rows(tiny_rows, "train", tokenizer, 512)


def test_a_prompt_that_changes_once_an_answer_follows_is_refused(tiny_rows: Path) -> None:
    tokenizer = fresh_tokenizer()
    tokenizer.chat_template = CHATML.read_text().replace("assistant\\n'", "assistant\\n\\n\\nthinking'")
    with pytest.raises(TrainingProblem, match="renders a prompt differently"):
        read_rows(tiny_rows, "train", tokenizer, 512)


def test_no_file_and_no_rows_are_no_split(tmp_path: Path, tiny_rows: Path) -> None:
    assert read_rows(tmp_path, "validation", tiny_tokenizer(), 512) is None
    pq.write_table(pq.read_table(tiny_rows / "test.parquet").slice(0, 0), tmp_path / "validation.parquet")
    assert read_rows(tmp_path, "validation", tiny_tokenizer(), 512) is None


def test_more_rows_than_one_batch_keep_their_order(tmp_path: Path, tiny_rows: Path) -> None:
    table = pq.read_table(tiny_rows / "train.parquet")
    pq.write_table(pa.concat_tables([table] * 30), tmp_path / "train.parquet")
    many = read_rows(tmp_path, "train", tiny_tokenizer(), 512)
    once = read_rows(tiny_rows, "train", tiny_tokenizer(), 512)
    assert many is not None
    assert once is not None
    assert many.tokens["input_ids"][:] == once.tokens["input_ids"][:] * 30
