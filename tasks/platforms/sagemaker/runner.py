"""The sagemaker platform as a whole.

A champion's lasting address is an endpoint with the recipe's name. A promotion replaces its configuration.
"""

from collections.abc import Callable
from datetime import datetime

from finetune_flows.tasks.aws.errors import aws_errors
from finetune_flows.tasks.platforms.contract import Alias, Endpoint, EndpointSpec, Intent
from finetune_flows.tasks.platforms.sagemaker.endpoints import SageMakerEndpoints
from finetune_flows.tasks.platforms.sagemaker.jobs import SageMakerJobs
from finetune_flows.tasks.platforms.sagemaker.model_registry import SageMakerRegistry
from finetune_flows.tasks.platforms.sagemaker.preflight.look_ahead import look_ahead
from finetune_flows.tasks.preflight import costs
from finetune_flows.tasks.preflight.report import Report
from finetune_flows.tasks.recipe import Recipe


class SageMakerRunner(SageMakerJobs, SageMakerEndpoints, SageMakerRegistry):
    """Implements `contract.Platform` in one account, region, bucket and prefix."""

    def preflight(self, intent: Callable[[], Intent]) -> Report | None:
        """Checks the run with AWS, so that a run that cannot succeed is refused before anything is uploaded."""
        return look_ahead(intent(), self.section)

    def training_hours(self, recipe: Recipe) -> float | None:
        """Hours of training that the budget buys at the prices of the section's instances."""
        return costs.training_hours(recipe, self.clients)

    def point_alias(self, name: str, endpoint: Endpoint, spec: EndpointSpec) -> Alias:
        """Updates the endpoint to the judged model (blue/green), and deletes the judged endpoint, which would cost twice."""
        served = self.start_endpoint(spec.model_copy(update={"name": name}))
        if endpoint.name != name:
            self.delete_endpoint(endpoint.name)
        return _alias(served)

    def aliases(self) -> list[Alias]:
        """The endpoints with their recipe's name."""
        return [_alias(endpoint) for endpoint in self.endpoints() if endpoint.name == endpoint.labels.recipe]

    def delete_alias(self, name: str) -> bool:
        """Deletes the endpoint of that name."""
        return self.delete_endpoint(name)

    def sweep(self, now: datetime) -> list[str]:
        """Deletes expired endpoints, and those that never came up.

        Jobs need no sweeping: each ends by its StoppingCondition and then costs nothing.
        """
        swept = []
        with aws_errors("sweeping"):
            for endpoint, status in list(self._ours()):
                dead = status in ("Failed", "OutOfService")
                if dead or endpoint.labels.expires_at < now:
                    self.delete_endpoint(endpoint.name)
                    swept.append(f"endpoint {endpoint.name} ({'had failed' if dead else 'expired'})")
        return swept


def _alias(endpoint: Endpoint) -> Alias:
    return Alias(
        name=endpoint.name, url=endpoint.url, endpoint=endpoint.name, target=endpoint.url, labels=endpoint.labels
    )
