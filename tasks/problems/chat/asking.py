"""Requests of conversations with tools, in OpenAI's form."""

from typing import Any

from finetune_flows.tasks.endpoints.asking import ChatForm, Reply, TestRow, as_sent
from finetune_flows.tasks.problems.chat.fields import plain, whole_conversation
from finetune_flows.tasks.problems.chat.tools import read_calls, written
from finetune_flows.tasks.problems.example import BadRow
from finetune_flows.tasks.sections.stages import EvaluationSection


class ConversationForm(ChatForm):
    """A chat whose messages may hold calls of tools and their results."""

    def body(self, row: TestRow, section: EvaluationSection) -> dict[str, Any]:
        """The messages before the answer, with the tools of the row if it has any."""
        if "conversation" not in row.fields:  # a question from the command line
            return super().body(row, section)
        messages, tools = whole_conversation(row.fields)
        body = super().body(row, section) | {"messages": as_sent([plain(each) for each in messages[:-1]])}
        return body | ({"tools": tools} if tools else {})

    def read(self, body: Any) -> Reply:
        """The text of the first choice. A server that parses calls sends them apart: they follow the text as JSON."""
        reply, calls = super().read(body), body["choices"][0]["message"].get("tool_calls")
        if not calls:
            return reply
        try:
            told = written(read_calls(calls))
        except (
            BadRow
        ) as bad:  # a model may write arguments that are not JSON: that is a wrong answer, not a failed request
            told = str(bad)
        return reply.model_copy(update={"text": "\n".join(filter(None, (reply.text, told)))})
