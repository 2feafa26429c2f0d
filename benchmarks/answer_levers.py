"""Levers that need no training, each measured on development rows: a grammar, a second try with the error, examples in the prompt.

    python -m benchmarks.answer_levers MODEL DATASET --dialect mysql [--file validation.parquet] [--skip 0] [--rows 200]

MODEL and DATASET are folders of the artefact store. Prints for each lever what the answers are worth, beside the same rows
without it (exact McNemar test), and what it costs in seconds and tokens.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving_workload import served
from finetune_flows.tasks.base.statistics import Proportion
from finetune_flows.tasks.endpoints.answers import Answer, collect_answers, read_test_rows
from finetune_flows.tasks.endpoints.asking import CHAT, Form, Server, TestRow
from finetune_flows.tasks.evaluation.scores import compare
from finetune_flows.tasks.problems.text_to_sql.asking import GrammarForm, to_repair, with_examples
from finetune_flows.tasks.problems.text_to_sql.problem import TextToSql
from finetune_flows.tasks.problems.text_to_sql.verdicts import judge
from finetune_flows.tasks.problems.verdict import Verdict
from finetune_flows.tasks.sections.stages import EvaluationSection

METRICS = ("valid_sql", "execution", "execution_caseless")


@dataclass(frozen=True)
class Lever:
    """One way to ask."""

    name: str
    form: Form = CHAT
    examples: int = 0
    repairs: int = 0


@dataclass(frozen=True)
class Bench:
    """What is asked, and whom."""

    url: str
    problem: TextToSql
    section: EvaluationSection
    rows: Sequence[TestRow]
    train: Path

    def measure(self, lever: Lever) -> tuple[list[Verdict], float, int]:
        """Verdicts, seconds for all answers, and prompt tokens."""
        rows = with_examples(self.rows, self.train, lever.examples) if lever.examples else list(self.rows)
        started = time.monotonic()
        answers = self.ask(rows, lever)
        tokens = sum(answer.prompt_tokens for answer in answers)
        texts = {answer.id: answer.text for answer in answers}
        for _ in range(lever.repairs):
            again = self.ask(to_repair(rows, texts, self.problem.dialect), lever)
            tokens += sum(answer.prompt_tokens for answer in again)
            texts |= {answer.id: answer.text for answer in again}
        seconds = time.monotonic() - started
        return judge(self.rows, texts, self.problem.dialect, self.problem.judging).verdicts, seconds, tokens

    def ask(self, rows: Sequence[TestRow], lever: Lever) -> list[Answer]:
        """The answers; those that failed are empty."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "answers.jsonl"
            return collect_answers(Server(self.url, lever.form), rows, self.section, path) if rows else []


def main() -> None:
    """Measure all levers with one server."""
    options = _options()
    problem = TextToSql(dialect=options.dialect)
    section = EvaluationSection(rows=options.rows, max_new_tokens=options.new_tokens, concurrency=32)
    rows = read_test_rows(options.dataset / options.file, options.skip + options.rows)[options.skip :]
    grammar = GrammarForm(options.dialect)
    levers = [
        Lever("none"), Lever("grammar", grammar), Lever("1 repair", repairs=1), Lever("2 repairs", repairs=2),
        Lever("grammar, 1 repair", grammar, repairs=1), Lever("3 examples", examples=3),
    ]  # fmt: skip
    print(f"{len(rows)} rows of {options.file}, load before {os.getloadavg()[0]:.1f}")
    with served(options.model, SERVING_ENGINE="transformers", SERVING_MAX_MODEL_LENGTH="4096") as server:
        bench = Bench(server.url, problem, section, rows, options.dataset / "train.parquet")
        plain: list[Verdict] = []
        for lever in levers:
            verdicts, seconds, tokens = bench.measure(lever)
            plain = plain or verdicts
            print(_line(lever.name, verdicts, plain, seconds, tokens), flush=True)


def _line(name: str, verdicts: list[Verdict], plain: list[Verdict], seconds: float, tokens: int) -> str:
    shares = []
    for metric in METRICS:
        share = Proportion.among(verdict.outcomes[metric] for verdict in verdicts)
        p_value = compare(metric, plain, verdicts).p_value
        shares.append(f"{metric} {share.value:6.1%} ({share.low:.1%} to {share.high:.1%}, p = {p_value:.2g})")
    return f"{name:18s} {'  '.join(shares)}  {seconds:6.1f} s  {tokens} prompt tokens"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", type=Path, help="model folder")
    parser.add_argument("dataset", type=Path, help="folder of a prepared data set")
    parser.add_argument("--dialect", default="sqlite")
    parser.add_argument("--file", default="validation.parquet")
    parser.add_argument("--skip", type=int, default=0, help="leave out so many rows at the beginning")
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--new-tokens", type=int, default=96, help="longest answer")
    return parser.parse_args()


if __name__ == "__main__":
    main()
