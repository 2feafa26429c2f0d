"""The statements of a schema's text, as they were written: an engine reads them itself.

Schemas come from dumps, from documentation and from prompts: with comments that hold semicolons, with sample rows, and
with no semicolon between two tables. So the text is split by its tokens.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

Kind = Literal["table", "view", "type", "rows", "change"]

_CREATED: dict[str, Kind] = {"TABLE": "table", "VIEW": "view", "TYPE": "type", "DOMAIN": "type", "SCHEMA": "type", "SEQUENCE": "type"}  # fmt: skip
_BETWEEN = {"OR", "REPLACE", "TEMP", "TEMPORARY", "GLOBAL", "LOCAL", "UNLOGGED", "MATERIALIZED", "RECURSIVE",
            "ALGORITHM", "=", "UNDEFINED", "MERGE", "TEMPTABLE", "SQL", "SECURITY", "DEFINER", "INVOKER"}  # fmt: skip


class UnreadableSchema(ValueError):
    """Nothing can be made of the context. The message names the statement and says what is wrong with it."""


@dataclass(frozen=True)
class Statement:
    """One statement that defines something, fills it or changes it; `words`: its first, in capitals."""

    text: str
    words: tuple[str, ...]

    @property
    def kind(self) -> Kind | None:
        """None of what a schema does without: grants, comments, indexes and settings of the session."""
        first = self.words[0] if self.words else ""
        if first == "CREATE" and not any(
            word.startswith("SQLITE_") for word in self.words
        ):  # those SQLite makes itself
            what = next((word for word in self.words[1:] if word not in _BETWEEN), "")
            return _CREATED.get(what)
        if first == "INSERT":
            return "rows"
        return "change" if self.words[:2] == ("ALTER", "TABLE") else None

    @property
    def is_needed(self) -> bool:
        """Whether the schema is another one without it. Keys that are added later are not: the rows keep to them anyway."""
        return self.kind in ("table", "view", "type") or (self.kind == "change" and "COLUMN" in self.words)

    def tree(self, dialect: str) -> exp.Expr | None:
        """Its syntax tree; None when sqlglot knows no such statement. Raises UnreadableSchema when it is broken."""
        try:
            tree = sqlglot.parse_one(self.text, read=dialect)
            if isinstance(tree, exp.Command) and self.kind == "type":
                tree = sqlglot.parse_one(self.text, read="postgres")  # DuckDB writes CREATE TYPE the same way
        except (SqlglotError, RecursionError) as problem:
            if self.kind != "table":
                return None  # the engine may know it
            raise UnreadableSchema(f"cannot read {self.beginning!r}: {_first_line(problem)}") from problem
        return None if isinstance(tree, exp.Command) else tree

    @property
    def beginning(self) -> str:
        """Enough of it to be found again."""
        return " ".join(self.text.split())[:80]


def statements_of(context: str, dialect: str) -> list[Statement]:
    """The statements that matter, in their order. Raises UnreadableSchema when the text cannot be taken apart."""
    try:
        tokens = sqlglot.tokenize(context, read=dialect)
    except (SqlglotError, RecursionError) as problem:
        raise UnreadableSchema(f"the context cannot be taken apart: {_first_line(problem)}") from problem
    statements = (
        Statement(context[part[0].start : part[-1].end + 1], tuple(token.text.upper() for token in part[:8]))
        for part in _parts(tokens)
    )
    return [statement for statement in statements if statement.kind]


def _parts(tokens: list[Token]) -> Iterator[list[Token]]:
    """The tokens of each statement. A new one begins after a semicolon, and where a closed definition is followed by CREATE."""
    part: list[Token] = []
    depth, has_closed = 0, False
    for token in tokens:
        depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(token.token_type, 0)
        begins = token.text.upper() in ("CREATE", "INSERT", "ALTER") and token.token_type != TokenType.STRING
        if part and (token.token_type == TokenType.SEMICOLON or (begins and has_closed and depth == 0)):
            yield part
            part, depth, has_closed = [], 0, False
        has_closed |= token.token_type == TokenType.R_PAREN
        if token.token_type != TokenType.SEMICOLON:
            part.append(token)
    if part:
        yield part


def _first_line(problem: Exception) -> str:
    return (str(problem).splitlines() or [type(problem).__name__])[0][:200]
