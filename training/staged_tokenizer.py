"""The tokenizer of a base model folder, with the token ids of its own tokenizer.json."""

import re
import shutil
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import transformers
from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from finetune_flows.training.problems import TrainingProblem

SAMPLES = (
    "INSERT INTO t VALUES (1,  23,  456, 1987.25) -- it's  done",
    "  Two lines,\n\n\tand we'll see; they'VE said: \"no\"!\r\n",
    "naïve Straße 北京 日本語 한국어 हिन्दी 🙂 x_y-z {a: [b]} <tag> `code` user@example.org",
    "UPPER lower CamelCase snake_case1 100000000 ½ a\u0301",
)
_TODAY = re.compile(r"""strftime_now\(\s*(["'])(.*?)\1\s*\)""")


def read_own_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of `folder`. Raises TrainingProblem when it cannot be loaded and saved with its own token ids.

    The classes of transformers 5 build their parts anew, as their family usually has them. For a folder whose
    tokenizer.json differs, that gives other ids without a word, so the file is read as it is then.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if not (folder / "tokenizer.json").is_file() or _same_ids(tokenizer, folder):
        return tokenizer
    as_it_is = PreTrainedTokenizerFast.from_pretrained(folder)
    if not _same_ids(as_it_is, folder) or not _same_ids(_saved_and_loaded(as_it_is, folder), folder):
        raise TrainingProblem(
            f"{type(tokenizer).__name__} of transformers {transformers.__version__} gives other token ids than "
            f"{folder.name}/tokenizer.json, and nothing else can load it. The model would read other texts than it knows. "
            "Choose another base model."
        )
    print(
        f"{type(tokenizer).__name__} of transformers {transformers.__version__} gives other token ids than tokenizer.json; "
        "the file is used as it is",
        flush=True,
    )
    return as_it_is


def _saved_and_loaded(tokenizer: PreTrainedTokenizerBase, folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer as everything after staging loads it: by the family in config.json, which may choose the class."""
    with TemporaryDirectory() as temporary:
        shutil.copy(folder / "config.json", temporary)
        tokenizer.save_pretrained(temporary)
        return AutoTokenizer.from_pretrained(temporary)


def freeze_date(template: str) -> str:
    """The template with today's date in place of each call for it. Raises TrainingProblem if one is left.

    Otherwise the model would be asked other prompts tomorrow than it was trained on.
    """
    today = date.today()
    frozen = _TODAY.sub(lambda call: repr(today.strftime(call[2])), template)
    if "strftime_now(" in frozen:
        raise TrainingProblem(
            "The chat template writes today's date in a format of its own. Use one with a fixed date."
        )
    if frozen != template:
        print(f"the chat template writes today's date; it is saved with {today.isoformat()} instead", flush=True)
    return frozen


def _same_ids(tokenizer: PreTrainedTokenizerBase, folder: Path) -> bool:
    own = Tokenizer.from_file(str(folder / "tokenizer.json"))
    own.no_truncation()
    own.no_padding()
    theirs = tokenizer(list(SAMPLES), add_special_tokens=False)["input_ids"]
    return bool([own.encode(text, add_special_tokens=False).ids for text in SAMPLES] == theirs)
