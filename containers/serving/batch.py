"""The sequences that are computed together, and the step that computes the next token of each.

This is continuous batching: a sequence joins between two steps as soon as there is a place, and leaves as soon as it is
done, so a short answer never waits for a long one. Prompts are read in groups (see `admission`), without the tokens that
the prefix cache already has.
"""

from collections.abc import Callable
from typing import Literal

import torch
from transformers import PreTrainedModel
from transformers.cache_utils import DynamicCache

from finetune_flows.containers.serving.cache import WindowCache
from finetune_flows.containers.serving.engine import BadGrammar, GenerationFailed, Sampling, Token
from finetune_flows.containers.serving.grammar import Constraint
from finetune_flows.containers.serving.prefix import BLOCK, PrefixCache, cache_of
from finetune_flows.containers.serving.sampling import Sampler

Failure = GenerationFailed | BadGrammar


class Sequence:
    """One prompt and the answer so far. `deliver` receives each token, or the failure that ends the sequence."""

    def __init__(
        self,
        prompt: list[int],
        sampling: Sampling,
        deliver: Callable[[Token | Failure], None],
        constraint: Constraint | None = None,
    ) -> None:
        self.tokens = list(prompt)
        self.left = sampling.max_new_tokens
        self.stop_tokens = sampling.stop_tokens
        self.logprobs, self.top_logprobs = sampling.logprobs, sampling.top_logprobs
        self.cached = 0
        self.sampler = Sampler(sampling, len(prompt), constraint)
        self.deliver = deliver
        self.cancelled = False


class Batch:
    """The running sequences of one model, at most `places` of them. Not thread-safe: only one thread may use it."""

    def __init__(
        self, model: PreTrainedModel, eos: frozenset[int], prefixes: PrefixCache | None = None, places: int = 32
    ) -> None:
        self.model = model
        self.eos = eos
        self.prefixes = prefixes or PrefixCache(limit=0)
        self.sequences: list[Sequence] = []
        self.cache = WindowCache(model.config.get_text_config().num_hidden_layers, places)

    @torch.inference_mode()
    def join(self, group: list[Sequence]) -> None:
        """Read these prompts and deliver their first tokens. Sequences that do not end with it stay in the batch."""
        known = [self.prefixes.match(sequence.tokens)[0] for sequence in group]
        # All rows end in the same column, so all read the same number of tokens. A row that needs fewer, because it is shorter
        # or more of it is known, reads some known tokens again, which costs no more than padding.
        width = max(len(each.tokens) - BLOCK * len(blocks) for each, blocks in zip(group, known, strict=True))
        for sequence in group:
            sequence.cached = max(len(sequence.tokens) - width, 0)
        cache = cache_of(known, [sequence.cached for sequence in group])
        tokens = [[0] * (width - len(sequence.tokens)) + sequence.tokens[-width:] for sequence in group]
        logits = self._logits(group, torch.tensor(tokens), cache.get_seq_length() + width, cache)
        for row, sound in enumerate(_sound(logits)):
            if sound:
                self.prefixes.keep(group[row].tokens, cache, row)
        self.cache.join(cache)
        self.sequences += group
        self._extend(group, logits)

    @torch.inference_mode()
    def step(self) -> None:
        """Deliver the next token of every running sequence. Sequences that end with it leave the batch."""
        running = list(self.sequences)
        newest = torch.tensor([[sequence.tokens[-1]] for sequence in running])
        self.cache.make_room()
        logits = self._logits(running, newest, self.cache.span.columns + 1, self.cache)
        self.cache.advance()
        self._extend(running, logits)

    @torch.inference_mode()
    def leave(self, sequence: Sequence) -> None:
        """Remove a sequence, whether it has ended or not."""
        row = self.sequences.index(sequence)
        self.sequences[row] = self.sequences[-1]
        self.sequences.pop()
        # len - 1, because the newest token of a sequence is not in the cache yet.
        self.cache.leave(row, longest=max((len(each.tokens) - 1 for each in self.sequences), default=0))

    def _logits(
        self, sequences: list[Sequence], tokens: torch.Tensor, columns: int, cache: DynamicCache | WindowCache
    ) -> torch.Tensor:
        """Scores [sequences, vocabulary] of the token after `tokens` [sequences, new], with rows padded to `columns`."""
        lengths = torch.tensor([len(sequence.tokens) for sequence in sequences])[:, None]
        positions = torch.arange(columns)[None] - (columns - lengths)
        device = self.model.device
        output = self.model(
            input_ids=tokens.to(device),
            attention_mask=(positions >= 0).to(device),
            position_ids=positions[:, -tokens.shape[1] :].clamp(min=0).to(device),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return output.logits[:, -1].float()  # type: ignore[no-any-return]

    def _extend(self, sequences: list[Sequence], logits: torch.Tensor) -> None:
        """Choose the next token of each sequence by its row of `logits`, then append and deliver it."""
        rows = zip(sequences, logits, logits.argmax(-1).tolist(), _sound(logits), strict=True)
        items = [self._next(*each) for each in rows]
        for sequence, item in zip(sequences, items, strict=True):
            if isinstance(item, Exception) or item.finish:
                self.leave(sequence)
            sequence.deliver(item)

    def _next(self, sequence: Sequence, scores: torch.Tensor, likeliest: int, sound: bool) -> Token | Failure:
        if not sound:
            return GenerationFailed("the model computed NaN; try SERVING_DTYPE=float32")
        try:
            token = likeliest if sequence.sampler.plain else sequence.sampler.choose(sequence.tokens, scores)
        except BadGrammar as failure:
            return failure
        except Exception as error:  # of this request's own sampling, so the others in the batch must not fail with it
            return GenerationFailed(f"no token can be chosen: {type(error).__name__}: {error}")
        sequence.tokens.append(token)
        sequence.left -= 1
        ends = token in self.eos or token in sequence.stop_tokens
        finish: Literal["eos", "length"] | None = "eos" if ends else "length" if sequence.left == 0 else None
        if not sequence.logprobs:
            return Token(token, finish, cached=sequence.cached)
        logprobs = scores.log_softmax(-1)
        top = logprobs.topk(sequence.top_logprobs)
        pairs = tuple(zip(top.indices.tolist(), top.values.tolist(), strict=True))
        return Token(token, finish, float(logprobs[token]), pairs, sequence.cached)


def _sound(logits: torch.Tensor) -> list[bool]:
    """Whether each row is free of NaN and infinity, which come from numbers that overflow, for example in float16."""
    return logits.amax(-1).isfinite().tolist()
