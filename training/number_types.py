"""Writes a model's folder with weights of another number type: `python -m finetune_flows.training.number_types FOLDER NEW TYPE`.

TYPE is a floating point type of torch, or fp8: 8 bits for the weights of linear layers, with a scale for each row, and for
their inputs, with a scale for each token. fp8 needs llmcompressor and no rows to calibrate with.
"""

import json
import math
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

_LEAST_SHARE = 0.5  # of the weights, apart from embeddings: below, the file would not be much smaller


def cast(source: Path, folder: Path, dtype: torch.dtype) -> None:
    """Write every weight in this type. Ends the program when one is too large for it."""
    for file in source.iterdir():
        if file.is_file() and file.suffix != ".safetensors" and file.name != "model.onnx":
            shutil.copyfile(file, folder / file.name)
    total = 0
    for file in source.glob("*.safetensors"):
        with safe_open(file, "pt") as opened:
            tensors = {name: _cast(name, opened.get_tensor(name), dtype) for name in opened.keys()}  # noqa: SIM118
        save_file(tensors, folder / file.name, metadata={"format": "pt"})
        total += sum(tensor.nbytes for tensor in tensors.values())
    name = str(dtype).removeprefix("torch.")
    _update(folder / "config.json", {"dtype": name, "torch_dtype": name})  # as portable.py writes it
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        _update(index, {"metadata": {"total_size": total}})


def _cast(name: str, tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    if not tensor.is_floating_point():
        return tensor
    done = tensor.to(dtype)
    if not done.isfinite().all() and tensor.isfinite().all():
        sys.exit(f"{name} has a value of {float(tensor.abs().max()):g}, and {dtype} ends at {torch.finfo(dtype).max:g}")
    return done


def _update(file: Path, changes: dict[str, Any]) -> None:
    content = json.loads(file.read_text(encoding="utf-8")) | changes
    file.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def quantise(source: Path, folder: Path) -> None:
    """Write linear layers in fp8, and the rest as it is. Ends the program when there are too few linear layers."""
    from llmcompressor import model_free_ptq

    sizes = _sizes(source)
    linear, embeddings = _layers(source)
    rest = {*sizes} - linear
    share = sum(sizes[name] for name in {*sizes} & linear) / sum(sizes[name] for name in {*sizes} - embeddings)
    if share < _LEAST_SHARE:
        sys.exit(f"only {share:.0%} of its weights are in linear layers, which fp8 is for")
    model_free_ptq(source, folder, scheme="FP8_DYNAMIC", ignore=sorted(rest), device="cpu", max_workers=1)


def _sizes(source: Path) -> dict[str, int]:
    """Numbers of weights in the files, by the name of their layer."""
    sizes = {}
    for file in source.glob("*.safetensors"):
        with safe_open(file, "pt") as opened:
            for name in opened.keys():  # noqa: SIM118
                sizes[name.removesuffix(".weight")] = math.prod(opened.get_slice(name).get_shape())
    return sizes


def _layers(source: Path) -> tuple[set[str], set[str]]:
    """Names of the linear layers inside the model, and of its embeddings with the layer that gives the logits.

    Routers of experts are in neither: rounding changes which expert is chosen.
    """
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(source, local_files_only=True))
    outer = model.get_output_embeddings()
    linear, embeddings = set(), set()
    for name, module in model.named_modules():
        if module is outer or isinstance(module, torch.nn.Embedding):
            embeddings.add(name)
        elif isinstance(module, torch.nn.Linear) and not name.endswith(("gate", "router")):
            linear.add(name)
    return linear, embeddings


def main(source: Path, folder: Path, kind: str) -> None:
    """Run the program."""
    if kind == "fp8":
        quantise(source, folder)
    else:
        cast(source, folder, getattr(torch, kind))
    for file in folder.glob("*.safetensors"):
        file.chmod(0o644)  # safetensors writes it for its owner alone, and a server may be another user


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
