"""The sagemaker platform as a whole."""

from datetime import datetime

from finetune_flows.tasks.aws.errors import aws_errors
from finetune_flows.tasks.platforms.sagemaker.aliases import SageMakerAliases
from finetune_flows.tasks.platforms.sagemaker.jobs import SageMakerJobs
from finetune_flows.tasks.platforms.sagemaker.model_registry import SageMakerRegistry


class SageMakerRunner(SageMakerJobs, SageMakerAliases, SageMakerRegistry):
    """Implements `contract.Platform` in one account, region, bucket and prefix."""

    def sweep(self, now: datetime) -> list[str]:
        """Deletes endpoints past their expiry, and those that never came up.

        Jobs need no sweeping: each ends by its own StoppingCondition, and is billed no longer.
        """
        swept = []
        with aws_errors("sweeping"):
            for endpoint, status in list(self._ours()):
                dead = status in ("Failed", "OutOfService")
                if dead or endpoint.labels.expires_at < now:
                    self.delete_endpoint(endpoint.name)
                    swept.append(f"endpoint {endpoint.name} ({'had failed' if dead else 'expired'})")
        return swept
