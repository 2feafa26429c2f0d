"""Writes what a client asks of its answer's form as rules of a grammar, in the Lark notation of llguidance."""

import json
from collections.abc import Sequence
from typing import Any

# A model that is held to JSON and knows none can go on with spaces for ever, so no run of them is longer than this.
WHITESPACE = r"[ \n\r\t]{0,40}"
ONE_LINE = " ?"


def json_rule(schema: dict[str, Any], whitespace: str = WHITESPACE) -> str:
    """What follows a rule's name, for a JSON value of this schema. `whitespace` is a regular expression."""
    options = {"whitespace_pattern": whitespace, **schema.get("x-guidance", {})}
    return f"%json {json.dumps({**schema, 'x-guidance': options})}"


def regex_rule(pattern: str) -> str:
    """The same for a text that matches this regular expression from its beginning to its end."""
    return f"/{_escaped(pattern)}/"


def choice_rule(texts: Sequence[str]) -> str:
    """The same for one of these texts."""
    return " | ".join(map(literal, texts))


def literal(text: str) -> str:
    """This text as a grammar writes it."""
    return json.dumps(text, ensure_ascii=False)


def _escaped(pattern: str) -> str:
    """The expression without the characters that would end it: a slash that is not escaped already, and line breaks."""
    written, escaped = [], False
    for character in pattern:
        if character == "\n":
            written.append("n" if escaped else r"\n")
        else:
            written.append("\\/" if character == "/" and not escaped else character)
        escaped = character == "\\" and not escaped
    return "".join(written)
