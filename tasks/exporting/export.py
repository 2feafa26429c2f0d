"""Export: write a judged model as a GGUF file, and compare the answers of both on the test rows."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from finetune_flows.tasks.base.errors import EnvironmentProblem, FinetuneError
from finetune_flows.tasks.base.files import digest_files, write_json
from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.endpoints.asking import TestRow
from finetune_flows.tasks.evaluation.exam import Progress
from finetune_flows.tasks.exporting import gguf, llama_cpp
from finetune_flows.tasks.exporting.compare import Difference, TestRows
from finetune_flows.tasks.exporting.subject import Subject

REPORT = "export.json"
NUMBER_TYPES = (*gguf.CONVERTED, *gguf.QUANTISED)
"""The default first."""


class Exported(Frozen):
    """A model as a GGUF file."""

    name: str
    number_type: str
    folder: str
    sizes: dict[str, int] = Field(description="Size in bytes of each file, by its name.")
    notes: list[str] = Field(description="What the user must know, a sentence each.")
    difference: Difference | None = Field(None, description="None if the answers were not compared; notes say why.")


def export(subject: Subject, number_type: str, folder: Path | None, rows: int, on_progress: Progress) -> Exported:
    """Writes the model and compares its answers with the original's.

    Args:
        subject: The model.
        number_type: Number type of the weights, one of NUMBER_TYPES.
        folder: Where to; None: `<name>-<number type>` in the working directory. It may exist only if it is empty.
        rows: How many test rows to compare; 0: none.
        on_progress: Called after every answer.

    Raises:
        EnvironmentProblem: GGUF is not for this model, or a program that writes it is missing, or the folder is used.
    """
    _check(subject, number_type)
    folder = folder or Path(f"{subject.name}-{number_type}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise EnvironmentProblem(f"{folder} exists already. Next: delete it, or name another folder with --out")
    folder.absolute().parent.mkdir(parents=True, exist_ok=True)
    # Written under a temporary name: an interrupted export must not look complete.
    draft = Path(tempfile.mkdtemp(dir=folder.absolute().parent, prefix=f".{folder.name}-"))
    try:
        draft.chmod(0o755)
        notes = gguf.write(subject, draft, number_type)
        files = digest_files(draft)
        difference, why = _compare(subject, draft, rows, on_progress)
        exported = Exported(
            name=subject.name,
            number_type=number_type,
            folder=str(folder),
            sizes={name: file["size"] for name, file in files.items()},
            notes=[*notes, *([f"The answers were not compared: {why}"] if why else [])],
            difference=difference,
        )
        write_json(draft / REPORT, exported.model_dump(mode="json"))
        if folder.exists():
            folder.rmdir()
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return exported


def _check(subject: Subject, number_type: str) -> None:
    """Raises EnvironmentProblem when GGUF is not for this model, or has no such number type."""
    if not subject.generates:
        raise EnvironmentProblem(
            f"{subject.name} is a classifier, and llama.cpp runs only models that generate text. For ONNX Runtime: train it "
            "with training.compile"
        )
    if number_type not in NUMBER_TYPES:
        raise EnvironmentProblem(f"--quantise {number_type}: unknown; permitted are {', '.join(NUMBER_TYPES)}")


def _compare(subject: Subject, folder: Path, rows: int, on_progress: Progress) -> tuple[Difference | None, str | None]:
    """The difference on the test rows; or None, and the reason."""
    if rows == 0:
        return None, "--rows is 0."
    if subject.entry is None or subject.recipe is None:
        return None, "the test rows of this folder are not known; export a model that `finetune runs` shows."
    digest = "".join(file["sha256"] for file in digest_files(folder).values())
    try:
        test = TestRows(subject.entry, subject.recipe, rows)
        with llama_cpp.serve(folder, subject.recipe.serving.max_model_length) as connection:
            same = _same_prompts(subject, llama_cpp.prompt_ids(connection, test.prompts), test.prompts)
            return test.compare(connection, digest, on_progress).model_copy(update={"same_prompts": same}), None
    except FinetuneError as error:  # the files are good for whoever has a reader
        return None, f"{error}."


def _same_prompts(subject: Subject, found: Sequence[list[int]], rows: Sequence[TestRow]) -> int:
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(subject.weights)
    own = [
        tokenizer.apply_chat_template(row.prompt, add_generation_prompt=True, return_dict=True)["input_ids"]
        for row in rows
    ]
    return sum(a == b for a, b in zip(own, found, strict=True))
