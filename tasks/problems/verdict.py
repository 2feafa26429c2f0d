"""What becomes of one answer, and of a score that is no share of rows."""

from pydantic import Field

from finetune_flows.tasks.base.values import Frozen


class Labels(Frozen):
    """Of a classifier's row."""

    right: list[str]
    chosen: list[str]


class Verdict(Frozen):
    """What the judge says of one answer."""

    id: str
    slices: dict[str, str] = Field(default_factory=dict, description="By name of a division: the part the row is in.")
    group: str | None = Field(None, description="Rows of one group (one schema) do not fail independently.")
    outcomes: dict[str, bool | None] = Field(description="By metric: right, wrong, or None where it cannot be told.")
    values: dict[str, float] = Field({}, description="By score: what the row adds to its mean.")
    labels: Labels | None = Field(None, description="Of a classifier, whose F1 is made of them.")
    kind: str = Field(description="Right, or in which way it is wrong, or why it cannot be told.")
    differences: list[str] = Field(
        default_factory=list, description="All ways in which a wrong answer differs from the right one."
    )
    evaluable: bool = True
    extracted: str | None = Field(None, description="What was taken out of the answer and judged.")
    error: str | None = Field(None, description="Why the answer, or the right answer of the row, does not run.")


class Estimate(Frozen):
    """A score that is no share of rows, with its 95 % bootstrap interval over n rows."""

    value: float
    low: float
    high: float
    n: int = Field(ge=0)
