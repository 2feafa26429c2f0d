"""Text-to-SQL, rows to examples: question and schema in, one query out."""

import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from finetune_flows.tasks.problems.example import BadRow, Reason, normalise, read_texts

_QUOTED = re.compile(r"""('(?:[^']|'')*'|"(?:[^"]|"")*")""")
_TABLE = re.compile(r"\bcreate\s+(?:\w+\s+){0,3}table\b", re.IGNORECASE)
_DATABASE = re.compile(r"\w[\w.-]*")
_QUERY = re.compile(r"[\s(]*(?:select|with)\b", re.IGNORECASE)


def read_fields(
    row: Mapping[str, object], columns: Mapping[str, str], dialect: str, special_tokens: Collection[str] = ()
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The texts of a row by field, and the normalised names of the tables of its schema. `columns`: by field.

    Raises:
        BadRow: a text is missing, blank, no string, too long, or holds control characters or tokens of the chat
            template; the context has no table; the context or the answer does not parse in the dialect; the answer is
            not one query, or asks a table that the context lacks; the name of the database would do for no file. All
            reasons of the row are named.
    """
    texts, reasons = read_texts(row, columns, special_tokens)
    tables: tuple[str, ...] = ()
    if "context" in texts:
        tables, found = _read_context(texts["context"], dialect)
        reasons += [found] if found else []
    if "answer" in texts:
        reasons += _answer_reasons(texts["answer"], dialect, tables)
    if not _DATABASE.fullmatch(texts.get("database", "any")):
        reasons.append(Reason("not a name of a database", texts["database"][:80]))
    if reasons:
        raise BadRow(reasons)
    return texts, tables


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
def _read_context(context: str, dialect: str) -> tuple[tuple[str, ...], Reason | None]:
    """The normalised names of the tables that a context defines. Cached: many questions are asked about one schema."""
    statements = _parse(context, dialect) if _TABLE.search(context) else []
    if isinstance(statements, str):
        return (), Reason("context does not parse", statements)
    tables = {_name(s) for s in statements if isinstance(s, exp.Create) and s.kind == "TABLE"}
    return tuple(sorted(tables)), None if tables else Reason("no CREATE TABLE", context[:80])


def _answer_reasons(answer: str, dialect: str, tables: tuple[str, ...]) -> list[Reason]:
    if not _QUERY.match(answer):
        return [Reason("answer is not a query", f"starts with {answer[:40]!r}")]
    statements = _parse(answer, dialect)
    if isinstance(statements, str):
        return [Reason("answer does not parse", statements)]
    if len(statements) > 1:
        return [Reason("several statements", f"the answer holds {len(statements)}")]
    if not isinstance(statements[0], exp.Query):  # WITH ... DELETE gets this far
        return [Reason("answer is not a query", statements[0].key)]
    unknown = _asked_tables(statements[0]) - set(tables) if tables else set()
    return [Reason("table not in the context", ", ".join(sorted(unknown)))] if unknown else []


def _asked_tables(query: exp.Query) -> set[str]:
    """Tables that must exist: names made up inside the query (WITH) and table functions need not."""
    tables = {normalise(table.name) for table in query.find_all(exp.Table) if isinstance(table.this, exp.Identifier)}
    return tables - {normalise(cte.alias) for cte in query.find_all(exp.CTE)}


def _parse(sql: str, dialect: str) -> list[exp.Expr] | str:
    """The statements, or why there are none."""
    try:
        return [statement for statement in sqlglot.parse(sql, read=dialect) if statement]
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
