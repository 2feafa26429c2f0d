"""Conversations in the usual formats, as messages of OpenAI's chat API.

messages           {"messages": [{"role": "user", "content": "..."}, ...]}, OpenAI's
sharegpt           {"conversations": [{"from": "human", "value": "..."}, ...]}
alpaca             {"instruction": "...", "input": "...", "output": "...", "system": "..."}, input and system optional
prompt_completion  {"prompt": "...", "completion": "..."}, each a text or a list of messages
"""

from collections.abc import Callable, Mapping
from typing import Literal

from finetune_flows.tasks.problems.example import BadRow, Message, Reason

Form = Literal["messages", "sharegpt", "alpaca", "prompt_completion"]

_ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system"}
_KEYS: dict[Form, tuple[str, ...]] = {
    "messages": ("messages",),
    "sharegpt": ("conversations",),
    "alpaca": ("instruction", "output"),
    "prompt_completion": ("prompt", "completion"),
}


def conversation_of(row: Mapping[str, object], system: str | None) -> list[Message]:
    """The messages of a row: optionally a system message (default: `system`), then user and assistant in turn.

    Raises:
        BadRow: the row has none of the formats, a message is malformed, or the turns are out of order.
    """
    form = next((form for form, keys in _KEYS.items() if all(key in row for key in keys)), None)
    if form is None:
        raise BadRow([Reason("not a conversation", f"the row has {', '.join(map(str, row)) or 'no columns'}"[:200])])
    messages = _READERS[form](row)
    if system and messages[:1] and messages[0]["role"] != "system":
        messages = [{"role": "system", "content": system}, *messages]
    _check_turns([message["role"] for message in messages])
    return messages


def _openai(row: Mapping[str, object]) -> list[Message]:
    return _list(row["messages"], "role", "content")


def _sharegpt(row: Mapping[str, object]) -> list[Message]:
    return _list(row["conversations"], "from", "value")


def _alpaca(row: Mapping[str, object]) -> list[Message]:
    asked = "\n\n".join(str(row[key]).strip() for key in ("instruction", "input") if row.get(key))
    before = [{"role": "system", "content": str(row["system"])}] if row.get("system") else []
    return [*before, {"role": "user", "content": asked}, {"role": "assistant", "content": _text(row["output"])}]


def _prompt_completion(row: Mapping[str, object]) -> list[Message]:
    return [*_side(row["prompt"], "user"), *_side(row["completion"], "assistant")]


_READERS: dict[Form, Callable[[Mapping[str, object]], list[Message]]] = {
    "messages": _openai,
    "sharegpt": _sharegpt,
    "alpaca": _alpaca,
    "prompt_completion": _prompt_completion,
}


def _side(value: object, role: str) -> list[Message]:
    return [{"role": role, "content": value}] if isinstance(value, str) else _list(value, "role", "content")


def _list(value: object, role: str, content: str) -> list[Message]:
    if not isinstance(value, list) or not value:
        raise BadRow([Reason("not a list of messages", type(value).__name__)])
    messages = []
    for place, each in enumerate(value):
        if not isinstance(each, dict) or str(each.get(role)) not in _ROLES:
            raise BadRow([Reason("not a message", f"message {place} is {each!r}"[:200])])
        messages.append({"role": _ROLES[str(each[role])], "content": _text(each.get(content))})
    return messages


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise BadRow([Reason("not a string", f"a message is {type(value).__name__}")])
    return value


def _check_turns(roles: list[str]) -> None:
    turns = roles[1:] if roles[:1] == ["system"] else roles
    if turns != ["user", "assistant"] * (len(turns) // 2) or not turns:
        raise BadRow([Reason("turns out of order", " ".join(roles)[:200])])
