"""Where a query begins in a text, and where it ends. Everything takes time that is linear in the text, which a model wrote."""

import re
from functools import lru_cache
from typing import NamedTuple

_GAP = r"(?:\s++|--[^\n]{0,300}+\n|/\*(?:[^*]|\*(?!/)){0,300}+\*/){0,10}+"
_COMMENTS = r"(?:(?:--[^\n]{0,300}+\n|/\*(?:[^*]|\*(?!/)){0,300}+\*/)\s{0,20}+){0,10}+"
_NAME = r"""(?:\w+|"[^"\n]*+"|`[^`\n]*+`|\[[^\]\n]*+\])"""
_CLAUSES = """select where group order having limit join left right full inner cross natural asof positional union intersect except using
    qualify window offset pivot unpivot tablesample"""
_NEXT = rf"(?=[ \t]*+\n[ \t]*+(?:\n|[A-Z][a-z])|{_GAP}(?:\Z|[;,)`\"'”]|(?i:{'|'.join(_CLAUSES.split())})\b))"
_HEADS = {
    "select": r"select\b(?!\s*+[.:])",
    "with": rf"with{_GAP}(?:recursive\b{_GAP})?{_NAME}{_GAP}(?:\([^()]*+\){_GAP})?as\b",
    "values": r"values\s*+(?:row\s*+)?\(",
    "table": rf"table\s++{_NAME}(?:\.{_NAME})?{_NEXT}",
    "from": rf"from{_GAP}(?:[('\"]|{_NAME}\(|{_NAME}(?:\.{_NAME}){{0,2}}(?:\s++(?:as\s++)?{_NAME})?{_NEXT})",
    "pivot": rf"(?:un)?pivot\b{_GAP}(?:\(|{_NAME}(?:\.{_NAME})?\s++(?:on|using|group)\b)",
}
"""By first word. In prose "from", "table", "values" and "with" are words, so each needs what can only follow it in a query."""
_QUERIES = {
    "sqlite": ("select", "with", "values"),
    "mysql": ("select", "with", "values", "table"),
    "postgres": ("select", "with", "values", "table"),
    "duckdb": ("select", "with", "values", "table", "from", "pivot"),
}
_OPENS = """
    select distinct all from where and or not on by join union intersect except having as in like ilike between case when then
    else using limit offset values with recursive over is group order escape interval pivot unpivot
"""
"""After these words, and after an operator or a comma, a query goes on."""
_CONTINUES = """
    where group having order limit offset fetch union intersect except minus join left right full inner cross natural outer asof
    positional lateral semi anti straight_join on using and or window qualify tablesample pivot unpivot when then else end as in like
    ilike between is for collate desc asc nulls over filter escape
"""
"""After a blank line, a query can go on with these words."""
_OPEN_WORDS, _CONTINUING_WORDS = frozenset(_OPENS.split()), frozenset(_CONTINUES.split())
_LABELS = frozenset(("SQLResult", "Result", "Answer", "Explanation", "Output", "Note", "Question"))
_SENTENCE = re.compile(r"[ \t]*+[A-Z][a-z']*+(?: [a-z']++){2,}+[^\n;]*(?<=[\w)`'\"][.:!])[ \t]*+$", re.MULTILINE)
_PARAGRAPH = re.compile(r"[^\n]*+(?:\n(?![ \t]*+\n)[^\n]*+)*+")
_WORDY = re.compile(r"\b[a-z']++ [a-z']++ [a-z']++ [a-z']++|[.:!]\s*+\Z", re.IGNORECASE)
_INTRODUCTION = re.compile(r"[ \t]*+[^\n]*:[ \t]*+(?:\n|\Z|(?:SELECT|WITH)\b)")
_CLOSING = {"`": "`", '"': '"', "'": "'", "“": "”"}


class Piece(NamedTuple):
    """A part of a statement as its dialect divides it."""

    kind: str
    text: str
    start: int
    end: int


