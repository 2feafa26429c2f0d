"""A real, tiny language model and rows for it: made in a second, nothing downloaded.

The model is a Llama of two layers with random weights; its tokenizer is a small BPE trained on the rows below.
It learns by full fine-tuning in seconds. LoRA on random weights barely learns: assert mechanics there, not losses.
"""

import functools
import hashlib
import itertools
import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from tests import ROOT

CHATML = ROOT / "training" / "templates" / "chatml.jinja"
SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TABLES = {
    "ships": ("name", "length", "port", "built"),
    "teachers": ("name", "age", "school", "salary"),
    "rivers": ("name", "length", "country", "depth"),
    "films": ("title", "year", "director", "budget"),
    "bridges": ("name", "span", "city", "opened"),
    "wines": ("label", "grape", "region", "price"),
}
COMPARISONS = {"is": "=", "is more than": ">", "is less than": "<"}
VALUES = ("Oslo", "Lima", "Delft", "Kyoto", "12", "1987", "250", "7")


def build_tiny_model(folder: Path, seed: int = 0, tokenizer: PreTrainedTokenizerFast | None = None) -> Path:
    """Save the model (105 thousand float32 weights), its tokenizer and ChatML template in `folder`, which it returns."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = tokenizer or tiny_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@functools.cache
def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """The tokenizer of the tiny model: byte-level BPE, end of turn <|im_end|>, padding <|endoftext|>, no BOS."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=1024, special_tokens=SPECIAL_TOKENS, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(_corpus(), trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>", model_max_length=512
    )
    fast.chat_template = CHATML.read_text(encoding="utf-8")
    return fast


def write_tiny_dataset(folder: Path, rows: int) -> Path:
    """Train.parquet with `rows` rows, validation and test with a quarter as many (at least four); returns `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    messages = list(itertools.starmap(_messages, _choices()))
    random.Random(7).shuffle(messages)
    few = max(4, rows // 4)
    if rows + 2 * few > len(messages):
        raise ValueError(f"{rows + 2 * few} rows asked for, only {len(messages)} different ones can be made")
    for split, start, count in (("train", 0, rows), ("validation", rows, few), ("test", rows + few, few)):
        table = pa.Table.from_pylist([_row(*each) for each in messages[start : start + count]])
        pq.write_table(table, folder / f"{split}.parquet")
    return folder


def tiny_rows(count: int) -> list[dict[str, str]]:
    """Question, context and answer, as a user would bring them: `count` rows, drawn over all tables."""
    chosen = random.Random(3).sample(list(itertools.starmap(_messages, _choices())), count)
    return [{"question": question, "context": context, "answer": answer} for _, context, question, answer in chosen]


def tiny_recipe(folder: Path, model: Path) -> dict[str, Any]:
    """A recipe of seconds, as YAML would hold it, with its rows in `folder`: a real model, really trained and served."""
    rows = folder / "rows.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in tiny_rows(60)), encoding="utf-8")
    return {
        "name": "tiny",
        "problem": {"kind": "text-to-sql", "judging": {"databases": 2}},
        "dataset": {"source": str(rows), "max_tokens": 400},
        "model": {"source": str(model)},
        "training": {"method": "full", "max_steps": 3, "max_length": 400, "batch_size": 2, "learning_rate": 1e-3},
        "serving": {"max_model_length": 512, "expires_after_hours": 0.2},
        "evaluation": {"rows": 6, "max_new_tokens": 16},
        "gate": {"min_gain": -1, "max_loss": 1},
    }


def add_rows(source: Path, count: int) -> None:
    """New rows at the end of the file of a `tiny_recipe`: of a schema that it has, with questions that it has not."""
    first = json.loads(source.read_text(encoding="utf-8").splitlines()[0])
    with source.open("a", encoding="utf-8") as file:
        for number in range(count):
            file.write(json.dumps(first | {"question": f"{first['question']} And what about {number}?"}) + "\n")


def _choices() -> list[tuple[str, str, str, str, str]]:
    return [
        (table, wanted, column, comparison, value)
        for table, columns in TABLES.items()
        for wanted, column, comparison, value in itertools.product(columns, columns, COMPARISONS, VALUES)
    ]


def _messages(table: str, wanted: str, column: str, comparison: str, value: str) -> tuple[str, str, str, str]:
    context = f"CREATE TABLE {table} ({', '.join(f'{name} TEXT' for name in TABLES[table])})"
    question = f"Which {wanted} of {table} has a {column} that {comparison} {value}?"
    answer = f"SELECT {wanted} FROM {table} WHERE {column} {COMPARISONS[comparison]} '{value}'"
    return table, context, question, answer


def _corpus() -> list[str]:
    return ["\n".join(["system user assistant Answer with SQL.\nSCHEMA:", *_messages(*each)]) for each in _choices()]


def _row(table: str, context: str, question: str, answer: str) -> dict[str, Any]:
    prompt = [
        {"role": "system", "content": f"Answer with SQL.\nSCHEMA:\n{context}"},
        {"role": "user", "content": question},
    ]
    completion = [{"role": "assistant", "content": answer}]
    return {
        "id": hashlib.sha256(json.dumps([prompt, completion]).encode()).hexdigest()[:16],
        "prompt": prompt,
        "completion": completion,
        "fields": {"question": question, "context": context, "answer": answer},
        "slice": "compares" if ">" in answer or "<" in answer else "equals",
        "group": table,
        "tokens": len(tiny_tokenizer().apply_chat_template(prompt + completion)["input_ids"]),
    }
