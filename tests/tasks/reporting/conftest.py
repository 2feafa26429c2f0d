"""Artefacts of a finished run, small but whole, as the stages write them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finetune_flows.tasks.artifacts.references import Kind, Reference
from finetune_flows.tasks.dataset.audit import DatasetAudit, Leakage, Lengths
from finetune_flows.tasks.endpoints.answers import Answer
from finetune_flows.tasks.evaluation.scores import About, Scores, compare, summarise
from finetune_flows.tasks.problems.contract import Judged
from finetune_flows.tasks.problems.verdict import Verdict
from finetune_flows.tasks.problems.wrong_answers import WrongAnswer
from finetune_flows.tasks.recipe import load_recipe
from finetune_flows.tasks.reporting.facts import RunFacts

HOSTILE = "</pre><script>alert(1)</script> & <b>bold</b>"


def reference(folder: Path, kind: Kind, name: str) -> Reference:
    (folder / name).mkdir()
    return Reference(kind=kind, uri=str(folder / name), digest=name.ljust(64, "0"), size=1_234_567, step_key="k")


def write_dataset(folder: Path) -> None:
    leakage = Leakage(
        kept_apart="tables", groups=6, largest_group=9, shared_groups=0, shared_questions=0, dropped_from_train=1
    )
    audit = DatasetAudit(
        sources={"rows.jsonl": "ab" * 32}, seed=42, rows=70, usable=60, splits={"train": 40, "validation": 4, "test": 16},
        quarantined=7, quarantined_share=0.1, reasons={"is not JSON": 7}, exact_duplicates=2, normalised_duplicates=1,
        conflicting_answers=0, not_drawn=0, leakage=leakage,
        lengths=Lengths(median=90, p90=120, p99=180, longest=200, limit=256, shortened=0),
    )  # fmt: skip
    (folder / "audit.json").write_text(audit.model_dump_json(), encoding="utf-8")
    for split in ("train", "validation"):
        pq.write_table(pa.table({"tokens": [80, 90, 120, 200]}), folder / f"{split}.parquet")
    pq.write_table(pa.Table.from_pylist([_test_row(number) for number in range(16)]), folder / "test.parquet")


def _test_row(number: int) -> dict[str, Any]:
    question = f"How many of {number}?"
    fields = {"question": question, "context": "CREATE TABLE t (a TEXT)", "answer": f"SELECT {number}"}
    prompt = [{"role": "user", "content": question}]
    return {"id": str(number), "prompt": prompt, "fields": fields, "slice": None, "tokens": 100}


def write_training(folder: Path) -> None:
    losses = [{"step": step, "loss": 2 / step, "learning_rate": 1e-4} for step in range(1, 21)]
    measured: dict[str, Any] = {
        "settings": {"method": "qlora"},
        "choices": {"dtype": {"value": "float32", "because": "it trains fastest here"}},
        "device": {"kind": "cpu", "name": "2 CPU threads"},
        "versions": {"python": "3.11.7", "torch": "2.13.0", "bitsandbytes": None},
        "rows": {"train": 40, "validation": 4},
        "steps": 20,
        "tokens_trained": 3200,
        "tokens_per_second": 135.1,
        "trainable_parameters": 4_884_480,
        "losses": losses,
        "validation_losses": [{"step": 20, "loss": 0.4}],
        "seconds": {"load": 36.0, "train": 3564.0},
        "peak_memory_mib": {"process": 512},
    }
    (folder / "training.json").write_text(json.dumps(measured), encoding="utf-8")


def write_evaluation(folder: Path, right: int, digest: str) -> tuple[Scores, list[Verdict]]:
    """16 rows, the first `right` of them answered well; the others say what a hostile model would."""
    verdicts = [
        Verdict(
            id=str(row),
            slices={"joins": "0" if row % 2 else "1 or more"},
            group=str(row),
            outcomes={"execution": row < right, "exact_match": row < right},
            extracted=f"select {row}",
            kind="right" if row < right else "wrong column",
        )
        for row in range(16)
    ]
    answers = [Answer(id=str(row), text="x", asked_at=1000 + row, latency_seconds=0.5 + row / 16) for row in range(16)]
    wrong = WrongAnswer(
        id="15", question=HOSTILE, context="CREATE TABLE t (a TEXT)", gold="SELECT a FROM t WHERE a = 'gold'",
        answer=HOSTILE, language="sql", prediction=f"SELECT {HOSTILE}", kind="wrong column", error=None,
        differences=[{"kind": "wrong column", "gold": "a", "prediction": HOSTILE}],
        telling={"database": 1, "gold": ["'x'"], "gold_rows": 1, "prediction": [], "prediction_rows": 0, "error": None},
    )  # fmt: skip
    (folder / "verdicts.jsonl").write_text("".join(v.model_dump_json() + "\n" for v in verdicts), encoding="utf-8")
    (folder / "predictions.jsonl").write_text("".join(a.model_dump_json() + "\n" for a in answers), encoding="utf-8")
    (folder / "wrong_answers.jsonl").write_text(wrong.model_dump_json() + "\n", encoding="utf-8")
    about = About("dd", digest, who=f"{digest} model", judge={"databases": 5})
    return summarise(Judged(verdicts), answers, about), verdicts


@pytest.fixture
def facts(tmp_path: Path) -> RunFacts:
    """A promoted run: 2 of 16 right before, 12 of 16 after."""
    dataset, model = reference(tmp_path, "dataset", "dataset"), reference(tmp_path, "model", "model")
    before, after = reference(tmp_path, "evaluation", "before"), reference(tmp_path, "evaluation", "after")
    write_dataset(dataset.path)
    write_training(model.path)
    base, first = write_evaluation(before.path, 2, "base")
    tuned, second = write_evaluation(after.path, 12, "tuned")
    return RunFacts(
        recipe=load_recipe(Path("recipes/demo.yaml")),
        run="20261122-170000-demo-1234abcd",
        started=datetime(2026, 11, 22, 17, tzinfo=UTC),
        seconds=4000,
        decision="passed",
        reasons=["the score of 75.0% (n = 16) reaches the minimum of 0.0%"],
        base_model=reference(tmp_path, "base-model", "base"),
        dataset=dataset,
        model=model,
        base_evaluation=before,
        evaluation=after,
        base=base,
        tuned=tuned,
        comparisons={metric: compare(metric, first, second) for metric in tuned.metrics},
    )
