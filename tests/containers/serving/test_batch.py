"""Batch: a sequence's answer is its own, whatever is computed beside it. Checked against transformers' generate."""

import random

import pytest
import torch
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    Qwen3Config,
    Qwen3ForCausalLM,
)
from transformers.cache_utils import DynamicCache

from finetune_flows.containers.serving.batch import Batch, Sequence
from finetune_flows.containers.serving.cache import HEADROOM, WindowCache
from finetune_flows.containers.serving.engine import GenerationFailed, Sampling, Token

SIZES = {
    "vocab_size": 300, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 2048, "initializer_range": 0.2,
}  # fmt: skip
MODELS = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SIZES)),
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**SIZES)),
    "mistral, window of 8": lambda: MistralForCausalLM(MistralConfig(**SIZES, sliding_window=8)),
    "gemma3, every second layer full": lambda: Gemma3ForCausalLM(
        Gemma3TextConfig(**SIZES, sliding_window=8, sliding_window_pattern=2)
    ),
    "gpt2, learned positions": lambda: GPT2LMHeadModel(
        GPT2Config(vocab_size=300, n_embd=64, n_layer=2, n_head=4, initializer_range=0.2)
    ),
}


def build(name: str) -> PreTrainedModel:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return MODELS[name]().eval()


def prompts(count: int, longest: int = 40) -> list[list[int]]:
    chance = random.Random(3)
    return [[chance.randrange(3, 300) for _ in range(chance.randrange(1, longest))] for _ in range(count)]


class Asked:
    """A sequence and what was delivered to it."""

    def __init__(self, prompt: list[int], sampling: Sampling) -> None:
        self.got: list[Token | GenerationFailed] = []
        self.sequence = Sequence(prompt, sampling, self.got.append)

    @property
    def tokens(self) -> list[int]:
        return [token.id for token in self.got if isinstance(token, Token)]


def run(model: PreTrainedModel, asked: list[Asked], group: int = 3, steps_between: int = 2, eos: int = -1) -> None:
    """Let them join in groups, some steps apart, and go on to the end of all."""
    batch = Batch(model, frozenset([eos]))
    for start in range(0, len(asked), group):
        batch.join([each.sequence for each in asked[start : start + group]])
        for _ in range(steps_between):
            if batch.sequences:
                batch.step()
    while batch.sequences:
        batch.step()


def generated_alone(model: PreTrainedModel, prompt: list[int], new_tokens: int, eos: int = -1) -> list[int]:
    output = model.generate(
        torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt)), do_sample=False, max_new_tokens=new_tokens,
        eos_token_id=eos, pad_token_id=0,
    )  # fmt: skip
    return output[0, len(prompt) :].tolist()


@pytest.mark.parametrize("name", MODELS)
def test_joining_and_leaving_in_any_order_gives_what_generate_gives_alone(name):
    model = build(name)
    lengths = random.Random(5)
    asked = [Asked(prompt, Sampling(max_new_tokens=lengths.randrange(1, 20))) for prompt in prompts(16)]
    run(model, asked)
    alone = [generated_alone(model, p, len(each.got)) for p, each in zip(prompts(16), asked, strict=True)]
    assert [each.tokens for each in asked] == alone
    assert len({tuple(answer[:3]) for answer in alone}) > 8  # the answers depend on the prompts at all


def test_the_end_token_ends_a_sequence_and_its_place_is_taken():
    model = build("llama")
    eos = generated_alone(model, prompts(8)[2], 5)[4]
    asked = [Asked(prompt, Sampling(max_new_tokens=20)) for prompt in prompts(8)]
    run(model, asked, eos=eos)
    for prompt, each in zip(prompts(8), asked, strict=True):
        assert each.tokens == generated_alone(model, prompt, 20, eos)
        assert each.got[-1].finish == ("eos" if each.tokens[-1] == eos else "length")
        assert not any(token.finish for token in each.got[:-1])
    assert "eos" in {each.got[-1].finish for each in asked}


LONG = [each % 290 + 3 for each in range(0, 1400, 3)]


def test_answers_longer_than_the_buffers_first_were_and_prompts_longer_than_what_runs():
    model = build("llama")
    asked = [Asked([5, 6, 7], Sampling(max_new_tokens=320)), Asked(LONG, Sampling(max_new_tokens=40))]
    run(model, asked, group=1, steps_between=100)
    assert asked[0].tokens == generated_alone(model, [5, 6, 7], 320)
    assert asked[1].tokens == generated_alone(model, LONG, 40)


