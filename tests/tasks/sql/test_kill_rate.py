"""The judge, judged: it must find out single wrong changes of a query, and forgive harmless ones."""

import json
import random

from benchmarks.evaluator_kill_rate import measure
from tests import ROOT

ROWS = ROOT / "examples" / "text-to-sql" / "rows.jsonl"
FLOOR = 0.92  # measured: see docs/evaluation.md; some mutants happen to mean the same as the answer


def test_wrong_queries_are_found_out_and_harmless_rewrites_are_not_refused() -> None:
    rows = [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines()]
    found = measure(random.Random(11).sample(rows, 50), "sqlite")
    assert found.not_evaluable == {}
    assert found.mutants > 250
    assert found.killed is not None
    assert found.killed >= FLOOR, found.killed_by_kind
    assert found.rewrites > 100
    assert found.refused == []


def test_fewer_databases_find_out_less() -> None:
    """So the rate above is the databases' doing."""
    rows = [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines()]
    sample = random.Random(12).sample(rows, 20)
    one, five = measure(sample, "sqlite", databases=1), measure(sample, "sqlite", databases=5)
    assert one.killed is not None
    assert five.killed is not None
    assert one.killed < five.killed
