"""The outcome of a run of finetune, and how a notebook shows it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup
from pydantic import Field

from finetune_flows.tasks.artifacts.references import Reference
from finetune_flows.tasks.base.files import read_model
from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.evaluation.files import Evaluation
from finetune_flows.tasks.platforms.contract import Endpoint


class Outcome(Frozen):
    """The artefacts of a run of `finetune`, and the gate's decision."""

    recipe: str
    metric: str = Field(description="The score that the gate compared.")
    decision: str = Field(description="The gate's decision: passed, refused, cannot tell, or awaits approval.")
    promoted: bool
    reasons: list[str] = Field(description="One sentence for each condition of the gate.")
    base_model: Reference
    dataset: Reference
    model: Reference
    base_evaluation: Reference
    evaluation: Reference
    champion_evaluation: Reference | None = Field(description="None if there was no other champion to compare with.")
    endpoint: Endpoint | None = Field(None, description="Serves the model; None unless the model was promoted.")
    address: str | None = Field(
        None, description="The address for clients. It never changes and always leads to the champion."
    )
    report: str | None = Field(None, description="File of the report; None if it could not be written.")

    def _repr_html_(self) -> str:
        """What a notebook shows: the decision, the scores with their intervals, the loss curve, and where the rest is."""
        from finetune_flows.tasks.reporting.page import environment, losses_of, score_table

        evaluation = read_model(Path(self.report).parent / "evaluation.json", Evaluation) if self.report else None
        table: Mapping[str, Any] = score_table(evaluation) if evaluation else {"facts": None}
        losses = Markup(losses_of(self.model))
        return environment().get_template("outcome.html").render(outcome=self, losses=losses, **table)
