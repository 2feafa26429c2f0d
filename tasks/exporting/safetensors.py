"""Safetensors in fewer bits: 16 for every reader, 8-bit floating point for vLLM."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from finetune_flows.tasks.base.programs import child_environment, program
from finetune_flows.tasks.endpoints.connect import Connection
from finetune_flows.tasks.exporting import servers
from finetune_flows.tasks.exporting.subject import Subject
from finetune_flows.tasks.exporting.tools import Tool, run

COMPRESSOR = Tool("llmcompressor", ("llmcompressor==0.14.0.1", "compressed-tensors==0.19.0", "loguru==0.7.3"))
"""vLLM's own quantiser, and the library with which transformers reads its files."""
FP8 = "fp8"
_CAST = {"bf16": "bfloat16", "f16": "float16", "f32": "float32"}
_ON_GPUS = (
    "vLLM computes fp8 on GPUs from Ada and Hopper on. Here transformers computes it on the CPU: with the same rounding of "
    "weights and activations, but in other kernels."
)

prompt_ids = servers.prompt_ids


def number_types(subject: Subject) -> Sequence[str]:
    """The default first."""
    return (*_CAST, FP8) if subject.generates else tuple(_CAST)


def write(subject: Subject, folder: Path, kind: str) -> list[str]:
    """Writes the model's folder with weights of this number type.

    Raises:
        EnvironmentProblem: the quantiser is missing or cannot quantise this model, or a weight is too large for the type.
    """
    weights, written = str(subject.weights.absolute()), str(folder.absolute())
    command = program("training.number_types", weights, written, _CAST.get(kind, kind))
    run(command, f"{subject.name} cannot be written as {kind}", _environment(kind))
    return [_ON_GPUS] if kind == FP8 else []


@contextmanager
def serve(subject: Subject, folder: Path, window: int) -> Iterator[Connection]:
    """Our own server on the CPU, which reads the folder with transformers. Raises EndpointFailed when it does not start."""
    reads_fp8 = "compressed-tensors" in (folder / "config.json").read_text(encoding="utf-8")
    with servers.our_server(folder, window, _environment(FP8 if reads_fp8 else "")) as connection:
        yield connection


def _environment(kind: str) -> dict[str, str]:
    return COMPRESSOR.environment() if kind == FP8 else child_environment()
