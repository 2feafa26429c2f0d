"""The engine of a classifier: one thread that computes the texts of all requests in batches."""

import asyncio
import logging
import sys
import threading
from collections import deque
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, PreTrainedConfig
from transformers import PreTrainedTokenizerBase as Tokenizer

from finetune_flows.containers.serving.classifier_networks import Network, load_network
from finetune_flows.containers.serving.engine import GenerationFailed, QueueFull, Stopping
from finetune_flows.containers.serving.settings import ServingSettings
from finetune_flows.containers.serving.transformers_engine import SHUTTING_DOWN

log = logging.getLogger("serving.engine")


@dataclass(eq=False)
class Waiting:
    """One waiting text and the future for its scores."""

    ids: list[int]
    scores: "Future[list[float]]" = field(default_factory=Future)


class ClassifierEngine:
    """Computes scores in a thread of its own. Call `scores` in an event loop, and the other members in any thread."""

    def __init__(
        self, network: Network, tokenizer: Tokenizer, config: PreTrainedConfig, settings: ServingSettings
    ) -> None:
        self.network = network
        self.tokenizer = tokenizer
        self.longest = min(settings.max_model_length, int(tokenizer.model_max_length), positions(config))
        self.several = config.problem_type == "multi_label_classification"
        self._settings = settings
        self._waiting: deque[Waiting] = deque()
        self._batch: list[Waiting] = []
        self._changed = threading.Condition()  # guards _waiting and _closing
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    @classmethod
    def load(cls, folder: Path, settings: ServingSettings) -> "ClassifierEngine":
        """Load the model and start the thread. A bad folder raises transformers' own error."""
        network = load_network(folder, settings)
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        return cls(network, AutoTokenizer.from_pretrained(folder, local_files_only=True), config, settings)

    @property
    def description(self) -> str:
        """Engine, number type and device."""
        return f"classifier, {self.network.description}"

    @property
    def running(self) -> int:
        """Texts being computed now."""
        return len(self._batch)

    @property
    def waiting(self) -> int:
        """Texts that wait for a batch."""
        return len(self._waiting)

    @property
    def alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    def tokenize(self, texts: list[str], truncate: bool) -> list[list[int]]:
        """Token ids of each text with the model's special tokens. `truncate` cuts them to the length that the model reads."""
        ids: list[list[int]] = self.tokenizer(
            texts, truncation=truncate, max_length=self.longest if truncate else None
        )["input_ids"]
        return ids

    async def scores(self, texts: list[list[int]]) -> list[list[float]]:
        """Probabilities of each text, in the order of the model's labels. Raises QueueFull, GenerationFailed."""
        waiting = [Waiting(ids) for ids in texts]
        with self._changed:
            if self._closing:
                raise Stopping(SHUTTING_DOWN)
            if len(self._waiting) + len(waiting) > self._settings.max_queue + self._settings.max_batch_size:
                raise QueueFull(f"{len(self._waiting)} texts are waiting already; try again later")
            self._waiting.extend(waiting)
            self._changed.notify()
        return await asyncio.gather(*(asyncio.wrap_future(each.scores) for each in waiting))

    def close(self) -> None:
        """Stop after the current batch. Waiting texts fail."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while batch := self._next_batch():
            try:
                self._deliver(batch)
            except Exception:  # for example out of memory
                log.exception("a batch failed; each of its texts is computed alone")
                for each in batch:
                    self._deliver_alone(each)
        _fail(self._waiting, Stopping(SHUTTING_DOWN))

    def _deliver_alone(self, text: Waiting) -> None:
        """Compute one text of a batch that failed, so that only the text that cannot be computed fails."""
        try:
            self._deliver([text])
        except Exception as error:
            _fail([text], GenerationFailed(f"the engine failed: {type(error).__name__}: {error}"))

    def _next_batch(self) -> list[Waiting]:
        """The next texts to compute, of similar length; empty when the engine closes. Blocks until there is a text."""
        with self._changed:
            self._batch = []
            while not (self._waiting or self._closing):
                self._changed.wait()
            if self._closing:
                return []
            size = self._settings.max_batch_size
            first, *others = islice(self._waiting, 4 * size)
            # The text that has waited longest, and those that need the least padding next to it.
            alike = sorted(others, key=lambda each: abs(len(each.ids) - len(first.ids)))
            self._batch = [first, *alike[: size - 1]]
            taken = set(map(id, self._batch))
            self._waiting = deque(each for each in self._waiting if id(each) not in taken)
            # An empty list would end the thread, so a batch whose clients have all left is computed nevertheless.
            return [each for each in self._batch if not each.scores.cancelled()] or self._batch

    @torch.inference_mode()
    def _deliver(self, batch: list[Waiting]) -> None:
        """Compute these texts together. A text for which the model computes NaN fails, and the others do not."""
        logits = self.network.logits(
            self.tokenizer.pad({"input_ids": [each.ids for each in batch]}, return_tensors="pt")
        )
        probabilities = logits.sigmoid() if self.several else logits.softmax(-1)
        for each, sound, row in zip(batch, logits.isfinite().all(-1).tolist(), probabilities.tolist(), strict=True):
            if not sound:
                _fail([each], GenerationFailed("the model computed NaN; try SERVING_DTYPE=float32"))
                continue
            with suppress(InvalidStateError):  # the client has disconnected
                each.scores.set_result(row)


def positions(config: PreTrainedConfig) -> int:
    """The number of tokens for which this kind of model has positions. A longer text makes it fail, or answer nonsense."""
    longest = getattr(config.get_text_config(), "max_position_embeddings", None) or 0
    with torch.device("meta"):  # no weights: only the shape of the tables matters
        network = AutoModelForSequenceClassification.from_config(config)
    for name, module in network.named_modules():
        # RoBERTa and its relatives number positions from the padding's index on, so that the first ones are never used.
        if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding):
            longest = module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
    return longest if longest > 0 else sys.maxsize


def _fail(texts: "deque[Waiting] | list[Waiting]", reason: GenerationFailed) -> None:
    for each in texts:
        with suppress(InvalidStateError):
            each.scores.set_exception(reason)
