"""A row becomes an example, or the reasons why it cannot."""

import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

Message = dict[str, Any]
"""A message of OpenAI's chat API: role and content, and in a chat also reasoning_content, tool_calls and the like."""

MAX_CHARACTERS = 200_000
"""Longest text of one field. A schema of a thousand tables fits; a book in the wrong column does not."""

# Markers that chat templates put around turns: a row that contains one could forge a turn. The tokenizer's are added.
_TURN_MARKERS = re.compile(r"<\|[^|<>\s]{1,40}\|>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>|</s>")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


class Reason(NamedTuple):
    """Why a row is unusable: a kind that can be counted, and the detail of this row."""

    kind: str
    detail: str = ""


class BadRow(ValueError):
    """A row that cannot become an example, with all its reasons."""

    def __init__(self, reasons: Collection[Reason]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("; ".join(": ".join(filter(None, reason)) for reason in self.reasons))


@dataclass(frozen=True, slots=True)
class Example:
    """One row as the model sees it, and what distinguishes it from others."""

    id: str
    """Digest of the content: the same row has the same id in every file and format."""
    prompt: list[Message]
    completion: list[Message]
    fields: dict[str, str]
    """What scoring needs besides the model's answer."""
    asked: str
    """Normalised input. Rows that ask the same must not have different answers or be in different splits."""
    answered: str
    """Normalised output."""
    shares: tuple[str, ...]
    """Names of what the row shares with others, at least one. Rows that share a name go to the same split."""
    tables: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """The tables of `shares` with their columns: tables of one name in two databases can differ."""
    question: str = ""
    """Normalised question without its schema; empty if `asked` is the whole question."""
    template: str = ""
    """The query without its values and aliases."""
    unused: tuple[str, ...] = ()
    """What the row holds and the example does not: columns, and parts of messages. The dataset card counts them."""
    tools: tuple[dict[str, Any], ...] = ()
    """Tools that the model may call, in OpenAI's form."""


def digest(*texts: str) -> str:
    """128 bits of SHA-256 in hex. The texts are joined as JSON, so ("ab", "c") and ("a", "bc") differ."""
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:32]


def normalise(text: str) -> str:
    """The text without differences of case, white space and Unicode form."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def writable(text: str) -> str:
    """The text with escapes for halves of characters, which neither a file nor a terminal takes: "\\ud800" of JSON."""
    return text.encode("utf-8", "backslashreplace").decode()


def is_empty(value: object) -> bool:
    """Whether a cell holds nothing: null, NaN (pandas writes it for null), or blank text."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, float) and math.isnan(value))


def columns_of(row: Mapping[str, object]) -> str:
    """The names of the row's columns, for a message."""
    return f"the row has {', '.join(map(str, row)) or 'no columns'}"[:200]


def unused_columns(row: Mapping[str, object], used: Collection[str]) -> tuple[str, ...]:
    """Names of the columns that hold something and are not used."""
    held = {name: value for name, value in row.items() if name not in used and not is_empty(value)}
    return tuple(str(name) or "(no name)" for name, value in held.items() if value not in ([], {}))


def read_texts(
    row: Mapping[str, object], columns: Mapping[str, str], special_tokens: Collection[str] = ()
) -> tuple[dict[str, str], list[Reason]]:
    """The valid texts of a row by field name, stripped, and the reasons against the others."""
    texts: dict[str, str] = {}
    reasons: list[Reason] = []
    for field, column in columns.items():
        value = row.get(column)
        found = _missing(row, column) or text_reasons(column, str(value), special_tokens)
        reasons += found
        if not found:
            texts[field] = str(value).strip()
    return texts, reasons


def _missing(row: Mapping[str, object], column: str) -> list[Reason]:
    if column not in row:
        return [Reason("missing column", f"{column}; {columns_of(row)}"[:200])]
    value = row[column]
    if is_empty(value):
        return [Reason("empty", column)]
    return [] if isinstance(value, str) else [Reason("not a string", f"{column} is {type(value).__name__}")]


def text_reasons(column: str, text: str, special_tokens: Collection[str]) -> list[Reason]:
    """The reasons against a text, which reports call `column`."""
    if len(text) > MAX_CHARACTERS:
        return [Reason("too many characters", f"{column} has {len(text):,}, the limit is {MAX_CHARACTERS:,}")]
    reasons = []
    if found := _SURROGATE.search(text):
        reasons.append(Reason("not Unicode text", f"{column} at character {found.start()}: {found[0]!a}"))
    if found := _CONTROL.search(text):
        reasons.append(Reason("control character", f"{column} at character {found.start()}: {found[0]!a}"))
    marker = _TURN_MARKERS.search(text)
    token = marker[0] if marker else next((token for token in special_tokens if token in text), None)
    if token:
        reasons.append(Reason("chat template token", f"{column} holds {token}"))
    return reasons
