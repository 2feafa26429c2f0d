"""Restricts answers to a grammar: at each step, llguidance rules out the tokens that cannot follow."""

import threading
from functools import lru_cache
from pathlib import Path

import torch
from llguidance import LLMatcher, LLTokenizer
from llguidance.hf import from_tokenizer
from transformers import AutoTokenizer

from finetune_flows.containers.serving.engine import BadGrammar


class Grammars:
    """Grammars over one model's tokens. Thread-safe. A call takes milliseconds, and the first one a second."""

    def __init__(self, folder: Path, vocabulary: int, eos: frozenset[int]) -> None:
        self.folder, self.vocabulary, self.eos = folder, vocabulary, sorted(eos)
        self._lock = threading.Lock()
        self._tokenizer: LLTokenizer | None = None
        self._compiled = lru_cache(maxsize=256)(self._compile)

    def constraint(self, grammar: str) -> "Constraint":
        """The constraint for one answer, from a grammar in llguidance's Lark notation.

        Raises:
            BadGrammar: the grammar is invalid.
        """
        with self._lock:
            return Constraint(self._compiled(grammar).deep_copy())

    def _compile(self, grammar: str) -> LLMatcher:
        if self._tokenizer is None:
            tokenizer = AutoTokenizer.from_pretrained(self.folder, local_files_only=True)
            self._tokenizer = from_tokenizer(tokenizer, n_vocab=self.vocabulary, eos_token=self.eos or None)
        matcher = LLMatcher(self._tokenizer, LLMatcher.grammar_from_lark(grammar), log_level=0)
        if matcher.is_error():
            raise BadGrammar(matcher.get_error())
        return matcher


class Constraint:
    """The position of one answer in its grammar."""

    def __init__(self, matcher: LLMatcher) -> None:
        self._matcher = matcher

    def rule_out(self, scores: torch.Tensor) -> torch.Tensor:
        """The scores [vocabulary], minus infinity where a token cannot follow.

        Raises:
            BadGrammar: the grammar has become too large to follow.
        """
        allowed = torch.frombuffer(bytearray(self._matcher.compute_logit_bias()), dtype=torch.uint8).bool()
        if self._matcher.is_error():
            raise BadGrammar(f"it cannot be followed: {self._matcher.get_error()}")
        return scores.masked_fill(~allowed.to(scores.device), float("-inf"))

    def accept(self, token: int) -> None:
        """Advance by the chosen token."""
        self._matcher.consume_token(token)
