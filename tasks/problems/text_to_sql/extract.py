"""Finds the SQL in what a chat model says."""

import json
import re

from finetune_flows.tasks.problems.text_to_sql.statement import query_end, query_start, whole_start

_INFO = r"(?:[ \t]*+[\w+-]*+[ \t]*+\n|[ \t]*+(?i:sql|sqlite|mysql|postgres(?:ql)?|duckdb)\s)?"
_FENCE = re.compile(rf"(?P<fence>`{{3,}}|~{{3,}}){_INFO}(?P<block>.*?)(?P<end>(?P=fence)|\Z)", re.DOTALL)
_TAG = re.compile(
    r"<(?P<tag>(?:final_)?(?:sql|answer|query|code|output)(?:_query)?)>(?P<block>.*?)(?P<end></(?P=tag)>|\Z)",
    re.DOTALL | re.I,
)
_FIELD = re.compile(
    r'(?<!\'\{)"[\w -]{0,30}(?:sql|query|answer|statement)[\w -]{0,30}"\s*+:\s*+(?P<value>"[^"\\]*+(?:\\.[^"\\]*+)*+"?)',
    re.DOTALL | re.IGNORECASE,
)
_ASIDE = re.compile(
    r"\b(?:alternative(?:ly)?|another|instead of|wrong|incorrect|does ?n[o']t work|avoid|for comparison|equivalent(?:ly)?|could also)\b",
    re.I,
)
_FINAL = re.compile(r"\b(?:final|corrected|correct|fixed|improved|better|answer)\b", re.IGNORECASE)
_FIRST = re.compile(r"\b(?:use|choose|prefer|recommend|answer is)\b[^.\n`~]{0,60}\bfirst\b", re.IGNORECASE)
_DEPTH = 4
"""A query in a fence in an answer tag in JSON is deep enough."""


def extract_sql(text: str, dialect: str = "sqlite") -> str:
    """The query of an answer, without what is around it and without a closing semicolon.

    A text that begins with a query is taken up to its end. In others the query is looked for in tags (`<sql>`), in code fences (the
    last complete one, unless the words before it call it an alternative or wrong), in the fields of JSON (`"sql"`, `"query"`), after
    `SQLQuery:`, in inline code and between words. A text that holds no query is returned as it is.
    """
    text = text.rpartition("</think>")[2].strip()
    for _ in range(_DEPTH):
        if whole_start(text, dialect) == 0:
            end = query_end(text, 0, dialect)
            if _fenced(text[end:], dialect) is None:
                return text[:end].strip()
        inner = _unwrapped(text, dialect)
        if inner is None:
            break
        text = inner.strip()
    start = query_start(text, dialect)
    return text if start is None else text[start : query_end(text, start, dialect)].strip()


def holds_query(text: str, dialect: str = "duckdb") -> bool:
    """Whether there is anything in a text that looks like the beginning of a query; in DuckDB it can begin with most words."""
    return query_start(text, dialect) is not None


def _unwrapped(text: str, dialect: str) -> str | None:
    """What stands in the innermost mark of a query; None where there is no mark."""
    return (
        _tagged(text, dialect)
        or _fenced(text, dialect)
        or _field(text, dialect)
        or _labelled(text)
        or _any_fence(text, dialect)
    )


def _tagged(text: str, dialect: str) -> str | None:
    blocks = [found["block"] for found in _TAG.finditer(text) if holds_query(found["block"], dialect)]
    return blocks[-1] if blocks else None


def _fenced(text: str, dialect: str) -> str | None:
    """The block that is a query: the last complete one that is not mentioned by the way, or the first if the text says so."""
    blocks = [found for found in _FENCE.finditer(text) if whole_start(found["block"].strip(), dialect) == 0]
    blocks = [found for found in blocks if found["end"]] or blocks
    if blocks and _FIRST.search(text):
        return blocks[0]["block"]
    meant = [found for found in blocks if not _is_aside(text[max(0, found.start() - 300) : found.start()])]
    chosen = meant or blocks
    return chosen[-1]["block"] if chosen else None


def _is_aside(before: str) -> bool:
    """Whether the last line before a block says that the answer is another."""
    line = before.strip().rpartition("\n")[2]
    return bool(_ASIDE.search(line)) and not _FINAL.search(line)


def _field(text: str, dialect: str) -> str | None:
    """The last field of JSON, anywhere in the text, whose value is a query."""
    values = [_decoded(found["value"]) for found in _FIELD.finditer(text)]
    queries = [value for value in values if whole_start(value.strip(), dialect) == 0 or _fenced(value, dialect)]
    return queries[-1] if queries else None


def _decoded(value: str) -> str:
    """The text of a JSON string, the last one of which may be cut off."""
    try:
        closed = value if value.endswith('"') and len(value) > 1 else value + '"'
        return str(json.loads(closed, strict=False))
    except ValueError:
        return ""


def _labelled(text: str) -> str | None:
    """What stands between `SQLQuery:` and `SQLResult:`, out of its quotes."""
    _, label, after = text.partition("SQLQuery:")
    inner, result, _ = after.partition("SQLResult:")
    inner = inner.strip()
    if not label or (not result and not inner.endswith('"')):
        return None
    if len(inner) > 1 and inner[0] == inner[-1] == '"':
        inner = inner[1:-1]
        bare = inner.replace('\\"', "")
        return inner.replace('\\"', '"') if '"' not in bare else inner
    return inner


def _any_fence(text: str, dialect: str) -> str | None:
    """A block with a query somewhere in it."""
    blocks = [found["block"] for found in _FENCE.finditer(text) if holds_query(found["block"], dialect)]
    return blocks[-1] if blocks else None
