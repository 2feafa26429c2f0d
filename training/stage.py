"""Creates a base model that `train` can read: safetensors, tokenizer and chat template in one folder.

A GGUF file is de-quantised to float32. A folder in Hugging Face format is copied, with its own token ids. What cannot be
trained is refused before anything is written.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from finetune_flows.training.families import check_family, read_config
from finetune_flows.training.gguf_file import read_tokenizer, read_weights
from finetune_flows.training.model_files import check_weights, read_object, reading
from finetune_flows.training.portable import complete_config, save_tokenizer
from finetune_flows.training.problems import TrainingProblem
from finetune_flows.training.staged_tokenizer import freeze_date, read_own_tokenizer

TEMPLATES = Path(__file__).parent / "templates"
QUESTION = [{"role": "user", "content": "U"}]
HEADS = "heads.json"
"""The file of a staged model that lists the heads that can be trained on it."""


def stage(source: Path, output: Path, chat_template: str | None = None) -> None:
    """Write the model of `source` (a GGUF file or a folder) to `output`, with `chat_template` (a file, or `chatml`).

    Without `chat_template`, the model keeps its own template, or has none. A classifier needs none, so the model's own is
    only checked when the rows are prepared, and only for what they need.

    Raises TrainingProblem when the given template cannot render a question, or when `source` holds no model, one that
    cannot be trained here, or adapters beside a model.
    """
    if source.is_dir():
        tokenizer, heads, write = _open_folder(source)
    elif source.suffix == ".gguf" and source.is_file():
        tokenizer, heads, write = _open_gguf(source)
    else:
        raise TrainingProblem(f"{source} is neither a GGUF file nor a folder with a model")
    if chat_template is not None:
        tokenizer.chat_template = _template(chat_template)
        _check_template(tokenizer)
    with reading(f"the tokenizer of {source}"):
        _freeze_dates(tokenizer)
        _set_padding(tokenizer)
    with reading(str(source)):
        write(output)
    save_tokenizer(tokenizer, output)
    complete_config(output)  # the base model is served too, perhaps by a server on transformers 4
    (output / HEADS).write_text(json.dumps(heads) + "\n", encoding="utf-8")


Opened = tuple[PreTrainedTokenizerBase, tuple[str, ...], Callable[[Path], object]]
"""A tokenizer, the heads that the model can have, and what writes the model to a folder."""


def _open_folder(source: Path) -> Opened:
    _refuse_adapters(source)
    check_weights(source)
    ignored = shutil.ignore_patterns("*.bin", "*.pt", "*.pth", ".git")
    heads = _heads_of_folder(source)
    with reading(f"the tokenizer of {source}"):
        tokenizer = read_own_tokenizer(source)
    return (
        tokenizer,
        heads,
        lambda output: shutil.copytree(source, output, dirs_exist_ok=True, ignore=ignored),
    )


def _heads_of_folder(source: Path) -> tuple[str, ...]:
    config = source / "config.json"
    if not config.is_file():
        raise TrainingProblem(f"{source} holds no model: config.json is missing.")
    if "auto_map" in read_object(config):  # a family with code of its own, which is not run here
        return ("language-model", "classifier")
    with reading(str(config)):
        return check_family(read_config(source))


def _open_gguf(source: Path) -> Opened:
    with reading(str(source)):
        config = read_config(source.parent, gguf_file=source.name)
        heads, tokenizer = check_family(config), read_tokenizer(source)
        tokenizer.model_max_length = config.max_position_embeddings
    return tokenizer, heads, lambda output: read_weights(source).save_pretrained(output)


def _refuse_adapters(source: Path) -> None:
    """An adapter changes what transformers loads from a folder, also where a whole model is beside it."""
    adapter = source / "adapter_config.json"
    if not adapter.is_file():
        return
    base = read_object(adapter).get("base_model_name_or_path")
    if not (source / "config.json").is_file():
        raise TrainingProblem(
            f"{source} holds only an adapter for {base}. Use its base model as model.source, or merge the two first."
        )
    names = ", ".join(sorted(path.name for path in source.glob("adapter_*")))
    raise TrainingProblem(
        f"{source} holds an adapter ({names}) beside a model. Merge it into the model, or delete these files."
    )


def _template(name: str) -> str:
    path = TEMPLATES / "chatml.jinja" if name == "chatml" else Path(name)
    if not path.is_file():
        raise TrainingProblem(f"--chat-template {name}: there is no such file. The built-in template is called chatml")
    with reading(f"--chat-template {name}"):
        return path.read_text(encoding="utf-8")


def _check_template(tokenizer: PreTrainedTokenizerBase) -> None:
    try:
        rendered = tokenizer.apply_chat_template(QUESTION, tokenize=False, add_generation_prompt=True)
    except Exception as error:  # a template may raise anything
        raise TrainingProblem(f"The chat template fails on a question: {error}") from error
    if QUESTION[0]["content"] not in rendered:
        raise TrainingProblem("The chat template leaves out the question")


def _freeze_dates(tokenizer: PreTrainedTokenizerBase) -> None:
    template = tokenizer.chat_template
    if isinstance(template, dict):  # several templates by name
        tokenizer.chat_template = {name: freeze_date(text) for name, text in template.items()}
    elif template is not None:
        tokenizer.chat_template = freeze_date(template)


def _set_padding(tokenizer: PreTrainedTokenizerBase) -> None:
    """Choose a padding token other than the end token: a collator that ignores padding would hide every end from the loss."""
    if tokenizer.pad_token in (None, tokenizer.eos_token) and tokenizer.unk_token not in (None, tokenizer.eos_token):
        tokenizer.pad_token = tokenizer.unk_token
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
