"""Speed and memory of fine-tuning a model of 7 B weights on one GPU. Weights are drawn at random: neither depends on their values.

    python -m benchmarks.gpu.shape --tokenizer DIR --dataset DIR --output DIR

DIR of the dataset is as a run prepares it (train.parquet, validation.parquet); the tokenizer's chat template is used. Prints a JSON
object for each job. The first of the steps are slow, and are in the tokens per second.
"""

import argparse
import json
import shutil
import sys
from multiprocessing import get_context
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen2Config

from benchmarks.gpu.job import train

QWEN2_5_7B = Qwen2Config(
    vocab_size=152064,
    hidden_size=3584,
    intermediate_size=18944,
    num_hidden_layers=28,
    num_attention_heads=28,
    num_key_value_heads=4,
    max_position_embeddings=32768,
    tie_word_embeddings=False,
)
FOUR = {"method": "qlora", "batch_size": 4, "max_length": 1024}
JOBS = [
    {**FOUR, "attention": "sdpa"},
    {**FOUR, "attention": "flash_attention_2"},
    {**FOUR, "attention": "sdpa", "gradient_checkpointing": "off"},
    {**FOUR, "attention": "flash_attention_2", "gradient_checkpointing": "off"},
    {**FOUR, "attention": "flash_attention_2", "batch_size": 16},
    {**FOUR, "attention": "flash_attention_2", "method": "lora"},
]


def main() -> None:
    """Makes the model, trains it in each way for some steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--jobs", type=int, nargs="*", help="which of JOBS, by number; default: all")
    options = parser.parse_args()
    model = options.output / "base"
    maker = get_context("spawn").Process(target=make_model, args=(model, options.tokenizer))
    maker.start()  # a process of its own: this one's would go on holding the GPU's memory
    maker.join()
    for number in options.jobs or range(len(JOBS)):
        folder = options.output / f"job-{number}"
        settings = {**JOBS[number], "max_steps": options.steps, "merge": "none", "validation_every": 1000}
        print(json.dumps(train(options.dataset, model, folder, **settings)), flush=True)
        shutil.rmtree(folder, ignore_errors=True)


def make_model(folder: Path, tokenizer: Path) -> None:
    """A model folder of that shape, in bfloat16."""
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = AutoModelForCausalLM.from_config(QWEN2_5_7B)
    print(f"{sum(each.numel() for each in model.parameters()) / 1e9:.2f} B weights", file=sys.stderr, flush=True)
    model.save_pretrained(folder, max_shard_size="4GB")
    AutoTokenizer.from_pretrained(tokenizer).save_pretrained(folder)


if __name__ == "__main__":
    main()
