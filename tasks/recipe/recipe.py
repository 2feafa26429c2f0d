"""The recipe: everything that determines one fine-tuning."""

from collections.abc import Iterator

from pydantic import Field

from finetune_flows.tasks.problems import AnyProblem
from finetune_flows.tasks.sections.gate import GateSection
from finetune_flows.tasks.sections.platforms import Platform, ProcessPlatform
from finetune_flows.tasks.sections.section import Section, rule
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
    problem: AnyProblem
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

    @rule
    def _rows_fit_into_the_training(self) -> Iterator[str]:
        if self.dataset.max_tokens > self.training.max_length:
            yield (
                f"dataset.max_tokens ({self.dataset.max_tokens}) is above training.max_length "
                f"({self.training.max_length}): longer rows would lose their answer"
            )

    @rule
    def _requests_fit_into_the_server(self) -> Iterator[str]:
        texts, answers = self.problem.growth
        longest = texts * self.dataset.max_tokens
        longest += answers * self.evaluation.max_new_tokens if self.problem.generates else 0
        if longest > self.serving.max_model_length:
            extra = ", with the tokens that problem.answering adds" if self.problem.growth != (1, 1) else ""
            yield (
                f"dataset.max_tokens and evaluation.max_new_tokens ({longest} together{extra}) do not fit into "
                f"serving.max_model_length ({self.serving.max_model_length})"
            )

    @rule
    def _the_engine_can_serve_the_model(self) -> Iterator[str]:
        if not (self.problem.generates or isinstance(self.platform, ProcessPlatform)):
            engine = self.platform.serving_engine
            if engine != "finetune-flows":
                yield (
                    f"platform.serving_engine: {engine} generates text and cannot classify it; set it to "
                    "finetune-flows, and on SageMaker also set platform.serving_image"
                )

    @rule
    def _there_is_a_text_to_clean(self) -> Iterator[str]:
        if not self.problem.input_columns:
            for name in ("steps", "languages"):
                if getattr(self.dataset, name):
                    yield f"dataset.{name}: {self.problem.kind} has no text column to clean; clean the rows before the run"

    @rule
    def _there_is_sql_to_look_at(self) -> Iterator[str]:
        if self.gate.max_invalid_sql is not None and self.problem.language != "sql":
            yield f"gate.max_invalid_sql: {self.problem.kind} produces no SQL; remove this limit"

    @rule
    def _there_are_prompts_to_watch(self) -> Iterator[str]:
        if not self.serving.capture:
            for name in ("length_drift", "vocabulary_drift"):
                if getattr(self.monitoring, name) is not None:
                    yield f"monitoring.{name} needs prompts to look at: set serving.capture above 0"

    @rule
    def _the_rows_can_be_split_so(self) -> Iterator[str]:
        if (split_by := self.dataset.split_by) not in ("auto", *self.problem.splits):
            known = " or ".join(self.problem.splits)
            yield f"dataset.split_by: {self.problem.kind} has no {split_by}; use auto, {known}"

    @rule
    def _the_problem_has_what_is_judged(self) -> Iterator[str]:
        yield from self.problem.mistakes(self.metric, self.gate)

    @rule
    def _what_is_searched_can_be_set(self) -> Iterator[str]:
        yield from self.tuning.mistakes(self.training)
