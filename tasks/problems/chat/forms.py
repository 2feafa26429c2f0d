"""The forms in which rows hold conversations.

messages           {"messages": [{"role": "user", "content": "..."}, ...]}, OpenAI's
sharegpt           {"conversations": [{"from": "human", "value": "..."}, ...]}
alpaca             {"instruction": "...", "input": "...", "output": "...", "history": [["...", "..."], ...]}
prompt_completion  {"prompt": "...", "completion": "..."}, each a text or a list of messages

In the first two, each message may be in either spelling. Next to every form, `system` and `tools` are read. A list may
also be JSON in a text, as in a CSV file.
"""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from finetune_flows.tasks.problems.chat.tools import read_tools
from finetune_flows.tasks.problems.chat.turns import Turn, read_turn, text_of
from finetune_flows.tasks.problems.chat.values import parsed
from finetune_flows.tasks.problems.example import BadRow, Reason, columns_of, is_empty, unused_columns

Form = Literal["messages", "sharegpt", "alpaca", "prompt_completion"]

_KEYS: dict[Form, tuple[str, ...]] = {
    "messages": ("messages",),
    "sharegpt": ("conversations",),
    "alpaca": ("instruction", "output"),
    "prompt_completion": ("prompt", "completion"),
}
_OPTIONAL: dict[Form, tuple[str, ...]] = {"alpaca": ("input", "history")}
_SYSTEM = ("system", "system_prompt", "system_message")
_TOOLS = ("tools", "functions")
_MEDIA = ("image", "images", "audio", "audios", "video", "videos")


class Read(NamedTuple):
    """What a row holds."""

    turns: list[Turn]
    tools: tuple[dict[str, object], ...]
    unused: set[str]


def form_of(row: Mapping[str, object]) -> Form | None:
    """The form of a row by its columns; of several, the first whose columns are not null."""
    forms = [form for form, keys in _KEYS.items() if all(key in row for key in keys)]
    return next((form for form in forms if not _empty(row, form)), forms[0] if forms else None)


def read_form(row: Mapping[str, object]) -> Read:
    """The turns and tools of a row. Raises BadRow when it has none of the forms, or one is malformed."""
    form = form_of(row)
    if form is None:
        raise BadRow([Reason("not a conversation", columns_of(row))])
    if empty := _empty(row, form):
        raise BadRow([Reason("empty", name) for name in empty])
    if media := [name for name in _MEDIA if row.get(name) not in (None, "", [])]:
        raise BadRow([Reason("content that is not text", ", ".join(media))])
    if row.get("chat_template_kwargs"):
        raise BadRow(
            [Reason("settings of the chat template", f"chat_template_kwargs {row['chat_template_kwargs']!r}"[:200])]
        )
    unused: set[str] = set()
    messages = _READERS[form](row)
    turns = [read_turn(each, place, unused) for place, each in enumerate(messages)]
    # Some data sets keep the tools in the system message.
    offered = [*map(row.get, _TOOLS), *(each.get("tools") for each in messages if isinstance(each, dict))]
    tools: list[dict[str, object]] = []
    for value in offered:
        tools += [tool for tool in read_tools(value, unused) if tool not in tools]
    unused |= {*unused_columns(row, {*_KEYS[form], *_OPTIONAL.get(form, ()), *_SYSTEM, *_TOOLS})}
    return Read(_with_system(turns, row), tuple(tools), unused)


def _empty(row: Mapping[str, object], form: Form) -> list[str]:
    return [key for key in _KEYS[form] if is_empty(row[key])]


def _with_system(turns: list[Turn], row: Mapping[str, object]) -> list[Turn]:
    """The turns after the system message of a column, if there is one that they do not begin with."""
    columns = {text_of(row.get(name), name).strip() for name in _SYSTEM} - {""}
    said = [turn.content for turn in turns if turn.role == "system" and turn.content]
    if len(columns | {*said[:1]}) > 1:
        raise BadRow([Reason("two system messages", " / ".join(sorted(columns | {*said[:1]}))[:200])])
    return turns if said or not columns else [Turn("system", columns.pop()), *turns]


def _messages(row: Mapping[str, object]) -> list[object]:
    return _list(row["messages"])


def _sharegpt(row: Mapping[str, object]) -> list[object]:
    return _list(row["conversations"])


def _alpaca(row: Mapping[str, object]) -> list[object]:
    history = [] if is_empty(row.get("history")) else parsed(row["history"])
    if not isinstance(history, list) or not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in history):
        raise BadRow([Reason("not a history", f"expected a list of pairs, found {history!r}"[:200])])
    asked = "\n\n".join(str(row[key]).strip() for key in ("instruction", "input") if not is_empty(row.get(key)))
    pairs = [*history, (asked, row["output"])]
    roles = ("user", "assistant")
    return [{"role": role, "content": text} for pair in pairs for role, text in zip(roles, pair, strict=True)]


def _prompt_completion(row: Mapping[str, object]) -> list[object]:
    return [*_side(row["prompt"], "user"), *_side(row["completion"], "assistant")]


_READERS: dict[Form, Callable[[Mapping[str, object]], list[object]]] = {
    "messages": _messages,
    "sharegpt": _sharegpt,
    "alpaca": _alpaca,
    "prompt_completion": _prompt_completion,
}


def _side(value: object, role: str) -> list[object]:
    found = parsed(value)
    spelt = isinstance(found, list) and all(isinstance(each, dict) and {"role", "from"} & {*each} for each in found)
    return [{"role": role, "content": value}] if isinstance(value, str) and not (spelt and found) else _list(found)


def _list(value: object) -> list[object]:
    found = parsed(value)
    if not isinstance(found, list) or not found:
        raise BadRow([Reason("not a list of messages", f"{type(found).__name__}: {found!r}"[:200])])
    return found
