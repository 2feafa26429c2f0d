"""Rows that tell apart what two queries compute: boundaries of computed values, days of the week, near values."""

import pytest

from finetune_flows.tasks.sql.judging import SqlPair, judge_pair

STAFF = """CREATE TABLE staff (
    id INTEGER PRIMARY KEY, team INTEGER, pay DECIMAL(10,2), bonus DECIMAL(10,2), hired DATE, left_on DATE
)"""


@pytest.mark.parametrize(
    ("gold", "prediction"),
    [
        ("SELECT id FROM staff WHERE pay / 12 > 4000", "SELECT id FROM staff WHERE pay / 12 >= 4000"),
        ("SELECT id FROM staff WHERE pay + bonus > 60000", "SELECT id FROM staff WHERE pay + COALESCE(bonus, 0) > 60000"),
        ("SELECT id FROM staff WHERE ABS(pay - 100) < 5", "SELECT id FROM staff WHERE ABS(pay - 100) <= 5"),
        ("SELECT team FROM staff GROUP BY team HAVING AVG(pay) > 50000", "SELECT team FROM staff GROUP BY team HAVING AVG(pay) >= 50000"),
        ("SELECT id FROM staff WHERE julianday(left_on) - julianday(hired) > 30", "SELECT id FROM staff WHERE julianday(left_on) - julianday(hired) >= 30"),
        ("SELECT COUNT(*) FROM staff WHERE strftime('%w', hired) = '1'", "SELECT COUNT(bonus) FROM staff WHERE strftime('%w', hired) = '1'"),
        ("SELECT team FROM staff GROUP BY team ORDER BY COUNT(*) DESC LIMIT 1", "SELECT team FROM staff GROUP BY team ORDER BY COUNT(bonus) DESC LIMIT 1"),
        ("SELECT id FROM staff WHERE pay = (SELECT MAX(pay) FROM staff)", "SELECT id FROM staff ORDER BY pay DESC LIMIT 1"),
        ("SELECT id FROM staff ORDER BY pay, id", "SELECT id FROM staff ORDER BY ROUND(pay), id"),
    ],
)  # fmt: skip
def test_a_small_change_of_a_computed_value_is_found_out(gold: str, prediction: str) -> None:
    assert judge_pair(SqlPair(STAFF, gold, gold, "sqlite", 5)).execution is True
    assert judge_pair(SqlPair(STAFF, gold, prediction, "sqlite", 5)).execution is False
