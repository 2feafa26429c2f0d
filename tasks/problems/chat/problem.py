"""Chat: a conversation in, the next answer out. What instruction tuning is done for, where nothing more is known."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from finetune_flows.tasks.endpoints.asking import CHAT, Form, TestRow
from finetune_flows.tasks.problems.chat.judge import rate
from finetune_flows.tasks.problems.chat.rows import conversation_of
from finetune_flows.tasks.problems.chat.section import Chat
from finetune_flows.tasks.problems.chat.verdicts import add_ratings, judge_overlap
from finetune_flows.tasks.problems.contract import AskedOnce, Judged, Progress
from finetune_flows.tasks.problems.example import BadRow, Example, Message, digest, normalise, read_texts


@dataclass(frozen=True)
class ChatProblem(AskedOnce):
    """The problem as the stages know it."""

    section: Chat
    apart: str = "first questions"
    base: str = "base model"
    example: str = '"What can you do?"'
    form: Form = CHAT

    def columns(self) -> Collection[str]:
        """All messages but the last as JSON, and the last, which is the answer."""
        return ("conversation", "answer")

    def read_row(self, row: Mapping[str, object], special_tokens: Collection[str] = ()) -> Example:
        """The example that a row holds: the last answer is learnt, the turns before it are read.

        Raises:
            BadRow: it is no conversation, or a message is blank, too long or holds tokens of the chat template.
        """
        found = conversation_of(row, self.section.system)
        names = {f"message {place}": f"message {place}" for place in range(len(found))}
        said = {name: message["content"] for name, message in zip(names, found, strict=True)}
        texts, reasons = read_texts(said, names, special_tokens)
        if reasons:
            raise BadRow(reasons)
        messages = [
            {"role": message["role"], "content": texts[name]} for name, message in zip(names, found, strict=True)
        ]
        fields = {"conversation": json.dumps(messages[:-1], ensure_ascii=False), "answer": messages[-1]["content"]}
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

    def shortened(self, example: Example) -> Iterator[Example]:
        """None: what a turn refers to may stand in any other."""
        return iter(())

    def task(self, train: Path) -> Mapping[str, Any]:
        """A language model is trained."""
        return {"head": "language-model"}

    def check(self, rows: Sequence[TestRow]) -> None:
        """Nothing is needed beside rows and answers."""

    def base_answers(self, rows: Sequence[TestRow], dataset: Path) -> None:
        """The base model is asked itself."""

    def judge(
        self, rows: Sequence[TestRow], answers: Mapping[str, str], dataset: Path, on_progress: Progress | None = None
    ) -> Judged:
        """Compares the answers with the ones in the rows, see chat_scores.py, and has them rated where there is a judge.

        Raises:
            TryLater, EndpointFailed, EnvironmentProblem: as `rate` does.
        """
        judged = judge_overlap(rows, answers, on_progress)
        if self.section.judge is not None:
            add_ratings(judged, *rate(self.section.judge, rows, answers))
        return judged

    def judge_settings(self) -> dict[str, str | int | bool]:
        """The libraries that compare, and who rates."""
        settings: dict[str, str | int | bool] = {
            "sacrebleu": version("sacrebleu"),
            "rouge-score": version("rouge-score"),
        }
        judge = self.section.judge
        return settings | (judge.model_dump(include={"url", "model", "instruction"}) if judge else {})
