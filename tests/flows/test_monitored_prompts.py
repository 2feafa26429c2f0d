"""A promoted model is asked something else than it was trained on, and the monitor says so."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from finetune_flows.flows.finetune import finetune
from finetune_flows.flows.monitor import monitor
from finetune_flows.tasks.base.files import home as home_folder
from finetune_flows.tasks.platforms.contract import Alias
from finetune_flows.tasks.platforms.process.runner import ProcessRunner
from finetune_flows.tasks.recipe import parse_recipe

OTHERS = [f"Dear team, my parcel {number} is late; please send it again to the old address." for number in range(24)]


def ask(alias: Alias, text: str) -> None:
    body = {"messages": [{"role": "user", "content": text}], "max_tokens": 1, "temperature": 0}
    httpx.post(f"{alias.url}/v1/chat/completions", json=body, timeout=120).raise_for_status()


@pytest.mark.slow
def test_prompts_unlike_the_training_rows_break_the_limits(home: Path, content: dict[str, Any]) -> None:
    content["serving"] = {**content.get("serving", {}), "capture": 1}
    content["monitoring"] = {"length_drift": 0.5, "vocabulary_drift": 0.8}
    recipe = parse_recipe(content, "tiny")
    assert finetune(recipe).promoted
    calm = monitor(recipe)
    assert calm.broken == {}
    assert [window.drift for window in calm.windows] == [None], "what our own evaluation asked is left out"

    [alias] = ProcessRunner(root=home_folder()).aliases()
    for text in OTHERS:
        ask(alias, text)
    seen = monitor(recipe)
    [window] = seen.windows
    assert window.drift is not None
    assert window.drift.prompts == len(OTHERS)
    [sentences] = seen.broken.values()
    assert any("differ from the training rows in their words" in sentence for sentence in sentences)
