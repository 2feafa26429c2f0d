"""Labels of one row, however they are spelt: text, numbers, true and false, lists, lists inside a text, one-hot columns."""

import ast
import datetime
import math
import re
from collections.abc import Mapping
from decimal import Decimal

from finetune_flows.tasks.problems.example import BadRow, Reason, is_empty

_ITEM = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s,'"\[\](){}]+"""
# Commas between the items in JSON and Python; white space in numpy, whose list Python would read as one joined text.
_ITEMS = rf"\s*(?:(?:{_ITEM})(?:\s*,\s*|\s+|(?=[\])}}])))*"
_LIST = re.compile(rf"\[{_ITEMS}\]|\({_ITEMS}\)|\{{{_ITEMS}\}}")
_QUOTED_LIST = re.compile(r"""[\[({]\s*['"].*[\])}]""", re.DOTALL)
_PAIRS = (("[", "]"), ("(", ")"), ("{", "}"))
_NOTHING = ("None", "null", "nan", "NaN")
_NUMBER = re.compile(r"(-?(?:0|[1-9]\d*))(?:\.0*)?")  # 007 is a code, not the number 7
_TRUTH = {"true": "1", "false": "0"}


class ClassName(str):
    """The name of a class where the file has its number: a recipe may rename the number or the name."""

    number: int

    def __new__(cls, name: str, number: int) -> "ClassName":
        """The name `name` of class `number`."""
        made = super().__new__(cls, name)
        made.number = number
        return made

    def __getnewargs__(self) -> tuple[str, int]:  # type: ignore[override]
        return str(self), self.number


def text_of(value: object, column: str) -> str:
    """A label as text. Raises BadRow when it is empty, or neither text nor a whole number nor true or false nor a date."""
    if is_empty(value):
        raise BadRow([Reason("empty", column)])
    if isinstance(value, str):
        if _QUOTED_LIST.fullmatch(value.strip()):
            raise BadRow([Reason("not a label", f"{column} is a list: {value}"[:80])])
        return value.strip()
    if isinstance(value, float | Decimal) and math.isfinite(value) and value == int(value):
        value = int(value)  # CSV and pandas turn a column of integers with gaps into floats
    if isinstance(value, datetime.date):
        return value.isoformat()
    if not isinstance(value, int):
        raise BadRow([Reason("not a label", f"{column} is {type(value).__name__}")])
    return str(value)


def listed(value: object, separator: str, column: str) -> list[object]:
    """The labels in a cell for several: a list, a list in a text, or texts between separators. Nothing is no label."""
    if is_empty(value):
        return []
    if isinstance(value, str):
        value = _items(value.strip()) if _LIST.fullmatch(value.strip()) else _parts(value, separator, column)
    if not isinstance(value, list | tuple):
        raise BadRow([Reason("not a list of labels", f"{column} is {type(value).__name__}")])
    labels = [each for each in value if not is_empty(each)]
    marks = {plain_form(str(each)) for each in labels}
    if marks <= {"0", "1"} and len(labels) > max(len(marks), 1):
        raise BadRow([Reason("a list of 0 and 1", f"{column} is {labels}; problem.label_columns reads columns"[:200])])
    return labels


def _parts(text: str, separator: str, column: str) -> list[str]:
    """The texts between separators. Raises BadRow when a separator is within brackets or quotes: this is another list."""
    parts = text.split(separator)
    if _has_pairs(text) and not all(map(_has_pairs, parts)):
        raise BadRow([Reason("not a list of labels", f"{column} is {text!r}"[:200])])
    return parts


def _has_pairs(text: str) -> bool:
    """Whether every bracket and quotation mark has its partner."""
    return text.count('"') % 2 == 0 and all(text.count(opening) == text.count(closing) for opening, closing in _PAIRS)


def _items(text: str) -> list[str]:
    items = re.findall(_ITEM, text[1:-1])
    return [
        ast.literal_eval(item) if item[0] in "'\"" else plain_number(item) for item in items if item not in _NOTHING
    ]


def is_marked(value: object, column: str) -> bool:
    """Whether a one-hot column gives its label to the row. Raises BadRow when it holds neither 0 nor 1."""
    marked = {"1": True, "0": False}.get(plain_form(text_of(value, column)))
    if marked is None:
        raise BadRow([Reason("neither 0 nor 1", f"{column} is {value!r}"[:80])])
    return marked


def plain_number(text: str) -> str:
    """A whole number without a decimal point; other texts as they are."""
    number = _NUMBER.fullmatch(text)
    return number[1] if number else text


def plain_form(label: str) -> str:
    """One spelling for 1, 1.0, true and True; other labels as they are."""
    return plain_number(_TRUTH.get(label.lower(), label))


def renamed(label: str, names: Mapping[str, str]) -> str | None:
    """The name that a recipe gives to a label, or None. A name for exactly this spelling goes first."""
    number = str(label.number) if isinstance(label, ClassName) else None
    for spelling in filter(None, (number, label)):
        if spelling in names:
            return names[spelling]
    by_form = {plain_form(key): name for key, name in names.items()}
    return by_form.get(number or plain_form(label))
