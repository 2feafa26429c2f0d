"""The recipe: everything that determines one fine-tuning."""

from typing import Self

from pydantic import Field, model_validator

from finetune_flows.tasks.problems.sections import Problem
from finetune_flows.tasks.sections.gate import GateSection
from finetune_flows.tasks.sections.platforms import Platform, ProcessPlatform
from finetune_flows.tasks.sections.section import Section
from finetune_flows.tasks.sections.stages import (
    DatasetSection,
    EvaluationSection,
    ModelSection,
    MonitoringSection,
    ServingSection,
    TrackingSection,
)
from finetune_flows.tasks.sections.tuning import TuningSection
from finetune_flows.training.settings import TrainingSettings


class Recipe(Section):
    """One fine-tuning, from rows to a judged endpoint. This model defines the YAML file and the form in the Prefect UI."""

    name: str = Field(
        pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$",
        description="Short name: lower-case letters, digits and hyphens, at most 40. Jobs, endpoints and the champion carry it.",
    )
    problem: Problem
    dataset: DatasetSection
    model: ModelSection
    training: TrainingSettings = Field(default_factory=lambda: TrainingSettings())
    serving: ServingSection = Field(default_factory=lambda: ServingSection())
    evaluation: EvaluationSection = Field(default_factory=lambda: EvaluationSection())
    gate: GateSection = Field(default_factory=lambda: GateSection())
    monitoring: MonitoringSection = Field(default_factory=lambda: MonitoringSection())
    tuning: TuningSection = Field(default_factory=lambda: TuningSection())
    platform: Platform = Field(default_factory=ProcessPlatform)
    tracking: TrackingSection = Field(default_factory=lambda: TrackingSection())

    @property
    def metric(self) -> str:
        """The score that the gate compares."""
        return self.evaluation.metric or self.problem.metrics[0]

    @model_validator(mode="after")
    def _sections_agree(self) -> Self:
        """Checks rules that need two sections, and reports all broken rules together."""
        broken = []
        if self.dataset.max_tokens > self.training.max_length:
            broken.append(
                f"dataset.max_tokens ({self.dataset.max_tokens}) is above training.max_length "
                f"({self.training.max_length}): longer rows would lose their answer"
            )
        texts, answers = self.problem.growth
        longest = texts * self.dataset.max_tokens + (
            answers * self.evaluation.max_new_tokens if self.problem.generates else 0
        )
        if longest > self.serving.max_model_length:
            extra = ", with the tokens that problem.answering adds" if self.problem.growth != (1, 1) else ""
            broken.append(
                f"dataset.max_tokens and evaluation.max_new_tokens ({longest} together{extra}) do not fit into "
                f"serving.max_model_length ({self.serving.max_model_length})"
            )
        if not (self.problem.generates or isinstance(self.platform, ProcessPlatform)):
            engine = self.platform.serving_engine
            if engine != "finetune-flows":
                broken.append(
                    f"platform.serving_engine: {engine} generates text and cannot classify it; set it to "
                    "finetune-flows, and on SageMaker also set platform.serving_image"
                )
        if not self.problem.input_columns:
            unusable = [name for name in ("steps", "languages") if getattr(self.dataset, name)]
            broken += [
                f"dataset.{name}: {self.problem.kind} has no text column to clean; clean the rows before the run"
                for name in unusable
            ]
        if not self.serving.capture:
            limits = [
                name for name in ("length_drift", "vocabulary_drift") if getattr(self.monitoring, name) is not None
            ]
            broken += [f"monitoring.{name} needs prompts to look at: set serving.capture above 0" for name in limits]
        broken += self.problem.mistakes(self.metric)
        broken += self.problem.unknown_scores(self.gate.scores)
        broken += self.tuning.mistakes(self.training)
        if broken:
            raise ValueError("; ".join(broken))
        return self
