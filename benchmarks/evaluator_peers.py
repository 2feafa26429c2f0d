"""Our judge and three published scripts on the same pairs of queries, whose right verdict is known.

    python -m benchmarks.evaluator_peers PAIRS.jsonl PEERS

PEERS holds the repositories, each in a folder of its own: `test-suite-sql-eval` (Spider), `mini_dev` (BIRD) and `sql-eval`
(Defog); and `lib`: `pip install --no-deps --target lib psycopg2-binary func-timeout mysql-connector-python`. PostgreSQL and MariaDB are
started from Debian's packages.

The scripts need a database that somebody filled: here a shop with 8 customers and 14 orders, written by hand. Pairs on other
schemas are left out. Their own comparison runs unchanged; of BIRD's, only the function that connects is replaced, because it
holds a password.
"""

import argparse
import importlib
import json
import os
import sqlite3
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.judge_pairs import judge, verdict
from tests.support.database_servers import PASSWORD, execute, mariadb, postgres

CUSTOMERS = """
(1, 'Anna Berg', 'Oslo', TRUE, '2021-03-14'), (2, 'Bruno Rossi', 'Rome', FALSE, '2022-07-01'),
(3, 'Clara Diaz', 'Madrid', TRUE, '2023-01-31'), (4, 'Dan Novak', NULL, FALSE, '2023-11-05'),
(5, 'Eva Lund', 'Oslo', NULL, '2024-02-29'), (6, 'Filip Kos', 'Rome', FALSE, NULL),
(7, 'Gita Rao', 'Mumbai', TRUE, '2020-12-24'), (8, 'Hugo Meyer', 'Berlin', FALSE, '2024-03-01')
"""
ORDERS = """
(1, 1, 120.50, 3, '2024-03-01 09:15:00', '2024-03-03', 'paid', 10.00),
(2, 1, 35.00, 1, '2024-03-15 14:30:00', '2024-03-17', 'paid', NULL),
(3, 2, 80.25, 2, '2024-02-28 18:05:00', '2024-03-02', 'paid', 5.00),
(4, 2, 15.99, 1, '2024-03-31 11:45:00', NULL, 'open', NULL),
(5, 3, 240.00, 6, '2023-12-31 23:10:00', '2024-01-04', 'paid', 20.00),
(6, 3, 60.00, 4, '2024-01-10 08:00:00', '2024-01-12', 'returned', 0.00),
(7, 4, 42.10, 2, '2024-03-20 16:20:00', NULL, 'open', NULL),
(8, 5, 99.90, 5, '2024-04-02 10:10:00', '2024-04-05', 'paid', 9.99),
(9, 5, 18.75, 1, '2024-03-09 12:00:00', '2024-03-11', 'paid', NULL),
(10, 7, 150.00, 3, '2023-06-18 19:40:00', '2023-06-21', 'paid', 15.00),
(11, 7, 75.50, 2, '2024-03-24 07:55:00', '2024-03-27', 'returned', 2.50),
(12, 7, 33.33, 1, '2024-03-03 20:30:00', NULL, 'open', NULL),
(13, 8, 55.00, 2, '2024-05-06 13:25:00', '2024-05-08', 'paid', 0.00),
(14, 1, 200.00, 4, '2022-03-11 15:00:00', '2022-03-14', 'paid', 25.00)
"""
TABLES = "CREATE TABLE customers (id INTEGER PRIMARY KEY"
Row = dict[str, str]
Accepts = Callable[[Row], bool | None]
"""None: the script does not serve the dialect, or the gold fails there."""


def fill(run: Callable[..., Any], schema: str) -> None:
    """Make the shop: `run` executes one statement."""
    for statement in [
        *filter(str.strip, schema.split(";")),
        f"INSERT INTO customers VALUES {CUSTOMERS}",
        f"INSERT INTO orders VALUES {ORDERS}",
    ]:
        run(statement)


@contextmanager
def databases(rows: list[Row], folder: Path) -> Iterator[dict[str, sa.URL]]:
    """The shop in SQLite (shop/shop.sqlite and shop.db below `folder`), PostgreSQL and MariaDB."""
    schemas = {row["dialect"]: row["schema"] for row in rows}
    (folder / "shop").mkdir()
    for path in (folder / "shop/shop.sqlite", folder / "shop.db"):
        with sqlite3.connect(path) as connection:
            fill(connection.execute, schemas["sqlite"])
    with ExitStack() as stack:
        urls = {"postgres": stack.enter_context(postgres()), "mysql": stack.enter_context(mariadb())}
        for dialect, url in urls.items():
            execute(url, "CREATE DATABASE shop")
            urls[dialect] = url.set(database="shop")
            fill(lambda statement, url=urls[dialect]: execute(url, statement), schemas[dialect])
        yield urls


