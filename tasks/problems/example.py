"""A row becomes an example, or the reasons why it cannot."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

Message = dict[str, str]

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


def digest(*texts: str) -> str:
    """128 bits of SHA-256 in hex. The texts are joined as JSON, so ("ab", "c") and ("a", "bc") differ."""
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:32]


def normalise(text: str) -> str:
    """The text without differences of case, white space and Unicode form."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def read_texts(
    row: Mapping[str, object], columns: Mapping[str, str], special_tokens: Collection[str] = ()
) -> tuple[dict[str, str], list[Reason]]:
    """The valid texts of a row by field name, stripped, and the reasons against the others."""
    texts: dict[str, str] = {}
    reasons: list[Reason] = []
    for field, column in columns.items():
        value = row.get(column)
        found = _missing(row, column) or _text_reasons(column, str(value), special_tokens)
        reasons += found
        if not found:
            texts[field] = str(value).strip()
    return texts, reasons


def _missing(row: Mapping[str, object], column: str) -> list[Reason]:
    if column not in row:
        return [Reason("missing column", f"{column}; the row has {', '.join(map(str, row)) or 'none'}"[:200])]
    value = row[column]
    if value is None:
        return [Reason("empty", column)]
    return [] if isinstance(value, str) else [Reason("not a string", f"{column} is {type(value).__name__}")]


def _text_reasons(column: str, text: str, special_tokens: Collection[str]) -> list[Reason]:
    if not text.strip():
        return [Reason("empty", column)]
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
