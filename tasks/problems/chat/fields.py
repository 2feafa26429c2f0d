"""A conversation as the fields of an example, which are texts, and back."""

import json
from collections.abc import Mapping
from typing import Any

from finetune_flows.tasks.problems.chat.rows import Conversation
from finetune_flows.tasks.problems.chat.tools import written
from finetune_flows.tasks.problems.example import Message


def fields_of(conversation: Conversation) -> dict[str, str]:
    """The messages before the answer as JSON, the answer's text, and tools and other parts of the answer as JSON.

    An earlier message that the model learns has `"train": true`. `more` is empty if there is nothing more.
    """
    *before, answer = conversation.turns
    messages = [turn.message | ({"train": True} if turn.learnt else {}) for turn in before]
    parts = {key: value for key, value in answer.message.items() if key not in ("role", "content")}
    more = {key: value for key, value in (("tools", conversation.tools), ("answer", parts)) if value}
    return {
        "conversation": json.dumps(messages, ensure_ascii=False),
        "answer": answer.content,
        "more": json.dumps(more, ensure_ascii=False) if more else "",
    }


def whole_conversation(fields: Mapping[str, str]) -> tuple[list[Message], list[dict[str, Any]]]:
    """All messages, the answer last, and the tools. Messages that the model learns have `"train": true`."""
    more = json.loads(fields.get("more") or "{}")
    answer = {"role": "assistant", "content": fields["answer"], **more.get("answer", {}), "train": True}
    return [*json.loads(fields.get("conversation") or "[]"), answer], more.get("tools", [])


def spelt(message: Message) -> str:
    """A message as text: its words, then its calls as JSON."""
    return "\n".join(filter(None, (message["content"], written(message.get("tool_calls", [])))))


def plain(message: Message) -> Message:
    """The message as servers and chat templates take it."""
    return {key: value for key, value in message.items() if key != "train"}
