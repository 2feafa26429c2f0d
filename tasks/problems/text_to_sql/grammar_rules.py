"""The rules of queries, in the Lark notation of llguidance, and what each dialect adds to them.

White space stands where it must (S) or may (O) be: where it is ignored, a model can glue words together.

A rule whose name ends in § is written three times, by the columns that may be read where it is used: those of the schema (s), also
names that look derived, such as total_price, next to a subquery in FROM (d), or any name, where the query has defined names before (f).
"""

QUERY = r"""
start: O statement (O ";")? O
query: with | body_s
with: "WITH" S ("RECURSIVE" S)? cte (O "," O cte)* O body_f
cte: FREE (O columns)? S "AS" (S ("NOT" S)? "MATERIALIZED")? O "(" O query_f O ")"
query_f: with | body_f
columns: "(" O FREE (O "," O FREE)* O ")"
set_operator: ("UNION" | "INTERSECT" | "EXCEPT") (S ("ALL" | "DISTINCT"))? by_name
fetch: "FETCH" S ("FIRST" | "NEXT") S (INTEGER S)? ROWS S ("ONLY" | "WITH" S "TIES")
ROWS: "ROWS" | "ROW"
distinct: ("DISTINCT" | "ALL") S
alias: S "AS" S (FREE | TEXT) | S FREE
source_alias: S "AS" S FREE (O columns)? | S SHORT (O columns)?
table: (QUALIFIER ".")? TABLE
join_kind: ("NATURAL" | "INNER" | "CROSS" | ("NATURAL" S)? ("LEFT" | "RIGHT" | "FULL") (S "OUTER")? | more_joins) S
type: FREE (S ("PRECISION" | "VARYING" | ("WITH" | "WITHOUT") S "TIME" S "ZONE"))? (O "(" O INTEGER (O "," O INTEGER)? O ")")? "[]"?
unit: FREE | TEXT
date: ("DATE" | "TIME" | "TIMESTAMP") S TEXT
now: "CURRENT_DATE" | "CURRENT_TIME" | "CURRENT_TIMESTAMP" | "LOCALTIME" | "LOCALTIMESTAMP"
frame: ("ROWS" | "RANGE" | "GROUPS") S ("BETWEEN" S bound S "AND" S bound | bound)
bound: ("UNBOUNDED" | INTEGER | TEXT | "INTERVAL" S TEXT) S ("PRECEDING" | "FOLLOWING") | "CURRENT" S "ROW"
S: /[ \t\r\n]+/
O: /[ \t\r\n]*/
NUMBER: /[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?|\.[0-9]+/
INTEGER: /[0-9]+/
FREE: (/[A-Za-z_][A-Za-z0-9_]*/ & ~RESERVED) | /`[^`\n]+`|"[^"\n]+"/
SHORT: (/[A-Za-z][A-Za-z_]{0,5}[0-9]*/ & ~RESERVED)
DERIVED: (/[A-Za-z]{1,3}[0-9]?|(DERIVED_WORDS)_?[a-z0-9_]*|[a-z0-9_]+_(DERIVED_WORDS)/ & ~RESERVED)
"""

