"""Chooses the next token, one sequence at a time, so that no request depends on the others in its batch."""

import torch
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from finetune_flows.containers.serving.engine import Sampling
from finetune_flows.containers.serving.grammar import Constraint

NO_TEMPERATURE = 1e-5  # below this, scores would overflow, and the likeliest token is certain anyway


class Sampler:
    """Draws the tokens of one sequence."""

    def __init__(self, sampling: Sampling, constraint: Constraint | None = None) -> None:
        self.greedy = sampling.temperature < NO_TEMPERATURE
        # Whether the likeliest token is the answer, without further computing.
        self.plain = self.greedy and sampling.repetition_penalty == 1 and constraint is None
        self._constraint = constraint
        self._processors = _processors(sampling)
        # The CPU's generator on every device, so that the same seed gives the same tokens everywhere.
        self._generator = torch.Generator()
        if sampling.seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(sampling.seed)

    def choose(self, tokens: list[int], scores: torch.Tensor) -> int:
        """The next token, by the scores [vocabulary] that the model gives after `tokens` (prompt and answer so far).

        Raises:
            GenerationFailed: the answer's grammar has become too large to follow.
        """
        if self._constraint is None:
            return self._draw(tokens, scores)
        token = self._draw(tokens, self._constraint.rule_out(scores))
        self._constraint.accept(token)
        return token

    def _draw(self, tokens: list[int], scores: torch.Tensor) -> int:
        processed = self._processors(torch.tensor([tokens], device=scores.device), scores[None].float())[0]
        if self.greedy:
            return int(processed.argmax())
        return int(torch.multinomial(processed.softmax(-1).cpu(), 1, generator=self._generator))


def _processors(sampling: Sampling) -> LogitsProcessorList:
    processors = LogitsProcessorList()
    if sampling.repetition_penalty != 1:
        processors.append(RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty))
    if sampling.temperature >= NO_TEMPERATURE:
        processors.append(TemperatureLogitsWarper(sampling.temperature))
    if sampling.top_k:
        processors.append(TopKLogitsWarper(sampling.top_k))
    if sampling.top_p < 1:
        processors.append(TopPLogitsWarper(sampling.top_p))
    return processors