@lru_cache
def _head(dialect: str) -> str:
    return f"(?:{'|'.join(_HEADS[word] for word in _QUERIES[dialect])})"


@lru_cache
def _starts(dialect: str) -> tuple[re.Pattern[str], ...]:
    """The likeliest beginnings of a query first: in prose, "select" is a word."""
    capitals = "|".join(f"(?=(?:UN)?{word.upper()})(?i:{_HEADS[word]})" for word in _QUERIES[dialect])
    opened = rf"(?:^|[:`\"'“])[ \t]*+(?P<query>{_COMMENTS}(?:\([ \t]*+)*+"
    spoken = "|".join(_HEADS[word] for word in ("select", "with"))
    return (
        re.compile(rf"{opened}(?:{capitals}))|\b(?P<cte>(?=WITH)(?i:{_HEADS['with']}))", re.MULTILINE),
        re.compile(rf"\b(?P<query>(?=SELECT)(?i:{_HEADS['select']}))"),
        re.compile(rf"{opened}(?i:{_head(dialect)}))", re.MULTILINE),
        re.compile(rf"\b(?P<query>{spoken})", re.IGNORECASE),
    )


@lru_cache
def _pieces(dialect: str, wrapper: str = "") -> re.Pattern[str]:
    """What a statement consists of. Within quotes like those around the whole of it, a doubled one is two."""
    mysql = dialect == "mysql"
    slash, escaped, hashes = (r"\\", r"|\\.", r"|\#[^\n]*+") if mysql else ("", "", "")
    quoted = [
        rf"{quote}(?:[^{quote}{slash}]{'' if quote == wrapper else f'|{quote}{quote}'}{escaped})*+(?:{quote}|\Z)"
        for quote in "'\""
    ]
    quoted.append(r"`[^`]*+(?:`|\Z)")
    if dialect == "sqlite":
        quoted.append(r"\[[A-Za-z_][^\]\n]*+\]")
    if dialect == "postgres":
        quoted.append(r"[eE]'(?:[^'\\]|''|\\.)*+(?:'|\Z)")
    if dialect in ("postgres", "duckdb"):
        quoted.append(r"\$(?P<tag>(?:[A-Za-z_]\w*+)?)\$.*?(?:\$(?P=tag)\$|\Z)")
    return re.compile(
        rf"""(?P<comment>--[^\n]*+|/\*.*?(?:\*/|\Z){hashes})
        |(?P<fence>```|^[ \t]*+~~~)
        |(?P<quoted>{"|".join(quoted)})
        |(?P<tagged></[A-Za-z]\w*+>)
        |(?P<word>[^\W\d]\w*+)|(?P<number>\d[\w.]*+)
        |(?P<space>\s++)
        |(?P<sign>.)""",
        re.DOTALL | re.MULTILINE | re.VERBOSE,
    )


def query_start(text: str, dialect: str) -> int | None:
    """Where the likeliest query of a text begins; None where nothing looks like one."""
    whole = whole_start(text, dialect)
    if whole is not None:
        return whole
    for pattern in _starts(dialect):
        if found := pattern.search(text):
            return found.start(found.lastgroup or 0)
    return None


def whole_start(text: str, dialect: str) -> int | None:
    """0 if the text begins with a query, or with comments before one; None if with anything else."""
    at, pieces = 0, _pieces(dialect)
    while (piece := pieces.match(text, at)) and (piece.lastgroup in ("comment", "space") or piece[0] == "("):
        at = piece.end()
    if not re.compile(_head(dialect), re.IGNORECASE).match(text, at) or _INTRODUCTION.match(text, at):
        return None
    return 0


def query_end(text: str, start: int, dialect: str) -> int:
    """Where the query that begins at `start` ends: before a semicolon, a closing fence, tag or quote, or the words after it."""
    return _Scan(text, start, dialect).end()