FAMILY = r"""
body_§: core_§ (S set_operator S core_§)* (S order_§)? (S limit)?
core_§: select_§ | "(" O body_§ O ")" | "VALUES" O row? values_§ (O "," O row? values_§)* | more_cores
values_§: "(" O expression_§ (O "," O expression_§)* O ")"
items_§: item_§ (O "," O item_§)*
named_§: (item_§ O "," O)* expression_§ alias (O "," O item_§)*
item_§: "*" star_options | FREE ".*" | expression_§ alias?
where_§: "WHERE" S expression_§
group_§: "GROUP" S "BY" S group_key_§ (O "," O group_key_§)* rolled_up (S having_§)? | having_§
group_key_§: expression_§ | more_keys_§
having_§: "HAVING" S expression_§
after_§: (S where_§)? (S group_§)? (S window_§)? qualify_§
window_§: "WINDOW" S FREE S "AS" O "(" O within_§ O ")"
order_§: "ORDER" S "BY" S order_item_§ (O "," O order_item_§)*
order_item_§: (expression_§ | FREE | group_all) (S "COLLATE" S FREE)? (S ("ASC" | "DESC"))? (S "NULLS" S ("FIRST" | "LAST"))?
derived_§: lateral? "(" O (queries_§ | joined_§) O ")" source_alias? | lateral? call_§ (S "WITH" S "ORDINALITY")? source_alias?
joined_§: source_§ join_§+
source_§: tables_§ source_alias? | derived_§
join_§: O "," O source_§ | S join_kind? join_word S source_§ on_§?
on_§: S "ON" S expression_§ | S "USING" O columns
expression_§: operand_§ (O SYMBOL O operand_§ | S word S operand_§ | S test_§)*
test_§: "IS" S ("NOT" S)? ("NULL" | "TRUE" | "FALSE" | truth)
  | ("NOT" S)? "IN" (O "(" O (queries_§ | expression_§ (O "," O expression_§)*) O ")" | S tables_§)
  | ("NOT" S)? "BETWEEN" S operand_§ S "AND" S operand_§ | "ESCAPE" S TEXT | "COLLATE" S FREE
operand_§: ("NOT" S | "-" | "+" | "~" | "EXISTS" O | "NOT" S "EXISTS" O)? primary_§ suffixes_§
primary_§: TEXT | NUMBER | "NULL" | "TRUE" | "FALSE" | column_§ | call_§ | special_§ | case_§ | now
  | "(" O expression_§ (O "," O expression_§)* O ")" | "(" O queries_§ O ")"
column_§: (FREE "." | QUALIFIER "." FREE ".")? names_§
call_§: FUNCTION O "(" O arguments_§? O ")" (O "FILTER" O "(" O where_§ O ")")? (S over_§)?
arguments_§: "*" | FREE ".*" | (("DISTINCT" | "ALL") S)? argument_§ (O "," O argument_§)* (S order_§)? separator (S ("IGNORE" | "RESPECT") S "NULLS")?
argument_§: expression_§ more_arguments_§
over_§: ("WITHIN" S "GROUP" O "(" O order_§ O ")" S)? "OVER" O ("(" O within_§ O ")" | FREE) | "WITHIN" S "GROUP" O "(" O order_§ O ")"
within_§: ("PARTITION" S "BY" S expression_§ (O "," O expression_§)* S?)? (order_§ S?)? frame?
special_§: "CAST" O "(" O expression_§ S "AS" S type O ")" | standard_§ | more_specials_§
case_§: "CASE" (S expression_§)? (S "WHEN" S expression_§ S "THEN" S expression_§)+ (S "ELSE" S expression_§)? S "END"
"""

SCOPES = r"""
select_s: "SELECT" S distinct? distinct_on_s (items_s (S from_s)? after_s | named_s S from_s (S where_s)? (S group_f)? qualify_f
  | items_d S from_d after_f) | from_first_s
select_d: select_s
select_f: "SELECT" S distinct? distinct_on_f items_f (S from_f)? after_f | from_first_f
from_s: "FROM" S table source_alias? table_join_s*
from_d: "FROM" S derived_s join_d* | "FROM" S table source_alias? table_join_d* derived_join join_d*
from_f: "FROM" S source_f join_f*
table_join_s: O "," O table source_alias? | S join_kind? join_word S table source_alias? on_s?
table_join_d: O "," O table source_alias? | S join_kind? join_word S table source_alias? on_d?
derived_join: O "," O derived_s | S join_kind? join_word S derived_s on_d?
queries_s: query
queries_d: query
queries_f: query_f
tables_s: table
tables_d: table
tables_f: table | FREE
names_s: COLUMN
names_d: COLUMN | DERIVED
names_f: COLUMN | FREE
"""
"""Only a FROM without subqueries is read with nothing but the schema's columns. After an alias, GROUP BY and its like may use it."""

