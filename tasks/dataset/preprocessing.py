"""Preprocessing of a row's texts before it is checked: the steps of the recipe, in their order."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from finetune_flows.containers.serving.cleaning import Step, clean
from finetune_flows.tasks.base.errors import DatasetError
from finetune_flows.tasks.dataset.languages import check_languages, in_another_language
from finetune_flows.tasks.problems.contract import Problem
from finetune_flows.tasks.problems.example import BadRow, Reason, is_empty
from finetune_flows.tasks.sections.stages import DatasetSection


@dataclass(frozen=True)
class Preprocessing:
    """The steps and the columns they apply to: texts that the model reads, never answers, labels or schemas."""

    columns: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    missing: str = "quarantine"
    fill_with: str | None = None
    min_characters: int = 0
    max_characters: int = 0
    languages: tuple[str, ...] = ()

    @classmethod
    def of(cls, section: DatasetSection, problem: Problem) -> Self:
        """The preprocessing that the recipe declares. Raises RecipeError for an unknown language."""
        check_languages(section.languages)
        return cls(
            problem.input_columns, section.steps, section.missing, section.fill_with, section.min_characters,
            section.max_characters, tuple(section.languages),
        )  # fmt: skip

    def apply(self, row: Mapping[str, object]) -> tuple[dict[str, object], tuple[str, ...]]:
        """The processed row, and the names of the steps that changed it.

        Raises:
            BadRow: a text is shorter or longer than permitted, or in another language.
            DatasetError: a text is missing, and dataset.missing is fail.
        """
        values, changed = dict(row), []
        for column in self.columns:
            if is_empty(values.get(column)):
                changed += self._fill(values, column)
            text = values.get(column)
            if isinstance(text, str) and text:
                values[column], steps = self._clean(text)
                changed += steps
                # After cleaning: length and language count as the model will read the text.
                self._check_length(str(values[column]), column)
                self._check_language(str(values[column]), column)
        return values, tuple(dict.fromkeys(changed))

    def _fill(self, values: dict[str, object], column: str) -> list[str]:
        if self.missing == "fail":
            raise DatasetError(
                f"a row has no text in column {column}, and dataset.missing is fail. Complete the row, or set "
                f"dataset.missing to quarantine or fill. The row: {str(values)[:200]}"
            )
        if self.missing == "quarantine":
            return []
        values[column] = self.fill_with
        return ["missing filled"]

    def _clean(self, text: str) -> tuple[str, list[str]]:
        changed: list[str] = []
        for step in self.steps:
            cleaned = clean(text, [step])
            if cleaned != text:
                changed.append(step)
            text = cleaned
        return text, changed

    def _check_length(self, text: str, column: str) -> None:
        length = len(text.strip())
        if length < self.min_characters:
            raise BadRow(
                [
                    Reason(
                        "too few characters", f"{column} has {length}, dataset.min_characters is {self.min_characters}"
                    )
                ]
            )
        if self.max_characters and length > self.max_characters:
            raise BadRow(
                [
                    Reason(
                        "too many characters", f"{column} has {length}, dataset.max_characters is {self.max_characters}"
                    )
                ]
            )

    def _check_language(self, text: str, column: str) -> None:
        reason = in_another_language(text, self.languages, column) if self.languages else None
        if reason is not None:
            raise BadRow([reason])
