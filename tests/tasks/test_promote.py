"""The switch from one champion to the next: registry and lasting address, without models."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.base.errors import ArtifactDamaged, RegistryError
from finetune_flows.tasks.base.statistics import Comparison, Proportion
from finetune_flows.tasks.base.values import now
from finetune_flows.tasks.evaluation.gate import Condition, Decision, Outcome
from finetune_flows.tasks.evaluation.registry import Entry, Registry
from finetune_flows.tasks.platforms.contract import Endpoint, Labels
from finetune_flows.tasks.platforms.process.runner import ProcessRunner
from finetune_flows.tasks.promote import candidate, promote, promote_earlier, roll_back
from finetune_flows.tasks.recipe import Recipe, parse_recipe


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recipe]:
    monkeypatch.setenv("FINETUNE_HOME", str(tmp_path / "home"))
    content = {
        "name": "r",
        "problem": {"kind": "text-to-sql"},
        "dataset": {"source": "rows.jsonl"},
        "model": {"source": "none"},
    }
    yield parse_recipe(content, "r")
    ProcessRunner().delete_alias("r")


def entry(recipe: Recipe, model: str, outcome: Outcome = "passed") -> Entry:
    reference = Reference(kind="model", uri=f"/{model}", digest=model, size=1, step_key=model)
    score, reason = Proportion.of(4, 5), f"as {model} is"
    decision = Decision(
        metric="execution",
        outcome=outcome,
        conditions=[Condition(name="min_gain", outcome=outcome, reason=reason)],
        base=score,
        tuned=score,
        comparison=Comparison.of([(False, True)]),
    )
    return Entry(
        decided_at=now(),
        recipe=recipe.model_dump(mode="json"),
        dataset=reference,
        model=reference,
        endpoint=f"r-{model}",
        base_evaluation=reference,
        evaluation=reference,
        decision=decision,
    )


def serve(model: str) -> Endpoint:
    """An endpoint that says which model it has."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(model.encode())

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    later = now().replace(year=now().year + 1)
    labels = Labels(recipe="r", step_key=model, flow_run="f", expires_at=later)
    url = f"http://127.0.0.1:{server.server_address[1]}"
    return Endpoint(name=f"r-{model}", url=url, model_digest=model, labels=labels)


def test_a_promotion_leads_the_address_to_the_new_champion_and_says_so(recipe: Recipe) -> None:
    first = promote.fn(recipe, entry(recipe, "one"), serve("one"))
    second = promote.fn(recipe, entry(recipe, "two"), serve("two"), "it is better")
    assert second.url == first.url
    assert httpx.get(second.url, timeout=60).text == "two"
    record = Registry().read("r")
    assert record.champion is not None
    assert record.champion.model.digest == "two"
    assert [each.model.digest for each in record.before] == ["one"]
    assert record.switches[-1].reason == "it is better"


def test_a_promotion_that_was_cut_off_is_brought_to_its_end_by_the_next(recipe: Recipe) -> None:
    """The registry knows the new champion already, the address does not."""
    promote.fn(recipe, entry(recipe, "one"), serve("one"))
    Registry().promote("r", entry(recipe, "two"), "then the lights went out")
    alias = promote.fn(recipe, entry(recipe, "two"), serve("two"))
    assert httpx.get(alias.url, timeout=60).text == "two"
    assert len(Registry().read("r").switches) == 2


def test_a_candidate_is_found_by_the_first_letters_of_its_digest(recipe: Recipe) -> None:
    for model in ("abc", "abd", "xyz"):
        Registry().record("r", entry(recipe, model))
    assert candidate("r", "abc", anyway=False).model.digest == "abc"
    assert candidate("r", None, anyway=False).model.digest == "xyz"
    with pytest.raises(RegistryError, match="r has no candidate q"):
        candidate("r", "q", anyway=False)


@pytest.mark.parametrize("outcome", ["refused", "cannot tell"])
def test_what_did_not_pass_needs_anyway(recipe: Recipe, outcome: Outcome) -> None:
    Registry().record("r", entry(recipe, "bad", outcome))
    with pytest.raises(RegistryError, match=rf"(?s)\({outcome}\).*as bad is.*--anyway"):
        candidate("r", None, anyway=False)
    assert candidate("r", None, anyway=True).model.digest == "bad"


def test_only_one_changes_the_champion_at_a_time(recipe: Recipe) -> None:
    promote.fn(recipe, entry(recipe, "one"), serve("one"))
    promote.fn(recipe, entry(recipe, "two"), serve("two"))
    with (
        Registry().switch("r"),
        pytest.raises(RegistryError, match="another command is changing the champion of r now"),
    ):
        roll_back.fn("r", "by hand")
    record = Registry().read("r")
    assert record.champion is not None
    assert record.champion.model.digest == "two"
    assert not record.switching


def test_a_model_that_is_gone_changes_nothing_and_says_what_to_do(recipe: Recipe) -> None:
    alias = promote.fn(recipe, entry(recipe, "one"), serve("one"))
    promote.fn(recipe, entry(recipe, "two"), serve("two"))
    Registry().record("r", entry(recipe, "three"))
    before = Registry().read("r")
    said = r"(?s)model (one|three) of r cannot serve: there is no complete artefact.*Nothing was changed.*finetune run"
    with pytest.raises(ArtifactDamaged, match=said):
        roll_back.fn("r", "by hand")
    with pytest.raises(ArtifactDamaged, match=said):
        promote_earlier.fn("r", "three", False, "by hand")
    assert Registry().read("r") == before
    assert httpx.get(alias.url, timeout=60).text == "two"


def test_a_change_that_was_cut_off_is_on_record_until_the_address_follows(recipe: Recipe) -> None:
    endpoint = serve("one")
    Registry().promote("r", entry(recipe, "one"), "by hand")
    assert Registry().read("r").switching
    promote.fn(recipe, entry(recipe, "one"), endpoint)
    assert not Registry().read("r").switching


@pytest.mark.parametrize("content", ["{", '{"champion": 1}', '{"other": []}'])
def test_a_damaged_record_is_set_aside_and_begun_anew(content: str, recipe: Recipe) -> None:
    Registry().record("r", entry(recipe, "one"))
    file = Registry().root / "r.json"
    file.write_text(content)
    assert Registry().read("r").history == []
    Registry().record("r", entry(recipe, "two"))
    assert [each.model.digest for each in Registry().read("r").history] == ["two"]
    (aside,) = Registry().root.glob("r.json.damaged-*")
    assert aside.read_text() == content
    assert Registry().recipes() == ["r"]
