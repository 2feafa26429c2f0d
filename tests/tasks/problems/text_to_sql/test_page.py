"""What a report says of the engines that judged."""

from finetune_flows.tasks.problems.text_to_sql.page import how_judged


def test_a_report_names_the_engine() -> None:
    assert how_judged({"DuckDB 2.0.0": 1200}) == "Queries ran in DuckDB 2.0.0 (1,200 rows)."


def test_rows_judged_by_translation_come_first() -> None:
    said = how_judged({"MariaDB 10.11.6": 7, "SQLite 3.45.1, translated from mysql": 3})
    assert said.startswith("3 of 10 rows were judged by translation to SQLite")
    assert said.endswith("Queries ran in MariaDB 10.11.6 (7 rows), SQLite 3.45.1, translated from mysql (3 rows).")


def test_without_rows_there_is_nothing_to_say() -> None:
    assert how_judged({}) == ""
