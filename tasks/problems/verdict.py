"""What becomes of one answer."""

from pydantic import Field

from finetune_flows.tasks.base.values import Frozen


class Verdict(Frozen):
    """What the judge says of one answer."""

    id: str
    slices: dict[str, str] = Field(default_factory=dict, description="By name of a division: the part the row is in.")
    group: str | None = Field(None, description="Rows of one group (one schema) do not fail independently.")
    outcomes: dict[str, bool | None] = Field(description="By metric: right, wrong, or None where it cannot be told.")
    values: dict[str, float] = Field({}, description="By score: what the row adds to its mean.")
    labels: dict[str, list[str]] | None = Field(
        None, description="What a score is made of that is no mean over rows: the right labels and the chosen ones."
    )
    kind: str = Field(description="Right, or in which way it is wrong, or why it cannot be told.")
    differences: list[str] = Field(
        default_factory=list, description="All ways in which a wrong answer differs from the right one."
    )
    evaluable: bool = True
    extracted: str | None = Field(None, description="What was taken out of the answer and judged.")
    error: str | None = Field(None, description="Why the answer, or the right answer of the row, does not run.")
