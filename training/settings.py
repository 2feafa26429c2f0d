"""The settings of the training program. This model is also the recipe's `training` section.

It imports only pydantic, so that the orchestrator can load it without torch. A job receives the settings as
SageMaker hyperparameters: one flat string for each field.
"""

import json
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Method = Literal["qlora", "lora", "full"]
Dtype = Literal["auto", "float32", "bfloat16", "float16"]


class TrainingSettings(BaseModel):
    """How the model is fine-tuned. The defaults suit QLoRA on one GPU of 24 GB."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, title="Training")

    WITHOUT_EFFECT: ClassVar[frozenset[str]] = frozenset({"checkpoint_every", "report_to"})
    """Settings that do not change the model, and so are not part of its step key."""

    method: Method = Field(
        "qlora",
        description="What to train. qlora: a LoRA adapter on a 4-bit base model. lora: an adapter on the unquantised base "
        "model. full: all weights.",
    )
    epochs: float = Field(3.0, gt=0, le=100, description="Passes over the training rows.")
    max_steps: int = Field(0, ge=0, description="Stop after this many optimizer steps. 0: as many as the epochs take.")
    learning_rate: float = Field(2e-4, gt=0, lt=1, description="Peak learning rate.")
    schedule: Literal["constant", "linear", "cosine"] = Field(
        "cosine", description="Course of the learning rate after the warm-up."
    )
    warmup: float = Field(
        0.03, ge=0, lt=1, description="Share of the steps during which the learning rate rises to its peak."
    )
    batch_size: int = Field(4, ge=1, le=1024, description="Rows per device and step.")
    gradient_accumulation: int = Field(
        1, ge=1, le=1024, description="Number of batches whose gradients are added up for one optimizer step."
    )
    max_length: int = Field(
        1024, ge=32, le=131072, description="Maximum length of prompt and answer together, in tokens."
    )
    lora_r: int = Field(16, ge=1, le=1024, title="LoRA rank", description="Rank of the LoRA matrices.")
    lora_alpha: int = Field(
        32, ge=1, le=2048, title="LoRA alpha", description="Scale of the LoRA update: alpha / rank."
    )
    lora_dropout: float = Field(0.0, ge=0, lt=1, title="LoRA dropout", description="Dropout before the LoRA matrices.")
    lora_targets: str = Field(
        "all-linear",
        title="LoRA targets",
        description="Layers that get an adapter: all-linear, or names separated by commas.",
    )
    dtype: Dtype = Field(
        "auto", description="Number type for computing. auto: bfloat16 on a GPU that supports it, float32 on a CPU."
    )
    attention: Literal["auto", "flash_attention_2", "sdpa", "eager"] = Field(
        "auto",
        description="Attention implementation. auto: FlashAttention 2 if there is a GPU and the package is installed, otherwise sdpa.",
    )
    gradient_checkpointing: Literal["auto", "on", "off"] = Field(
        "auto", description="Recompute activations to save memory. auto: on for a GPU, off for a CPU."
    )
    batching: Literal["auto", "packing", "length_grouping", "random"] = Field(
        "auto",
        description="How rows form batches. auto: on a GPU, pack several rows into one sequence, isolated from each other; "
        "on a CPU, batch rows of similar length.",
    )
    max_grad_norm: float = Field(1.0, gt=0, description="Scale gradients down to this norm.")
    weight_decay: float = Field(0.0, ge=0, lt=1, description="AdamW weight decay.")
    validation_every: int = Field(0, ge=0, description="Steps between validations. 0: once per epoch and at the end.")
    checkpoint_every: int = Field(
        50, ge=1, description="Steps between checkpoints. A restart resumes from the last one."
    )
    keep: Literal["best", "last"] = Field(
        "last", description="Weights that become the model: those of the best validation, or the last."
    )
    best_by: Literal["loss", "accuracy", "macro_f1"] = Field(
        "loss", description="Measure that decides which validation is best. Language models have only loss."
    )
    patience: int = Field(
        0, ge=0, description="Stop after this many validations in a row without improvement. 0: train to the end."
    )
    merge: Literal["auto", "reload", "dequantize", "none"] = Field(
        "auto",
        description="How to merge the adapter. reload: into the original base model. dequantize: into the de-quantised 4-bit "
        "base model. auto: whichever has the lower validation loss. none: do not merge.",
    )
    compile: Literal["none", "onnx", "onnx-int8"] = Field(
        "none",
        description="Only for classifiers that serve on a CPU. onnx: also save an ONNX graph, and check it on the validation "
        "rows. onnx-int8: the same with linear layers in 8 bits. docs/classification.md shows when this is faster.",
    )
    compile_max_loss: float = Field(
        0.01, ge=0, lt=1, description="Leave the graph out when its share of wrong rows is higher by more than this."
    )
    processes: int = Field(
        1, ge=1, le=64, description="Number of processes on one machine, one per GPU. torchrun starts them."
    )
    sharding: Literal["none", "fsdp"] = Field(
        "none", description="fsdp: spread the weights over the processes (FSDP-QLoRA)."
    )
    report_to: Literal["none", "tensorboard", "wandb", "trackio"] = Field(
        "none",
        description="Also send the training curves here. tensorboard: files next to the model. wandb, trackio: over the "
        "network; the package must be installed where training runs, and reads its own environment variables.",
    )
    trust_remote_code: bool = Field(
        False, description="Run Python code that comes with the base model. Read that code first."
    )
    seed: int = Field(42, ge=0, le=2**31 - 1, description="Seed of everything random.")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.sharding == "fsdp" and self.processes == 1:
            raise ValueError("sharding: fsdp needs processes: 2 or more")
        return self

    def differing_from(self, adapter: Mapping[str, Any]) -> list[str]:
        """One phrase for each LoRA setting in which an adapter_config.json differs from these settings."""
        wanted = {"r": self.lora_r, "lora_alpha": self.lora_alpha, "lora_dropout": self.lora_dropout}
        return [f"{name} is {adapter[name]}, not {value}" for name, value in wanted.items() if adapter[name] != value]

    def to_hyperparameters(self) -> dict[str, str]:
        """Flat strings, as SageMaker carries them."""
        return {name: value if isinstance(value, str) else json.dumps(value) for name, value in self}

    @classmethod
    def from_hyperparameters(cls, hyperparameters: Mapping[str, str]) -> Self:
        """The settings from flat strings. Ignores SageMaker's own `sagemaker_*` keys; pydantic parses the numbers."""
        return cls.model_validate({k: v for k, v in hyperparameters.items() if not k.startswith("sagemaker_")})
