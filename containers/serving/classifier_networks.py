"""Computes a classifier's logits: with torch, or on a CPU with the ONNX graph that training saved next to the weights."""

import importlib.util
import logging
import os
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, BatchEncoding, PreTrainedModel

from finetune_flows.containers.serving.settings import ServingSettings
from finetune_flows.containers.serving.weights import described, load_weights, use_all_cores

GRAPH = "model.onnx"
log = logging.getLogger("serving.engine")


class Network(Protocol):
    """Computes logits of padded texts."""

    @property
    def description(self) -> str:
        """Number type and device."""

    def logits(self, padded: BatchEncoding) -> torch.Tensor:
        """[rows, labels], float32."""


def load_network(folder: Path, settings: ServingSettings) -> Network:
    """The graph if it exists, onnxruntime is installed and there is no GPU; otherwise the weights."""
    if not (folder / GRAPH).is_file() or torch.cuda.is_available() or settings.dtype not in ("auto", "float32"):
        return Weights(load_weights(AutoModelForSequenceClassification, folder, settings))
    if importlib.util.find_spec("onnxruntime") is None:
        log.warning("%s is not used, because onnxruntime is not installed here", GRAPH)
        return Weights(load_weights(AutoModelForSequenceClassification, folder, settings))
    return Graph(folder / GRAPH)


class Weights:
    """Computes logits with torch."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model

    @property
    def description(self) -> str:
        """Number type and device."""
        return described(self.model)

    def logits(self, padded: BatchEncoding) -> torch.Tensor:
        """[rows, labels], float32."""
        logits: torch.Tensor = self.model(**padded.to(self.model.device)).logits
        return logits.float()


class Graph:
    """Computes logits with ONNX Runtime on a CPU."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        use_all_cores()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads()))
        # Threads that spin while they wait would take CPU time from the tokenizer and the routes.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.inputs = [each.name for each in self.session.get_inputs()]
        self.threads = options.intra_op_num_threads

    @property
    def description(self) -> str:
        """The runtime and its number of threads."""
        return f"onnxruntime, {self.threads} threads"

    def logits(self, padded: BatchEncoding) -> torch.Tensor:
        """[rows, labels], float32."""
        ids = padded["input_ids"]
        feed = {name: np.asarray(padded.get(name, torch.zeros_like(ids)), dtype=np.int64) for name in self.inputs}
        return torch.from_numpy(self.session.run(["logits"], feed)[0]).float()
