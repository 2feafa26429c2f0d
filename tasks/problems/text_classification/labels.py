"""Labels of one row, however they are spelt: text, numbers, true and false, lists, lists inside a text, one-hot columns."""

import ast
import datetime
import math
import re
from collections.abc import Mapping
from decimal import Decimal

from finetune_flows.tasks.problems.example import BadRow, Reason, is_empty

_ITEM = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s,'"\[\]]+"""
# Commas between the items in JSON and Python; white space in numpy, whose list Python would read as one joined text.
_LIST = re.compile(rf"\[\s*(?:(?:{_ITEM})(?:\s*,\s*|\s+|(?=\])))*\]")
_NOTHING = ("None", "null", "nan", "NaN")
_NUMBER = re.compile(r"(-?(?:0|[1-9]\d*))(?:\.0+)?")  # 007 is a code, not the number 7
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
        value = _items(value.strip()) if _LIST.fullmatch(value.strip()) else value.split(separator)
    if not isinstance(value, list | tuple):
        raise BadRow([Reason("not a list of labels", f"{column} is {type(value).__name__}")])
    return [each for each in value if not is_empty(each)]


def _items(text: str) -> list[str]:
    items = re.findall(_ITEM, text)
    return [ast.literal_eval(item) if item[0] in "'\"" else item for item in items if item not in _NOTHING]


def is_marked(value: object, column: str) -> bool:
    """Whether a one-hot column gives its label to the row. Raises BadRow when it holds neither 0 nor 1."""
    marked = {"1": True, "0": False}.get(plain_form(text_of(value, column)))
    if marked is None:
        raise BadRow([Reason("neither 0 nor 1", f"{column} is {value!r}"[:80])])
    return marked


def plain_form(label: str) -> str:
    """One spelling for 1, 1.0, true and True; other labels as they are."""
    number = _NUMBER.fullmatch(label)
    return number[1] if number else _TRUTH.get(label.lower(), label)


def renamed(label: str, names: Mapping[str, str]) -> str | None:
    """The name that a recipe gives to a label, or None. A name for exactly this spelling goes first."""
    number = str(label.number) if isinstance(label, ClassName) else None
    for spelling in filter(None, (number, label)):
        if spelling in names:
            return names[spelling]
    by_form = {plain_form(key): name for key, name in names.items()}
    return by_form.get(number or plain_form(label))
