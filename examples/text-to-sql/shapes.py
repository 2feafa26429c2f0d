"""Name the shapes of a query and its level; run as a script, it prints the counts that the README quotes."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

ROWS = Path(__file__).resolve().parent / "rows.jsonl"

#: A row may show several shapes; each is a pattern looked for in the answer with its string literals blanked.
SHAPES: dict[str, str] = {
    "filter": r"\bWHERE\b",
    "filter: AND": r"\bWHERE\b(?:(?!\bBETWEEN\b).)*\bAND\b",
    "filter: OR": r"\bOR\b",
    "filter: not equal": r"!=",
    "filter: BETWEEN": r"\bBETWEEN\b",
    "filter: LIKE": r"\bLIKE\b",
    "filter: IN list": r"\bIN \((?!SELECT\b)",
    "filter: IS NULL": r"\bIS NULL\b",
    "filter: IS NOT NULL": r"\bIS NOT NULL\b",
    "DISTINCT": r"\bSELECT DISTINCT\b",
    "COUNT": r"\bCOUNT\(\*\)",
    "COUNT DISTINCT": r"\bCOUNT\(DISTINCT\b",
    "SUM": r"\bSUM\(",
    "AVG": r"\bAVG\(",
    "MIN": r"\bMIN\(",
    "MAX": r"\bMAX\(",
    "GROUP BY": r"\bGROUP BY\b",
    "HAVING": r"\bHAVING\b",
    "ORDER BY": r"\bORDER BY\b",
    "LIMIT": r"\bLIMIT\b",
    "join of two tables": r"^(?!.*\bLEFT JOIN\b)(?=.*\bJOIN\b)(?!.*\bJOIN\b[^()]*\bJOIN\b)",
    "join of three tables": r"\bJOIN\b(?:(?!\bEXCEPT\b|\bINTERSECT\b|\bUNION\b)[^()])*\bJOIN\b",
    "LEFT JOIN": r"\bLEFT JOIN\b",
    "NOT IN (SELECT ...)": r"\bNOT IN \(SELECT\b",
    "scalar sub-query": r"[<>=*] \(SELECT\b",
    "EXISTS": r"(?<!NOT )\bEXISTS \(",
    "NOT EXISTS": r"\bNOT EXISTS \(",
    "date function": r"\b(?:strftime|julianday)\(",
    "arithmetic": r"[\w)] [-*/] [\w(]",
    "UNION": r"\bUNION\b",
    "INTERSECT": r"\bINTERSECT\b",
    "EXCEPT": r"\bEXCEPT\b",
    "CASE": r"\bCASE WHEN\b",
}
HARD = r"\(SELECT\b|\bstrftime\(|\bjulianday\(|\bUNION\b|\bINTERSECT\b|\bEXCEPT\b|\bCASE\b|\bLEFT JOIN\b"
MEDIUM = r"\bJOIN\b|\bGROUP BY\b|\bORDER BY\b"


def shapes_of(answer: str) -> list[str]:
    """The names of all shapes that the query shows."""
    bare = re.sub(r"'(?:[^']|'')*'", "''", answer)
    return [name for name, pattern in SHAPES.items() if re.search(pattern, bare)]


def level_of(answer: str) -> str:
    """``easy`` (one table, no grouping or order), ``medium`` (one of those) or ``hard`` (all that goes further)."""
    arithmetic = "arithmetic" in shapes_of(answer)
    joins = answer.count(" JOIN ")
    if re.search(HARD, answer) or joins > 1 or (joins and arithmetic):
        return "hard"
    return "medium" if arithmetic or re.search(MEDIUM, answer) else "easy"


def main() -> None:
    """Print the counts of rows, schemas, levels and shapes as Markdown tables."""
    rows = [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines()]
    print(f"{len(rows)} rows, {len({row['context'] for row in rows})} schemas\n")
    levels = Counter(level_of(row["answer"]) for row in rows)
    shapes = Counter(name for row in rows for name in shapes_of(row["answer"]))
    print("| Level | Rows | Share |\n|---|---:|---:|")
    for level in ("easy", "medium", "hard"):
        print(f"| {level} | {levels[level]} | {levels[level] / len(rows):.0%} |")
    print("\n| Shape | Rows |\n|---|---:|")
    for name in SHAPES:
        print(f"| {name} | {shapes[name]} |")


if __name__ == "__main__":
    main()
