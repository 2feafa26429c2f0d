#!/usr/bin/env bash
# sqlglot 30.30.0: DATE_DIFF transpiled from DuckDB to SQLite gives other numbers, without a warning.
#
# DuckDB counts the boundaries between two dates: from 31 December to 1 January is one year, one month and one day.
# sqlglot writes a difference of Julian days, divided by 30.0 for months and 365.0 for years and cut to an integer. So
# February has no month in it (28 days), New Year no year, and a night of two hours no day.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "sqlglot==30.30.0" "duckdb==2.0.0"
"$folder/venv/bin/python" - <<'PYTHON'
import sqlite3

import duckdb
import sqlglot

CASES = {
    "DATE_DIFF('month', DATE '2023-02-01', DATE '2023-03-01')": (1, 0),
    "DATE_DIFF('year', DATE '2023-12-31', DATE '2024-01-01')": (1, 0),
    "DATE_DIFF('day', TIMESTAMP '2024-01-01 23:00:00', TIMESTAMP '2024-01-02 01:00:00')": (1, 0),
    "DATE_DIFF('month', DATE '2020-01-01', DATE '2025-01-01')": (60, 60),
    "DATE_DIFF('month', DATE '2014-01-01', DATE '2024-01-01')": (120, 121),
}
changed = False
for expression, expected in CASES.items():
    query = f"SELECT {expression}"
    (transpiled,) = sqlglot.transpile(query, read="duckdb", write="sqlite")
    seen = (duckdb.connect().execute(query).fetchone()[0], sqlite3.connect(":memory:").execute(transpiled).fetchone()[0])
    print(f"{query}\n  -> {transpiled}\n  DuckDB {seen[0]}, SQLite {seen[1]}")
    changed |= seen != expected
raise SystemExit("The behaviour has changed." if changed else 0)
PYTHON
