"""Text-to-SQL, rows to examples: question and schema in, one query out."""

import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from finetune_flows.tasks.problems.example import BadRow, Reason, normalise, read_texts
from finetune_flows.tasks.problems.text_to_sql.statement import whole_start
from finetune_flows.tasks.problems.text_to_sql.template import query_template

_QUOTED = re.compile(r"""('(?:[^']|'')*'|"(?:[^"]|"")*")""")
_TABLE = re.compile(r"\bcreate\s+(?:\w+\s+){0,3}table\b", re.IGNORECASE)
_DATABASE = re.compile(r"\w[\w.-]*")


class Tables(NamedTuple):
    """What a context defines, all names normalised."""

    columns: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Tables with their columns."""
    views: frozenset[str] = frozenset()

    @property
    def names(self) -> tuple[str, ...]:
        """Of the tables."""
        return tuple(table for table, _ in self.columns)


def read_fields(
    row: Mapping[str, object], columns: Mapping[str, str], dialect: str, special_tokens: Collection[str] = ()
) -> tuple[dict[str, str], Tables, str]:
    """The texts of a row by field, the tables of its schema, and the template of its query. `columns`: by field.

    Raises:
        BadRow: a text is missing, blank, no string, too long, or holds control characters or tokens of the chat
            template; the context has no table; the context or the answer does not parse in the dialect; the answer is
            not one query, or asks a table that the context lacks; the name of the database would do for no file. All
            reasons of the row are named.
    """
    texts, reasons = read_texts(row, columns, special_tokens)
    tables, query = Tables(), None
    if "context" in texts:
        tables, found = _read_context(texts["context"], dialect)
        reasons += [found] if found else []
    if "answer" in texts:
        query, more = _read_answer(texts["answer"], dialect, tables)
        reasons += more
    if not _DATABASE.fullmatch(texts.get("database", "any")):
        reasons.append(Reason("not a name of a database", texts["database"][:80]))
    if reasons or query is None:
        raise BadRow(reasons)
    return texts, tables, query_template(query)


def normalise_sql(sql: str) -> str:
    """White space and case folded, but not inside quotes: 'Ann' and 'ann' are two answers."""
    parts = _QUOTED.split(sql.strip().rstrip("; "))
    return " ".join(part if odd % 2 else normalise(part) for odd, part in enumerate(parts)).strip()


def shorter_contexts(fields: Mapping[str, str], dialect: str) -> Iterator[str]:
    """Less and less of a schema: first without the tables, then without the columns that the answer does not use.

    This peeks at the answer, so the model sees which names matter; it is a way to learn from a row that would otherwise
    be lost, and never done to a test row. The schema that is left is respelt by sqlglot (INTEGER may become INT).
    """
    answer = sqlglot.parse_one(fields["answer"], read=dialect)
    used = {normalise(identifier.name) for identifier in answer.find_all(exp.Identifier)}
    created = [s for s in sqlglot.parse(fields["context"], read=dialect) if isinstance(s, exp.Create)]
    tables = [table for table in created if _name(table) in used]
    yield _spelt(tables, dialect)
    if not _takes_all_columns(answer):
        for table in tables:
            _drop_columns(table, used)
        yield _spelt(tables, dialect)


@lru_cache(maxsize=1024)
def _read_context(context: str, dialect: str) -> tuple[Tables, Reason | None]:
    """The tables and views that a context defines. Cached: many questions are asked about one schema."""
    statements = _parse(context, dialect) if _TABLE.search(context) else []
    if isinstance(statements, str):
        return Tables(), Reason("context does not parse", statements)
    columns: dict[str, set[str]] = {}
    for create in _created(statements, "TABLE"):
        columns.setdefault(_name(create), set()).update(normalise(each.name) for each in create.find_all(exp.ColumnDef))
    views = frozenset(_name(create) for create in _created(statements, "VIEW"))
    tables = Tables(tuple((name, tuple(sorted(columns[name]))) for name in sorted(columns)), views)
    return tables, None if columns else Reason("no CREATE TABLE", context[:80])


def _created(statements: list[exp.Expr], kind: str) -> list[exp.Create]:
    return [each for each in statements if isinstance(each, exp.Create) and each.kind == kind]


def _read_answer(answer: str, dialect: str, tables: Tables) -> tuple[exp.Expr | None, list[Reason]]:
    """The query, or why there is none."""
    if whole_start(answer, dialect) is None:
        return None, [Reason("answer is not a query", f"starts with {answer[:40]!r}")]
    statements = _parse(answer, dialect)
    if isinstance(statements, str):
        return None, [Reason("answer does not parse", statements)]
    if len(statements) != 1:
        return None, [Reason("several statements", f"the answer holds {len(statements)}")]
    [query] = statements
    if not isinstance(query, exp.Query | exp.Values | exp.Pivot):  # WITH ... DELETE gets this far
        return None, [Reason("answer is not a query", query.key)]
    unknown = _asked_tables(query) - {*tables.names, *tables.views} if tables.names else set()
    return query, [Reason("table not in the context", ", ".join(sorted(unknown)))] if unknown else []


def _asked_tables(query: exp.Expr) -> set[str]:
    """Tables that must exist: names made up inside the query (WITH) and table functions need not."""
    tables = {normalise(table.name) for table in query.find_all(exp.Table) if isinstance(table.this, exp.Identifier)}
    return tables - {normalise(cte.alias) for cte in query.find_all(exp.CTE)}


def _parse(sql: str, dialect: str) -> list[exp.Expr] | str:
    """The statements, or why there are none."""
    try:
        statements = sqlglot.parse(sql, read=dialect)
        return [
            each for each in statements if each and not isinstance(each, exp.Semicolon)
        ]  # that is a comment at the end
    except SqlglotError as error:
        return str(error).split("\n")[0][:200]
    except RecursionError:
        return "nested too deeply"


def _name(create: exp.Create) -> str:
    table = create.find(exp.Table)
    return normalise(table.name) if table else ""


def _spelt(tables: list[exp.Create], dialect: str) -> str:
    return "; ".join(table.sql(dialect=dialect) for table in tables)


def _takes_all_columns(answer: exp.Expr) -> bool:
    """`*` that is not COUNT(*), or a NATURAL JOIN: which columns count cannot be seen in the query."""
    stars = any(not isinstance(star.parent, exp.Count) for star in answer.find_all(exp.Star))
    return stars or any(join.args.get("method") == "NATURAL" for join in answer.find_all(exp.Join))


def _drop_columns(table: exp.Create, used: set[str]) -> None:
    """Leaves the used columns, the first one where none is used; keys and other constraints of the table go."""
    columns = [part for part in table.this.expressions if isinstance(part, exp.ColumnDef)]
    kept = [column for column in columns if normalise(column.name) in used] or columns[:1]
    table.this.set("expressions", kept)
