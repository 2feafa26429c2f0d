"""Reads a GGUF file: its weights, and a tokenizer that gives the same token ids as llama.cpp."""

import functools
from pathlib import Path

import gguf
import torch
from tokenizers import Regex, pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.integrations.gguf import get_gguf_tokenizer
from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

from finetune_flows.training.problems import TrainingProblem

_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)"
_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_DIGIT_BY_DIGIT = _CONTRACTIONS + r"\p{N}" + _REST
_THREE_DIGITS = _CONTRACTIONS + r"\p{N}{1,3}" + _REST
_WITH_PUNCTUATION = (
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_SPLITS = {
    ("default",): (r"[\p{P}\$\+<=>\^~\|]+", _WORDS, r"\p{N}+", "[0-9][0-9][0-9]"),
    ("falcon",): (r"[\p{P}\$\+<=>\^~\|`]+", _WORDS, "[0-9][0-9][0-9]"),
    ("starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b", "mellum2"): (r"\p{N}", _WORDS),
    ("gpt-2", "phi-2", "jina-es", "jina-de", "jina-v1-en", "jina-v2-es", "jina-v2-de", "jina-v2-code", "gigachat",
     "a.x-4.0", "mellum", "modern-bert", "roberta-bpe", "mpt", "olmo", "jais", "trillion", "granite-docling",
     "exaone4"): (_WORDS,),
    ("stablelm2", "hunyuan", "solar-open", "grok-2"): (_DIGIT_BY_DIGIT,),
    ("chatglm-bpe", "glm4", "glm5"): (_THREE_DIGITS,),
    ("bloom", "poro-chat", "gpt3-finnish"): (r" ?[^(\s|.,!?…。，、।۔،)]+",),
    ("viking",): (r" ?[^(\s|.,!?…。，、।۔،)]+", r"\p{N}"),
    ("deepseek-coder",): (r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+", r"\p{N}"),
    ("deepseek-v3", "hunyuan-dense", "joyai-llm"): (r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", _WITH_PUNCTUATION),
}  # fmt: skip
SPLITS = {name: splits for names, splits in _SPLITS.items() for name in names}
"""By `tokenizer.ggml.pre`: the expressions at which llama.cpp cuts a text, one after the other. Transformers knows others."""
WHOLE_WORDS = {"llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "glm4", "glm5",
               "jina-v5-nano", "tekken"}  # fmt: skip
"""By `tokenizer.ggml.pre`: a piece that is in the vocabulary is one token, even if no merges lead to it."""


def read_tokenizer(source: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a GGUF file. Raises TrainingProblem when nothing here cuts a text as the file asks.

    Transformers falls back to the rules of GPT-2 for a name that it does not know. The ids then differ from those that
    the model was trained on, above all for numbers.
    """
    _parse_once()
    tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    _, described, _ = get_gguf_tokenizer(str(source))
    if described.get("tokenizer_type") == "gpt2":
        _set_splits(tokenizer, described.get("pre_tokenizer_type") or "default", source)
    return tokenizer


def _set_splits(tokenizer: PreTrainedTokenizerBase, name: str, source: Path) -> None:
    if name not in SPLITS and name not in GGUF_PRE_TOKENIZER_SPLITS:
        raise TrainingProblem(
            f"{source.name} cuts texts by the rules {name!r} (tokenizer.ggml.pre), which are unknown here, so its token "
            "ids would be wrong. Use the original model folder with its tokenizer.json as model.source."
        )
    backend = tokenizer.backend_tokenizer
    if name in SPLITS:
        cuts = [pre_tokenizers.Split(Regex(pattern), behavior="isolated") for pattern in SPLITS[name]]
        to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        backend.pre_tokenizer = pre_tokenizers.Sequence([*cuts, to_bytes])
    backend.model.ignore_merges = name in WHOLE_WORDS


def read_weights(source: Path) -> PreTrainedModel:
    """The model of a GGUF file, de-quantised to float32. That does not restore the precision that it lost."""
    _parse_once()
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        source.parent,
        gguf_file=source.name,
        # Without it, transformers 5 loads a model that it cannot save.
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.float32,
    )
    return model


def _parse_once() -> None:
    """Cache two functions of the gguf package, which halves the time of a conversion.

    transformers reads the same file three times, and builds the table of tensor names once for each module of the model.
    """
    if not hasattr(gguf.GGUFReader, "cache_info"):
        gguf.GGUFReader = functools.cache(gguf.GGUFReader)
        gguf.get_tensor_name_map = functools.cache(gguf.get_tensor_name_map)
