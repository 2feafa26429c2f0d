"""TransformersEngine: what it does when the model fails, and which models it takes."""

import asyncio
from pathlib import Path

import pytest
import torch
from transformers import MambaConfig, MambaForCausalLM

from finetune_flows.containers.serving.engine import GenerationFailed, Sampling
from finetune_flows.containers.serving.settings import ServingSettings
from finetune_flows.containers.serving.transformers_engine import TransformersEngine, UnsupportedModel

pytestmark = pytest.mark.anyio
POISON = 100


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


async def answer(engine: TransformersEngine, prompt: list[int], tokens: int = 10) -> list[int]:
    return [token.id async for token in engine.generate(prompt, Sampling(max_new_tokens=tokens))]


async def test_a_failure_in_the_model_ends_its_sequences_and_not_the_engine(root):
    engine = TransformersEngine.load(root / "model", ServingSettings())
    before = await answer(engine, [5, 6, 7])

    def out_of_memory(module: torch.nn.Module, args: object, inputs: dict[str, torch.Tensor]) -> None:
        if POISON in inputs["input_ids"]:
            raise MemoryError("no room")

    engine.model.register_forward_pre_hook(out_of_memory, with_kwargs=True)
    with pytest.raises(GenerationFailed, match="MemoryError: no room"):
        await answer(engine, [5, POISON])
    assert engine.alive
    assert engine.running == 0
    assert await answer(engine, [5, 6, 7]) == before
    engine.close()


async def test_closing_ends_what_runs_and_what_waits(patient_root):
    engine = TransformersEngine.load(patient_root / "model", ServingSettings(max_batch_size=1))
    asked = [asyncio.create_task(answer(engine, [5, 6, 7], 50_000)) for _ in range(3)]
    while (engine.running, engine.waiting) != (1, 2):
        await asyncio.sleep(0.01)
    engine.close()
    for outcome in await asyncio.gather(*asked, return_exceptions=True):
        assert isinstance(outcome, GenerationFailed)
        assert "shutting down" in str(outcome)
    assert not engine.alive


async def test_the_computing_type_can_be_chosen(root):
    engine = TransformersEngine.load(root / "model", ServingSettings(dtype="bfloat16"))
    assert engine.description == "engine transformers, bfloat16, 1 threads"
    assert len(await answer(engine, [9, 10, 11])) == 10
    engine.close()


async def test_a_model_without_attention_is_refused(tmp_path: Path):
    config = MambaConfig(vocab_size=50, hidden_size=16, num_hidden_layers=1, state_size=4)
    MambaForCausalLM(config).save_pretrained(tmp_path)
    with pytest.raises(UnsupportedModel, match="MambaForCausalLM keeps its state in LinearAttentionLayer"):
        TransformersEngine.load(tmp_path, ServingSettings())
