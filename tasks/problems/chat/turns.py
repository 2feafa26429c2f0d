"""One message of a conversation, as OpenAI or ShareGPT write it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finetune_flows.tasks.problems.chat.tools import Call, read_calls
from finetune_flows.tasks.problems.example import BadRow, Message, Reason, is_empty

_ROLES = {
    "human": "user", "user": "user", "prompter": "user",
    "gpt": "assistant", "assistant": "assistant", "chatgpt": "assistant", "bot": "assistant", "model": "assistant",
    "ai": "assistant", "function_call": "assistant", "tool_call": "assistant",
    "system": "system", "developer": "system",
    "tool": "tool", "observation": "tool", "function": "tool", "function_response": "tool", "tool_response": "tool",
    "ipython": "tool",
}  # fmt: skip
_CALLING = ("function_call", "tool_call")
_FLAGS = ("weight", "loss_weight", "train", "training", "trainable", "loss")
# Other programs leave an answer, or a part of it, out of the loss by these, each in its own way.
_UNCLEAR_FLAGS = ("mask", "train_detail")
_REASONING = ("reasoning_content", "reasoning", "thinking")
_RESULT = ("name", "tool_call_id")
_TEXT_PARTS = ("text", "input_text", "output_text")
# A first line that is indented by at least two spaces or a tab is code or a list. One space is a slip.
_BEFORE = re.compile(r"\A(?:[^\S\n]*\n)*(?: (?! |\t))?")


@dataclass(frozen=True)
class Turn:
    """A message, and whether the row says that the model must or must not learn it."""

    role: str
    content: str
    calls: tuple[Call, ...] = ()
    reasoning: str = ""
    learnt: bool | None = None
    """None: the row says nothing."""
    result: tuple[tuple[str, str], ...] = ()
    """Of a tool's result: name of the tool and id of the call."""

    @property
    def message(self) -> Message:
        """The message as chat templates expect it."""
        message: Message = {"role": self.role, "content": self.content}
        if self.reasoning:
            message["reasoning_content"] = self.reasoning
        if self.calls:
            message["tool_calls"] = list(self.calls)
        return message | dict(self.result)


def read_turn(value: object, place: int, unused: set[str]) -> Turn:
    """The message at a place of a conversation. Names of what is not used of it are added to `unused`. Raises BadRow."""
    keys = {key: part for key, part in value.items() if part is not None} if isinstance(value, dict) else {}
    said = str(keys.get("role", keys.get("from"))).lower()
    if said not in _ROLES:
        raise BadRow([Reason("not a message", f"message {place} is {value!r}"[:200])])
    role = _ROLES[said]
    text = keys.get("content", keys.get("value"))
    calls = _calls(text, keys, said, role, place)
    reasoning = next((str(keys[name]) for name in _REASONING if not is_empty(keys.get(name))), "")
    used = {"role", "from", "content", "value", "tools"}  # the tools are read with those of the row
    if role == "assistant":
        used |= {"tool_calls", "function_call", *_FLAGS, *_REASONING}
    if role == "tool":
        used |= {*_RESULT}
    unused |= {f"{name} of messages" for name, part in keys.items() if name not in used and part not in ([], "", {})}
    return Turn(
        role=role,
        content="" if said in _CALLING else _trimmed(text_of(text, f"message {place}"), role),
        calls=calls,
        reasoning=reasoning if role == "assistant" else "",
        learnt=_learnt(keys, place) if role == "assistant" else None,
        result=tuple((name, str(keys[name])) for name in _RESULT if role == "tool" and name in keys),
    )


def _calls(text: object, keys: Mapping[str, Any], said: str, role: str, place: int) -> tuple[Call, ...]:
    if said in _CALLING:
        return tuple(read_calls(text))
    found = [keys[name] for name in ("tool_calls", "function_call") if keys.get(name)]
    if found and role != "assistant":
        raise BadRow([Reason("not a message", f"message {place} of the {role} calls a tool")])
    return tuple(call for value in found for call in read_calls(value))


def text_of(value: object, name: str) -> str:
    """The text of a content: a text, a list of parts, or nothing. Raises BadRow, which calls the content `name`."""
    if isinstance(value, list):
        if len(value) > 1 and all(isinstance(part, str) for part in value):  # several answers to one question?
            raise BadRow([Reason("several texts", f"{name} is {value!r}"[:200])])
        return "".join(_part(part, name) for part in value)  # as the server joins them
    if is_empty(value):
        return ""
    if not isinstance(value, str):
        raise BadRow([Reason("not a string", f"{name} is {type(value).__name__}")])
    return value


def _part(part: object, name: str) -> str:
    text = part.get("text") if isinstance(part, dict) and part.get("type", "text") in _TEXT_PARTS else part
    if not isinstance(text, str):
        raise BadRow([Reason("content that is not text", f"{name} has {part!r}"[:200])])
    return text


def _trimmed(text: str, role: str) -> str:
    """Without white space around it, but with the indentation of an answer, which may be code."""
    return _BEFORE.sub("", text.rstrip(), count=1) if role == "assistant" else text.strip()


def _learnt(keys: Mapping[str, Any], place: int) -> bool | None:
    found = {name: keys[name] for name in _FLAGS if name in keys}
    values = {{"0": False, "false": False, "1": True, "true": True}.get(str(value).lower().removesuffix(".0"))
              for value in found.values()}  # fmt: skip
    unclear = {name: keys[name] for name in _UNCLEAR_FLAGS if keys.get(name)}
    if unclear or len(values) > 1 or None in values:
        raise BadRow([Reason("unclear weight of a message", f"message {place} has {found | unclear}"[:200])])
    return values.pop() if values else None
