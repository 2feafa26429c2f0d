"""Export: write a judged model in another format, and compare the answers of both on the test rows."""

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
from finetune_flows.tasks.exporting.compare import Difference, TestRows
from finetune_flows.tasks.exporting.formats import FORMATS, Format, FormatName
from finetune_flows.tasks.exporting.subject import Subject

REPORT = "export.json"


class Exported(Frozen):
    """A model in another format."""

    name: str
    format: FormatName
    number_type: str
    folder: str
    sizes: dict[str, int] = Field(description="Size in bytes of each file, by its name.")
    notes: list[str] = Field(description="What the user must know, a sentence each.")
    difference: Difference | None = Field(None, description="None if the answers were not compared; notes say why.")


def export(
    subject: Subject, to: FormatName, number_type: str | None, folder: Path | None, rows: int, on_progress: Progress
) -> Exported:
    """Writes the model and compares its answers with the original's.

    Args:
        subject: The model.
        to: The format.
        number_type: Number type of the weights; None: the default of the format.
        folder: Where to; None: `<name>-<format>-<number type>` in the working directory. It may exist only if it is empty.
        rows: How many test rows to compare; 0: none.
        on_progress: Called after every answer.

    Raises:
        EnvironmentProblem: the format is not for this model, or a program that writes it is missing, or the folder is used.
    """
    format_ = FORMATS[to]
    kind = _number_type(subject, to, number_type)
    folder = folder or Path(f"{subject.name}-{to}-{kind}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise EnvironmentProblem(f"{folder} exists already. Next: delete it, or name another folder with --out")
    folder.absolute().parent.mkdir(parents=True, exist_ok=True)
    # Written under a temporary name: an interrupted export must not look complete.
    draft = Path(tempfile.mkdtemp(dir=folder.absolute().parent, prefix=f".{folder.name}-"))
    try:
        draft.chmod(0o755)
        notes = format_.write(subject, draft, kind)
        files = digest_files(draft)
        difference, why = _compare(subject, format_, draft, rows, on_progress)
        exported = Exported(
            name=subject.name,
            format=to,
            number_type=kind,
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


def _number_type(subject: Subject, to: FormatName, wanted: str | None) -> str:
    known = FORMATS[to].number_types(subject)
    what = "a model that generates text" if subject.generates else "a classifier"
    if not known:
        others = ", ".join(name for name, format_ in FORMATS.items() if format_.number_types(subject))
        raise EnvironmentProblem(f"{subject.name} is {what}, and {to} is not for one. Next: --to {others}")
    if wanted is not None and wanted not in known:
        raise EnvironmentProblem(f"--quantise {wanted}: {to} has {', '.join(known)} for {what}")
    return wanted or known[0]


def _compare(
    subject: Subject, format_: Format, folder: Path, rows: int, on_progress: Progress
) -> tuple[Difference | None, str | None]:
    """The difference on the test rows; or None, and the reason."""
    if rows == 0:
        return None, "--rows is 0."
    if subject.entry is None or subject.recipe is None:
        return None, "the test rows of this folder are not known; export a model that `finetune runs` shows."
    test = TestRows(subject.entry, subject.recipe, rows)
    digest = "".join(file["sha256"] for file in digest_files(folder).values())
    try:
        with format_.serve(subject, folder, subject.recipe.serving.max_model_length) as connection:
            same = (
                _same_prompts(subject, format_.prompt_ids(connection, test.prompts), test.prompts)
                if format_.prompt_ids
                else None
            )
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
