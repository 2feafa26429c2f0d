"""The model card: read back by the library that the hub reads it with."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt

from finetune_flows.tasks.base.statistics import Estimate
from finetune_flows.tasks.report import save_report
from finetune_flows.tasks.reporting.facts import RunFacts
from finetune_flows.tasks.reporting.model_card import model_card

RENDER = MarkdownIt("commonmark").enable("table").render


def loaded(facts: RunFacts, folder: Path) -> ModelCard:
    (folder / "card.md").write_text(model_card(facts), encoding="utf-8")
    return ModelCard.load(folder / "card.md")


def from_hub(facts: RunFacts) -> RunFacts:
    source = {"source": "owner/rows", "revision": "a" * 40}
    dataset = facts.recipe.dataset.model_copy(update=source)
    model = facts.recipe.model.model_copy(update={"source": "owner/base", "revision": "b" * 40})
    return replace(facts, recipe=facts.recipe.model_copy(update={"dataset": dataset, "model": model}))


def test_the_head_names_what_the_hub_can_find_and_no_licence(facts: RunFacts, tmp_path: Path) -> None:
    data = loaded(from_hub(facts), tmp_path).data.to_dict()
    assert (data["base_model"], data["datasets"]) == ("owner/base", "owner/rows")
    assert data["pipeline_tag"] == "text-generation"
    assert "license" not in data


def test_a_model_of_a_package_has_no_page_on_the_hub(facts: RunFacts, tmp_path: Path) -> None:
    card = loaded(facts, tmp_path)
    assert not {"base_model", "datasets"} & card.data.to_dict().keys()
    assert facts.recipe.model.source in card.text


def test_scores_come_back_with_their_intervals_and_the_rows_they_hold_for(facts: RunFacts, tmp_path: Path) -> None:
    estimates = {"macro_f1": Estimate(value=0.812, low=0.77, high=0.851, n=16)}
    tuned = facts.tuned.model_copy(update={"estimates": estimates})
    results = {each.metric_type: each for each in loaded(replace(facts, tuned=tuned), tmp_path).data.eval_results or []}
    assert results["execution"].metric_value == 0.75
    assert results["execution"].metric_args == {"low": 0.5050, "high": 0.8982, "n": 16}
    assert results["macro_f1"].metric_value == 0.812
    assert results["execution"].dataset_args == {"sha256": facts.dataset.digest}


def test_a_person_reads_use_limits_scores_and_settings(facts: RunFacts, tmp_path: Path) -> None:
    card = loaded(facts, tmp_path)
    html = RENDER(card.text)
    for words in (
        "one sqlite query",
        "a read-only connection",
        "None is set",
        "<td>0.125 (0.035 to 0.360)</td>\n<td>0.750 (0.505 to 0.898)</td>",
        "train 40, validation 4, test 16",
        "<td>method</td>\n<td><code>qlora</code></td>",
        facts.dataset.digest,
        "max_steps: 40",
        "The gate passed it.",
        "<li>the score of 75.0%",
    ):
        assert words in html, words
    assert html.count("<table>") == 2
    assert "<p>|" not in html, "each table is one"
    assert "The gate did not pass it" in model_card(replace(facts, decision="refused"))


def test_labels_that_somebody_wrote_are_text(facts: RunFacts, tmp_path: Path) -> None:
    tuned = facts.tuned.model_copy(update={"details": {"labels": ["good", "<script>*bad*"]}})
    html = RENDER(loaded(replace(facts, tuned=tuned), tmp_path).text)
    assert "Labels: good, &lt;script&gt;*bad*." in html


@pytest.mark.parametrize("missing", [False, True])
def test_it_lies_beside_the_report_and_leaves_the_model_as_it_was(
    facts: RunFacts, tmp_path: Path, missing: bool
) -> None:
    """A card that cannot be written does not cost the run its report, nor the run itself."""
    before = sorted(facts.model.path.iterdir())
    if missing:
        broken = facts.training() | {"settings": None}
        (facts.model.path / "training.json").write_text(json.dumps(broken), encoding="utf-8")
    save_report(tmp_path, facts)
    assert (tmp_path / "model_card.md").exists() != missing
    assert sorted(facts.model.path.iterdir()) == before


def test_the_card_says_which_transformers_read_the_model(facts: RunFacts, tmp_path: Path) -> None:
    assert "Read in other environments: not tried" in loaded(facts, tmp_path).text
    path = facts.model.path / "training.json"
    training = json.loads(path.read_text())
    training["checks"] = {
        "readers": [
            {"reader": "transformers 4.57.1", "same_ids": True, "largest_difference": 2.4e-6},
            {"reader": "transformers 4.40.0", "skipped": "it does not know models of type qwen3"},
        ]
    }
    path.write_text(json.dumps(training))
    text = RENDER(loaded(facts, tmp_path).text)
    assert "transformers 4.57.1: same token ids, logits differ by at most 2e-06" in text
    assert "transformers 4.40.0: it does not know models of type qwen3" in text
