"""Patterns that queries look for in texts: LIKE and its kin, regular expressions."""

from typing import Any

from sqlglot import exp

PATTERNS = exp.Like | exp.ILike | exp.SimilarTo | exp.RegexpLike | exp.RegexpILike | exp.Glob | exp.StartsWith
_BACKSLASH_ESCAPES = {"postgres", "mysql"}
_CASELESS_LIKE = {"sqlite", "mysql"}


def pattern_of(node: exp.Expr, dialect: str) -> tuple[str, tuple[Any, ...]] | None:
    """The operator (like, regexp) and its values, as `facts.Condition` has them; None where the pattern is no literal."""
    if not isinstance(node.expression, exp.Literal) or not node.expression.is_string:
        return None
    pattern = str(node.expression.this)
    caseless = isinstance(node, exp.ILike | exp.RegexpILike)
    if isinstance(node, exp.RegexpLike | exp.RegexpILike):
        return "regexp", (pattern, caseless or dialect == "mysql")
    if isinstance(node, exp.Glob):
        return "like", (pattern.replace("*", "%").replace("?", "_"), "", False)
    if isinstance(node, exp.StartsWith):
        return "like", (pattern + "%", "", False)
    escape = "\\" if dialect in _BACKSLASH_ESCAPES else ""
    if isinstance(node.parent, exp.Escape):
        escape = node.parent.expression.name
    return "like", (pattern, escape, caseless or dialect in _CASELESS_LIKE)
