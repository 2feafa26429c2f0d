"""Chat: a conversation in, the next answer out. The problem of instruction tuning."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from finetune_flows.tasks.endpoints.asking import Form, TestRow
from finetune_flows.tasks.problems.chat.asking import ConversationForm
from finetune_flows.tasks.problems.chat.fields import fields_of, plain, whole_conversation
from finetune_flows.tasks.problems.chat.rows import Reading, conversation_of, text_problems
from finetune_flows.tasks.problems.chat.settings import RATING, Judge
from finetune_flows.tasks.problems.chat.tools import written
from finetune_flows.tasks.problems.contract import Judged, Problem, Progress
from finetune_flows.tasks.problems.example import BadRow, Example, Message, digest, normalise
from finetune_flows.tasks.sections.gate import GateSection


class Chat(Problem):
    """A conversation in, the next answer out."""

    model_config = ConfigDict(title="Chat")
    later: ClassVar = frozenset({"train_on", "consecutive", "reasoning"})
    metrics: ClassVar = ("exact_match",)
    estimates: ClassVar = ("rouge_l", "chrf", RATING)
    converses: ClassVar = True
    apart: ClassVar = "first questions"
    example: ClassVar = '"What can you do?"'
    starter: ClassVar = "chat"
    caution: ClassVar = "Its answers may be false or harmful. Neither was measured."

    kind: Literal["chat"] = Field("chat", description="A conversation in, the next answer out.")
    system: str | None = Field(None, description="System message for conversations that have none.")
    train_on: Literal["last", "all"] = Field(
        "last",
        description="Answers that the model learns: the last one of each conversation, or all. A message with weight 0 or "
        "train false is never learnt.",
    )
    consecutive: Literal["refuse", "merge"] = Field(
        "refuse", description="What to do with two turns of one role in a row: quarantine the row, or merge the turns."
    )
    reasoning: Literal["leave_out", "keep"] = Field(
        "leave_out",
        description="Reasoning of the last answer (reasoning_content, reasoning, thinking): leave it out, or keep it for the chat "
        "template to render.",
    )
    judge: Judge | None = Field(None, description="Have a language model rate the answers, in addition.")

    @property
    def headline(self) -> str:
        """The rating, if there is a judge, else ROUGE-L: free answers that match to the letter are rare."""
        return RATING if self.judge else "rouge_l"

    @property
    def intended_use(self) -> str:
        """Conversation in, next answer out."""
        return "It reads a conversation like those it was trained on, and writes the next answer."

    def columns(self) -> Collection[str]:
        """All messages except the last, as JSON; the text of the last one, the answer; what else the row has, as JSON."""
        return ("conversation", "answer", "more")

    def read_row(self, row: Mapping[str, object], special_tokens: Collection[str] = ()) -> Example:
        """The example that a row holds: the last answer is the completion, the turns before it are the prompt.

        Raises:
            BadRow: it is not a conversation, or a message is blank, too long or contains tokens of the chat template.
        """
        found = conversation_of(row, Reading(self.system, self.train_on, self.consecutive, self.reasoning))
        if reasons := text_problems(found, special_tokens):
            raise BadRow(reasons)
        fields = fields_of(found)
        prompt, completion = self.messages(fields)
        # Conversations that start with the same question must be in the same split.
        first = next(turn.content for turn in found.turns if turn.role == "user")
        return Example(
            id=digest(*filter(None, fields.values())),
            prompt=prompt,
            completion=completion,
            fields=fields,
            asked="\n".join([*map(_normalised, prompt), *map(repr, found.tools)]),
            answered=_normalised(completion[0]),
            shares=(digest(normalise(first))[:16],),
            unused=found.unused,
            tools=found.tools,
        )

    def row_of(self, fields: Mapping[str, str]) -> dict[str, object]:
        """The conversation in OpenAI's form. With train_on: all, an answer that is not learnt has weight 0."""
        messages, tools = whole_conversation(fields)
        unlearnt: Message = {"weight": 0} if self.train_on == "all" else {}
        said = [
            plain(message) | (unlearnt if message["role"] == "assistant" and not message.get("train") else {})
            for message in messages
        ]
        return {"messages": said} | ({"tools": tools} if tools else {})

    def messages(self, fields: Mapping[str, str]) -> tuple[list[Message], list[Message]]:
        """The conversation so far, and the answer."""
        *prompt, answer = [plain(message) for message in whole_conversation(fields)[0]]
        return prompt, [answer]

    def conversation(self, fields: Mapping[str, str]) -> Mapping[str, Any] | None:
        """Messages and tools of a conversation that is more than texts with one answer to learn."""
        messages, tools = whole_conversation(fields)
        simple = all(message.keys() == {"role", "content"} for message in messages[:-1])
        if simple and messages[-1].keys() == {"role", "content", "train"} and not tools:
            return None
        return {"messages": messages, "tools": tools}

    @property
    def form(self) -> Form:
        """A chat with tools."""
        return ConversationForm()

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
            "words": "of all scripts",
        }
        judge = self.judge
        return settings | (judge.model_dump(include={"url", "model", "instruction"}) if judge else {})

    def mistakes(self, metric: str, gate: GateSection) -> Iterator[str]:
        """The mistakes of all problems, and a condition on ratings without a judge."""
        yield from super().mistakes(metric, gate)
        if RATING in gate.scores and self.judge is None:
            yield f"gate.scores.{RATING}: needs problem.judge, the model that rates"


def _normalised(message: Message) -> str:
    calls = written(message.get("tool_calls", []))
    return normalise(message["content"]) + (f"\n{calls}" if calls else "")