_STANDARD = """date | "EXTRACT" O "(" O unit S "FROM" S expression_§ O ")" | "INTERVAL" S intervals_§
  | "SUBSTRING" O "(" O expression_§ S "FROM" S expression_§ (S "FOR" S expression_§)? O ")" | "POSITION" O "(" O operand_§ S "IN" S expression_§ O ")"
  | "TRIM" O "(" O (("BOTH" | "LEADING" | "TRAILING") S)? (expression_§ S)? "FROM" S expression_§ O ")"
  | ("ANY" | "ALL" | "SOME") O "(" O (queries_§ | expression_§) O ")\""""
_LIMIT = '"LIMIT" S amount (S "OFFSET" S INTEGER | O "," O INTEGER)?'
_LIMITS = """"LIMIT" S (amount | "ALL") (S "OFFSET" S INTEGER (S ROWS)?)? | "OFFSET" S INTEGER (S ROWS)? (S (fetch | "LIMIT" S amount))? | fetch"""
_KEYS = """("ROLLUP" | "CUBE") O values_§ | "GROUPING" S "SETS" O "(" O set_§ (O "," O set_§)* O ")" | group_all
set_§: "(" O (expression_§ (O "," O expression_§)*)? O ")\""""
_CASTS = r"""(O "::" O type | O "[" O (expression_§ (O ":" O expression_§)? | ":" O expression_§) O "]" | "." FREE
  | S "AT" S "TIME" S "ZONE" S (TEXT | column_§))*"""
NOTHING = {
    "statement": "query", "join_word": '"JOIN"', "limit": _LIMIT, "amount": "INTEGER", "row": '"ROW" O', "more_cores": '"TABLE" S table',
    "more_keys_§": "INTEGER", "truth": '"UNKNOWN"', "standard_§": _STANDARD,
    "by_name": '""', "more_joins": '"CROSS"', "star_options": '""', "rolled_up": '""', "group_all": "INTEGER", "separator": '""',
    "lateral": '"LATERAL" S', "distinct_on_§": '""', "qualify_§": '""', "from_first_§": '"SELECT" S "*"', "suffixes_§": '""',
    "more_arguments_§": '""', "intervals_§": "TEXT | INTEGER", "more_specials_§": '"NULL"', "TEXT": "/'([^'\\n]|'')*'/",
}  # fmt: skip
"""Where a dialect adds nothing: each place holds nothing, or what the common rules permit anyway."""
OWN = {
    "sqlite": {
        "amount": '"-"? INTEGER',
        "more_cores": '"VALUES" O values_s',
        "truth": '"NULL"',
        "standard_§": '"NULL"',
        "TEXT": r"""/'([^'\n]|'')*'|[xX]'[0-9a-fA-F]*'|"([^"\n]|"")*"/""",
    },
    "mysql": {
        "join_word": '"JOIN" | "STRAIGHT_JOIN"',
        "more_keys_§": "group_all",
        "rolled_up": '(S "WITH" S "ROLLUP")?',
        "separator": '(S "SEPARATOR" S TEXT)?',
        "intervals_§": "operand_§ S FREE",
        "more_arguments_§": '(S "USING" S FREE)?',
        "more_specials_§": '"CONVERT" O "(" O expression_§ (O "," O type | S "USING" S FREE) O ")" | "BINARY" S operand_§',
        "TEXT": r"""/[nNxX]?'([^'\\\n]|''|\\.)*'|"([^"\\\n]|""|\\.)*"/""",
    },
    "postgres": {
        "limit": _LIMITS,
        "more_keys_§": _KEYS,
        "distinct_on_§": '("ON" O values_§ S)?',
        "suffixes_§": _CASTS,
        "intervals_§": "TEXT (S FREE)?",
        "more_arguments_§": '(S ("VARIADIC" S)? "AS" S FREE)?',
        "more_specials_§": '"ARRAY" O ("[" O (expression_§ (O "," O expression_§)*)? O "]" | "(" O queries_§ O ")") | "ROW" O values_§',
        "TEXT": r"""/[eE]?'([^'\n]|'')*'|\$\$[^$]*\$\$/""",
    },
    "duckdb": {
        "limit": _LIMITS,
        "more_keys_§": _KEYS,
        "statement": "query | pivot",
        "pivot": r"""("PIVOT" S pivoted S "ON" S pivot_items (S "USING" S pivot_items)? (S "GROUP" S "BY" S pivot_items)?
  | "UNPIVOT" S pivoted S "ON" S pivot_items (S "INTO" S "NAME" S FREE S "VALUE" S FREE)?) (S order_f)? (S limit)?
pivoted: table source_alias? | "(" O query O ")"
pivot_items: pivot_item (O "," O pivot_item)*
pivot_item: ("*" star_options | expression_s) alias? (S "IN" O values_s)?""",
        "by_name": '(S "BY" S "NAME")?',
        "more_joins": '("ASOF" S)? ("LEFT" | "SEMI" | "ANTI") | "ASOF" | "POSITIONAL"',
        "star_options": '(S ("EXCLUDE" | "EXCEPT" | "REPLACE" | "RENAME") O "(" O expression_f (S "AS" S FREE)? (O "," O expression_f (S "AS" S FREE)?)* O ")")*',
        "group_all": '"ALL"',
        "distinct_on_§": '("ON" O values_§ S)?',
        "qualify_§": '(S "QUALIFY" S expression_§)?',
        "from_first_§": 'from_§ (S "SELECT" S distinct? items_f)? after_f',
        "suffixes_§": _CASTS,
        "intervals_§": "TEXT (S FREE)? | operand_§ S FREE",
        "more_arguments_§": '(O ("->" | ":=" | "=>") O expression_f)?',
        "more_specials_§": r""""TRY_CAST" O "(" O expression_§ S "AS" S type O ")" | ("ARRAY" O)? "[" O (expression_§ (O "," O expression_§)*)? O "]" | "ROW" O values_§ | "MAP" S? struct_§ | struct_§
  | "[" O expression_f S "FOR" S FREE S "IN" S expression_§ (S "IF" S expression_f)? O "]" | FREE S? "->" O expression_f
struct_§: "{" O (FREE | TEXT) O ":" O expression_§ (O "," O (FREE | TEXT) O ":" O expression_§)* O "}" """,
        "TEXT": r"""/[eE]?'([^'\n]|'')*'|\$\$[^$]*\$\$/""",
    },
}
"""What a dialect has in the places that the common rules leave open."""

