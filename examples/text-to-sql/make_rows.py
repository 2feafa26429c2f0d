"""Write ``rows.jsonl``, and of it ``easy.jsonl``, from the hand-written files under ``schemas/``.

Each ``schemas/NAME.sql`` holds one database: its CREATE TABLE statements, one a line, and then pairs of a comment
(the question) and a query (the answer). Run ``python examples/text-to-sql/make_rows.py`` after editing them.
"""

from __future__ import annotations

import json
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))  # the folder's name is no package name

from shapes import level_of  # noqa: E402

SCHEMAS = HERE / "schemas"
ROWS = HERE / "rows.jsonl"
EASY = HERE / "easy.jsonl"

Row = dict[str, str]


@dataclass(frozen=True)
class Schema:
    """One database: its name, its CREATE TABLE statements and its question and query pairs."""

    name: str
    tables: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]

    @property
    def context(self) -> str:
        """The text that every row of this schema carries."""
        return "; ".join(self.tables)

    def rows(self) -> Iterator[Row]:
        """One row for each pair, in the order of the file."""
        for question, answer in self.pairs:
            yield {"question": question, "context": self.context, "answer": answer}

    def easy_rows(self) -> Iterator[Row]:
        """The rows of level easy, each with the one table that it asks: little to read, for a demo of minutes."""
        for question, answer in self.pairs:
            if level_of(answer) == "easy":
                yield {"question": question, "context": self._table_of(answer), "answer": answer}

    def _table_of(self, answer: str) -> str:
        name = re.search(r"\bFROM (\w+)", answer)
        return next(table for table in self.tables if name and table.startswith(f"CREATE TABLE {name[1]} ("))


def read_schema(path: Path) -> Schema:
    """Parse one schema file; a line that fits no place raises ValueError naming it."""
    tables: list[str] = []
    pairs: list[tuple[str, str]] = []
    question: str | None = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.strip()
        if not text:
            continue
        if question is None and text.startswith("-- "):
            question = text.removeprefix("-- ").strip()
        elif not text.endswith(";"):
            raise ValueError(f"{path.name}:{number}: a statement must end with a semicolon on its line")
        elif question is not None:
            pairs.append((question, text[:-1]))
            question = None
        elif text.startswith("CREATE TABLE ") and not pairs:
            tables.append(text[:-1])
        else:
            raise ValueError(f"{path.name}:{number}: a query without a question above it")
    if question is not None:
        raise ValueError(f"{path.name}: the last question has no query")
    return Schema(path.stem, tuple(tables), tuple(pairs))


def read_schemas() -> list[Schema]:
    """Every schema file, by name."""
    return [read_schema(path) for path in sorted(SCHEMAS.glob("*.sql"))]


def check(schema: Schema) -> None:
    """Run every query on an empty SQLite database made from the schema; the first that fails raises ValueError."""
    database = sqlite3.connect(":memory:")
    try:
        database.executescript(schema.context)
        for _, answer in schema.pairs:
            try:
                database.execute(answer).fetchall()
            except sqlite3.Error as error:
                raise ValueError(f"{schema.name}: {error}: {answer}") from error
    finally:
        database.close()


def render(rows_of: Callable[[Schema], Iterator[Row]] = Schema.rows) -> str:
    """The text of a file: schemas in turn, so that the rows of one schema stay together."""
    lines: list[str] = []
    for schema in read_schemas():
        check(schema)
        lines += [json.dumps(row, ensure_ascii=False) for row in rows_of(schema)]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Rewrite both files."""
    for path, rows_of in ((ROWS, Schema.rows), (EASY, Schema.easy_rows)):
        text = render(rows_of)
        path.write_text(text, encoding="utf-8", newline="\n")
        print(f"{path.name}: {text.count(chr(10))} rows")


if __name__ == "__main__":
    main()
