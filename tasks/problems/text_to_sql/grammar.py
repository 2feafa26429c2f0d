"""A grammar of the queries that can be asked of one schema, so that a server lets the model write no other.

In the Lark notation of llguidance, which vLLM reads too. It knows SELECT with what SQLite, MySQL, PostgreSQL and DuckDB share; tables
and columns are those of the schema, and names that the query itself gives with AS. Words are all in capitals or all small; names also
as the schema writes them. It knows neither types nor which column belongs to which table: what it lets through parses, and nearly
always runs.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from finetune_flows.tasks.sql.schema import read_schema
from finetune_flows.tasks.sql.statements import UnreadableSchema

_BARE = re.compile(r"[^\W\d]\w*")
# White space stands where it must (S) or may (O) be: where it is ignored, a model can glue words together.
_RULES = r"""
start: O query (O ";")? O
query: (with S)? core (S set_operator S core)* (S order)? (S limit)?
with: "WITH" S ("RECURSIVE" S)? cte (O "," O cte)*
cte: NAME (O "(" O NAME (O "," O NAME)* O ")")? S "AS" O "(" O query O ")"
set_operator: "UNION" (S "ALL")? | "INTERSECT" | "EXCEPT"
core: select | "(" O query O ")"
select: "SELECT" S (("DISTINCT" | "ALL") S)? item (O "," O item)* (S from)? (S where)? (S group)?
item: "*" | NAME ".*" | expression ((S "AS")? S NAME)?
from: "FROM" S source join*
join: O "," O source | S (join_kind S)? "JOIN" S source (S "ON" S expression | S "USING" O "(" O COLUMN (O "," O COLUMN)* O ")")?
join_kind: "NATURAL" | ("NATURAL" S)? ("INNER" | "CROSS" | ("LEFT" | "RIGHT" | "FULL") (S "OUTER")?)
source: (TABLE | CTE_NAME | "(" O query O ")") (S "AS" S NAME | S ALIAS)?
where: "WHERE" S expression
group: "GROUP" S "BY" S expression (O "," O expression)* (S having)? | having
having: "HAVING" S expression
order: "ORDER" S "BY" S order_item (O "," O order_item)*
order_item: (expression | NAME) (S ("ASC" | "DESC"))? (S "NULLS" S ("FIRST" | "LAST"))?
limit: "LIMIT" S INTEGER (S "OFFSET" S INTEGER | O "," O INTEGER)?
expression: operand (O SYMBOL O operand | S word S operand | S test)*
SYMBOL: "=" | "==" | "<>" | "!=" | "<=" | ">=" | "<" | ">" | "+" | "-" | "*" | "/" | "%" | "||"
word: "AND" | "OR" | ("NOT" S)? ("LIKE" | "ILIKE" | "GLOB" | "REGEXP")
test: "IS" S ("NOT" S)? "NULL" | ("NOT" S)? "IN" O "(" O (query | expression (O "," O expression)*) O ")"
  | ("NOT" S)? "BETWEEN" S operand S "AND" S operand
operand: ("NOT" S | "-")? primary
primary: TEXT | NUMBER | "NULL" | "TRUE" | "FALSE" | column | call | cast | case | date
  | "(" O expression (O "," O expression)* O ")" | ("EXISTS" O)? "(" O query O ")"
column: (NAME ".")? COLUMN
call: FUNCTION "(" O ("*" | ("DISTINCT" S)? expression (O "," O expression)*)? O ")" (S over)?
over: "OVER" O "(" O ("PARTITION" S "BY" S expression (O "," O expression)* S?)? order? O ")"
cast: "CAST" "(" O expression S "AS" S NAME (O "(" INTEGER (O "," O INTEGER)? ")")? O ")"
case: "CASE" (S expression)? (S "WHEN" S expression S "THEN" S expression)+ (S "ELSE" S expression)? S "END"
date: "DATE" S TEXT | "INTERVAL" S (TEXT | INTEGER) (S NAME)?
S: /[ \t\r\n]+/
O: /[ \t\r\n]*/
TEXT: /'([^'\n]|'')*'/ | /"([^"\n]|"")*"/
NUMBER: /[0-9]+(\.[0-9]*)?|\.[0-9]+/
INTEGER: /[0-9]+/
NAME: /[A-Za-z_][A-Za-z0-9_]*/ | /`[^`\n]+`/
ALIAS: /[A-Za-z][0-9]*/
CTE_NAME: /[A-Za-z_]+_cte|cte_?[A-Za-z0-9_]*/
"""
_KEYWORD = re.compile(r'"([A-Z]{2,})"')
_FUNCTIONS = """
    count sum avg min max total abs round floor ceil ceiling mod power pow sqrt length char_length lower upper trim ltrim rtrim substr
    substring replace concat instr position coalesce ifnull nullif iif if date time datetime strftime year month day hour minute
    extract julianday date_format datediff now current_date group_concat string_agg row_number rank dense_rank ntile lag lead
    first_value last_value stddev variance median
"""
_CONSTANT = _KEYWORD.sub(lambda word: f'("{word[1]}" | "{word[1].lower()}")', _RULES)


@lru_cache(maxsize=1024)
def sql_grammar(context: str, dialect: str) -> str | None:
    """The grammar of queries on the tables of `context`; None where that is no schema that can be read."""
    try:
        schema = read_schema(context, dialect)
    except UnreadableSchema:
        return None
    columns = {column.name for table in schema.tables.values() for column in table.values()}
    written = {
        word for word in re.findall(r"\w+", context) if word.lower() in schema.tables
    }  # the schema has small letters
    names = {"TABLE": {*written, *schema.tables}, "COLUMN": columns, "FUNCTION": _FUNCTIONS.split()}
    return _CONSTANT + "".join(f"{kind}: {_one_of(each)}\n" for kind, each in names.items())


def _one_of(names: Iterable[str]) -> str:
    """A terminal that matches each name, bare where it may be and quoted in the ways that the dialects have."""
    spellings: list[str] = []
    for name in sorted({spelling for each in names for spelling in (each, each.lower(), each.upper())}):
        inner = re.sub(r"([][\\.*+?^${}()|/-])", r"\\\1", name)
        spellings += [inner] if _BARE.fullmatch(name) else []
        spellings += [f"`{inner}`", f'"{inner}"', rf"\[{inner}\]"]
    return f"/{'|'.join(spellings)}/"
