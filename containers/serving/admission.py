"""Chooses which waiting prompts are read next, together."""

from collections.abc import Iterable

from finetune_flows.containers.serving.batch import Sequence
from finetune_flows.containers.serving.prefix import BLOCK, Key, PrefixCache

# Prompt tokens that are read at once, while the running sequences wait. More tokens gain nothing on a CPU: its matrix kernels
# reach 92 % of their speed at 256 rows.
GROUP_TOKENS = 512


def next_group(waiting: Iterable[Sequence], places: int, prefixes: PrefixCache) -> list[Sequence]:
    """The first waiting prompt and others of similar unread length, up to `places` prompts and GROUP_TOKENS tokens.

    Of several prompts that share an unread beginning, it takes only one: in the next turn the others find it in the cache.
    """
    candidates = [(sequence, *_unread(sequence, prefixes)) for sequence in waiting]
    if not candidates or not places:
        return []
    first = candidates[0][1]
    group: list[Sequence] = []
    longest = 0
    beginnings: set[Key] = set()
    for sequence, unread, beginning in sorted(candidates, key=lambda each: abs(each[1] - first)):
        if beginning and beginning in beginnings:
            continue
        longest = max(longest, unread)
        if group and longest * (len(group) + 1) > GROUP_TOKENS:
            break
        group.append(sequence)
        if beginning:
            beginnings.add(beginning)
        if len(group) == places:
            break
    return group


def _unread(sequence: Sequence, prefixes: PrefixCache) -> tuple[int, Key | None]:
    blocks, beginning = prefixes.match(sequence.tokens)
    return len(sequence.tokens) - BLOCK * len(blocks), beginning
