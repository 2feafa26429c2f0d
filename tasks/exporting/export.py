"""Export: write a judged model in another format, and compare the answers of both on the test rows."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from pydantic import Field

from finetune_flows.tasks.base.errors import EnvironmentProblem, FinetuneError
from finetune_flows.tasks.base.files import digest_files, write_json
from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.endpoints.asking import TestRow
from finetune_flows.tasks.endpoints.connect import Connection
from finetune_flows.tasks.evaluation.exam import Progress
from finetune_flows.tasks.exporting import gguf, onnx, safetensors
from finetune_flows.tasks.exporting.compare import Difference, TestRows
from finetune_flows.tasks.exporting.subject import Subject
from finetune_flows.tasks.exporting.tools import Tool

REPORT = "export.json"


class Format(Protocol):
    """A module that writes models in one format."""

    def number_types(self, subject: Subject) -> Sequence[str]:
        """Those that this model can have, the default first. Raises EnvironmentProblem when the format is not for it."""

    def write(self, subject: Subject, folder: Path, kind: str) -> list[str]:
        """Writes the model into an empty folder, and returns what the user must know. Raises EnvironmentProblem."""

    def serve(self, subject: Subject, folder: Path, window: int) -> AbstractContextManager[Connection]:
        """A server that reads the folder; `window` is the room for prompt and answer, in tokens. Raises FinetuneError."""

    def prompt_ids(self, connection: Connection, rows: Sequence[TestRow]) -> list[list[int]]:
        """The token ids that this server makes of prompts. Raises FinetuneError."""


FORMATS: Mapping[str, Format] = {"gguf": gguf, "onnx": onnx, "safetensors": safetensors}
TOOLS: Sequence[Tool] = (gguf.CONVERTER, onnx.BUILDER, safetensors.COMPRESSOR)
"""What `finetune setup export` installs."""


class Exported(Frozen):
    """A model in another format."""

    name: str
    format: str
    number_type: str
    folder: str
    sizes: dict[str, int] = Field(description="Size in bytes of each file, by its name.")
    notes: list[str] = Field(description="What the user must know, a sentence each.")
    difference: Difference | None = Field(None, description="None if the answers were not compared; notes say why.")


def export(
    subject: Subject, to: str, number_type: str | None, folder: Path | None, rows: int, on_progress: Progress
) -> Exported:
    """Writes the model and compares its answers with the original's.

    Args:
        subject: The model.
        to: One of FORMATS.
        number_type: Number type of the weights; None: the format's default.
        folder: Where to; None: `<name>-<number type>` in the working directory. It may exist only if it is empty.
        rows: How many test rows to compare; 0: none.
        on_progress: Called after every answer.

    Raises:
        EnvironmentProblem: the format is not for this model, or a program that writes it is missing, or the folder is used.
    """
    written, number_type = FORMATS[to], _number_type(subject, to, number_type)
    folder = folder or Path(f"{subject.name}-{number_type}")
    _check_unused(folder)
    folder.absolute().parent.mkdir(parents=True, exist_ok=True)
    # Written under a temporary name: an interrupted export must not look complete.
    draft = Path(tempfile.mkdtemp(dir=folder.absolute().parent, prefix=f".{folder.name}-"))
    try:
        draft.chmod(0o755)
        notes = written.write(subject, draft, number_type)
        sizes = {name: file["size"] for name, file in digest_files(draft).items()}
        difference, why = _compare(written, subject, draft, rows, on_progress)
        notes += [f"The answers were not compared: {why}"] if why else []
        exported = Exported(name=subject.name, format=to, number_type=number_type, folder=str(folder), sizes=sizes,
                            notes=notes, difference=difference)  # fmt: skip
        write_json(draft / REPORT, exported.model_dump(mode="json"))
        if folder.exists():
            folder.rmdir()
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return exported


def _check_unused(folder: Path) -> None:
    """Raises EnvironmentProblem when there is something in the folder."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise EnvironmentProblem(f"{folder} exists already. Next: delete it, or name another folder with --out")


def _number_type(subject: Subject, to: str, wanted: str | None) -> str:
    """The number type to write. Raises EnvironmentProblem when the format has no such type for this model."""
    permitted = FORMATS[to].number_types(subject)
    if wanted is not None and wanted not in permitted:
        raise EnvironmentProblem(f"--quantise {wanted}: unknown for {to}; permitted are {', '.join(permitted)}")
    return wanted or permitted[0]


def _compare(
    written: Format, subject: Subject, folder: Path, rows: int, on_progress: Progress
) -> tuple[Difference | None, str | None]:
    """The difference on the test rows; or None, and the reason."""
    if rows == 0:
        return None, "--rows is 0."
    if subject.entry is None or subject.recipe is None:
        return None, "the test rows of this folder are not known; export a model that `finetune runs` shows."
    digest = "".join(file["sha256"] for file in digest_files(folder).values())
    try:
        test = TestRows(subject.entry, subject.recipe, rows)
        with written.serve(subject, folder, subject.recipe.serving.max_model_length) as connection:
            same = None
            if subject.generates:
                same = _same_prompts(subject, written.prompt_ids(connection, test.prompts), test.prompts)
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
