"""What a platform reports about a run before it costs anything."""

from typing import Any

from pydantic import Field

from finetune_flows.tasks.base.errors import RecipeError
from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.preflight.costs import Estimate
from finetune_flows.tasks.preflight.findings import Finding
from finetune_flows.tasks.recipe import Recipe


class Request(Frozen):
    """One call that creates something that may be billed."""

    operation: str = Field(description="The platform's name for the call, such as CreateTrainingJob.")
    members: dict[str, Any]


class Report(Frozen):
    """The findings, the requests that the run would make, and the most it can cost."""

    recipe: Recipe = Field(description="The recipe, with the job's runtime lowered if the budget pays for less.")
    region: str
    findings: list[Finding]
    requests: list[Request]
    estimate: Estimate

    def refuse(self) -> None:
        """Raises RecipeError with all problems that forbid the run, if there are any."""
        problems = [
            f"{each.what}: {each.found}" + (f". Next: {each.advice}" if each.advice else "")
            for each in self.findings
            if not each.ok
        ]
        if problems:
            where = type(self.recipe.platform).model_config["title"]
            raise RecipeError(f"{self.recipe.name} cannot run on {where} yet; nothing was uploaded", problems)
