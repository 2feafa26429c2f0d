"""What prompts share is read once, and the answers are those of reading everything."""

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.cache_utils import DynamicCache

from finetune_flows.containers.serving.admission import GROUP_TOKENS, next_group
from finetune_flows.containers.serving.batch import Batch, Sequence
from finetune_flows.containers.serving.engine import Sampling, Token
from finetune_flows.containers.serving.prefix import BLOCK, PrefixCache, cache_of
from tests.containers.serving.test_batch import MODELS, Asked, build, generated_alone

PLENTY = 2**30


def numbers(count: int, seed: int) -> list[int]:
    return random.Random(seed).choices(range(3, 300), k=count)


def shared_prompts() -> list[list[int]]:
    """Three beginnings of several blocks and none, endings of all lengths, one prompt twice."""
    beginnings = [[], numbers(40, 1), numbers(40, 1) + numbers(60, 2), numbers(33, 3)]
    made = [beginnings[at % 4] + numbers(1 + at * 7 % 30, 10 + at) for at in range(16)]
    return [*made, made[2]]


@pytest.mark.parametrize("name", MODELS)
def test_answers_are_those_that_generate_gives_without_any_reuse(name):
    model = build(name)
    batch = Batch(model, frozenset(), PrefixCache(PLENTY))
    asked = [Asked(prompt, Sampling(12, logprobs=True)) for prompt in shared_prompts()]
    for start in range(0, len(asked), 4):
        batch.join([each.sequence for each in asked[start : start + 4]])
        batch.step()
    while batch.sequences:
        batch.step()
    for prompt, each in zip(shared_prompts(), asked, strict=True):
        assert each.tokens == generated_alone(model, prompt, 12)
    cached = [each.sequence.cached for each in asked]
    assert sum(cached) > 200
    assert cached[:4] == [0, 0, 0, 0]
    assert (
        cached[-1] == (len(shared_prompts()[-1]) - 1) // BLOCK * BLOCK
    )  # seen before: all but what the next token needs


def test_probabilities_differ_by_no_more_than_rounding():
    model, prompt = build("llama"), numbers(100, 5)
    prefixes = PrefixCache(PLENTY)
    logprobs = []
    for _ in range(2):
        batch, asked = Batch(model, frozenset(), prefixes), Asked(prompt, Sampling(20, logprobs=True))
        batch.join([asked.sequence])
        while batch.sequences:
            batch.step()
        logprobs.append([token.logprob for token in asked.got if isinstance(token, Token)])
    assert asked.sequence.cached == 96
    assert logprobs[1] == pytest.approx(logprobs[0], abs=1e-5)


def read(prompt: list[int], prefixes: PrefixCache) -> DynamicCache:
    """Keys and values that name their token and its place, so that a wrong one is seen."""
    cache = DynamicCache()
    columns = torch.tensor([[token, at] for at, token in enumerate(prompt)], dtype=torch.float32)
    for layer in range(2):
        cache.update(columns[None, None] + layer, -columns[None, None] - layer, layer)
    prefixes.keep(prompt, cache, row=0)
    return cache


few_tokens = st.lists(st.sampled_from([7, 8]), max_size=5 * BLOCK)


@settings(max_examples=60)
@given(st.lists(few_tokens.map(lambda tail: [7] * 20 + tail), max_size=6), few_tokens, st.integers(0, 40))
def test_what_is_found_is_exactly_the_prompts_own_beginning(earlier, prompt, blocks_that_fit):
    block_bytes = 2 * 2 * BLOCK * 2 * 4  # layers, keys and values, tokens, size of a head, float32
    prefixes = PrefixCache(max(blocks_that_fit, 1) * block_bytes)
    for each in earlier:
        read(each, prefixes)
        assert prefixes.bytes <= prefixes.limit
    found, _ = prefixes.match(prompt)
    known = BLOCK * len(found)
    assert known < max(len(prompt), 1)
    if blocks_that_fit > 36:  # nothing was dropped: all that was seen is found
        best = max((shared_blocks(each, prompt) for each in earlier), default=0)
        assert len(found) == min(best, max(len(prompt) - 1, 0) // BLOCK)
    cache = cache_of([found], [known])
    if known:
        whole = read(prompt, PrefixCache(0))
        for layer, right in zip(cache.layers, whole.layers, strict=True):
            assert torch.equal(layer.keys[0, 0], right.keys[0, 0, :known])
            assert torch.equal(layer.values[0, 0], right.values[0, 0, :known])


def shared_blocks(one: list[int], other: list[int]) -> int:
    same = 0
    while len(one) >= (same + 1) * BLOCK and one[: (same + 1) * BLOCK] == other[: (same + 1) * BLOCK]:
        same += 1
    return same


def waiting(*prompts: list[int]) -> list[Sequence]:
    return [Sequence(prompt, Sampling(1), lambda token: None) for prompt in prompts]


def test_groups_are_limited_by_their_padded_size_and_by_the_free_places():
    off = PrefixCache(0)
    assert len(next_group(waiting([1] * 10 * GROUP_TOKENS, [1]), 8, off)) == 1  # the first one, however long
    assert len(next_group(waiting(*[[1] * (GROUP_TOKENS // 4)] * 8), 8, off)) == 4
    assert len(next_group(waiting(*[[1]] * 8), 3, off)) == 3
    assert next_group(waiting([1]), 0, off) == []
    assert next_group([], 8, off) == []


def test_the_first_that_waits_is_never_passed_over_and_goes_with_its_like():
    long, short = [1] * (GROUP_TOKENS // 2), [1] * 10
    sequences = waiting(long, short, short, long, short)
    assert next_group(sequences, 2, PrefixCache(0)) == [sequences[0], sequences[3]]
    sequences = waiting(short, long, short, long)
    assert next_group(sequences, 2, PrefixCache(0)) == [sequences[0], sequences[2]]


def test_of_prompts_that_share_an_unread_beginning_one_goes_first():
    prefixes = PrefixCache(PLENTY)
    shared = numbers(BLOCK, 1)
    first, second, other = waiting([*shared, 4], [*shared, 5], numbers(BLOCK + 1, 2))
    assert next_group([first, second, other], 8, prefixes) == [first, other]
    read(first.tokens, prefixes)
    assert next_group([second, other], 8, prefixes) == [second, other]