def spider(folder: Path) -> Accepts:
    """test-suite-sql-eval: eval_exec_match, with --keep_distinct off as by default."""
    script: Any = importlib.import_module("exec_eval")

    def accepts(row: Row) -> bool | None:
        if row["dialect"] != "sqlite":
            return None
        try:
            path = str(folder / "shop/shop.sqlite")
            return bool(script.eval_exec_match(path, row["prediction"], row["gold"], False, False, False))
        except AssertionError:
            return None

    return accepts


def bird(folder: Path, urls: dict[str, sa.URL]) -> Accepts:
    """BIRD's mini_dev: execute_sql with calculate_ex."""
    utils: Any = importlib.import_module("evaluation_utils")
    ex: Any = importlib.import_module("evaluation_ex")
    names = {"sqlite": "SQLite", "postgres": "PostgreSQL", "mysql": "MySQL"}
    drivers: dict[str, Any] = {name: importlib.import_module(name) for name in ("psycopg2", "pymysql")}
    login = {"host": "127.0.0.1", "password": PASSWORD}
    utils.connect_postgresql = lambda: drivers["psycopg2"].connect(
        dbname="shop", user="postgres", port=urls["postgres"].port, **login
    )
    utils.connect_mysql = lambda: drivers["pymysql"].connect(
        database="shop", user="root", port=urls["mysql"].port, **login
    )

    def accepts(row: Row) -> bool | None:
        if row["dialect"] not in names:
            return None
        found = ex.execute_model(
            row["prediction"], row["gold"], str(folder / "shop/shop.sqlite"), 0, 30.0, names[row["dialect"]]
        )
        return bool(found["res"])

    return accepts


def defog(folder: Path, urls: dict[str, sa.URL]) -> Accepts:
    """Defog's sql-eval: compare_query_results; its `correct` (the gold's columns are among those returned)."""
    script: Any = importlib.import_module("eval.eval")
    credentials = {"sqlite": {"path_to_folder": f"{folder}/"}} | {
        dialect: {"host": "127.0.0.1", "port": url.port, "user": url.username, "password": PASSWORD}
        for dialect, url in urls.items()
    }

    def accepts(row: Row) -> bool | None:
        if row["dialect"] not in credentials:
            return None
        try:
            _, correct = script.compare_query_results(
                row["gold"], row["prediction"], "shop", row["dialect"], credentials[row["dialect"]], "", ""
            )
            return bool(correct)
        except Exception:  # as its runners do: whatever fails is wrong
            return False

    return accepts


def main() -> None:
    """Prints, by script and dialect: pairs, judged as expected, wrong ones accepted, right ones refused."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("pairs", type=Path)
    parser.add_argument("peers", type=Path)
    options = parser.parse_args()
    lines = options.pairs.read_text(encoding="utf-8").splitlines()
    rows: list[Row] = [
        row for row in map(json.loads, lines) if row["schema"].startswith(TABLES) and row["schema"].count("CREATE") == 2
    ]
    for place in ("test-suite-sql-eval", "mini_dev/evaluation", "sql-eval", "lib"):
        sys.path.append(str((options.peers / place).resolve()))
    os.environ.setdefault("HOME", "/")
    verdicts = judge(rows, 5, 2, 1)[0]
    ours = {id(row): verdict(outcome) for row, outcome in zip(rows, verdicts, strict=True)}
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    with tempfile.TemporaryDirectory() as name, databases(rows, Path(name)) as urls:
        folder = Path(name)
        judges: dict[str, Accepts] = {
            "ours": lambda row: None if ours[id(row)] == "not evaluable" else ours[id(row)] == "right",
            "test-suite-sql-eval": spider(folder),
            "BIRD mini_dev": bird(folder, urls),
            "Defog sql-eval": defog(folder, urls),
        }
        for who, accepts in judges.items():
            for row in rows:
                found, expected = accepts(row), row["expected"] == "right"
                told = "as expected" if found == expected else "accepted" if found else "refused"
                counts[who, row["dialect"]]["not judged" if found is None else told] += 1
                counts[who, row["dialect"]]["pairs"] += 1
    print(f"{'':22}{'':10}{'pairs':>7}{'not judged':>12}{'as expected':>13}{'wrong accepted':>16}{'right refused':>15}")
    for (who, dialect), found in counts.items():
        shown = (found[key] for key in ("pairs", "not judged", "as expected", "accepted", "refused"))
        print(
            f"{who:22}{dialect:10}"
            + "".join(f"{n:{width}}" for n, width in zip(shown, (7, 12, 13, 16, 15), strict=True))
        )


if __name__ == "__main__":
    main()
