"""From token ids to text, piece by piece: no half characters, and nothing of a stop string."""

from collections.abc import Sequence

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream


class StopScanner:
    """Lets text pass up to the stop string that is complete first. What may be the beginning of one is held back until it is decided."""

    def __init__(self, stops: Sequence[str]) -> None:
        self.stops = stops
        self.found = False
        self._held = ""

    def feed(self, text: str) -> str:
        """The text that is safe to show now. Sets `found`, after which nothing more comes."""
        text = self._held + text
        # The one that is complete first: a later one must not count only because both came in the same piece.
        found = [(at + len(stop), at) for stop in self.stops if (at := text.find(stop)) >= 0]
        if found:
            self.found, self._held = True, ""
            return text[: min(found)[1]]
        cut = len(text) - max((_overlap(text, stop) for stop in self.stops), default=0)
        self._held = text[cut:]
        return text[:cut]

    def flush(self) -> str:
        """What was held back, when the answer has ended without a stop string."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` with which `stop` begins, the whole of `stop` excluded."""
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:n])), 0)


class AnswerText:
    """The text of one answer, as its tokens arrive. Special tokens, such as the end of a turn, give none."""

    def __init__(self, tokenizer: Tokenizer, stops: Sequence[str] = ()) -> None:
        self._tokenizer = tokenizer
        self._decoder = DecodeStream(skip_special_tokens=True)
        self._scanner = StopScanner(stops)
        self._tokens: list[int] = []
        self._decoded = 0  # characters

    @property
    def stopped(self) -> bool:
        """A stop string has come: the answer is complete."""
        return self._scanner.found

    def add(self, token: int) -> str:
        """The text that this token makes certain: often none, sometimes that of several tokens."""
        self._tokens.append(token)
        text: str = self._decoder.step(self._tokenizer, token) or ""
        self._decoded += len(text)
        return self._scanner.feed(text)

    def finish(self) -> str:
        """The rest: what may have begun a stop string, and a broken character at the end, shown as U+FFFD."""
        everything = self._tokenizer.decode(self._tokens, skip_special_tokens=True)
        rest = self._scanner.feed(everything[self._decoded :])
        return rest if self.stopped else rest + self._scanner.flush()
