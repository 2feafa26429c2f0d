"""The formats that a model is exported to: what writes each, and what answers from it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from finetune_flows.tasks.endpoints.asking import TestRow
from finetune_flows.tasks.endpoints.connect import Connection
from finetune_flows.tasks.exporting import gguf, llama_cpp
from finetune_flows.tasks.exporting.subject import Subject

FormatName = Literal["gguf"]


@dataclass(frozen=True)
class Format:
    """One format."""

    generating: tuple[str, ...]
    """Number types for a model that generates text, the default first; empty if the format is not for such models."""
    labelling: tuple[str, ...]
    """The same for a classifier."""
    write: Callable[[Subject, Path, str], list[str]]
    """Writes the model into an empty folder in a number type. Returns what the user must know, a sentence each."""
    serve: Callable[[Subject, Path, int], AbstractContextManager[Connection]]
    """Answers from that folder with room for this number of tokens, prompt and answer together.

    Raises EnvironmentProblem when nothing here can read the format.
    """
    prompt_ids: Callable[[Connection, Sequence[TestRow]], list[list[int]]] | None = None
    """Token ids of prompts, for a format that has its own tokenizer; None if the original's files are read."""

    def number_types(self, subject: Subject) -> tuple[str, ...]:
        """Those for this model, the default first."""
        return self.generating if subject.generates else self.labelling


FORMATS: dict[FormatName, Format] = {
    "gguf": Format((*gguf.CONVERTED, *gguf.QUANTISED), (), gguf.write, llama_cpp.serve, llama_cpp.prompt_ids),
}
