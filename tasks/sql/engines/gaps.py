"""What SQLite may say otherwise than the engine that it replaces: it refuses less, converts more, and spells less.

A query that meets one of these gaps is not evaluable in translation: whether it runs in its own engine, and with which
rows, is not known here. The list is by kind and rather too long than too short.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import TokenType

from finetune_flows.tasks.sql.column_types import NUMBERS
from finetune_flows.tasks.sql.engines.grouping_gaps import grouping_gaps
from finetune_flows.tasks.sql.query import Query
from finetune_flows.tasks.sql.schema import Schema
from finetune_flows.tasks.sql.sqlite_spelling import PARTS, STARTS

Gaps = Iterator[exp.Expr | str]

# Functions that the dialect has and that mean the same in SQLite, once they are respelt.
_EVERYWHERE = """
    abs avg cast ceil ceiling coalesce count cume_dist dense_rank exp extract first_value floor lag last_value lead left
    length ln lower ltrim max min mod ntile nullif percent_rank pi power rank replace right round row_number rtrim sign
    sqrt substr substring sum trim upper
"""
_OWN = {
    "postgres": "char_length concat concat_ws date_part date_trunc position string_agg strpos",
    "duckdb": """
        concat concat_ws date_diff date_part date_trunc datediff day dayofmonth dayofyear hour if ifnull instr len list minute
        month quarter second strftime string_agg strpos year
    """,
    "mysql": """
        adddate char_length concat concat_ws curdate date date_add date_sub datediff day dayofmonth dayofweek dayofyear
        group_concat hour if ifnull instr locate minute month quarter second year
    """,
}
_KEYWORDS = """
    all and any as between bigint by case char character date decimal distinct double else except exists filter float from
    group having if in int integer intersect interval is join like limit not numeric offset on or order over partition
    select some then timestamp union using values varchar when where window with within
