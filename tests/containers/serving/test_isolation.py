"""No request fails by its neighbour: whatever is in a batch, each sound request gets the answer that it gets alone."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertConfig, RobertaConfig

from finetune_flows.containers.serving.classifier_engine import ClassifierEngine, positions
from finetune_flows.containers.serving.engine import GenerationFailed, Sampling
from finetune_flows.containers.serving.settings import ServingSettings
from finetune_flows.containers.serving.transformers_engine import TransformersEngine
from tests.support.tiny_classifier import build_tiny_encoder

BREAKS, OVERFLOWS = 100, 101  # the model fails when it reads the one, and computes NaN when it reads the other
property_test = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
sound = st.lists(st.integers(5, 99), min_size=1, max_size=30)
broken = st.tuples(sound, st.sampled_from([BREAKS, OVERFLOWS]), sound).map(lambda part: [*part[0], part[1], *part[2]])
mixed = st.lists(st.one_of(sound, sound, broken), min_size=1, max_size=12)


def refuse_to_read(module: torch.nn.Module, arguments: object, inputs: dict[str, torch.Tensor]) -> None:
    if BREAKS in inputs["input_ids"]:
        raise MemoryError("no room")


def broken_by_two_tokens(model: Any) -> None:
    model.register_forward_pre_hook(refuse_to_read, with_kwargs=True)
    with torch.no_grad():
        model.get_input_embeddings().weight[OVERFLOWS] = float("nan")


def failed(outcome: object, asked: list[int]) -> bool:
    """Whether this is the failure that this request must end with."""
    words = "no room" if BREAKS in asked else "NaN"
    return isinstance(outcome, GenerationFailed) and words in str(outcome)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="module")
def generator(root: Path) -> Iterator[TransformersEngine]:
    engine = TransformersEngine.load(root / "model", ServingSettings(max_batch_size=6))
    broken_by_two_tokens(engine.model)
    yield engine
    engine.close()


async def answer(engine: TransformersEngine, prompt: list[int]) -> list[int]:
    return [token.id async for token in engine.generate(prompt, Sampling(max_new_tokens=6))]


@property_test
@given(prompts=mixed)
def test_answers_do_not_depend_on_prompts_that_fail(generator: TransformersEngine, prompts: list[list[int]]) -> None:
    async def outcomes() -> tuple[list[Any], list[Any]]:
        alone = [(await asyncio.gather(answer(generator, each), return_exceptions=True))[0] for each in prompts]
        return alone, await asyncio.gather(*(answer(generator, each) for each in prompts), return_exceptions=True)

    alone, together = asyncio.run(outcomes())
    for prompt, one, other in zip(prompts, alone, together, strict=True):
        if {BREAKS, OVERFLOWS} & {*prompt}:
            assert failed(other, prompt)
        elif isinstance(one, list):  # its own answer may run into a token that breaks the model
            assert other == one
    assert generator.alive


def classifier(folder: Path, **more: Any) -> ClassifierEngine:
    encoder = build_tiny_encoder(folder / "encoder")
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = AutoModelForSequenceClassification.from_pretrained(encoder, num_labels=3)
    torch.nn.init.normal_(model.classifier.weight, std=1.0)
    model.save_pretrained(folder / "model")
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    tokenizer.model_max_length = int(1e30)  # as many tokenizers have it: the model's own limit must count
    tokenizer.save_pretrained(folder / "model")
    return ClassifierEngine.load(folder / "model", ServingSettings(max_batch_size=6, **more))


@pytest.fixture(scope="module")
def classifies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClassifierEngine]:
    engine = classifier(tmp_path_factory.mktemp("classifier"))
    broken_by_two_tokens(engine.network.model)  # type: ignore[attr-defined]
    yield engine
    engine.close()


@property_test
@given(texts=mixed)
def test_scores_do_not_depend_on_texts_that_fail(classifies: ClassifierEngine, texts: list[list[int]]) -> None:
    async def outcomes() -> tuple[list[Any], list[Any]]:
        alone = [(await asyncio.gather(classifies.scores([each]), return_exceptions=True))[0] for each in texts]
        requests = (classifies.scores([each]) for each in texts)
        return alone, await asyncio.gather(*requests, return_exceptions=True)

    alone, together = asyncio.run(outcomes())
    for text, one, other in zip(texts, alone, together, strict=True):
        if {BREAKS, OVERFLOWS} & {*text}:
            assert failed(other, text)
        else:
            assert other[0] == pytest.approx(one[0], abs=1e-5)
    assert classifies.alive


def test_the_longest_text_is_as_long_as_the_models_positions(tmp_path: Path) -> None:
    engine = classifier(tmp_path)
    assert engine.longest == 512
    (scores,) = asyncio.run(engine.scores([[7] * engine.longest]))
    assert sum(scores) == pytest.approx(1)
    engine.close()
    engine = ClassifierEngine.load(tmp_path / "model", ServingSettings(max_model_length=40))
    assert engine.longest == 40
    engine.close()


def test_positions_that_start_after_the_paddings_index_are_fewer_than_the_table_has() -> None:
    small = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    assert positions(BertConfig(**small, max_position_embeddings=32)) == 32
    roberta = RobertaConfig(**small, max_position_embeddings=34, pad_token_id=1)
    assert positions(roberta) == 32
    model = AutoModelForSequenceClassification.from_config(roberta).eval()
    assert model(input_ids=torch.full((1, 32), 7)).logits.isfinite().all()
    with pytest.raises((IndexError, RuntimeError)):
        model(input_ids=torch.full((1, 33), 7))
