"""A problem that no part of the product knows: a text in, the same in capitals out."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from finetune_flows.tasks.base.statistics import Estimate
from finetune_flows.tasks.endpoints.asking import TestRow
from finetune_flows.tasks.problems.contract import Judged, Problem, Progress
from finetune_flows.tasks.problems.example import BadRow, Example, Message, digest, normalise, read_texts
from finetune_flows.tasks.problems.verdict import Verdict
from finetune_flows.tasks.problems.wrong_answers import WrongAnswer


class Shouting(Problem):
    """A text in, the same in capitals out."""

    model_config = ConfigDict(title="Shouting")
    metrics: ClassVar = ("loud",)
    estimates: ClassVar = ("loudness",)
    apart: ClassVar = "texts"
    example: ClassVar = '"good morning"'
    caution: ClassVar = "It knows no whisper."

    kind: Literal["shouting"] = Field("shouting", description="A text in, the same in capitals out.")
    text: str = Field("text", description="Column that holds the text.")

    @property
    def intended_use(self) -> str:
        return "It is given a text and shouts it."

    def columns(self) -> Collection[str]:
        return ("text",)

    def read_row(self, row: Mapping[str, object], special_tokens: Collection[str] = ()) -> Example:
        fields, reasons = read_texts(row, {"text": self.text}, special_tokens)
        if reasons:
            raise BadRow(reasons)
        asked, answered = normalise(fields["text"]), fields["text"].upper()
        prompt, completion = self.messages(fields)
        return Example(digest(asked), prompt, completion, fields, asked, answered, (digest(asked),))

    def row_of(self, fields: Mapping[str, str]) -> dict[str, object]:
        return {self.text: fields["text"]}

    def messages(self, fields: Mapping[str, str]) -> tuple[list[Message], list[Message]]:
        text = fields["text"]
        return [{"role": "user", "content": text}], [{"role": "assistant", "content": text.upper()}]

    def judge_answers(
        self, rows: Sequence[TestRow], answers: Mapping[str, str], dataset: Path, on_progress: Progress | None = None
    ) -> Judged:
        judged = Judged()
        for row in rows:
            text, answer = row.fields["text"], answers.get(row.id, "")
            loud = answer == text.upper()
            loudness = sum(letter.isupper() for letter in answer) / max(len(answer), 1)
            kind = "right" if loud else "too quiet"
            judged.verdicts.append(
                Verdict(id=row.id, outcomes={"loud": loud}, values={"loudness": loudness}, kind=kind)
            )
            if not loud:
                wrong = {"gold": text.upper(), "answer": answer, "prediction": answer}
                judged.wrong.append(WrongAnswer(id=row.id, question=text, kind=kind, **wrong))
        judged.estimates["loudness"] = Estimate.mean([verdict.values["loudness"] for verdict in judged.verdicts])
        judged.details["ears"] = 2
        return judged

    def judge_settings(self) -> dict[str, str | int | bool]:
        return {}

    def details_page(self, details: Mapping[str, Any]) -> list[str]:
        return [f"Heard by {details['ears']} ears.", ""]
