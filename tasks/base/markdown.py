"""Markdown: tables, and untrusted text. Models and data sets can contain any text; none of it may become markup."""

import re
from collections.abc import Iterable, Sequence

_PUNCTUATION = re.compile(r"([\\`*_{}\[\]<>()#+!|~&:@$^=]|\.(?=[^\s\d]))")
_RUNS = re.compile(r"`+")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table. Cells must be Markdown: pass untrusted text through `plain` or `code` first."""
    return [_row(head), _row(["---"] * len(head)), *map(_row, rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def plain(text: str, most: int = 2_000) -> str:
    """Text on one line, with every character escaped that could start markup, an address or an HTML entity."""
    return _PUNCTUATION.sub(r"\\\1", _visible(" ".join(text.split()), most))


def code(text: str, most: int = 300) -> str:
    """Text as code inside a line or a table cell."""
    # `|` ends a table cell even inside code, whatever precedes it, so it is shown as `¦`.
    shown = _visible(" ".join(text.split()), most).replace("|", "¦")
    if not shown:
        return ""
    fence = "`" * (_longest_run(shown) + 1)
    return f"{fence} {shown} {fence}" if "`" in shown else f"{fence}{shown}{fence}"


def block(text: str, language: str = "", most: int = 4_000) -> str:
    """Text as a block of code on lines of its own. No line of the text can end the block."""
    lines = "\n".join(_visible(line, most) for line in text[:most].split("\n"))
    fence = "`" * max(3, _longest_run(lines) + 1)
    return f"{fence}{language}\n{lines}\n{fence}"


def _longest_run(text: str) -> int:
    return max(map(len, _RUNS.findall(text)), default=0)


def _visible(text: str, most: int) -> str:
    """The text, cut to `most` characters, with invisible characters (also those that change direction) as escapes."""
    text = text if len(text) <= most else text[: most - 3] + "..."
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
