"""The embedded engine: a transformers model, and one thread that computes all requests."""

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from itertools import islice
from pathlib import Path

from transformers import AutoModelForCausalLM, GenerationConfig, PreTrainedModel
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from finetune_flows.containers.serving.admission import next_group
from finetune_flows.containers.serving.batch import Batch, Failure, Sequence
from finetune_flows.containers.serving.engine import GenerationFailed, QueueFull, Sampling, Stopping, Token
from finetune_flows.containers.serving.grammar import Grammars
from finetune_flows.containers.serving.prefix import PrefixCache
from finetune_flows.containers.serving.settings import ServingSettings
from finetune_flows.containers.serving.weights import described, load_weights

log = logging.getLogger("serving.engine")
UNLIMITED = 10**9  # tokens
SHUTTING_DOWN = "the server is shutting down"


class UnsupportedModel(Exception):
    """This engine cannot serve this kind of model."""


class TransformersEngine:
    """Computes the sequences of all requests in one batch.

    Call `generate` in one event loop, and the other members in any thread.
    """

    def __init__(self, model: PreTrainedModel, eos: frozenset[int], settings: ServingSettings) -> None:
        self.model = model
        self._grammars = Grammars(Path(model.name_or_path), model.config.get_text_config().vocab_size, eos)
        self.max_batch_size = settings.max_batch_size
        self.max_queue = settings.max_queue
        self._prefixes = PrefixCache(settings.prefix_megabytes * 2**20)
        self._eos = eos
        self._batch = Batch(model, eos, self._prefixes, self.max_batch_size)
        self._waiting: deque[Sequence] = deque()
        self._changed = threading.Condition()  # guards _waiting and _closing
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    @classmethod
    def load(cls, folder: Path, settings: ServingSettings) -> "TransformersEngine":
        """Load the model and start the thread. Raises UnsupportedModel, or transformers' own error for a bad folder."""
        model = load_weights(AutoModelForCausalLM, folder, settings)
        _refuse_unsupported(model)
        return cls(model, _end_tokens(model.generation_config), settings)

    @property
    def description(self) -> str:
        """Engine, number type and device."""
        return f"engine transformers, {described(self.model)}"

    @property
    def longest(self) -> int:
        """The model's own limit of tokens, prompt and answer together."""
        return int(getattr(self.model.config.get_text_config(), "max_position_embeddings", UNLIMITED))  # BLOOM has none

    @property
    def running(self) -> int:
        """Sequences being computed now."""
        return len(self._batch.sequences)

    @property
    def waiting(self) -> int:
        """Sequences that wait for a place."""
        return len(self._waiting)

    @property
    def alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    async def generate(self, prompt: list[int], sampling: Sampling) -> AsyncGenerator[Token]:
        """The answer to these token ids. Closing the generator frees its place.

        Raises:
            QueueFull: too many requests are waiting.
            BadGrammar: the grammar is invalid, or has become too large to follow.
            GenerationFailed: the engine could not continue.
        """
        loop = asyncio.get_running_loop()
        arrived: asyncio.Queue[Token | Failure] = asyncio.Queue()
        grammar = sampling.grammar
        constraint = await asyncio.to_thread(self._grammars.constraint, grammar) if grammar else None
        sequence = Sequence(prompt, sampling, lambda item: _hand_over(loop, arrived, item), constraint)
        self._enqueue(sequence)
        try:
            while True:
                item = await arrived.get()
                if isinstance(item, Exception):
                    raise item
                yield item
                if item.finish:
                    return
        finally:
            self._cancel(sequence)

    def close(self) -> None:
        """Stop after the current step. Unfinished sequences fail."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _enqueue(self, sequence: Sequence) -> None:
        with self._changed:
            if self._closing:
                raise Stopping(SHUTTING_DOWN)
            free = self.max_batch_size - self.running  # places that the thread has not filled yet
            if len(self._waiting) >= self.max_queue + free:
                raise QueueFull(f"{self.max_queue} requests are waiting already; try again later")
            self._waiting.append(sequence)
            self._changed.notify()

    def _cancel(self, sequence: Sequence) -> None:
        with self._changed:
            sequence.cancelled = True
            if sequence in self._waiting:
                self._waiting.remove(sequence)

    def _run(self) -> None:
        while not self._closing:
            group = self._next_group()
            try:
                self._turn(group)
            except (
                Exception
            ):  # for example out of memory; it must end neither the server nor a sequence that is innocent
                log.exception("a step failed; each of its sequences is computed alone")
                self._isolate(dict.fromkeys([*self._batch.sequences, *group]))
        self._fail([*self._batch.sequences, *self._waiting], Stopping(SHUTTING_DOWN))

    def _turn(self, group: list[Sequence]) -> None:
        for sequence in [each for each in self._batch.sequences if each.cancelled]:
            self._batch.leave(sequence)
        if group:
            self._batch.join(group)
        if self._batch.sequences:
            self._batch.step()

    def _isolate(self, sequences: Iterable[Sequence]) -> None:
        """Compute the next token of each sequence alone: those that fail again end, and the others wait to go on."""
        self._batch = Batch(
            self.model, self._eos, self._prefixes, self.max_batch_size
        )  # the old one may be half changed
        sound: list[Sequence] = []
        for sequence in sequences:
            if sequence.cancelled:
                continue
            alone = Batch(self.model, self._eos, self._prefixes, places=1)
            try:
                alone.join([sequence])
            except Exception as error:
                sequence.deliver(GenerationFailed(f"the engine failed: {type(error).__name__}: {error}"))
            else:
                sound += alone.sequences  # empty if that token was the last one
        with self._changed:
            self._waiting.extendleft(reversed([each for each in sound if not each.cancelled]))

    def _next_group(self) -> list[Sequence]:
        """The waiting sequences that join now. Blocks until there is one if nothing is running."""
        with self._changed:
            while not (self._waiting or self._batch.sequences or self._closing):
                self._changed.wait()
            places = self.max_batch_size - len(self._batch.sequences)
            group = next_group(islice(self._waiting, 2 * self.max_batch_size), places, self._prefixes)
            for sequence in group:
                self._waiting.remove(sequence)
        return group

    def _fail(self, sequences: Iterable[Sequence], reason: GenerationFailed) -> None:
        for sequence in sequences:
            sequence.deliver(reason)


def _hand_over(loop: asyncio.AbstractEventLoop, queue: "asyncio.Queue[Token | Failure]", item: Token | Failure) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed, so nobody is waiting
        loop.call_soon_threadsafe(queue.put_nowait, item)


def _end_tokens(config: GenerationConfig) -> frozenset[int]:
    eos = config.eos_token_id
    return frozenset([eos] if isinstance(eos, int) else eos or [])


def _refuse_unsupported(model: PreTrainedModel) -> None:
    """Raise UnsupportedModel if the batch's cache cannot hold the model's state, such as recurrent states or shared layers."""
    kinds = {type(layer) for layer in DynamicCache(config=model.config).layers}
    if others := kinds - {DynamicLayer, DynamicSlidingWindowLayer}:
        names = ", ".join(sorted(kind.__name__ for kind in others))
        raise UnsupportedModel(
            f"{type(model).__name__} keeps its state in {names}; this engine serves attention models only"
        )