class _Scan:
    """One way through a statement. Blank lines end it only where what follows cannot belong to it."""

    def __init__(self, text: str, start: int, dialect: str) -> None:
        self.text, self.start, self.length = text, start, len(text.rstrip())
        self.wrapper = _CLOSING.get(text[:start].rstrip(" \t")[-1:], "")
        self.pieces = _pieces(dialect, self.wrapper)
        self.depth, self.last, self.first = 0, "", ""
        self.goes_on_until = 0
        self.words: set[str] = set()
        """First words of clauses seen outside of brackets."""

    def end(self) -> int:
        for found in self.pieces.finditer(self.text, self.start):
            piece = Piece(found.lastgroup or "", found[0], found.start(), found.end())
            if self._ends_at(piece):
                return piece.start
            self.depth += {"(": 1, ")": -1}.get(piece.text, 0)
            if piece.kind == "word":
                self._note(piece.text)
            elif piece.kind not in ("comment", "space"):
                self.last = piece.text
        return len(self.text)

    def _note(self, word: str) -> None:
        self.first = self.first or word
        everything = word.lower() == "all" and self.last in ("by", "limit")
        self.last = "" if everything else word.lower()
        if self.last in ("union", "intersect", "except"):
            self.words.clear()
        elif self.depth == 0:
            self.words.add(self.last)

    def _ends_at(self, piece: Piece) -> bool:
        if piece.kind in ("fence", "tagged") or piece.text == ";":
            return True
        if piece.text[0] == self.wrapper:
            return not self._opens_a_name(piece)
        if piece.text == ")" and self.depth == 0:
            return True
        if piece.text == "." and piece.end >= self.length:
            return True
        if piece.kind == "space" and "\n" in piece.text and self.depth == 0 and not self._is_open():
            blank = piece.text.count("\n") > 1
            return self._turns_to_prose(piece) or (blank and not self._goes_on(piece.end))
        return False

    def _opens_a_name(self, piece: Piece) -> bool:
        """Of a quote like the one around the query: whether it begins a name or text inside of it."""
        before = self.text[piece.start - 1 : piece.start]
        after = self.text[piece.start + 1 : piece.start + 2]
        opens = before in tuple(" \t\n(,.=<>+-*/%!|") and bool(after.strip()) and after != piece.text[0]
        return opens or after.isalnum()

    def _is_open(self) -> bool:
        return not self.first or self.last in _OPEN_WORDS or self.last in tuple(",=<>+-/%|(.")

    def _turns_to_prose(self, piece: Piece) -> bool:
        """Whether the next line is a label, as in `SQLResult: 3`, or a sentence."""
        word = self.pieces.match(self.text, piece.end)
        if word and word[0] in _LABELS and self.text.startswith(":", word.end()):
            return True
        return bool(_SENTENCE.match(self.text, piece.end))

    def _goes_on(self, at: int) -> bool:
        """Whether what stands after a blank line belongs to the query: a clause that it may still have, or only comments."""
        if at < self.goes_on_until:
            return True
        while (found := self.pieces.match(self.text, at)) and found.lastgroup in ("comment", "space"):
            at = found.end()
        self.goes_on_until = at
        if found is None:
            return True
        word = found[0].lower()
        if word == "select":
            return self.first.lower() in ("with", "from") and "select" not in self.words
        if word == "from":
            return "from" not in self.words
        if found[0] in tuple(",)=<+/|%;"):
            return True
        return word in _CONTINUING_WORDS and not self._is_prose(found[0], at)

    def _is_prose(self, word: str, at: int) -> bool:
        """`Where a ship has no name, ...` after a query in capitals; the same in small letters only if it reads like a sentence."""
        if word.istitle() and not self.first.istitle():
            return True
        paragraph = _PARAGRAPH.match(self.text, at)
        return word.islower() != self.first.islower() and bool(paragraph and _WORDY.search(paragraph[0].rstrip()))