def test_a_cancelled_sequence_leaves_the_others_as_they_are():
    model = build("llama")
    asked = [Asked(prompt, Sampling(max_new_tokens=20)) for prompt in prompts(6)]
    batch = Batch(model, frozenset())
    batch.join([each.sequence for each in asked])
    batch.step()
    for gone in (asked[0], asked[5], asked[3]):
        batch.leave(gone.sequence)
    while batch.sequences:
        batch.step()
    stayed = [1, 2, 4]
    assert [asked[i].tokens for i in stayed] == [generated_alone(model, prompts(6)[i], 20) for i in stayed]
    assert len(asked[0].got) == 2


def test_a_seed_gives_the_same_draw_in_any_company():
    model = build("llama")
    sampling = Sampling(max_new_tokens=20, temperature=1.3, top_p=0.95, top_k=50, repetition_penalty=1.1, seed=11)
    alone, other_seed = Asked([7, 8, 9], sampling), Asked([7, 8, 9], Sampling(20, temperature=1.3, seed=12))
    run(model, [alone])
    run(model, [other_seed])
    among = [
        Asked(prompt, Sampling(max_new_tokens=25, temperature=1.0, seed=at)) for at, prompt in enumerate(prompts(8))
    ]
    again = Asked([7, 8, 9], sampling)
    run(model, [*among[:4], again, *among[4:]])
    assert again.tokens == alone.tokens
    assert other_seed.tokens != alone.tokens


def test_sampling_follows_the_models_probabilities():
    model = build("llama")
    prompt = [7, 8, 9]
    with torch.inference_mode():
        truth = model(torch.tensor([prompt])).logits[0, -1].softmax(-1)
    draws = 2000
    asked = [Asked(prompt, Sampling(1, temperature=1.0, seed=seed, logprobs=True)) for seed in range(draws)]
    run(model, asked, group=200, steps_between=0)
    best = int(truth.argmax())
    expected = float(truth[best])
    share = sum(each.tokens == [best] for each in asked) / draws
    assert (
        abs(share - expected) < 4 * (expected * (1 - expected) / draws) ** 0.5
    )  # four standard errors; seeds are fixed
    assert asked[0].got[0].logprob == pytest.approx(float(truth[asked[0].tokens[0]].log()), abs=1e-4)


def test_overflowing_numbers_fail_that_sequence_and_no_other():
    model = build("llama")
    bad, good = 17, Asked([5, 6, 7], Sampling(max_new_tokens=10))
    expected = generated_alone(model, [5, 6, 7], 10)
    assert bad not in expected
    with torch.no_grad():
        model.get_input_embeddings().weight[bad] = float("nan")
    broken = Asked([bad, 5], Sampling(max_new_tokens=10, temperature=1.0, seed=1))
    run(model, [good, broken], group=2)
    assert isinstance(broken.got[0], GenerationFailed)
    assert len(broken.got) == 1
    assert good.tokens == expected


def test_buffers_have_room_for_the_places_of_the_batch_and_not_for_more() -> None:
    """Twice as many rows and half as many columns again would be three times the memory that 32 sequences need."""
    cache, chance, longest = WindowCache(layers=1, places=8), random.Random(1), 0
    lengths: list[int] = []
    with torch.inference_mode():
        for _ in range(300):
            if len(lengths) < 8:
                length = chance.choice([3, 40, 150])
                prefilled = DynamicCache()
                prefilled.update(torch.ones(1, 1, length, 2), torch.ones(1, 1, length, 2), 0)
                cache.join(prefilled)
                lengths.append(length)
            for _ in range(chance.randint(1, 20)):
                cache.make_room()
                cache.advance()
                lengths = [each + 1 for each in lengths]
            longest = max(longest, *lengths)
            if chance.random() < 0.7:
                row = chance.randrange(len(lengths))
                lengths[row] = lengths[-1]
                lengths.pop()
                cache.leave(row, longest=max(lengths, default=0))
            rows, _, columns, _ = cache.layers[0].keys.shape
            assert rows <= 8
            assert columns <= longest + HEADROOM
