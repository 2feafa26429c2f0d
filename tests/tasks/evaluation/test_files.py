"""What a scored endpoint leaves behind: files that can be read again, and a report that can be published."""

from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.endpoints.connect import Http
from finetune_flows.tasks.evaluate import score_endpoint
from finetune_flows.tasks.evaluation.files import Evaluations, read_scores, read_verdicts, read_wrong_answers
from finetune_flows.tasks.recipe import Recipe, TextToSql
from finetune_flows.tasks.reporting.evaluation_card import evaluation_report


def test_what_a_scored_endpoint_leaves_behind(recipe: Recipe, dataset: Reference, url: str) -> None:
    evaluation = score_endpoint.fn(recipe, Http(url), "model", dataset)
    scores, verdicts, wrong = read_scores(evaluation), read_verdicts(evaluation), read_wrong_answers(evaluation)
    assert scores.metrics["execution"].n == scores.n == len(verdicts) >= 6
    assert scores.kinds == {"right": scores.n // 2, "wrong literal": scores.n // 2}
    assert scores.differences == {"wrong literal": scores.n // 2}
    assert scores.slices["schema"].keys() == {"no table seen"}
    assert all("built" in answer.question and answer.answer.startswith("Sure:") for answer in wrong)
    assert len(wrong) == scores.n // 2
    page = (evaluation.path / "wrong_answers.md").read_text(encoding="utf-8")
    assert page.count("## ") == len(wrong)
    assert "`built > 8` should be `built > 7`" in page
    assert len((evaluation.path / "predictions.jsonl").read_text(encoding="utf-8").splitlines()) == scores.n
    again = score_endpoint.fn(recipe, Http(url), "model", dataset)
    assert again.uri != evaluation.uri, "it may be another model tomorrow"


def test_the_report_shows_both_models_their_errors_and_slices(recipe: Recipe, dataset: Reference, url: str) -> None:
    evaluation = score_endpoint.fn(recipe, Http(url), "model", dataset)
    measured = Evaluations(base=evaluation, candidate=evaluation).read(TextToSql())
    assert measured.comparisons["execution"].n == measured.tuned.n
    assert measured.comparisons["execution"].difference == 0
    page = evaluation_report(TextToSql(), "execution", measured)
    for words in (
        "**execution**",
        "exact_match_extracted",
        "execution_as_given",
        "| wrong literal |",
        "By resampling: +0.0",
    ):
        assert words in page
    assert "champion" not in page
    three = Evaluations(base=evaluation, candidate=evaluation, champion=evaluation)
    beside = evaluation_report(TextToSql(), "execution", three.read(TextToSql()))
    assert "| metric | endpoint | tuned model | champion |" in beside
    assert "Gain in execution against the champion: +0.0 points" in beside
    assert "execution by tables" not in page, "a division of one part divides nothing"
