"""Takes a tiny model of a family all the way: stage, train, merge, serve, and one answer that must be the trainer's.

python -m tests.training.family_matrix > docs/families.md
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import transformers
from transformers import AutoConfig, AutoTokenizer

from finetune_flows.containers.serving.engine import Sampling
from finetune_flows.containers.serving.loading import load
from finetune_flows.containers.serving.settings import ServingSettings
from finetune_flows.training.contract import Folders
from finetune_flows.training.families import Head, attentions, check_family
from finetune_flows.training.problems import TrainingProblem
from finetune_flows.training.run import run
from finetune_flows.training.settings import Method, TrainingSettings
from finetune_flows.training.stage import stage
from finetune_flows.training.stopping import StopRequest
from tests.support.families import FAMILIES, REFUSED, Family, build_family, config_of

METHODS: tuple[Method, ...] = ("lora", "qlora", "full")
NEW_TOKENS = 16
CUT = "\N{REPLACEMENT CHARACTER}"
PAGE = """# Families of base models

A base model belongs to a family: the `model_type` in its `config.json`. A tiny random model of each family below goes through
every step in a test (`pytest -m slow tests/training/test_families.py`): stage, train with `lora`, `qlora` and `full`, merge,
serve. The server's answer must be the trainer's. The test ran with transformers {version}; it writes this page.

Another family of transformers may work as well. What certainly cannot work is refused when the base model is staged or the
rows are prepared, before a job starts.

| family | text-to-sql, chat | text-classification | attention with `auto` on a CPU |
| --- | --- | --- | --- |
{rows}

For some language models, such as `cohere`, transformers has no classifier. Encoders, such as `bert`, cannot generate text.

## Refused

| family | what you are told |
| --- | --- |
{refused}
"""


def try_family(family: Family, head: Head, method: Method, rows: Path, home: Path) -> None:
    """Every step with this head and method. Raises whatever a step raises, or AssertionError when the answers differ."""
    if not (home / "staged").exists():
        source = build_family(family, home / "source")
        AutoTokenizer.from_pretrained(source).save_pretrained(source)  # as the family's own class saves it
        stage(source, home / "staged")
    folders = Folders.by_hand(rows, home / "staged", home / f"{head}-{method}")
    settings = TrainingSettings(method=method, max_steps=2, batch_size=4, max_length=400, learning_rate=1e-3)
    run(folders, settings, StopRequest())
    asyncio.run(_compare_answers(folders))


async def _compare_answers(folders: Folders) -> None:
    """Ask the server what the trainer was asked when it had saved the model."""
    probes = json.loads((folders.model / "probes.json").read_text())
    service = load(folders.merged, ServingSettings(max_model_length=400, prefix_megabytes=4))
    try:
        if "scores" in probes[0]:
            await _compare_scores(service, probes)
        else:
            answers = await asyncio.gather(*(_answer(service, probe) for probe in probes))
            assert any(answers)
            for probe, answer in zip(probes, answers, strict=True):
                # Either may be longer, and a cut in the middle of a character leaves a replacement character.
                shorter, longer = sorted((answer.rstrip(CUT), probe["text"].rstrip(CUT)), key=len)
                assert longer.startswith(shorter), (answer, probe["text"])
    finally:
        service.engine.close()


async def _answer(service: Any, probe: dict[str, Any]) -> str:
    prompt = await service.prompts.chat(probe["messages"])
    assert prompt == probe["prompt_token_ids"]
    ids = [token.id async for token in service.engine.generate(prompt, Sampling(max_new_tokens=NEW_TOKENS))]
    return str(service.prompts.tokenizer.decode(ids, skip_special_tokens=True))


async def _compare_scores(service: Any, probes: list[dict[str, Any]]) -> None:
    ids = service.engine.tokenize([probe["text"] for probe in probes], truncate=False)
    for probe, scores in zip(probes, await service.engine.scores(ids), strict=True):
        assert all(abs(ours - theirs) < 1e-4 for ours, theirs in zip(scores, probe["scores"].values(), strict=True))


def page() -> str:
    """The page of the documentation. Every cell that says yes is a case of the slow test."""
    rows = [_row(family, config_of(family)) for family in FAMILIES.values()]
    refused = [f"| `{name}` | {_refusal(config_of(family))} |" for name, family in REFUSED.items()]
    return PAGE.format(version=transformers.__version__, rows="\n".join(rows), refused="\n".join(refused))


def _row(family: Family, config: AutoConfig) -> str:
    heads = check_family(config)
    cells = ["yes" if head in heads else "no" for head in ("language-model", "classifier")]
    fast = "sdpa" in attentions(config, heads[0])
    return f"| `{family.name}` | {' | '.join(cells)} | {'sdpa' if fast else 'eager'} |"


def _refusal(config: AutoConfig) -> str:
    try:
        check_family(config)
    except TrainingProblem as problem:
        return str(problem)
    raise AssertionError("this family is not refused")


if __name__ == "__main__":
    print(page(), end="")
