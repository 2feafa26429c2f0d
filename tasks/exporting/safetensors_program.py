"""Writes a model's folder with weights of another number type: `python safetensors_program.py FOLDER NEW_FOLDER TYPE`.

TYPE is a floating point type of torch, or fp8: 8 bits for the weights of linear layers, with a scale for each row, and for
their inputs, with a scale for each token. fp8 needs llmcompressor and no rows to calibrate with.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

_LEAST_SHARE = 0.5  # of the weights, apart from embeddings: below, the file would not be much smaller


def cast(source: Path, folder: Path, dtype: torch.dtype) -> None:
    """Writes every weight in this type. Ends the program when one is too large for it."""
    for file in source.iterdir():
        if file.is_file() and file.suffix != ".safetensors" and file.name != "model.onnx":
            shutil.copyfile(file, folder / file.name)
    total = 0
    for file in source.glob("*.safetensors"):
        with safe_open(file, "pt") as opened:
            tensors = {name: _cast(name, opened.get_tensor(name), dtype) for name in opened.keys()}  # noqa: SIM118
        save_file(tensors, folder / file.name, metadata={"format": "pt"})
        total += sum(tensor.nbytes for tensor in tensors.values())
    _update(
        folder / "config.json",
        {"dtype": str(dtype).removeprefix("torch.")} | {"torch_dtype": str(dtype).removeprefix("torch.")},
    )
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
    """Writes linear layers in fp8, and the rest as it is. Ends the program when there are too few linear layers."""
    from llmcompressor import model_free_ptq

    linear, rest, share = _linear_weights(source)
    if share < _LEAST_SHARE:
        sys.exit(f"only {share:.0%} of its weights are in linear layers, which fp8 is for")
    model_free_ptq(source, folder, scheme="FP8_DYNAMIC", ignore=rest, device="cpu", max_workers=1)
    for file in folder.glob("*.safetensors"):
        file.chmod(0o644)
    print(f"{len(linear)} layers in fp8")


def _linear_weights(source: Path) -> tuple[list[str], list[str], float]:
    """Names of the linear layers, names of the other parts with weights, and the share of weights in the first.

    The layer that gives the logits counts to the others, and so do routers of experts: their rounding changes most.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(source))
    outer = {*map(id, filter(None, (model.get_output_embeddings(), model.get_input_embeddings())))}
    sizes: dict[str, int] = {}
    for file in source.glob("*.safetensors"):
        with safe_open(file, "pt") as opened:
            for name in opened.keys():  # noqa: SIM118
                sizes[name.removesuffix(".weight")] = int(torch.Size(opened.get_slice(name).get_shape()).numel())
    modules = dict(model.named_modules())
    linear = {
        name for name in sizes
        if isinstance(modules.get(name), torch.nn.Linear) and id(modules[name]) not in outer
        and not name.endswith(("gate", "router"))
    }  # fmt: skip
    embeddings = {
        name for name in sizes if isinstance(modules.get(name), torch.nn.Embedding) or id(modules.get(name)) in outer
    }
    counted = sum(size for name, size in sizes.items() if name not in embeddings)
    share = sum(sizes[name] for name in linear) / max(counted, 1)
    return sorted(linear), sorted({*sizes} - linear), share


def main(source: Path, folder: Path, kind: str) -> None:
    """Runs the program."""
    if kind == "fp8":
        quantise(source, folder)
    else:
        cast(source, folder, getattr(torch, kind))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
