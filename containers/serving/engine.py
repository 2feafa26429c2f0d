"""The interface of an inference engine: it takes prompts and returns tokens, for many requests at a time.

An engine is a class with these members. Nothing else in this package knows how tokens are computed.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Literal, Protocol


class QueueFull(Exception):
    """Too many requests are waiting. The client may try again later."""


class BadGrammar(ValueError):
    """The request's grammar is invalid, or too large to follow. The message says why, in 500 characters at most."""

    def __init__(self, problem: str) -> None:
        problem = problem.strip()
        super().__init__(problem if len(problem) <= 500 else f"{problem[:500]}...")


class GenerationFailed(Exception):
    """The engine could not continue this sequence, and the request is not the cause."""


class Stopping(GenerationFailed):
    """The server is shutting down."""


@dataclass(frozen=True)
class Sampling:
    """How to choose the tokens of an answer, and how long it may be."""

    max_new_tokens: int
    temperature: float = 0.0  # 0: always the likeliest token
    top_p: float = 1.0
    top_k: int = 0  # 0: no limit
    min_p: float = 0.0  # a token must be at least this share as likely as the likeliest
    repetition_penalty: float = 1.0  # divides the scores of tokens of the prompt and the answer
    presence_penalty: float = 0.0  # subtracted from the scores of tokens of the answer
    frequency_penalty: float = 0.0  # the same, for each time that the token was chosen
    stop_tokens: frozenset[int] = frozenset()  # end the answer, as the model's own end tokens do
    seed: int | None = None  # None: another answer each time
    grammar: str | None = None  # in Lark notation; None: any answer is permitted
    logprobs: bool = False  # whether tokens come with their probabilities, which takes a little time
    top_logprobs: int = 0  # how many of the likeliest tokens to list with each token


@dataclass(frozen=True)
class Token:
    """One generated token. The last token of an answer carries the reason of its end."""

    id: int
    finish: Literal["eos", "length"] | None = None
    # Natural logarithm of the model's own probability, before temperature and the like; 0.0 if it was not requested.
    logprob: float = 0.0
    top: tuple[tuple[int, float], ...] = ()  # the likeliest tokens and their logprobs, likeliest first
    cached: int = 0  # tokens of the prompt that came from the prefix cache


class Engine(Protocol):
    """A loaded model that answers many prompts at once."""

    @property
    def description(self) -> str:
        """Shown at the start, for example `engine transformers, float32, 2 threads`."""

    @property
    def longest(self) -> int:
        """The model's own limit of tokens, prompt and answer together."""

    @property
    def running(self) -> int:
        """Sequences being computed now."""

    @property
    def waiting(self) -> int:
        """Sequences that wait for a place."""

    @property
    def alive(self) -> bool:
        """Whether the engine can still compute tokens."""

    def generate(self, prompt: list[int], sampling: Sampling) -> AsyncGenerator[Token]:
        """The answer to these token ids. Closing the generator frees its place.

        Raises:
            QueueFull: too many requests are waiting.
            BadGrammar: the grammar is invalid, or has become too large to follow.
            GenerationFailed: the engine could not continue.
        """

    def close(self) -> None:
        """Stop computing and free everything."""
