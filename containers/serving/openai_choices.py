"""Builds one choice of an OpenAI reply from the pieces of its answer: text, tool calls and probabilities."""

import uuid
from collections.abc import Sequence

from finetune_flows.containers.serving.openai_replies import (
    AnswerMessage,
    CalledFunction,
    ChatLogprobs,
    Choice,
    ChunkChoice,
    Delta,
    FinishReason,
    TextChoice,
    TextLogprobs,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
    TopLogprob,
)
from finetune_flows.containers.serving.prompts import Prompts
from finetune_flows.containers.serving.service import Piece
from finetune_flows.containers.serving.tools import Call, ToolFormat, ToolReader

Pairs = Sequence[tuple[int, float]]  # tokens and their logprobs


class ChatChoice:
    """One choice of a chat. Give it each piece once, in order, to `chunks` or to `whole`."""

    def __init__(
        self, index: int, prompts: Prompts, logprobs: int | None, tools: ToolFormat | None, several: bool
    ) -> None:
        self.index = index
        self.prompts = prompts
        self.several = several  # whether more than one call is wanted
        self.logprobs = logprobs  # how many of the likeliest tokens to list; None: no probabilities at all
        self._reader = ToolReader(tools) if tools else None
        self._calls = 0

    def chunks(self, piece: Piece) -> list[ChunkChoice]:
        """The events of this piece: often none."""
        probabilities = self._probabilities([piece]) if self.logprobs is not None else None
        deltas = self._deltas(piece) or ([Delta()] if probabilities else [])
        chunks = [ChunkChoice(index=self.index, delta=delta, logprobs=None, finish_reason=None) for delta in deltas]
        if chunks:
            chunks[0].logprobs = probabilities
        if piece.finish:
            reason = self._reason(piece)
            chunks.append(ChunkChoice(index=self.index, delta=Delta(), logprobs=None, finish_reason=reason))
        return chunks

    def whole(self, pieces: list[Piece]) -> Choice:
        """The whole choice."""
        deltas = [delta for piece in pieces for delta in self._deltas(piece)]
        content = "".join(delta.content or "" for delta in deltas)
        calls = [
            ToolCall(id=call.id, type="function", function=call.function)
            for delta in deltas
            for call in delta.tool_calls or ()
        ]
        message = AnswerMessage(role="assistant", content=content if content.strip() or not calls else None)
        if calls:
            message.tool_calls = calls
        probabilities = self._probabilities(pieces) if self.logprobs is not None else None
        return Choice(index=self.index, message=message, logprobs=probabilities, finish_reason=self._reason(pieces[-1]))

    def _deltas(self, piece: Piece) -> list[Delta]:
        if self._reader is None:
            return [Delta(content=piece.text)] if piece.text else []
        parts = self._reader.feed(piece.text)
        if piece.finish:
            parts += self._reader.flush()
        return [
            Delta(content=part) if isinstance(part, str) else self._called(part)
            for part in parts
            if isinstance(part, str) or self.several or not self._calls
        ]

    def _called(self, call: Call) -> Delta:
        function = CalledFunction(name=call.name, arguments=call.arguments)
        delta = ToolCallDelta(index=self._calls, id=f"call_{uuid.uuid4().hex}", type="function", function=function)
        self._calls += 1
        return Delta(tool_calls=[delta])

    def _reason(self, last: Piece) -> FinishReason:
        if last.finish == "length":
            return "length"
        return "tool_calls" if self._calls else "stop"

    def _probabilities(self, pieces: list[Piece]) -> ChatLogprobs:
        tokens = [piece.token for piece in pieces]
        return ChatLogprobs(
            content=[
                TokenLogprob(
                    **vars(self._one(token.id, token.logprob)),
                    top_logprobs=[self._one(*pair) for pair in token.top[: self.logprobs]],
                )
                for token in tokens
            ]
        )

    def _one(self, token: int, logprob: float) -> TopLogprob:
        text = self.prompts.token_text(token)
        return TopLogprob(token=text, logprob=logprob, bytes=list(text.encode()))


class TextChoices:
    """One choice of a completion. Give it each piece once, in order."""

    def __init__(self, index: int, prompts: Prompts, logprobs: int | None) -> None:
        self.index = index
        self.prompts = prompts
        self.logprobs = logprobs
        self._length = 0  # characters so far

    def chunks(self, piece: Piece) -> list[TextChoice]:
        """The events of this piece: none if there is nothing to tell."""
        told = piece.text or piece.finish or self.logprobs is not None
        return [self.whole([piece])] if told else []

    def whole(self, pieces: list[Piece]) -> TextChoice:
        """The text of these pieces."""
        text = "".join(piece.text for piece in pieces)
        probabilities = self._probabilities(pieces) if self.logprobs is not None else None
        self._length += len(text)
        reason: FinishReason | None = None
        if pieces[-1].finish:
            reason = "length" if pieces[-1].finish == "length" else "stop"
        return TextChoice(index=self.index, text=text, logprobs=probabilities, finish_reason=reason)

    def _probabilities(self, pieces: list[Piece]) -> TextLogprobs:
        offsets = [self._length]
        for piece in pieces:
            offsets.append(offsets[-1] + len(piece.text))
        read = self.prompts.token_text
        return TextLogprobs(
            tokens=[read(piece.token.id) for piece in pieces],
            token_logprobs=[piece.token.logprob for piece in pieces],
            # Reversed, because tokens such as halves of characters have the same text, and the likeliest one counts.
            top_logprobs=[
                {read(token): logprob for token, logprob in reversed(piece.token.top[: self.logprobs])}
                for piece in pieces
            ],
            text_offset=offsets[:-1],
        )
