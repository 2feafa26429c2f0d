"""The gate section of a recipe: the conditions under which the tuned model may serve."""

from pydantic import ConfigDict, Field

from finetune_flows.tasks.sections.section import Section


class ScoreLimits(Section):
    """Conditions on one more score. Each must hold with the gate's confidence, by bootstrap."""

    min_score: float | None = Field(None, ge=0, le=1, description="The score must be above this.")
    min_gain: float | None = Field(None, ge=-1, le=1, description="The gain over the base model must be above this.")
    max_loss: float | None = Field(None, ge=0, le=1, description="The loss against the champion must be below this.")


class GateSection(Section):
    """When the tuned model may serve.

    Conditions on scores must hold with the given confidence. Limits on latency, errors and invalid SQL apply to the
    measured values.
    """

    model_config = ConfigDict(title="Gate")

    min_score: float = Field(
        0.0, ge=0, le=1, description="The score of the tuned model must be above this. 0: no condition."
    )
    min_gain: float = Field(
        0.0, ge=-1, le=1, description="The gain over the base model on the same rows must be above this. -1: any gain."
    )
    max_loss: float | None = Field(
        0.02,
        ge=0,
        le=1,
        description="The loss against the champion on the same rows must be below this. 0: the model must beat the champion. "
        "Empty: do not compare with the champion.",
    )
    scores: dict[str, ScoreLimits] = Field(
        default_factory=dict,
        description="Conditions on more scores, by name. Examples: macro_f1 for a classifier, rouge_l and chrf for chats. "
        "Each may set min_score, min_gain and max_loss.",
    )
    confidence: float = Field(
        0.95,
        gt=0.5,
        lt=1,
        description="Confidence with which each condition on a score must hold. At 0.95, a model that only equals a bound "
        "passes at most one time in twenty.",
    )
    max_latency_seconds: float | None = Field(
        None,
        gt=0,
        description="95 % of the answers must arrive within this time, with evaluation.concurrency requests at once.",
    )
    max_error_rate: float | None = Field(None, ge=0, lt=1, description="Maximum share of requests that fail.")
    max_invalid_sql: float | None = Field(
        None, ge=0, lt=1, description="Maximum share of answers that are not valid SQL."
    )
    approval: bool = Field(
        False, description="Wait until a person approves a model that passed, by finetune promote or in the UI."
    )
