"""Chooses the next token, one sequence at a time, so that no request depends on the others in its batch."""

import torch
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from finetune_flows.containers.serving.engine import Sampling
from finetune_flows.containers.serving.grammar import Constraint

NO_TEMPERATURE = 1e-5  # below this, scores would overflow, and the likeliest token is certain anyway


class Sampler:
    """Draws the tokens of one sequence, whose prompt has `prompt_length` tokens."""

    def __init__(self, sampling: Sampling, prompt_length: int = 0, constraint: Constraint | None = None) -> None:
        self.greedy = sampling.temperature < NO_TEMPERATURE
        penalties = (sampling.repetition_penalty - 1, sampling.presence_penalty, sampling.frequency_penalty)
        # Whether the likeliest token is the answer, without further computing.
        self.plain = self.greedy and not any(penalties) and constraint is None
        self._constraint = constraint
        self._processors = _processors(sampling, prompt_length)
        # The CPU's generator on every device, so that the same seed gives the same tokens everywhere.
        self._generator = torch.Generator()
        if sampling.seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(sampling.seed)

    def choose(self, tokens: list[int], scores: torch.Tensor) -> int:
        """The next token, by the scores [vocabulary] that the model gives after `tokens` (prompt and answer so far).

        Raises:
            BadGrammar: the answer's grammar has become too large to follow.
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


class PenaltyOfTheAnswer(LogitsProcessor):  # type: ignore[misc]  # transformers comes without types
    """OpenAI's two penalties, which count the tokens of the answer and not those of the prompt."""

    def __init__(self, presence: float, frequency: float, prompt_length: int) -> None:
        self.presence, self.frequency, self.prompt_length = presence, frequency, prompt_length

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The scores [1, vocabulary] after the tokens [1, length]."""
        times = torch.bincount(input_ids[0, self.prompt_length :], minlength=scores.shape[1])
        return scores - self.frequency * times - self.presence * (times > 0)


def _processors(sampling: Sampling, prompt_length: int) -> LogitsProcessorList:
    processors = LogitsProcessorList()
    if sampling.repetition_penalty != 1:
        processors.append(RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty))
    if sampling.presence_penalty or sampling.frequency_penalty:
        penalty = PenaltyOfTheAnswer(sampling.presence_penalty, sampling.frequency_penalty, prompt_length)
        processors.append(penalty)
    if sampling.temperature >= NO_TEMPERATURE:
        processors.append(TemperatureLogitsWarper(sampling.temperature))
    if sampling.min_p:
        processors.append(MinPLogitsWarper(sampling.min_p))
    if sampling.top_k:
        processors.append(TopKLogitsWarper(sampling.top_k))
    if sampling.top_p < 1:
        processors.append(TopPLogitsWarper(sampling.top_p))
    return processors
