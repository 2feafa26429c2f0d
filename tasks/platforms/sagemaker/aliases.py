"""The lasting address of a champion on SageMaker: an endpoint with the recipe's name, whose configuration is exchanged."""

from finetune_flows.tasks.platforms.contract import Alias, Endpoint, EndpointSpec
from finetune_flows.tasks.platforms.sagemaker.endpoints import SageMakerEndpoints


class SageMakerAliases(SageMakerEndpoints):
    """The part of `contract.Platform` that gives champions their address."""

    def point_alias(self, name: str, endpoint: Endpoint, spec: EndpointSpec) -> Alias:
        """Blue/green update to the judged model. The endpoint it was judged on is deleted: it would cost twice."""
        served = self.start_endpoint(spec.model_copy(update={"name": name}))
        if endpoint.name != name:
            self.delete_endpoint(endpoint.name)
        return _alias(served)

    def aliases(self) -> list[Alias]:
        """Endpoints that have their recipe's name."""
        return [_alias(endpoint) for endpoint in self.endpoints() if endpoint.name == endpoint.labels.recipe]

    def delete_alias(self, name: str) -> bool:
        """Deletes the endpoint."""
        return self.delete_endpoint(name)


def _alias(endpoint: Endpoint) -> Alias:
    return Alias(
        name=endpoint.name, url=endpoint.url, endpoint=endpoint.name, target=endpoint.url, labels=endpoint.labels
    )
