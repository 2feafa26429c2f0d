"""What the training program can be told. The recipe's `training` section is this very model.

It imports nothing but pydantic, so that the orchestrator reads it without torch. A job receives it as
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

    model_config = ConfigDict(frozen=True, extra="forbid", title="Training")

    WITHOUT_EFFECT: ClassVar[frozenset[str]] = frozenset({"checkpoint_every", "report_to"})
    """Settings that do not change the model."""

    method: Method = Field(
        "qlora",
        description="qlora: 4-bit base and a LoRA adapter. lora: the base as it is and an adapter. full: all weights.",
    )
    epochs: float = Field(3.0, gt=0, le=100, description="Passes over the training rows.")
    max_steps: int = Field(0, ge=0, description="Stop after so many optimizer steps; 0: as many as the epochs take.")
    learning_rate: float = Field(2e-4, gt=0, lt=1, description="Peak learning rate.")
    schedule: Literal["constant", "linear", "cosine"] = Field(
        "cosine", description="Learning rate over time, after the warm-up."
    )
    warmup: float = Field(
        0.03, ge=0, lt=1, description="Share of the steps in which the learning rate rises to its peak."
    )
    batch_size: int = Field(4, ge=1, le=1024, description="Rows per device and step.")
    gradient_accumulation: int = Field(
        1, ge=1, le=1024, description="Steps whose gradients are added up for one update."
    )
    max_length: int = Field(1024, ge=32, le=131072, description="Longest prompt and answer together, in tokens.")
    lora_r: int = Field(16, ge=1, le=1024, title="LoRA rank", description="Rank of the LoRA matrices.")
    lora_alpha: int = Field(
        32, ge=1, le=2048, title="LoRA alpha", description="Scale of the LoRA update: alpha / rank."
    )
    lora_dropout: float = Field(0.0, ge=0, lt=1, title="LoRA dropout", description="Dropout before the LoRA matrices.")
    lora_targets: str = Field(
        "all-linear",
        title="LoRA targets",
        description="Which layers get an adapter: all-linear, or names joined by commas.",
    )
    dtype: Dtype = Field("auto", description="Computing type. auto: bfloat16 on a GPU that has it, float32 on a CPU.")
    attention: Literal["auto", "flash_attention_2", "sdpa", "eager"] = Field(
        "auto", description="auto: FlashAttention 2 where a GPU and the package are there, otherwise sdpa."
    )
    gradient_checkpointing: Literal["auto", "on", "off"] = Field(
        "auto", description="Less memory for more computing. auto: on for a GPU, off on a CPU."
    )
    batching: Literal["auto", "packing", "length_grouping", "random"] = Field(
        "auto", description="auto: packing without cross-talk on a GPU, rows of like length together on a CPU."
    )
    max_grad_norm: float = Field(1.0, gt=0, description="Gradients are scaled down to this norm.")
    weight_decay: float = Field(0.0, ge=0, lt=1, description="AdamW weight decay.")
    validation_every: int = Field(
        0, ge=0, description="Steps between validation losses; 0: once an epoch and at the end."
    )
    checkpoint_every: int = Field(50, ge=1, description="Steps between checkpoints that a restart resumes from.")
    keep: Literal["best", "last"] = Field(
        "last", description="Which weights become the model: those of the best validation, or the last."
    )
    best_by: Literal["loss", "accuracy", "macro_f1"] = Field(
        "loss", description="What makes a validation the best; a language model has only its loss."
    )
    patience: int = Field(
        0, ge=0, description="Stop when so many validations after another were no better; 0: train to the end."
    )
    merge: Literal["auto", "reload", "dequantize", "none"] = Field(
        "auto",
        description="How the adapter is merged: into the original base (reload), into the de-quantised 4-bit base (dequantize), "
        "whichever has the lower validation loss (auto), or not at all (none).",
    )
    compile: Literal["none", "onnx", "onnx-int8"] = Field(
        "none",
        description="Of classifiers, for answers on a CPU: an ONNX graph beside the weights, judged again on the validation rows. "
        "onnx-int8: with linear layers in 8 bits. docs/classification.md says when it pays.",
    )
    compile_max_loss: float = Field(
        0.01, ge=0, lt=1, description="The graph is left out when it gets so much larger a share of the rows wrong."
    )
    processes: int = Field(1, ge=1, le=64, description="Processes on one machine, one per GPU, started by torchrun.")
    sharding: Literal["none", "fsdp"] = Field(
        "none", description="fsdp: weights are spread over the processes (FSDP-QLoRA)."
    )
    report_to: Literal["none", "tensorboard", "wandb", "trackio"] = Field(
        "none",
        description="Where the trainer's curves go too. tensorboard: into files beside the model. wandb and trackio: over the "
        "network, by the package where training runs, with its own environment variables.",
    )
    trust_remote_code: bool = Field(False, description="Run Python code that comes with the base model. Read it first.")
    seed: int = Field(42, ge=0, le=2**31 - 1, description="Seed of everything that is drawn at random.")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.sharding == "fsdp" and self.processes == 1:
            raise ValueError("sharding: fsdp needs processes: 2 or more")
        return self

    def differing_from(self, adapter: Mapping[str, Any]) -> list[str]:
        """In what an adapter, by its adapter_config.json, is another one than these settings ask for."""
        wanted = {"r": self.lora_r, "lora_alpha": self.lora_alpha, "lora_dropout": self.lora_dropout}
        return [f"{name} is {adapter[name]}, not {value}" for name, value in wanted.items() if adapter[name] != value]

    def to_hyperparameters(self) -> dict[str, str]:
        """Flat strings, as SageMaker carries them."""
        return {name: value if isinstance(value, str) else json.dumps(value) for name, value in self}

    @classmethod
    def from_hyperparameters(cls, hyperparameters: Mapping[str, str]) -> Self:
        """The reverse. SageMaker's own `sagemaker_*` keys are left out; pydantic reads numbers from strings."""
        return cls.model_validate({k: v for k, v in hyperparameters.items() if not k.startswith("sagemaker_")})
