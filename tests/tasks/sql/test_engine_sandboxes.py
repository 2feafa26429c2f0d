"""What a hostile query can do in DuckDB, PostgreSQL and MariaDB: nothing. Of SQLite see `test_sandbox.py`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from finetune_flows.tasks.sql.judging import SqlOutcome, SqlPair
from finetune_flows.tasks.sql.workers import SqlWorkers
from tests.tasks.sql.engine_attacks import EVERYWHERE, REFUSED, STOPPED

CONTEXT = "CREATE TABLE people (name VARCHAR(40), age INTEGER)"
GOLD = "SELECT name FROM people WHERE age > 30"
WRONG = (False, False, False, None, None)


@pytest.fixture(scope="module")
def workers() -> Iterator[SqlWorkers]:
    with SqlWorkers(1) as pool:
        yield pool


def judge(workers: SqlWorkers, prediction: str, dialect: str) -> SqlOutcome:
    return workers.judge(SqlPair(CONTEXT, GOLD, prediction, dialect, 3))


@pytest.mark.parametrize("dialect", REFUSED)
def test_an_attack_is_refused_at_once_and_the_next_pair_finds_the_engine_as_it_was(
    workers: SqlWorkers, dialect: str, tmp_path: Path
) -> None:
    tmp_path.chmod(0o777)  # a server runs as another user
    for attack in [*EVERYWHERE, *REFUSED[dialect]]:
        outcome = judge(workers, attack.replace("{file}", f"{tmp_path}/loot"), dialect)
        found = (outcome.valid, outcome.execution, outcome.caseless, outcome.obstacle, outcome.translated)
        assert found == WRONG, (attack[:80], outcome)
        assert outcome.error
        assert "stopped" not in outcome.error
        assert "killed" not in outcome.error, attack[:80]
        assert judge(workers, GOLD, dialect).execution is True, attack[:80]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("dialect", "attack"), [(dialect, attack) for dialect in STOPPED for attack in STOPPED[dialect]]
)
def test_an_exhausting_query_meets_a_limit(workers: SqlWorkers, dialect: str, attack: str) -> None:
    outcome = judge(workers, attack, dialect)
    found = (outcome.valid, outcome.execution, outcome.caseless, outcome.obstacle, outcome.translated)
    assert found == WRONG, outcome
    words = (
        "stopped after",
        "needs more than",
        "returns more",
        "killed",
        "temp_file_limit",
        "is full",
        "memory",
        "too large",
    )
    assert any(word in (outcome.error or "") for word in words), outcome.error
    assert judge(workers, GOLD, dialect).execution is True