"""
_KNOWN = {dialect: {*f"{_KEYWORDS} {_EVERYWHERE} {own}".split()} for dialect, own in _OWN.items()}
_OWN_SCHEMA = {"postgres": {"public"}, "duckdb": {"main"}, "mysql": set[str]()}
_ROW_IDS = {"rowid", "oid", "_rowid_"}
_COMPARISONS = exp.EQ | exp.NEQ | exp.GT | exp.GTE | exp.LT | exp.LTE
_OF_TEXT = (
    exp.Lower | exp.Upper | exp.Trim | exp.Substring | exp.Length | exp.Left | exp.Right | exp.Replace | exp.DPipe
)
_OF_NUMBERS = exp.Sum | exp.Avg | exp.Abs | exp.Round | exp.Floor | exp.Ceil | exp.Mul | exp.Div | exp.Mod | exp.Neg
_OF_DATES = exp.Extract | exp.Year | exp.Month | exp.Day | exp.Hour | exp.Minute | exp.Second | exp.Quarter
_NO_SPELLING = exp.Bracket | exp.ToChar | exp.TimeToStr | exp.Greatest | exp.Least
_DATE_TYPES = {exp.DataType.Type.DATE: "date", exp.DataType.Type.TIMESTAMP: "timestamp"}


def gap(query: Query, schema: Schema) -> str | None:
    """The first part of a query that its own engine may read otherwise, if any. `query`: sqlglot can read it."""
    assert query.tree is not None
    tree, kind = query.tree, _kinds(schema)
    for found in (
        *_unknown_functions(query),
        *_names(tree, schema),
        *(node for node in tree.walk() if _differs(node, schema.dialect, kind)),
        *grouping_gaps(tree, schema),
    ):
        return found if isinstance(found, str) else found.sql(dialect=schema.dialect)[:80]
    return None


def _unknown_functions(query: Query) -> Gaps:
    """SQLite has functions that the dialect lacks, and the other way round."""
    assert query.tree is not None
    own = {alias.name.lower() for alias in query.tree.find_all(exp.TableAlias)}  # WITH t(a) AS ...
    try:
        tokens = sqlglot.tokenize(query.text, read=query.dialect)
    except SqlglotError:
        return
    for before, after in pairwise(tokens):
        name = before.text.lower()
        if after.token_type == TokenType.L_PAREN and name.isidentifier() and name not in _KNOWN[query.dialect] | own:
            yield f"{before.text}()"


def _names(tree: exp.Expr, schema: Schema) -> Gaps:
    """Names that SQLite finds and the engine does not, or the other way round."""
    aliases = {alias.alias.lower() for alias in tree.find_all(exp.Alias, exp.TableAlias) if alias.alias}
    columns = {name for _, name in schema.columns()}
    for table in tree.find_all(exp.Table):
        spelling = schema.spellings.get(table.name.lower(), "").lower()
        if table.db and table.db.lower() not in _OWN_SCHEMA[schema.dialect] | {spelling.split(".")[0].strip('"`')}:
            yield table
    for column in tree.find_all(exp.Column):
        if (
            column.name.lower() in _ROW_IDS - columns
            or column.table.lower() in columns - schema.tables.keys() - aliases
        ):
            yield column
    if schema.dialect == "postgres":
        yield from _case_of_names(tree, schema, aliases)


def _case_of_names(tree: exp.Expr, schema: Schema, aliases: set[str]) -> Gaps:
    """PostgreSQL reads a name without quotes in lower case."""
    spelt = [column.spelling for columns in schema.tables.values() for column in columns.values()]
    spelt += [spelling.rsplit(".", 1)[-1] for spelling in schema.spellings.values()]
    meant: dict[str, set[str]] = {}
    for spelling in spelt:
        name = spelling[1:-1] if spelling.startswith('"') else spelling.lower()
        meant.setdefault(name.lower(), set()).add(name)
    for identifier in tree.find_all(exp.Identifier):
        lower = identifier.name.lower()
        name = identifier.name if identifier.quoted else lower
        if lower in meant and lower not in aliases and name not in meant[lower]:
            yield identifier


Kinds = Callable[[exp.Expr | None], str | None]


def _kinds(schema: Schema) -> Kinds:
    """What kind of value an expression is: number, text, enum, boolean, date, timestamp or another; None if not known."""
    of_columns: dict[str, set[str]] = {}
    for key in schema.columns():
        kind = schema[key].type.kind
        of_columns.setdefault(key[1], set()).add("number" if kind in NUMBERS else kind)

    def kind_of(node: exp.Expr | None) -> str | None:
        if isinstance(node, exp.Column):
            found = of_columns.get(node.name.lower(), set())
            return next(iter(found)) if len(found) == 1 else None
        if isinstance(node, exp.Literal):
            return "literal" if node.is_string else "number"
        if isinstance(node, exp.Paren | exp.Min | exp.Max | exp.Coalesce | exp.Distinct):
            return kind_of(node.this or next(iter(node.expressions), None))
        if isinstance(node, exp.Boolean | exp.Predicate | exp.Not):
            return "boolean"
        if isinstance(node, exp.Lower | exp.Upper | exp.Trim | exp.Substring | exp.DPipe | exp.Concat):
            return "text"
        if isinstance(node, exp.Cast):
            return _DATE_TYPES.get(node.to.this)
        is_number = isinstance(node, _OF_NUMBERS | exp.Count | exp.Length | _OF_DATES)
        return "number" if is_number else None

    return kind_of


def _differs(node: exp.Expr, dialect: str, kind: Kinds) -> bool:
    if isinstance(node, _COMPARISONS):
        return _compares_otherwise(node, node.this, node.expression, dialect, kind)
    if isinstance(node, exp.In):
        return any(_compares_otherwise(node, node.this, each, dialect, kind) for each in node.expressions)
    if isinstance(node, exp.Between):
        ends = node.args["low"], node.args["high"]
        return any(_compares_otherwise(node, node.this, end, dialect, kind) for end in ends)
    if isinstance(node, exp.Like | exp.ILike):
        return kind(node.this) not in (None, "text", "literal")
    if isinstance(node, exp.Coalesce | exp.If | exp.Case):
        return _mixes_kinds(node, kind)
    if isinstance(node, exp.Ordered | exp.Min | exp.Max):
        return kind(node.this) in ("enum", "json", "array", "struct", "boolean" if dialect == "postgres" else "")
    return _is_of_other_kind(node, dialect, kind) or _has_no_spelling(node, dialect)


def _compares_otherwise(node: exp.Expr, one: exp.Expr, other: exp.Expr, dialect: str, kind: Kinds) -> bool:
    """Engines refuse to compare some kinds, and SQLite compares texts of dates: a midnight is greater than its day."""
    kinds = {kind(one), kind(other)}
    if None in kinds or len(kinds) == 1:
        return kinds == {"enum"} and not isinstance(node, exp.EQ | exp.NEQ)
    if kinds == {"text", "number"}:
        return dialect != "mysql"  # which reads the text as a number; such a column is made of numbers here
    if kinds == {"boolean", "number"}:
        return dialect == "postgres"
    if "literal" not in kinds:
        return kinds != {"enum", "text"}
    kinds.discard("literal")
    text = one if isinstance(one, exp.Literal) else other
    if kinds == {"timestamp"}:
        return len(text.name) != 19 and not isinstance(node, exp.GTE | exp.LT)
    if kinds == {"number"}:
        return not text.name.replace(".", "", 1).lstrip("-").isdigit()
    if kinds == {"enum"}:
        return not isinstance(node, exp.EQ | exp.NEQ | exp.In)
    return kinds != {"text"} and not (kinds == {"date"} and len(text.name) == 10)


def _mixes_kinds(node: exp.Expr, kind: Kinds) -> bool:
    """Whether a value may be a number or a text, which engines refuse."""
    if isinstance(node, exp.Case):
        parts = [*(branch.args.get("true") for branch in node.args.get("ifs") or []), node.args.get("default")]
    elif isinstance(node, exp.If):
        parts = [node.args.get("true"), node.args.get("false")]
    else:
        parts = [node.this, *node.expressions]
    kinds = {"text" if found == "literal" else found for part in parts if (found := kind(part))}
    return len(kinds) > 1 and kinds != {"text", "date"}


def _is_of_other_kind(node: exp.Expr, dialect: str, kind: Kinds) -> bool:
    """A function of texts or numbers that gets something else."""
    if isinstance(node, exp.Add | exp.Sub):
        dates = {kind(node.this), kind(node.expression)} & {"date", "timestamp", "time", "interval"}
        return bool(dates) and not isinstance(node.expression, exp.Interval)
    if isinstance(node, _OF_TEXT):
        parts = [node.this, node.expression] if isinstance(node, exp.DPipe) else [node.this]
        return any(kind(part) not in (None, "text", "literal") for part in parts)
    if isinstance(node, _OF_NUMBERS):
        parts = [node.this, node.args.get("expression")]
        return any(kind(part) not in (None, "number") for part in parts)
    if isinstance(node, _OF_DATES):
        of = node.expression if isinstance(node, exp.Extract) else node.this
        return kind(of) not in (None, "date", "timestamp")
    return False


def _has_no_spelling(node: exp.Expr, dialect: str) -> bool:
    """What runs in SQLite with another meaning, or fails in words that would be taken for the query's own fault."""
    if isinstance(node, exp.Cast):
        if node.to.this in exp.DataType.NUMERIC_TYPES:
            return not isinstance(node.this, exp.Literal | exp.Column)
        return bool(node.to.this == exp.DataType.Type.USERDEFINED)
    if isinstance(node, exp.Fetch):
        return bool(node.args.get("limit_options"))
    if isinstance(node, exp.DateDiff):
        return node.text("unit").upper() not in ("", "DAY")
    if isinstance(node, exp.Extract):
        return node.name.upper() not in PARTS
    if isinstance(node, exp.DateTrunc | exp.TimestampTrunc):
        return node.text("unit").upper() not in STARTS
    if isinstance(node, exp.DayOfWeek):
        return dialect != "mysql"
    return isinstance(node, _NO_SPELLING)
