"""Tools and calls of tools, in OpenAI's form and in ShareGPT's, as chat templates expect them.

{"type": "function", "function": {"name": "weather", "description": "...", "parameters": {...}}}    a tool
{"type": "function", "function": {"name": "weather", "arguments": {"city": "Lima"}}}                a call
"""

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from finetune_flows.tasks.problems.chat.values import as_json, parsed
from finetune_flows.tasks.problems.example import BadRow, Reason, is_empty

Call = dict[str, Any]
_ARGUMENTS = ("arguments", "parameters")
_SCHEMAS = ("parameters", "input_schema")
_OPENING = re.compile(r"[\[{]")


def read_tools(value: object, unused: set[str]) -> tuple[dict[str, Any], ...]:
    """The tools of a row: a list, or JSON with one. Names of what is not used of them are added to `unused`.

    Raises:
        BadRow: something in it is no tool.
    """
    if is_empty(value):
        return ()
    listed = parsed(value)
    if not isinstance(listed, list):
        raise BadRow([Reason("not a list of tools", repr(value)[:200])])
    return tuple(_tool(parsed(each), unused) for each in listed)


def _tool(value: object, unused: set[str]) -> dict[str, Any]:
    inner = _json(value.get("function", value) if isinstance(value, dict) else None, "not a tool")
    if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
        raise BadRow([Reason("not a tool", repr(value)[:200])])
    # In the order and with the parts that servers give to chat templates: prompts must be the same in training and serving.
    parts = {name: inner[name] for name in ("name", "description") if inner.get(name) is not None}
    unused |= {f"{name} of tools" for name in inner if name not in ("name", "description", *_SCHEMAS)}
    schema = next((inner[name] for name in _SCHEMAS if inner.get(name)), {"type": "object"})
    return {"type": "function", "function": parts | {"parameters": schema}}


def read_calls(value: object) -> list[Call]:
    """The calls of one message: a list or a single one, also as JSON. Raises BadRow when one has no name or arguments."""
    found = parsed(value)
    return [_call(parsed(each)) for each in (found if isinstance(found, list) else [found])]


def _call(value: object) -> Call:
    inner = value.get("function", value) if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
        raise BadRow([Reason("not a tool call", repr(value)[:200])])
    given: object = next((inner[name] for name in _ARGUMENTS if not is_empty(inner.get(name))), {})
    # OpenAI writes the arguments as JSON text. Chat templates expect an object, and would quote the text once more.
    arguments = _json(parsed(given), "not a tool call")
    if not isinstance(arguments, dict):
        raise BadRow([Reason("not a tool call", f"the arguments of {inner['name']} are {given!r}"[:200])])
    id_ = {"id": value["id"]} if isinstance(value.get("id"), str) and value["id"] else {}
    return {**id_, "type": "function", "function": {"name": inner["name"], "arguments": arguments}}


def _json(value: object, otherwise: str) -> object:
    try:
        return as_json(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadRow([Reason(otherwise, f"{error}: {value!r}"[:200])]) from error


def calls_in(text: str) -> list[Call]:
    """The calls that a model wrote into its answer, in whatever markers its template puts around the JSON of a call."""
    calls = []
    for value in _objects(text):
        with contextlib.suppress(BadRow):
            calls += [_call(value)] if _is_call(value) else []
    return calls


def _objects(text: str) -> Iterator[object]:
    """The outermost JSON objects in a text, those of its arrays one by one."""
    decoder, place = json.JSONDecoder(), 0
    while match := _OPENING.search(text, place):
        try:
            value, place = decoder.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            place = match.start() + 1
            continue
        yield from value if isinstance(value, list) else [value]


def _is_call(value: object) -> bool:
    inner = value.get("function", value) if isinstance(value, dict) else None
    if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
        return False
    return any(isinstance(parsed(inner.get(name)), dict) for name in _ARGUMENTS)


def written(calls: list[Call]) -> str:
    """Calls as text with one spelling: a line of JSON for each, sorted, because parallel calls have no order."""
    return "\n".join(sorted(json.dumps(_plain(call), ensure_ascii=False, sort_keys=True) for call in calls))


def _plain(call: Mapping[str, Any]) -> dict[str, Any]:
    return {name: call["function"][name] for name in ("name", "arguments")}
