"""A grammar of the queries that can be asked of one schema, so that a server lets the model write no other.

In the Lark notation of llguidance, which vLLM reads too. It knows what a query of the dialect may hold; tables are those of the schema,
columns too, except where the query itself makes names. Words are all in capitals or all small; names also as the schema writes them. It
knows neither types nor which column belongs to which table: what it lets through parses, and nearly always runs.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from finetune_flows.tasks.problems.text_to_sql import grammar_functions as functions
from finetune_flows.tasks.problems.text_to_sql import grammar_rules as rules
from finetune_flows.tasks.sql.schema import read_schema
from finetune_flows.tasks.sql.statements import UnreadableSchema

_BARE = re.compile(r"[^\W\d]\w*")
_KEYWORD = re.compile(r'"([A-Z][A-Z_]*[A-Z])"')
_SPECIAL = re.compile(r"([][\\.*+?^${}()|/-])")


@lru_cache(maxsize=1024)
def sql_grammar(context: str, dialect: str) -> str | None:
    """The grammar of queries on the tables of `context`; None where that is no schema that can be read."""
    try:
        schema = read_schema(context, dialect)
    except UnreadableSchema:
        return None
    columns = {column.name for table in schema.tables.values() for column in table.values()}
    tables, more, qualifiers = _further_names(context, dialect)
    written = {
        word for word in re.findall(r"\w+", context) if word.lower() in schema.tables
    }  # the schema has small letters
    names = {
        "TABLE": {*written, *schema.tables, *tables},
        "COLUMN": columns | more,
        "QUALIFIER": {"main", "public", *qualifiers},
    }
    return _rules(dialect) + "".join(f"{kind}: {_one_of(each)}\n" for kind, each in names.items())


def _further_names(context: str, dialect: str) -> tuple[set[str], set[str], set[str]]:
    """Tables and columns that are defined otherwise than by CREATE TABLE (views, ALTER TABLE), and the schemas they are in."""
    try:
        statements = [each for each in sqlglot.parse(context, read=dialect) if isinstance(each, exp.Create | exp.Alter)]
    except (SqlglotError, RecursionError):
        return set(), set(), set()
    tables, columns = set(), {column.name for each in statements for column in each.find_all(exp.ColumnDef)}
    for each in statements:
        tables |= {each.this.find(exp.Table).name} if each.this.find(exp.Table) else set()
        if each.args.get("kind") == "VIEW":
            columns |= {identifier.name for identifier in each.find_all(exp.Identifier)}
    return tables, columns, {table.db for each in statements for table in each.find_all(exp.Table) if table.db}


@lru_cache
def _rules(dialect: str) -> str:
    """All rules that do not depend on the schema."""
    own = "".join(f"{name}: {rule}\n" for name, rule in (rules.NOTHING | rules.OWN[dialect]).items() if "§" not in name)
    own_family = "".join(
        f"{name}: {rule}\n" for name, rule in (rules.NOTHING | rules.OWN[dialect]).items() if "§" in name
    )
    families = "".join((rules.FAMILY + own_family).replace("§", family) for family in "sdf")
    symbols = " | ".join(f'"{symbol}"' for symbol in f"{rules.COMMON_SYMBOLS} {rules.SYMBOLS[dialect]}".split())
    words = f"SYMBOL: {symbols}\nword: {rules.COMMON_WORDS} | {rules.WORDS[dialect]}\n"
    known = {*functions.COMMON.split(), *functions.BY_DIALECT[dialect].split()}
    spellings = "|".join(sorted({*known, *map(str.upper, known)}))
    reserved = "|".join(f"{word}|{word.upper()}" for word in rules.RESERVED.split())
    terminals = f"FUNCTION: /{spellings}/\nRESERVED: /{reserved}/\n"
    text = (rules.QUERY + rules.SCOPES + own + families + words + terminals).replace(
        "DERIVED_WORDS", rules.DERIVED_WORDS
    )
    return _KEYWORD.sub(lambda word: f'("{word[1]}" | "{word[1].lower()}")', text)


def _one_of(names: Iterable[str]) -> str:
    """A terminal that matches each name, bare where it may be and quoted in the ways that the dialects have."""
    spellings: list[str] = []
    for name in sorted({spelling for each in names for spelling in (each, each.lower(), each.upper())}):
        inner = _SPECIAL.sub(r"\\\1", name)
        spellings += [inner] if _BARE.fullmatch(name) else []
        spellings += [f"`{inner}`", f'"{inner}"', rf"\[{inner}\]"]
    return f"/{'|'.join(spellings)}/"
