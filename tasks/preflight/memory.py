"""Estimates by formula how much GPU memory training and serving take, so that a GPU that is too small costs nothing.

Measurements with 7 billion parameters lie within 30 % of the estimate (tests/tasks/preflight/test_memory.py).
"""

from typing import Literal

from pydantic import Field

from finetune_flows.tasks.aws.instances import Instance
from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.preflight.model_size import ModelSize
from finetune_flows.tasks.recipe import ServingSection, TrainingSettings

GIB = 2**30
# Bytes for each weight: 4 bits, and 0.127 bits for the double-quantised scales (QLoRA, Dettmers et al. 2023, section 3).
_NF4 = 4.127 / 8
# Bytes for each weight: 4 for the weight, 4 for its gradient, 8 for Adam's moments (ZeRO, Rajbhandari et al. 2020, section 3.1).
_TRAINED = 16
_CONTEXT = 1.0 * GIB  # CUDA itself and the workspaces of its libraries
_FRAGMENTS = 1.1  # the allocator loses memory between activations
_SERVED = 0.9  # share of the memory that vLLM takes (gpu_memory_utilization)
_SURE = 0.75  # a GPU with less than this share of the estimate certainly does not fit
_WEIGHTS, _ADAM = "weights", "what is trained"  # the parts that are known for certain
Verdict = Literal["fits", "may not fit", "does not fit"]


class Memory(Frozen):
    """Bytes of one GPU, by purpose."""

    parts: dict[str, float]
    available: float = Field(1.0, description="Share of the GPU that may be used.")

    @property
    def gib(self) -> float:
        """GiB that the GPU must have."""
        return sum(self.parts.values()) / self.available / GIB

    def verdict(self, gib: float) -> Verdict:
        """Whether it fits on a GPU with this many GiB."""
        if self.gib <= gib:
            return "fits"
        certain = sum(self.parts[name] for name in (_WEIGHTS, _ADAM) if name in self.parts) / GIB
        return "may not fit" if self.gib * _SURE <= gib and certain < gib * self.available else "does not fit"

    def words(self) -> str:
        """Such as `11.2 GiB (weights 3.6, activations 4.0, ...)`."""
        return f"{self.gib:.1f} GiB ({', '.join(f'{name} {size / GIB:.1f}' for name, size in self.parts.items())})"


def training_memory(size: ModelSize, training: TrainingSettings, gpus: int) -> Memory:
    """Memory that training takes on each GPU, if `gpus` train together.

    Activations: each linear map keeps its input and output in 16 bits, and norms and residuals keep 12 bytes for each
    hidden number. With checkpointing, only a layer's input is kept (2 bytes for each hidden number), and one layer at a
    time is computed again. Measured on an H100, see benchmarks/gpu/README.md. FlashAttention and SDPA keep no attention
    matrices, and TRL keeps no logits, because it computes its loss in chunks.
    """
    shards = gpus if training.sharding == "fsdp" else 1
    trained = size.parameters if training.method == "full" else training.lora_r * size.linear_width * size.layers
    tokens = training.batch_size * training.max_length
    layer = tokens * (2 * size.linear_width + 12 * size.hidden)
    kept = layer * size.layers if training.gradient_checkpointing == "off" else 2 * tokens * size.hidden * size.layers
    parts = {
        _WEIGHTS: _base_weights(size, training) / shards,
        _ADAM: trained * _TRAINED / shards,
        "activations": (kept + layer) * _FRAGMENTS,
        "CUDA": _CONTEXT,
    }
    return Memory(parts={name: value for name, value in parts.items() if value})


def _base_weights(size: ModelSize, training: TrainingSettings) -> float:
    if training.method == "full":
        return 0  # all weights are trained, and counted there
    if training.method == "lora":
        return 2 * size.parameters
    return _NF4 * (size.parameters - size.embeddings) + 2 * size.embeddings


def serving_memory(size: ModelSize, serving: ServingSection, gpus: int) -> Memory:
    """Memory that serving takes on each GPU, if `gpus` share the model, with the key-value cache of one longest request.

    Cache: 2 (keys and values) x layers x kv_width x 2 bytes for each token (PagedAttention, Kwon et al. 2023, section 3).
    """
    each = 4 if serving.dtype == "float32" else 2
    parts = {
        _WEIGHTS: each * size.parameters / gpus,
        "cache": 2 * size.layers * size.kv_width * each * serving.max_model_length / gpus,
        "CUDA": _CONTEXT,
    }
    return Memory(parts=parts, available=_SERVED)


def gpus_used(training: TrainingSettings, instance: Instance) -> int:
    """GPUs that the job uses on one instance."""
    return min(training.processes, instance.gpu_count) or 1
