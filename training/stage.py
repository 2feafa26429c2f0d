"""Creates a base model that `train` can read: safetensors, tokenizer and chat template in one folder.

A GGUF file is de-quantised to float32, which does not restore the precision that it lost. A folder in Hugging Face format
is copied, and its chat template is checked or added.
"""

import functools
import shutil
from pathlib import Path

import gguf
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig, PreTrainedTokenizerBase

from finetune_flows.training.portable import complete_config, save_tokenizer
from finetune_flows.training.problems import TrainingProblem

TEMPLATES = Path(__file__).parent / "templates"
PROBE = [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}]


def stage(source: Path, output: Path, chat_template: str | None = None) -> None:
    """Write the model of `source` (a GGUF file or a folder) to `output`, with `chat_template` (a file, or `chatml`).

    Without `chat_template`, the model keeps its own template, or has none. A classifier needs none; for other problems,
    preparing the data set fails. Raises TrainingProblem when the template fails on a system message and a question, or
    when `source` holds no model.
    """
    if source.is_dir():
        tokenizer = _copy_folder(source, output)
    elif source.suffix == ".gguf" and source.is_file():
        tokenizer = _convert_gguf(source, output)
    else:
        raise TrainingProblem(f"{source} is neither a GGUF file nor a folder with a model")
    if chat_template is not None:
        tokenizer.chat_template = _template(chat_template)
    _check_template(tokenizer)
    _set_padding(tokenizer)
    save_tokenizer(tokenizer, output)
    complete_config(output)  # the base model is served too, perhaps by a server on transformers 4


def _copy_folder(source: Path, output: Path) -> PreTrainedTokenizerBase:
    if not list(source.glob("*.safetensors")):
        raise TrainingProblem(
            f"{source} holds no safetensors. Convert pickled weights (.bin) first: they can run code when they are loaded."
        )
    shutil.copytree(source, output, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.bin", "*.pt", "*.pth", ".git"))
    return AutoTokenizer.from_pretrained(source)


def _convert_gguf(source: Path, output: Path) -> PreTrainedTokenizerBase:
    """Write the GGUF file as safetensors, and return its tokenizer."""
    _parse_once()
    # Without GgufConfig(dequantize=True), transformers 5 loads a model that it cannot save.
    model = AutoModelForCausalLM.from_pretrained(
        source.parent,
        gguf_file=source.name,
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.float32,
    )
    model.save_pretrained(output)
    tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    tokenizer.model_max_length = model.config.max_position_embeddings
    return tokenizer


def _parse_once() -> None:
    """Cache two functions of the gguf package, which halves the time of a conversion.

    transformers reads the same file three times, and builds the table of tensor names once for each module of the model.
    """
    gguf.GGUFReader = functools.cache(gguf.GGUFReader)
    gguf.get_tensor_name_map = functools.cache(gguf.get_tensor_name_map)


def _template(name: str) -> str:
    path = TEMPLATES / "chatml.jinja" if name == "chatml" else Path(name)
    if not path.is_file():
        raise TrainingProblem(f"--chat-template {name}: there is no such file. The built-in template is called chatml")
    return path.read_text(encoding="utf-8")


def _check_template(tokenizer: PreTrainedTokenizerBase) -> None:
    if tokenizer.chat_template is None:
        return
    try:
        rendered = tokenizer.apply_chat_template(PROBE, tokenize=False, add_generation_prompt=True)
    except Exception as error:  # a template may raise anything
        raise TrainingProblem(f"The chat template fails on a system message and a question: {error}") from error
    missing = [message["role"] for message in PROBE if message["content"] not in rendered]
    if missing:
        raise TrainingProblem(f"The chat template leaves out the {' and '.join(missing)} message")


def _set_padding(tokenizer: PreTrainedTokenizerBase) -> None:
    """Choose a padding token other than the end token: a collator that ignores padding would hide every end from the loss."""
    if tokenizer.pad_token in (None, tokenizer.eos_token) and tokenizer.unk_token not in (None, tokenizer.eos_token):
        tokenizer.pad_token = tokenizer.unk_token
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
