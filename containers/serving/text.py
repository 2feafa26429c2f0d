"""Turns token ids into text piece by piece, without half characters and without any part of a stop string."""

from collections.abc import Sequence

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream


class StopScanner:
    """Passes text on up to the first complete stop string. It holds back text that may be the beginning of one."""

    def __init__(self, stops: Sequence[str]) -> None:
        self.stops = stops
        self.found = False
        self._held = ""

    def feed(self, text: str) -> str:
        """The text that is safe to show now. Sets `found` when a stop string is complete."""
        text = self._held + text
        # The stop string that is complete first wins, even if a later one came in the same piece of text.
        found = [(at + len(stop), at) for stop in self.stops if (at := text.find(stop)) >= 0]
        if found:
            self.found, self._held = True, ""
            return text[: min(found)[1]]
        cut = len(text) - max((overlap(text, stop) for stop in self.stops), default=0)
        self._held = text[cut:]
        return text[:cut]

    def flush(self) -> str:
        """The text held back. Call it when the answer has ended without a stop string."""
        held, self._held = self._held, ""
        return held


def overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that is a beginning of `stop`, but not all of `stop`."""
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:n])), 0)


def special_tokens(tokenizer: Tokenizer) -> frozenset[int]:
    """Tokens that control the model, such as the end of a turn."""
    return frozenset(token for token, added in tokenizer.get_added_tokens_decoder().items() if added.special)


class AnswerText:
    """The text of one answer, as its tokens arrive. Special tokens, such as the end of a turn, have no text."""

    def __init__(self, tokenizer: Tokenizer, stops: Sequence[str] = (), hidden: frozenset[int] | None = None) -> None:
        """`hidden` are the tokens without text; None: all special tokens."""
        self._tokenizer = tokenizer
        self._hidden = special_tokens(tokenizer) if hidden is None else hidden
        self._decoder = DecodeStream(skip_special_tokens=False)
        self._scanner = StopScanner(stops)
        self._tokens: list[int] = []
        self._decoded = 0  # characters

    @property
    def stopped(self) -> bool:
        """Whether a stop string has completed the answer."""
        return self._scanner.found

    def add(self, token: int) -> str:
        """The text that is certain with this token: often none, sometimes the text of several tokens."""
        if token in self._hidden:
            return ""
        self._tokens.append(token)
        text: str = self._decoder.step(self._tokenizer, token) or ""
        self._decoded += len(text)
        return self._scanner.feed(text)

    def finish(self) -> str:
        """The rest of the text: what was held back, and a broken character at the end as U+FFFD."""
        everything = self._tokenizer.decode(self._tokens, skip_special_tokens=False)
        rest = self._scanner.feed(everything[self._decoded :])
        return rest if self.stopped else rest + self._scanner.flush()
