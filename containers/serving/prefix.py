"""Keys and values of how prompts begin, so that a system prompt and schema that many questions share is read once.

Kept in blocks of 16 tokens. A block is known by its tokens and the block before it, so what is found is exact, and two prompts share
all blocks up to the one in which they differ. When memory is short, the blocks that were not used for longest go.
"""

import itertools
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from transformers.cache_utils import DynamicCache

BLOCK = 16  # tokens
START = 0  # stands for the block before the first one

Key = tuple[int, tuple[int, ...]]  # number of the block before, and the block's own tokens


@dataclass(frozen=True)
class Block:
    """Keys and values of 16 tokens, [2 * layers, heads, 16, size of a head]: all keys, then all values."""

    number: int
    states: torch.Tensor


class PrefixCache:
    """The blocks. Not thread-safe."""

    def __init__(self, limit: int) -> None:
        self.limit = limit  # bytes; 0 keeps nothing
        self.bytes = 0
        self._blocks: OrderedDict[Key, Block] = OrderedDict()  # least recently used first
        self._numbers = itertools.count(START + 1)

    def match(self, tokens: list[int]) -> tuple[list[Block], Key | None]:
        """The blocks with which this prompt begins, never all of it, and the key of the first one that is missing."""
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
        """Add the prompt's blocks from the row of `cache` that ends with the prompt's last token."""
        if len({layer.keys.shape[1::2] for layer in cache.layers}) > 1:
            self.limit = 0  # layers of several shapes: they do not fit into one block
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
        for key in reversed(used):  # the beginning last: a block is of no use when the one before it is gone
            self._blocks.move_to_end(key)
        while self.bytes > self.limit:
            _, dropped = self._blocks.popitem(last=False)
            self.bytes -= dropped.states.nbytes

    def _keys(self, tokens: list[int], before: list[Block]) -> Iterator[Key]:
        """Keys of the whole blocks, one by one; the caller adds each one's block to `before`."""
        for at in range(0, len(tokens) - BLOCK + 1, BLOCK):
            yield before[-1].number if before else START, tuple(tokens[at : at + BLOCK])

    def _add(self, key: Key, states: torch.Tensor) -> None:
        self._blocks[key] = Block(next(self._numbers), states)
        self.bytes += states.nbytes


def _states(cache: DynamicCache, row: int, columns: slice) -> torch.Tensor:
    keys = [layer.keys[row, :, columns] for layer in cache.layers]
    return torch.stack([*keys, *(layer.values[row, :, columns] for layer in cache.layers)])


def cache_of(prefixes: list[list[Block]], lengths: list[int]) -> DynamicCache:
    """A cache in which row i ends with the first lengths[i] tokens of its prefix; zeros on its left."""
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
