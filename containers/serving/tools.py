"""Tool calls in the formats that chat templates teach: how an answer is held to them, and how they are found in its text."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finetune_flows.containers.serving.structure import ONE_LINE, json_rule, literal
from finetune_flows.containers.serving.text import overlap

NAMED_CALL = re.compile(r"\s*([\w.-]+)(?:\[CALL_ID\]\w*)?\[ARGS\]")


@dataclass(frozen=True)
class Call:
    """A call that a model has written. `arguments` is JSON, as in OpenAI's API."""

    name: str
    arguments: str


@dataclass(frozen=True)
class ToolFormat:
    """How one family of models writes its calls."""

    begin: str  # comes before a call; "": an answer that begins with a brace is a call
    end: str = ""  # comes after a call; "": the end of the answer
    arguments: str = "arguments"  # the field of the arguments
    listed: bool = False  # the calls are a JSON list
    named: bool = False  # the name comes before the arguments, outside of JSON

    @property
    def markers(self) -> tuple[str, ...]:
        """Texts that are special tokens in some models, and must be seen nevertheless."""
        named = ("[ARGS]", "[CALL_ID]") if self.named else ()
        return (self.begin or "<|python_tag|>", self.end, *named)

    def rules(self, functions: Sequence[tuple[str, dict[str, Any]]], several: bool, tokens: Mapping[str, int]) -> str:
        """Rules of a grammar in which `calls` is one call of these functions, or several if they are permitted.

        `tokens` are those that the tokenizer adds to its vocabulary: a grammar must name a token by its number.
        """
        lines = [f"call_{at}: {self._call(*function, tokens)}" for at, function in enumerate(functions)]
        call = "call: " + " | ".join(f"call_{at}" for at in range(len(functions)))
        between = '", " ' if self.listed else "" if self.named else r'"\n" '
        repeated = f"call ({between}call)*" if several and (self.begin or self.listed) else "call"
        calls = f'{_mark(self.begin, tokens)} "[" {repeated} "]"' if self.listed else repeated
        return "\n".join([f"calls: {calls}", call, *lines])

    def _call(self, name: str, parameters: dict[str, Any], tokens: Mapping[str, int]) -> str:
        # Arguments that a function does not name would make its call fail, and few clients say so in the schema.
        closed = {"additionalProperties": False} if "properties" in parameters else {}
        schema = json_rule({**closed, **parameters}, ONE_LINE)
        begin, end = _mark(self.begin, tokens), _mark(self.end, tokens)
        if self.named:
            return f"{begin} {literal(name)} {_mark('[ARGS]', tokens)} {schema}"
        opening = json.dumps({"name": name})[:-1] + f', "{self.arguments}": '
        if self.listed or not self.begin:
            return f'{literal(opening)} {schema} "}}"'
        return f"{begin} {literal(chr(10) + opening)} {schema} {literal('}' + chr(10))} {end}"


def _mark(text: str, tokens: Mapping[str, int]) -> str:
    """This text in a grammar. One that is a token by itself is never read as its characters."""
    return f"<[{tokens[text]}]>" if text in tokens else literal(text)


HERMES = ToolFormat("<tool_call>", "</tool_call>")
MISTRAL = ToolFormat("[TOOL_CALLS]", listed=True)
MISTRAL_NAMED = ToolFormat("[TOOL_CALLS]", named=True)
LLAMA = ToolFormat("", arguments="parameters")


def format_of(template: str) -> ToolFormat | None:
    """The format that a chat template asks its model for. None: no tools, or a format that is not known here."""
    if "tools" not in template or "<function=" in template:  # an XML format of some models: not known here
        return None
    if "[TOOL_CALLS]" in template:
        return MISTRAL_NAMED if "[ARGS]" in template else MISTRAL
    if "<tool_call>" in template:
        return HERMES
    return LLAMA if '"parameters"' in template else None


class ToolReader:
    """Finds the calls in an answer that arrives piece by piece. What only looks like a call is passed on as text."""

    def __init__(self, form: ToolFormat) -> None:
        self.form = form
        self._held = ""
        self._inside = False  # after the beginning of a call
        self._started = False  # whether the answer has any text yet

    def feed(self, text: str) -> list[str | Call]:
        """What is certain with this piece of text."""
        self._held += text
        found: list[str | Call] = []
        while (item := self._next()) is not None:
            found.append(item)
        return [item for item in found if item]

    def flush(self) -> list[str | Call]:
        """The rest, at the end of the answer."""
        held, self._held = self._held, ""
        if not self._inside:
            return [held] if held else []
        calls = list(self._calls(held))
        return [*calls] if calls else [self.form.begin + held]

    def _next(self) -> str | Call | None:
        if self._inside:
            return self._call_that_ended()
        if not self.form.begin:
            return self._text_or_braces()
        at = self._held.find(self.form.begin)
        if at >= 0:
            text, self._held = self._held[:at], self._held[at + len(self.form.begin) :]
            self._inside = True
            return text
        cut = len(self._held) - overlap(self._held, self.form.begin)
        text, self._held = self._held[:cut], self._held[cut:]
        return text or None

    def _text_or_braces(self) -> str | None:
        start = self._held.lstrip()
        if start.startswith("<|python_tag|>"):
            start = start.removeprefix("<|python_tag|>").lstrip()
        if not self._started and (not start or "<|python_tag|>".startswith(start)):
            return None
        if not self._started and start.startswith("{"):
            self._inside, self._held = True, start
            return None
        self._started = True
        text, self._held = self._held, ""
        return text or None

    def _call_that_ended(self) -> str | Call | None:
        at = self._held.find(self.form.end) if self.form.end else -1
        if at < 0:
            return None
        written, self._held = self._held[:at], self._held[at + len(self.form.end) :]
        self._inside = False
        return next(self._calls(written), None) or f"{self.form.begin}{written}{self.form.end}"

    def _calls(self, written: str) -> Iterator[Call]:
        """The calls in this text; none if any part of it is something else."""
        try:
            yield from list(self._named(written) if self.form.named else self._in_json(written))
        except (ValueError, KeyError, TypeError):
            return

    def _in_json(self, written: str) -> Iterator[Call]:
        rest = written.strip().rstrip(";")
        while rest:
            value, length = json.JSONDecoder().raw_decode(rest)
            for each in value if isinstance(value, list) else [value]:
                arguments = each[self.form.arguments] if self.form.arguments in each else each["arguments"]
                yield Call(str(each["name"]), _text_of(arguments))
            rest = rest[length:].lstrip(" ;\n")

    def _named(self, written: str) -> Iterator[Call]:
        for part in written.split(self.form.begin):
            if match := NAMED_CALL.match(part):
                yield Call(match[1], _text_of(json.loads(part[match.end() :])))
            else:
                raise ValueError("a call without a name")


def _text_of(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
