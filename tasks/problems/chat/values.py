"""Values of cells: JSON, or Python's spelling of it, in a text."""

import ast
import json


def parsed(value: object) -> object:
    """The list or object that a text spells in JSON or in Python (pandas writes CSV so); other values as they are."""
    if not isinstance(value, str) or value.strip()[:1] not in ("[", "{"):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        pass
    try:
        return as_json(ast.literal_eval(value.strip()))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return value


def as_json(value: object) -> object:
    """The value as JSON has it. Raises TypeError, ValueError or RecursionError when it holds bytes, dates, NaN and the like."""
    return json.loads(json.dumps(value, allow_nan=False))
