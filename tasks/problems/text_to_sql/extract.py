"""Finds the SQL in what a chat model says."""

import re

_FENCE = re.compile(r"```(?:[ \t]*\w*[ \t]*\n)?(.*?)(?:```|\Z)", re.DOTALL)
_STARTS = (
    re.compile(r"^[ \t]*(?:\([ \t]*)*(?:SELECT\b|WITH\s+(?:RECURSIVE\s+)?\S+\s*(?:\([^()]*\)\s*)?AS\b)", re.MULTILINE),
    re.compile(r"\bSELECT\b"),
    re.compile(
        r"^[ \t]*(?:\([ \t]*)*(?:select\b|with\s+(?:recursive\s+)?\S+\s*(?:\([^()]*\)\s*)?as\b)",
        re.MULTILINE | re.IGNORECASE,
    ),
    re.compile(r"\bselect\b", re.IGNORECASE),
)
"""The likeliest beginnings of a query first: in prose, "select" and "with" are words."""
_STATEMENT = re.compile(
    r"""(?:[^;'"`\n]|'(?:[^']|'')*+(?:'|\Z)|"[^"]*+(?:"|\Z)|`[^`]*+(?:`|\Z)|\n(?![ \t]*\n))*+"""  # linear in the text
)


def extract_sql(text: str) -> str:
    """The first query in an answer: out of its code fence, or between the words around it; without a closing semicolon.

    A query ends at a semicolon or a blank line outside of quotes. A text that holds no query is returned as it is.
    """
    text = text.rpartition("</think>")[2].strip()
    fenced = [block for block in _FENCE.findall(text) if _start(block) is not None]
    text = (fenced[0] if fenced else text).strip()
    start = _start(text)
    if start is None:
        return text
    found = _STATEMENT.match(text, start)
    return found.group().strip() if found else text


def holds_query(text: str) -> bool:
    """Whether there is anything in a text that looks like the beginning of a query."""
    return _start(text) is not None


def _start(text: str) -> int | None:
    return next((found.start() for pattern in _STARTS if (found := pattern.search(text))), None)
