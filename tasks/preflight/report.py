"""What a platform says of a run before anything is spent on it."""

from typing import Any

from pydantic import Field

from finetune_flows.tasks.base.errors import RecipeError
from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.preflight.costs import Estimate
from finetune_flows.tasks.preflight.findings import Finding
from finetune_flows.tasks.recipe import Recipe


class Request(Frozen):
    """One call that creates something that may be billed."""

    operation: str = Field(description="The platform's name of it, such as CreateTrainingJob.")
    members: dict[str, Any]


class Report(Frozen):
    """What was found, what would be created, and what it can cost."""

    recipe: Recipe = Field(description="Its job's runtime lowered, when the budget pays for less.")
    region: str
    findings: list[Finding]
    requests: list[Request]
    estimate: Estimate

    def refuse(self) -> None:
        """Raises RecipeError when anything stands against the run, with all that does."""
        problems = [
            f"{each.what}: {each.found}" + (f". Next: {each.advice}" if each.advice else "")
            for each in self.findings
            if not each.ok
        ]
        if problems:
            where = type(self.recipe.platform).model_config["title"]
            raise RecipeError(f"{self.recipe.name} cannot run on {where} yet; nothing was uploaded", problems)
