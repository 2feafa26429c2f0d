"""Cards in the Prefect UI, and what happens when they cannot be shown."""

import base64
import re
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from markdown_it import MarkdownIt

from finetune_flows.tasks.platforms.contract import Endpoint, Labels
from finetune_flows.tasks.recipe import TextClassification
from finetune_flows.tasks.reporting.facts import RunFacts
from finetune_flows.tasks.reporting.page import cost_of
from finetune_flows.tasks.reporting.run_cards import cost_card, deployment_card, training_card

RENDER = MarkdownIt("commonmark").enable("table").render


def test_the_training_card_has_the_curve_and_why_it_was_trained_so(facts: RunFacts) -> None:
    card = training_card(facts.training(), facts.model, "nats per token of the answers")
    assert "Loss 2.000 at step 1, 0.100 at step 20; nats per token of the answers." in card
    [svg] = re.findall(r"!\[Loss by step\]\(data:image/svg\+xml;base64,(\S+)\)", card)
    assert ElementTree.fromstring(base64.b64decode(svg)).tag.endswith("svg")
    assert "Validation: 0.400 at step 20." in card
    html = RENDER(card)
    assert "<td>it trains fastest here</td>" in html
    assert "<td>20</td>" in html


def test_the_deployment_card_says_how_to_call_it_and_when_it_ends(facts: RunFacts) -> None:
    labels = Labels(recipe="demo", step_key="k", flow_run="r", expires_at=datetime(2026, 11, 23, 1, 5, tzinfo=UTC))
    endpoint = Endpoint(name="demo-1", url="http://127.0.0.1:8080", model_digest="m", labels=labels)
    card = deployment_card(facts.recipe, endpoint, facts.model)
    for words in (
        "2026-11-23 01:05 UTC",
        f"finetune endpoint call demo-1 {facts.recipe.problem.example}",
        "curl http://127.0.0.1:8080/v1/chat/completions",
        '{"model": "demo-1", "messages": ',
    ):
        assert words in card


def test_a_classifiers_card_calls_the_route_that_it_has(facts: RunFacts) -> None:
    labels = Labels(recipe="demo", step_key="k", flow_run="r", expires_at=datetime(2026, 11, 23, 1, 5, tzinfo=UTC))
    endpoint = Endpoint(name="demo-1", url="http://127.0.0.1:8080", model_digest="m", labels=labels)
    recipe = facts.recipe.model_copy(update={"problem": TextClassification()})
    card = deployment_card(recipe, endpoint, facts.model)
    assert (
        """curl http://127.0.0.1:8080/invocations -H 'Content-Type: application/json' -d '{"inputs": "..."}'""" in card
    )
    assert "chat/completions" not in card
    assert "--context" not in card


@pytest.mark.parametrize("page", ["runs/1/report.html", None])
def test_the_cost_card_names_the_report_where_there_is_one(facts: RunFacts, page: str | None) -> None:
    card = cost_card(cost_of(facts), page)
    assert "<td>1.000</td>" in RENDER(card)
    assert ("Report:" in card) == (page is not None)
