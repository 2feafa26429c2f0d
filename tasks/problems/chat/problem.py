"""Chat: a conversation in, the next answer out. The problem of instruction tuning."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import ConfigDict, Field

from finetune_flows.tasks.endpoints.asking import TestRow
from finetune_flows.tasks.problems.chat.rows import conversation_of
from finetune_flows.tasks.problems.chat.settings import RATING, Judge
from finetune_flows.tasks.problems.contract import Judged, Problem, Progress
from finetune_flows.tasks.problems.example import BadRow, Example, Message, digest, normalise, read_texts
from finetune_flows.tasks.sections.gate import GateSection


class Chat(Problem):
    """A conversation in, the next answer out."""

    model_config = ConfigDict(title="Chat")
    metrics: ClassVar = ("exact_match",)
    estimates: ClassVar = ("rouge_l", "chrf", RATING)
    apart: ClassVar = "first questions"
    example: ClassVar = '"What can you do?"'
    starter: ClassVar = "chat"
    caution: ClassVar = "Its answers may be false or harmful. Neither was measured."

    kind: Literal["chat"] = Field("chat", description="A conversation in, the next answer out.")
    system: str | None = Field(None, description="System message for conversations that have none.")
    judge: Judge | None = Field(None, description="Have a language model rate the answers, in addition.")

    @property
    def intended_use(self) -> str:
        """Conversation in, next answer out."""
        return "It reads a conversation like those it was trained on, and writes the next answer."

    def columns(self) -> Collection[str]:
        """All messages except the last, as JSON, and the last one, the answer."""
        return ("conversation", "answer")

    def read_row(self, row: Mapping[str, object], special_tokens: Collection[str] = ()) -> Example:
        """The example that a row holds: the last answer is the completion, the turns before it are the prompt.

        Raises:
            BadRow: it is not a conversation, or a message is blank, too long or contains tokens of the chat template.
        """
        found = conversation_of(row, self.system)
        names = {f"message {place}": f"message {place}" for place in range(len(found))}
        said = {name: message["content"] for name, message in zip(names, found, strict=True)}
        texts, reasons = read_texts(said, names, special_tokens)
        if reasons:
            raise BadRow(reasons)
        messages = [
            {"role": message["role"], "content": texts[name]} for name, message in zip(names, found, strict=True)
        ]
        fields = {"conversation": json.dumps(messages[:-1], ensure_ascii=False), "answer": messages[-1]["content"]}
        # Conversations that start with the same question must be in the same split.
        first = next(message["content"] for message in messages if message["role"] == "user")
        prompt, completion = self.messages(fields)
        asked = "\n".join(normalise(message["content"]) for message in prompt)
        shares = (digest(normalise(first))[:16],)
        return Example(digest(*fields.values()), prompt, completion, fields, asked, normalise(fields["answer"]), shares)

    def row_of(self, fields: Mapping[str, str]) -> dict[str, object]:
        """The conversation in OpenAI's form."""
        prompt, completion = self.messages(fields)
        return {"messages": [*prompt, *completion]}

    def messages(self, fields: Mapping[str, str]) -> tuple[list[Message], list[Message]]:
        """The conversation so far, and the answer."""
        return json.loads(fields["conversation"]), [{"role": "assistant", "content": fields["answer"]}]

    def judge_answers(
        self, rows: Sequence[TestRow], answers: Mapping[str, str], dataset: Path, on_progress: Progress | None = None
    ) -> Judged:
        """Compares the answers with those in the rows (see verdicts.py), and has them rated if there is a judge.

        Raises:
            TryLater, EndpointFailed, EnvironmentProblem: as `rate` does.
        """
        from finetune_flows.tasks.problems.chat.verdicts import add_ratings, judge_overlap

        judged = judge_overlap(rows, answers, on_progress)
        if self.judge is not None:
            from finetune_flows.tasks.problems.chat.judge import rate

            add_ratings(judged, *rate(self.judge, rows, answers))
        return judged

    def judge_settings(self) -> dict[str, str | int | bool]:
        """Versions of the libraries that compare, and the settings of the judge."""
        settings: dict[str, str | int | bool] = {
            "sacrebleu": version("sacrebleu"),
            "rouge-score": version("rouge-score"),
        }
        judge = self.judge
        return settings | (judge.model_dump(include={"url", "model", "instruction"}) if judge else {})

    def mistakes(self, metric: str, gate: GateSection) -> Iterator[str]:
        """The mistakes of all problems, and a condition on ratings without a judge."""
        yield from super().mistakes(metric, gate)
        if RATING in gate.scores and self.judge is None:
            yield f"gate.scores.{RATING}: needs problem.judge, the model that rates"
