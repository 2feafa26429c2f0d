"""Exports a classifier as an ONNX graph for faster answers on CPUs, quantises it on request, and checks its answers.

It needs onnx and onnxscript. onnxruntime runs the graph, here and in the server.

python -m finetune_flows.training.compilation MODEL FOLDER onnx|onnx-int8      only write the graph, into FOLDER
"""

import contextlib
import inspect
import io
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

GRAPH = "model.onnx"
"""File next to the safetensors. A server on a CPU uses it if it exists."""
Predict = Callable[[torch.Tensor], NDArray[np.bool_]]
"""Turns logits [rows, labels] into the given labels [rows, labels]."""


@dataclass(frozen=True)
class Validation:
    """The rows on which a graph is compared with its model: n of them, for a model of k labels."""

    rows: Sequence[Any]
    """Tokenised."""
    logits: torch.Tensor
    """Of the model itself, [n, k]."""
    right: NDArray[np.bool_]
    """The right labels, [n, k]."""
    predict: Predict


def compile_classifier(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    way: str,
    validation: Validation,
    max_loss: float,
) -> dict[str, Any]:
    """Write GRAPH into `folder`, unless the export fails or the graph is too inaccurate. Returns which, and the counts.

    Args:
        way: `onnx`, or `onnx-int8` with weights and activations of linear layers in 8 bits (dynamic quantisation).
        max_loss: The largest permitted loss of accuracy, as a share of rows.
    """
    path = folder / GRAPH
    try:
        _write(model, tokenizer, path, way)
        after = graph_logits(path, tokenizer, [row["input_ids"] for row in validation.rows])
    except Exception as error:  # usually an operator that ONNX lacks; the model itself is good, so training succeeds
        path.unlink(missing_ok=True)
        return {"way": "none", "because": f"it could not be exported: {type(error).__name__}: {str(error)[:300]}"}
    predict, before = validation.predict, validation.logits
    found = _compare(predict(before), predict(after), validation.right) | {
        "largest_difference": float((before - after).abs().max()),
        "bytes": path.stat().st_size,
    }
    if found["only_before"] - found["only_after"] > max_loss * len(validation.rows):
        path.unlink()
        lost = (found["only_before"] - found["only_after"]) / len(validation.rows)
        because = f"it loses {lost:.1%} of the validation rows; training.compile_max_loss permits {max_loss:.1%}"
        return {"way": "none", "because": because, **found}
    return {"way": way, "because": "the settings say so", **found}


def graph_logits(
    path: Path, tokenizer: PreTrainedTokenizerBase, ids: Sequence[list[int]], batch: int = 32
) -> torch.Tensor:
    """Logits [rows, labels] of the graph."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    wanted = [each.name for each in session.get_inputs()]
    found = []
    for start in range(0, len(ids), batch):
        padded = tokenizer.pad({"input_ids": list(ids[start : start + batch])}, return_tensors="np")
        feed = {name: padded.get(name, np.zeros_like(padded["input_ids"])).astype(np.int64) for name in wanted}
        found.append(torch.from_numpy(session.run(["logits"], feed)[0]))
    return torch.cat(found).float()


class _Logits(torch.nn.Module):
    """The model with plain tensors as input and output, as the exporter needs it."""

    def __init__(self, model: PreTrainedModel, names: Sequence[str]) -> None:
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model(**dict(zip(self.names, tensors, strict=True))).logits
        return logits


def _write(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, path: Path, way: str) -> None:
    _export(model, tokenizer, path)
    if way == "onnx-int8":
        _quantise(path)


def _export(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, path: Path) -> None:
    """Write the graph to `path`. It accepts any number of rows and tokens."""
    example = tokenizer.pad({"input_ids": [[1] * 7, [1] * 5]}, return_tensors="pt")
    accepted = inspect.signature(model.forward).parameters
    names = [name for name in tokenizer.model_input_names if name in accepted]
    tensors = tuple(example[name] if name in example else torch.zeros_like(example["input_ids"]) for name in names)
    size = torch.export.Dim.DYNAMIC
    network = _Logits(model.to("cpu", torch.float32).eval(), names)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network, tensors, str(path), input_names=names, output_names=["logits"], dynamo=True, external_data=False,
            dynamic_shapes=(tuple({0: size, 1: size} for _ in names),), verbose=False,
        )  # fmt: skip


def _quantise(path: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    whole = path.with_suffix(".float32.onnx")
    path.rename(whole)
    try:
        quantize_dynamic(whole, path, weight_type=QuantType.QInt8, per_channel=True)
    finally:
        whole.unlink()


def _compare(before: NDArray[np.bool_], after: NDArray[np.bool_], right: NDArray[np.bool_]) -> dict[str, int]:
    """Counts of rows: right before, right after, right only in one of the two, and with changed labels."""
    was, is_ = (before == right).all(axis=1), (after == right).all(axis=1)
    return {
        "rows": len(right),
        "right_before": int(was.sum()),
        "right_after": int(is_.sum()),
        "only_before": int((was & ~is_).sum()),
        "only_after": int((is_ & ~was).sum()),
        "other_labels": int((before != after).any(axis=1).sum()),
    }


def main(source: Path, folder: Path, way: str) -> None:
    """Write the graph of the classifier in `source` into `folder`."""
    model = AutoModelForSequenceClassification.from_pretrained(source, dtype=torch.float32, local_files_only=True)
    _write(model, AutoTokenizer.from_pretrained(source, local_files_only=True), folder / GRAPH, way)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
