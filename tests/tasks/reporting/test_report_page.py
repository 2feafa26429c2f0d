"""The HTML report: whole, honest about what it shows, and harmless whatever data and model wrote."""

import logging
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finetune_flows.tasks.base.statistics import Estimate, Proportion
from finetune_flows.tasks.evaluation.scores import compare
from finetune_flows.tasks.platforms.contract import Endpoint, Labels
from finetune_flows.tasks.problems.verdict import Verdict
from finetune_flows.tasks.recipe import Chat, SageMakerPlatform, TextClassification
from finetune_flows.tasks.report import save_report
from finetune_flows.tasks.reporting import charts
from finetune_flows.tasks.reporting.facts import RunFacts, quantiles
from finetune_flows.tasks.reporting.page import cost_of, report_page
from tests.tasks.reporting.conftest import HOSTILE, write_evaluation


class Page(HTMLParser):
    """Tags in order, the text between them, and every address that a browser would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.words: list[str] = []
        self.bold: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href") and tag != "use"]
        if tag not in ("meta", "br", "link"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self.open and self.open[-1] == "b":
            self.bold.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_decision_scores_and_their_uncertainty_stand_before_everything_else(facts: RunFacts) -> None:
    text = Page(report_page(facts)).text
    first = text[: text.index("Errors in the answers")]
    for words in (
        "Promoted",
        facts.reasons[0],
        "12.5 %",
        "75.0 %",
        "+62.5 points",
        "McNemar's test of execution: p = 0.002",
        "50.5 to 89.8",
    ):
        assert words in first, words


def test_every_part_of_the_run_is_told(facts: RunFacts) -> None:
    page = report_page(facts)
    text = Page(page).text
    assert page.count("<svg") == 5
    for words in (
        "20 steps over 40 rows",
        "70 rows read, 60 usable",
        "quarantined 7",
        "torch 2.13.0",
        "right query returns 1 row",
    ):
        assert words in text, words
    for artefact in facts.artefacts:
        assert artefact.digest[:16] in text
        assert artefact.uri in text
    assert "max_steps: 40" in text, "the resolved recipe"


def test_it_needs_no_network_and_no_script(facts: RunFacts) -> None:
    page = Page(report_page(facts))
    assert page.fetched == []
    assert page.tags.isdisjoint({"script", "iframe", "link", "img", "object"})
    assert "@import" not in page.text
    assert re.search(r"url\((?!#)", report_page(facts)) is None


def test_what_data_and_model_wrote_is_shown_and_does_nothing(facts: RunFacts) -> None:
    page = Page(report_page(facts))
    assert HOSTILE in page.text
    assert page.open == [], "every tag is closed: none came from the model"
    assert "1. wrong column" in page.bold
    assert "bold" not in page.bold, "its markup is text"


def test_a_refused_run_says_so_and_names_no_endpoint(facts: RunFacts) -> None:
    text = Page(
        report_page(replace(facts, decision="refused", reasons=["+0.1 points: cannot be told from chance"]))
    ).text
    assert "Refused" in text
    assert "Why it may not serve +0.1 points" in text.replace("  ", " ")
    assert "It serves as" not in text


def test_a_classifier_has_a_confusion_matrix_and_scores_that_are_no_shares(facts: RunFacts) -> None:
    details = {"labels": ["good", "<bad>"], "confusion": [[7, 1], [2, 6]]}
    estimates = {"macro_f1": Estimate(value=0.812, low=0.77, high=0.851, n=16)}
    text = Page(
        report_page(replace(facts, tuned=facts.tuned.model_copy(update={"details": details, "estimates": estimates})))
    ).text
    assert "good 7 1 <bad> 2 6" in text
    assert "macro f1 16 0.812 (0.770 to 0.851)" in text


def test_what_is_said_of_a_classifier_is_true_of_one(facts: RunFacts) -> None:
    recipe = facts.recipe.model_copy(update={"problem": TextClassification()})
    comparisons = {"accuracy": facts.comparisons["execution"]}
    scored = [
        each.model_copy(update={"metrics": {"accuracy": each.metrics["execution"]}})
        for each in (facts.base, facts.tuned)
    ]
    (facts.evaluation.path / "verdicts.jsonl").write_text("", encoding="utf-8")
    page = report_page(replace(facts, recipe=recipe, base=scored[0], tuned=scored[1], comparisons=comparisons))
    assert "nats per text" in page
    assert "tokens of the text" in page
    for words in ("nats per token", "new tokens", "prompt and answer"):
        assert words not in page, words


def test_a_chat_is_headed_by_a_score_that_moves_and_shows_its_best_answers(facts: RunFacts) -> None:
    recipe = facts.recipe.model_copy(update={"problem": Chat()})
    overlap = [Estimate(value=value, low=value - 0.02, high=value + 0.02, n=16) for value in (0.157, 0.246)]
    base, tuned = (
        scores.model_copy(update={"metrics": {"exact_match": Proportion.of(0, 16)}, "estimates": {"rouge_l": score}})
        for scores, score in zip((facts.base, facts.tuned), overlap, strict=True)
    )
    difference = Estimate(value=0.089, low=0.051, high=0.124, n=16)
    verdicts = [
        Verdict(
            id=str(row),
            outcomes={"exact_match": False},
            values={"rouge_l": row / 20},
            kind="other",
            extracted=f"said {row}",
        )
        for row in range(16)
    ]
    lines = "".join(verdict.model_dump_json() + "\n" for verdict in verdicts)
    (facts.evaluation.path / "verdicts.jsonl").write_text(lines, encoding="utf-8")
    rows = [
        {
            "id": str(row),
            "prompt": [{"role": "user", "content": f"question {row}"}],
            "fields": {"conversation": "[]", "answer": f"reference {row}", "more": ""},
            "slice": None,
            "tokens": 9,
        }
        for row in range(16)
    ]
    pq.write_table(pa.Table.from_pylist(rows), facts.dataset.path / "test.parquet")
    chat = replace(
        facts,
        recipe=recipe,
        base=base,
        tuned=tuned,
        comparisons={"exact_match": compare("exact_match", verdicts, verdicts)},
        differences={"rouge_l": difference},
        decision="refused",
    )
    text = Page(report_page(chat)).text
    assert "rouge l, tuned model 0.246 0.226 to 0.266 gain on the same rows +0.089 +0.051 to +0.124" in text
    assert "rouge l 16 0.157 (0.137 to 0.177) 0.246 (0.226 to 0.266) +0.089 (+0.051 to +0.124)" in text
    assert "The tuned model's best answers question 15 right reference 15 answer said 15 question 14" in text


def test_some_right_answers_are_shown(facts: RunFacts) -> None:
    text = Page(report_page(facts)).text
    assert "Right answers of the tuned model How many of 0? right SELECT 0 answer select 0" in text
    assert "select 5" not in text, "five are enough"


@pytest.mark.parametrize(
    ("decision", "rows", "words"),
    [
        ("passed", 16, "Ask the model a question of your own: finetune endpoint call demo "),
        ("awaits approval", 16, "type finetune promote demo --model model000 --reason"),
        ("cannot tell", 16, "Add rows, or set a larger dataset.test_share, and run the recipe again."),
        (
            "cannot tell",
            90,
            "there are 90. Run the recipe again; the model is not trained again: --set evaluation.rows=90",
        ),
        ("refused", 16, "the most frequent mistake is “wrong column” (4 of 16)"),
    ],
)
def test_the_first_screen_ends_with_what_to_do_next(facts: RunFacts, decision: str, rows: int, words: str) -> None:
    audit = facts.audit()
    audit = audit.model_copy(update={"splits": audit.splits | {"test": rows}})
    (facts.dataset.path / "audit.json").write_text(audit.model_dump_json(), encoding="utf-8")
    text = Page(report_page(replace(facts, decision=decision))).text
    assert words in text[text.index("Next: ") : text.index("metric n base model")]


def test_a_promoted_model_is_found_at_the_address_that_never_changes(facts: RunFacts) -> None:
    labels = Labels(recipe="demo", step_key="k", flow_run="r", expires_at=datetime(2026, 11, 23, 1, 5, tzinfo=UTC))
    endpoint = Endpoint(name="demo-1", url="http://127.0.0.1:8080", model_digest="m", labels=labels)
    text = Page(report_page(replace(facts, endpoint=endpoint, address="http://127.0.0.1:9000"))).text
    assert "Its address is http://127.0.0.1:9000 , the same for every champion" in text
    assert "demo-1 , serves until 2026-11-23 01:05 UTC" in text


def test_a_base_that_nobody_asked_has_no_latency(facts: RunFacts) -> None:
    base = facts.base.model_copy(update={"who": "linear baseline", "latency": None, "requests_per_second": None})
    assert list(replace(facts, base=base).latencies()) == ["tuned model"]
    assert "execution, linear baseline" in Page(report_page(replace(facts, base=base))).text


def test_the_champion_stands_beside_both_where_it_was_judged(facts: RunFacts, tmp_path: Path) -> None:
    (tmp_path / "champion").mkdir()
    champion, verdicts = write_evaluation(tmp_path / "champion", 8, "champion")
    _, tuned = write_evaluation(tmp_path / "champion", 12, "tuned")
    beside = {"execution": compare("execution", verdicts, tuned)}
    champion = champion.model_copy(update={"who": "champion"})
    text = Page(report_page(replace(facts, champion=champion, champion_comparisons=beside))).text
    assert "execution, champion 50.0 % tuned model against it: +25.0 points" in text
    row = text[text.index("execution 16 12.5 %") :][:200]
    assert "50.0 % (28.0 to 72.0) +25.0 points" in row
    assert "tuned model against it" not in Page(report_page(facts)).text


def test_the_cost_is_hours_on_a_machine(facts: RunFacts) -> None:
    costs = {what: hours for what, _, hours in cost_of(facts)}
    assert costs["training job"] == 1.0
    assert costs["whole run"] == pytest.approx(4000 / 3600)
    assert 0 < costs["answers of the tuned model"] < 0.01


def test_on_sagemaker_the_machines_are_instances_and_not_this_one(facts: RunFacts) -> None:
    platform = SageMakerPlatform(training_instances=["ml.g6.xlarge", "ml.g5.xlarge"], serving_instance="ml.g5.2xlarge")
    recipe = facts.recipe.model_copy(update={"platform": platform})
    on = {what: where for what, where, _ in cost_of(replace(facts, recipe=recipe))}
    assert on["training job"] == "sagemaker, ml.g6.xlarge or ml.g5.xlarge"
    assert on["answers of the tuned model"] == "sagemaker, ml.g5.2xlarge"


def test_a_report_that_cannot_be_written_does_not_fail_the_run(
    facts: RunFacts, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    page = save_report(tmp_path, facts)
    assert page is not None
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    (facts.model.path / "training.json").unlink()
    logger = logging.getLogger("finetune")
    logger.addHandler(caplog.handler)  # the command line's set-up, in another test, may have cut it off from the root
    try:
        assert save_report(tmp_path, facts) is None
    finally:
        logger.removeHandler(caplog.handler)
    assert "the report could not be written" in caplog.text


def test_pictures_are_svg_with_the_figures_in_them() -> None:
    svg = charts.kind_bars({"no <query>": 300, "right": 9}, {"wrong column": 12, "right": 300}, "base model")
    texts = [element.text for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert texts.index("wrong column") < len(texts)
    assert "no <query>" in texts, "the base model's most frequent mistake is there, and is text"
    assert "right" not in texts
    assert charts.loss_curve([{"step": 1, "loss": 2.0}], []) == charts.loss_curve([{"step": 1, "loss": 2.0}], [])


def test_quantiles_of_latencies() -> None:
    assert quantiles([]) == {}
    assert quantiles([float(n) for n in range(1, 102)]) == {"p50": 51.0, "p95": 96.0, "p99": 100.0}


def test_the_page_says_at_the_top_that_rows_were_judged_by_translation(facts: RunFacts) -> None:
    parts = {"PostgreSQL 18.1": {"execution": Proportion.among([True] * 12)}}
    parts["SQLite 3.45.1, translated from postgres"] = {"execution": Proportion.among([False] * 4)}
    tuned = facts.tuned.model_copy(update={"slices": {"engine": parts}})
    text = Page(report_page(replace(facts, tuned=tuned))).text
    first = text[: text.index("gain on the same rows")]
    assert "4 of 16 rows were judged by translation to SQLite" in first
    assert "finetune doctor" in first
    assert "PostgreSQL 18.1 (12 rows)" in first
