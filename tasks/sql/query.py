"""Queries as syntax trees: read in any dialect, written as SQLite."""

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import Scope, traverse_scope

from finetune_flows.tasks.sql.spelling import SandboxSQLite

MOST_CHARACTERS = 20_000


def parse_query(query: str, dialect: str) -> exp.Expr | None:
    """The syntax tree of one statement, or None when sqlglot cannot read it or it is longer than any query is."""
    if len(query) > MOST_CHARACTERS:
        return None
    try:
        statements = [statement for statement in sqlglot.parse(query, read=dialect) if statement is not None]
    except Exception:  # a model's output can meet any hole in a parser, and nothing depends on its kind
        return None
    return statements[0] if len(statements) == 1 else None


def to_sqlite(query: str, tree: exp.Expr | None) -> str:
    """The query, whose tree is given, as SQLite spells it; as it stands when it cannot be read or written."""
    try:
        return query if tree is None else tree_to_sqlite(tree)
    except Exception:  # a model's output can meet any hole in a generator too
        return query


def tree_to_sqlite(tree: exp.Expr) -> str:
    """A syntax tree as SQLite spells it, names between backticks."""
    return tree.sql(dialect=SandboxSQLite)


def is_ordered(tree: exp.Expr | None) -> bool:
    """Whether the outermost query says in which order its rows come."""
    return isinstance(tree, exp.Query) and tree.args.get("order") is not None


def lower_case(tree: exp.Expr) -> exp.Expr:
    """The tree itself, its names in lower case; how each was written is kept in its meta as `written`."""
    for identifier in tree.find_all(exp.Identifier):
        identifier.meta["written"] = identifier.name
        identifier.set("this", identifier.name.lower())
    return tree


def scopes_of(tree: exp.Expr) -> list[Scope]:
    """The SELECTs of a query, each with the tables that it sees; none of a query that sqlglot cannot make out."""
    try:
        return list(traverse_scope(tree))
    except (SqlglotError, RecursionError):
        return []


def without_distinct(tree: exp.Expr) -> exp.Expr:
    """A copy of the query without the word DISTINCT, in SELECT and in aggregates. What UNION drops, it drops still."""
    tree = tree.copy()
    for node in list(tree.find_all(exp.Distinct)):
        if isinstance(node.parent, exp.Select):
            node.pop()
        elif len(node.expressions) == 1:
            node.replace(node.expressions[0])
    return tree
