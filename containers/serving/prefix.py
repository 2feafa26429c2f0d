"""Caches keys and values of the beginnings of prompts, so that a system prompt and schema of many questions is read once.

The cache consists of blocks of 16 tokens. The tokens of a block and the block before it identify it, so a match is exact, and
two prompts share all blocks up to the first difference. When memory is short, the least recently used blocks are dropped.
"""

import itertools
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from transformers.cache_utils import DynamicCache

BLOCK = 16  # tokens
START = 0  # number of the imaginary block before the first one

Key = tuple[int, tuple[int, ...]]  # number of the block before, and the block's own tokens


@dataclass(frozen=True)
class Block:
    """Keys and values of 16 tokens, [2 * layers, heads, 16, size of a head]: all keys, then all values."""

    number: int
    states: torch.Tensor


class PrefixCache:
    """The cached blocks. Not thread-safe."""

    def __init__(self, limit: int) -> None:
        self.limit = limit  # bytes; 0 keeps nothing
        self.bytes = 0
        self._blocks: OrderedDict[Key, Block] = OrderedDict()  # least recently used first
        self._numbers = itertools.count(START + 1)

    def match(self, tokens: list[int]) -> tuple[list[Block], Key | None]:
        """The cached blocks at the beginning of this prompt, and the key of the first missing block."""
        # tokens[:-1], because the model must read at least the last token to compute the next one.
        found: list[Block] = []
        if not self.limit:
            return found, None
        for key in self._keys(tokens[:-1], found):
            block = self._blocks.get(key)
            if block is None:
                return found, key
            found.append(block)
        return found, None

    def keep(self, tokens: list[int], cache: DynamicCache, row: int) -> None:
        """Add the blocks of this prompt. `row` is the row of `cache` that ends with the prompt's last token."""
        if len({states.shape[1::2] for layer in cache.layers for states in (layer.keys, layer.values)}) > 1:
            self.limit = (
                0  # layers of different shapes, or keys and values of different sizes, do not fit into one block
            )
        if not self.limit:
            return
        start = cache.get_seq_length() - len(tokens)
        chain: list[Block] = []
        used: list[Key] = []
        for key in self._keys(tokens, chain):
            if key not in self._blocks:
                at = start + BLOCK * len(chain)
                self._add(key, _states(cache, row, slice(at, at + BLOCK)))
            chain.append(self._blocks[key])
            used.append(key)
        # In reverse, so that the beginning is the last to be dropped: a block is useless without the one before it.
        for key in reversed(used):
            self._blocks.move_to_end(key)
        while self.bytes > self.limit:
            _, dropped = self._blocks.popitem(last=False)
            self.bytes -= dropped.states.nbytes

    def _keys(self, tokens: list[int], before: list[Block]) -> Iterator[Key]:
        """The keys of the complete blocks, one by one. The caller appends the block of each key to `before`."""
        for at in range(0, len(tokens) - BLOCK + 1, BLOCK):
            yield before[-1].number if before else START, tuple(tokens[at : at + BLOCK])

    def _add(self, key: Key, states: torch.Tensor) -> None:
        self._blocks[key] = Block(next(self._numbers), states)
        self.bytes += states.nbytes


def _states(cache: DynamicCache, row: int, columns: slice) -> torch.Tensor:
    keys = [layer.keys[row, :, columns] for layer in cache.layers]
    return torch.stack([*keys, *(layer.values[row, :, columns] for layer in cache.layers)])


def cache_of(prefixes: list[list[Block]], lengths: list[int]) -> DynamicCache:
    """A cache in which row i ends with the first lengths[i] tokens of its prefix, with zeros on the left."""
    cache = DynamicCache()
    if not any(lengths):
        return cache
    sample = next(blocks[0].states for blocks in prefixes if blocks)
    layers, heads, _, size = sample.shape
    states = sample.new_zeros(layers, len(lengths), heads, max(lengths), size)
    for row, (blocks, length) in enumerate(zip(prefixes, lengths, strict=True)):
        if length:
            known = torch.cat([block.states for block in blocks], dim=2)
            states[:, row, :, max(lengths) - length :] = known[:, :, :length]
    for layer in range(layers // 2):
        cache.update(states[layer], states[layer + layers // 2], layer)
    return cache
