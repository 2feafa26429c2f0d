"""Queries as syntax trees: read in any dialect, written as SQLite."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import Scope, traverse_scope
from sqlglot.tokenizer_core import Token, TokenType

from finetune_flows.tasks.sql.sqlite_spelling import SandboxSQLite

MOST_CHARACTERS = 20_000


@dataclass(frozen=True)
class Query:
    """A query as it is written, in its dialect."""

    text: str
    dialect: str

    @cached_property
    def tree(self) -> exp.Expr | None:
        """Its syntax tree; None when sqlglot cannot make it out."""
        return parse_query(self.text, self.dialect)

    @cached_property
    def in_sqlite(self) -> "Query":
        """The same as SQLite spells it."""
        return Query(to_sqlite(self.text, self.tree), "sqlite")

    @cached_property
    def without_distinct(self) -> "Query":
        """The same without the word DISTINCT; the query itself when it cannot be read."""
        return self if self.tree is None else Query.of(without_distinct(self.tree), self.dialect)

    @classmethod
    def of(cls, tree: exp.Expr, dialect: str) -> "Query":
        """The query that a tree stands for."""
        query = cls(tree.sql(dialect=dialect, comments=False), dialect)
        query.__dict__["tree"] = tree  # it need not be read again
        return query


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


def with_views_inlined(tree: exp.Expr | None, views: Mapping[str, exp.Query]) -> exp.Expr | None:
    """The query with a subquery in place of each view; the tree itself where it names none."""
    if tree is None or not views:
        return tree
    sources: dict[str, exp.Query | Callable[[], exp.Query]] = {name: view for name, view in views.items()}
    tree = lower_case(tree.copy())
    for table in tree.find_all(exp.Table):
        if table.name in views:
            table.set("db", None)
    try:
        return exp.expand(tree, sources, copy=False)
    except (SqlglotError, RecursionError):
        return tree


def with_texts_of(gold: Query, prediction: Query) -> Query:
    """The prediction with its texts in the case of the gold's: 'ROME' becomes 'Rome' where the gold has that."""
    texts = {token.text.casefold(): token.text for token in _texts(gold)}
    spelt, end = [], 0
    for token in _texts(prediction):
        text = texts.get(token.text.casefold(), token.text)
        if text != token.text and len(text) == len(token.text) and "'" not in text:
            inside = prediction.text.find(token.text, token.start, token.end + 1)
            spelt += [prediction.text[end:inside], text] if inside >= 0 else []
            end = inside + len(text) if inside >= 0 else end
    return Query("".join(spelt) + prediction.text[end:], prediction.dialect)


def _texts(query: Query) -> list[Token]:
    """Tokens of text; in SQLite also what is in double quotes, which is text where no column has that name."""
    kinds = {TokenType.STRING, TokenType.IDENTIFIER} if query.dialect == "sqlite" else {TokenType.STRING}
    try:
        return [token for token in sqlglot.tokenize(query.text, read=query.dialect) if token.token_type in kinds]
    except SqlglotError:
        return []
