"""The page of a run that goes on: fresh while it trains, plain when it failed, and never a reason to fail."""

import shutil
from pathlib import Path

import pytest

from finetune_flows.tasks.recipe import load_recipe
from finetune_flows.tasks.reporting import live
from finetune_flows.tasks.reporting.live import REPORT, LivePage
from finetune_flows.tasks.reporting.watching import tell_watchers, watched_by

RECIPE = load_recipe("recipes/demo.yaml")


def step(number: int, **more: str) -> dict[str, str]:
    return {"step": str(number), "steps": "40", "loss": f"{4 / number:.3f}", "tokens_per_second": "170", **more}


def test_the_page_follows_the_training_and_refreshes_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_SECONDS", 0.0)
    page = LivePage.begin(tmp_path, RECIPE)
    begun = (tmp_path / REPORT).read_text(encoding="utf-8")
    assert "demo: preparing" in begun
    assert 'http-equiv="refresh"' in begun
    with watched_by(page):
        tell_watchers(step(1, seconds_left="400"))
        tell_watchers(step(2, seconds_left="380", gpu_memory_mib="2048"))
        shown = (tmp_path / REPORT).read_text(encoding="utf-8")
        tell_watchers(step(40))
    ended = (tmp_path / REPORT).read_text(encoding="utf-8")
    assert "demo: trained, now evaluated" in ended
    tell_watchers(step(41))
    assert (tmp_path / REPORT).read_text(encoding="utf-8") == ended, "nobody watches after the run"
    for words in (
        "demo: training",
        "2 of 40",
        "2.000",
        "170",
        "6 min",
        "2.0 GiB",
        "nats per token of the answers",
        "<svg",
    ):
        assert words in shown, words


def test_a_failed_run_says_why_and_refreshes_no_more(tmp_path: Path) -> None:
    page = LivePage.begin(tmp_path, RECIPE)
    page.trained(step(7))
    with pytest.raises(RuntimeError), watched_by(page):
        raise RuntimeError("no memory <left>")
    text = (tmp_path / REPORT).read_text(encoding="utf-8")
    assert "demo: failed" in text
    assert "RuntimeError: no memory &lt;left&gt;" in text
    assert "7 of 40" in text
    assert 'http-equiv="refresh"' not in text


def test_a_page_that_cannot_be_written_fails_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_SECONDS", 0.0)
    page = LivePage.begin(tmp_path, RECIPE)
    shutil.rmtree(tmp_path)
    with watched_by(page):
        tell_watchers(step(1))
    assert not tmp_path.exists()


def test_a_loss_that_is_no_number_is_left_out_of_the_curve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_SECONDS", 0.0)
    page = LivePage.begin(tmp_path, RECIPE)
    page.trained(step(1))
    page.trained(step(2) | {"loss": "nan"})
    text = (tmp_path / REPORT).read_text(encoding="utf-8")
    assert "2 of 40" in text
    assert "<svg" in text
