"""What the routes need of an inference engine: prompts go in, tokens come out, many at a time.

An engine is a class with these members; nothing else in this package knows how tokens are made.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Literal, Protocol


class QueueFull(Exception):
    """So many requests wait already that this one is refused; it may be tried again."""


class BadGrammar(ValueError):
    """What came as a grammar is none. The message says where it goes wrong."""


class GenerationFailed(Exception):
    """The engine could not go on with this sequence, by no fault of the request."""


class Stopping(GenerationFailed):
    """The server is being shut down."""


@dataclass(frozen=True)
class Sampling:
    """How an answer is drawn, and how long it may be."""

    max_new_tokens: int
    temperature: float = 0.0  # 0: always the likeliest token
    top_p: float = 1.0
    top_k: int = 0  # 0: no limit
    repetition_penalty: float = 1.0
    seed: int | None = None  # None: another answer each time
    grammar: str | None = None  # in Lark notation; None: any answer will do
    logprobs: bool = False  # whether tokens come with their probabilities, which cost a little


@dataclass(frozen=True)
class Token:
    """One generated token. The last one of an answer carries the reason of its end."""

    id: int
    finish: Literal["eos", "length"] | None = None
    logprob: float = (
        0.0  # natural logarithm of the model's own probability, before temperature and the like, if asked for
    )
    cached: int = 0  # tokens of the prompt that were known from earlier ones, and not read again


class Engine(Protocol):
    """A loaded model that answers many prompts at once."""

    @property
    def description(self) -> str:
        """For the line printed at the start, e.g. `engine transformers, float32, 2 threads`."""

    @property
    def longest(self) -> int:
        """Tokens that the model itself can take, prompt and answer together."""

    @property
    def running(self) -> int:
        """Sequences being computed now."""

    @property
    def waiting(self) -> int:
        """Sequences that wait for a place."""

    @property
    def alive(self) -> bool:
        """False when no further token will ever come."""

    def generate(self, prompt: list[int], sampling: Sampling) -> AsyncGenerator[Token]:
        """The answer to these token ids. Closing the generator frees its place.

        Raises:
            QueueFull: try again later.
            BadGrammar: the sampling's grammar is none.
            GenerationFailed: the engine could not go on.
        """

    def close(self) -> None:
        """Stop computing and free everything."""
