"""The verdict on one answer."""

from pydantic import Field

from finetune_flows.tasks.base.values import Frozen


class Verdict(Frozen):
    """The judge's verdict on one answer."""

    id: str
    slices: dict[str, str] = Field(default_factory=dict, description="The part that the row is in, by division.")
    group: str | None = Field(None, description="Rows of one group (one schema) do not fail independently.")
    outcomes: dict[str, bool | None] = Field(description="By metric: right, wrong, or None if it cannot be judged.")
    values: dict[str, float] = Field({}, description="The row's value of each score that is a mean over rows.")
    labels: dict[str, list[str]] | None = Field(
        None, description="Right and chosen labels, for scores that are not means over rows, such as F1."
    )
    kind: str = Field(description="Right, or the kind of error, or why the answer cannot be judged.")
    differences: list[str] = Field(
        default_factory=list, description="All differences of a wrong answer from the right one."
    )
    evaluable: bool = True
    extracted: str | None = Field(None, description="The part of the answer that was judged.")
    error: str | None = Field(None, description="Why the answer, or the right answer of the row, does not run.")