COMMON_SYMBOLS = "= == <> != <= >= < > + - * / % || & | << >>"
SYMBOLS = {
    "sqlite": "-> ->>",
    "mysql": "<=> -> ->> && ^ :=",
    "postgres": "-> ->> #> #>> @> <@ ? ?| ?& && ~ ~* !~ !~* ~~ ~~* ^ @@ -|- *>",
    "duckdb": "-> ->> @> <@ && // ** ^ ^@ ~ !~ ~~ ~~*",
}
COMMON_WORDS = '"AND" | "OR" | ("NOT" S)? "LIKE" | "IS" S ("NOT" S)? "DISTINCT" S "FROM"'
WORDS = {
    "sqlite": '("NOT" S)? ("GLOB" | "REGEXP" | "MATCH") | "IS" (S "NOT")?',
    "mysql": '("NOT" S)? ("REGEXP" | "RLIKE") | "DIV" | "MOD" | "XOR" | "SOUNDS" S "LIKE"',
    "postgres": '("NOT" S)? ("ILIKE" | "SIMILAR" S "TO") | "OVERLAPS"',
    "duckdb": '("NOT" S)? ("ILIKE" | "SIMILAR" S "TO" | "GLOB")',
}
RESERVED = """
    all and any as asc between by case cast collate cross desc distinct else end escape except exists false fetch filter for from full
    group having ilike in inner intersect into is join lateral left like limit natural not null offset on or order outer over partition
    qualify right select similar some table then to true union using values when where window with within
"""
DERIVED_WORDS = (
    "total|sum|sums|avg|average|mean|min|max|count|counts|cnt|num|number|rank|ranking|rn|row|first|last|prev|previous|next|diff|"
    "difference|ratio|share|pct|percent|percentage|rate|growth|running|cumulative|median|top|most|least"
)
