"""Models, endpoint configs and endpoints, with AWS's rules of what may refer to what."""

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.sagemaker.account import Account
from tests.support.sagemaker.api_model import Payload
from tests.support.sagemaker.errors import ServiceError, invalid
from tests.support.sagemaker.serving import Server, Unhealthy
from tests.support.sagemaker.tables import Resource, Table, arn, now, page
from tests.support.sagemaker.wire import Operation

IN_PROGRESS = ("Creating", "Updating", "SystemUpdating", "RollingBack")


@dataclass
class Endpoint(Resource):
    """What DescribeEndpoint tells, and the containers behind it."""

    config: str = ""
    failure: str | None = None
    deployment: Payload | None = None
    servers: list[Server] = field(default_factory=list)
    thread: threading.Thread | None = None

    def become(self, status: str, failure: str | None = None) -> None:
        """Into the next status."""
        self.failure, self.modified, self.status = failure, now(), status


class Endpoints:
    """Models, configs and endpoints of the account."""

    def __init__(self, account: Account) -> None:
        self.account = account
        tables: list[Table[Any]] = [
            Table(
                account.tags,
                lambda name, words=words, kind=kind: f'Could not find {words} "{arn(kind, name)}".',  # type: ignore[misc]
                lambda there, words=words: invalid(f'Cannot create already existing {words} "{there}".'),  # type: ignore[misc]
            )
            for words, kind in (
                ("model", "model"),
                ("endpoint configuration", "endpoint-config"),
                ("endpoint", "endpoint"),
            )
        ]
        self.models, self.configs, self.endpoints = tables

    def operations(self) -> Mapping[str, Operation]:
        """By the API's names."""
        return {
            "CreateModel": self.create_model,
            "DescribeModel": lambda request: _told(self.models.get(request["ModelName"]), "ModelArn"),
            "DeleteModel": lambda request: _forget(self.models, request["ModelName"]),
            "ListModels": lambda request: _listed(self.models, request, "Models", "Model"),
            "CreateEndpointConfig": self.create_config,
            "DescribeEndpointConfig": lambda request: _told(
                self.configs.get(request["EndpointConfigName"]), "EndpointConfigArn"
            ),
            "DeleteEndpointConfig": self.delete_config,
            "ListEndpointConfigs": lambda request: _listed(self.configs, request, "EndpointConfigs", "EndpointConfig"),
            "CreateEndpoint": self.create,
            "UpdateEndpoint": self.update,
            "DescribeEndpoint": self.describe,
            "DeleteEndpoint": self.delete,
            "ListEndpoints": self.list,
        }

    def create_model(self, request: Payload) -> Payload:
        """CreateModel: the image and the model's data have to be there."""
        name = request["ModelName"]
        if name in self.models.rows:
            raise self.models.duplicate(arn("model", name))
        if "ExecutionRoleArn" in request:
            self.account.check_role(request["ExecutionRoleArn"])
        for container in request.get("Containers") or [request["PrimaryContainer"]]:
            self.account.image(container["Image"])
            self._check_data(container)
        return {"ModelArn": self.models.add(Resource(name, arn("model", name), request)).arn}

    def _check_data(self, container: Payload) -> None:
        source = container.get("ModelDataSource", {}).get("S3DataSource")
        uri = source["S3Uri"] if source else container.get("ModelDataUrl")
        if source and source["S3DataType"] == "S3Prefix" and not uri.endswith("/"):
            raise invalid(f"S3Uri {uri} of type S3Prefix has to end in /")
        if not source and uri and not uri.endswith(".tar.gz"):
            raise invalid(f"ModelDataUrl {uri} has to name one .tar.gz")
        if uri and not self.account.storage.exists(uri):
            raise invalid(f"Could not find model data at {uri}.")

    def create_config(self, request: Payload) -> Payload:
        """CreateEndpointConfig: each variant names a model that is there."""
        for variant in request["ProductionVariants"]:
            self.models.get(variant.get("ModelName", ""))
        name = request["EndpointConfigName"]
        return {"EndpointConfigArn": self.configs.add(Resource(name, arn("endpoint-config", name), request)).arn}

    def delete_config(self, request: Payload) -> None:
        """DeleteEndpointConfig: AWS says that one in use must not be deleted; here it cannot be."""
        name = request["EndpointConfigName"]
        users = [
            each.name for each in self.endpoints.rows.values() if each.config == name and each.status != "Deleting"
        ]
        if users:
            raise invalid(f"Cannot delete endpoint configuration {name}: in use by {users}")
        self.configs.remove(name)

    def create(self, request: Payload) -> Payload:
        """CreateEndpoint."""
        config = self.configs.get(request["EndpointConfigName"])
        self._check_quota(config)
        name = request["EndpointName"]
        endpoint = Endpoint(name, arn("endpoint", name), request, status="Creating", config=config.name)
        self.endpoints.add(endpoint)
        _in_thread(endpoint, self._bring_up, endpoint, config)
        return {"EndpointArn": endpoint.arn}

    def _check_quota(self, config: Resource) -> None:
        for variant in config.request["ProductionVariants"]:
            count = variant.get("InitialInstanceCount", 1)
            self.account.check_quota(variant["InstanceType"], "endpoint usage", count)

    def _bring_up(self, endpoint: Endpoint, config: Resource) -> None:
        self.account.pause()
        try:
            endpoint.servers = self._start(endpoint, config)
            endpoint.become("InService")
        except Unhealthy as reason:
            endpoint.become("Failed", str(reason))

    def _start(self, endpoint: Endpoint, config: Resource) -> list[Server]:
        """A container for each variant; none is left when one does not come up."""
        started: list[Server] = []
        try:
            for variant in config.request["ProductionVariants"]:
                if variant["InstanceType"] in self.account.faults.no_capacity:
                    raise Unhealthy(
                        "Request to service failed. If failure persists after retry, contact customer support. Unable to "
                        "provision requested ML compute capacity due to InsufficientInstanceCapacity error."
                    )
                model = self.models.get(variant["ModelName"]).request
                server = Server(self.account, endpoint.name, variant, model)
                server.start()
                started.append(server)
        except BaseException:
            for server in started:
                server.stop()
            raise
        return started

    def update(self, request: Payload) -> Payload:
        """UpdateEndpoint: the old containers serve until the new ones are healthy, and on when they are not."""
        endpoint, config = self.endpoints.get(request["EndpointName"]), self.configs.get(request["EndpointConfigName"])
        if endpoint.status != "InService":
            raise invalid(f'Cannot update in-progress endpoint "{endpoint.arn}".')
        if config.name == endpoint.config:
            raise invalid(f"Endpoint {endpoint.name} has the configuration {config.name} already: create a new one.")
        self._check_quota(config)
        endpoint.deployment = request.get("DeploymentConfig")
        endpoint.become("Updating")
        _in_thread(endpoint, self._replace, endpoint, config)
        return {"EndpointArn": endpoint.arn}

    def _replace(self, endpoint: Endpoint, config: Resource) -> None:
        self.account.pause()
        try:
            fresh = self._start(endpoint, config)
            if self._alarmed(endpoint.deployment or {}):
                for server in fresh:
                    server.stop()
                raise Unhealthy("Rolled back because an alarm went off while the new fleet was baking.")
        except Unhealthy as reason:
            endpoint.become("RollingBack")
            self.account.pause()
            endpoint.become("InService", str(reason))
            return
        old, endpoint.servers, endpoint.config = endpoint.servers, fresh, config.name
        for server in old:
            server.stop()
        endpoint.become("InService")

    def _alarmed(self, deployment: Payload) -> bool:
        names = [each["AlarmName"] for each in deployment.get("AutoRollbackConfiguration", {}).get("Alarms", [])]
        if not names:
            return False
        alarms = self.account.cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"]
        return any(alarm["StateValue"] == "ALARM" for alarm in alarms)

    def describe(self, request: Payload) -> Payload:
        """DescribeEndpoint."""
        endpoint = self.endpoints.get(request["EndpointName"])
        answer = {
            "EndpointName": endpoint.name,
            "EndpointArn": endpoint.arn,
            "EndpointConfigName": endpoint.config,
            "EndpointStatus": endpoint.status,
            "FailureReason": endpoint.failure,
            "CreationTime": endpoint.created,
            "LastModifiedTime": endpoint.modified,
            "LastDeploymentConfig": endpoint.deployment,
            "ProductionVariants": [_variant(server) for server in endpoint.servers] or None,
        }
        return {name: value for name, value in answer.items() if value is not None}

    def delete(self, request: Payload) -> None:
        """DeleteEndpoint: not while it comes up or changes."""
        endpoint = self.endpoints.get(request["EndpointName"])
        if endpoint.status in IN_PROGRESS:
            raise invalid(f'Cannot update in-progress endpoint "{endpoint.arn}".')
        if endpoint.status != "Deleting":
            endpoint.become("Deleting")
            _in_thread(endpoint, self._take_down, endpoint)

    def _take_down(self, endpoint: Endpoint) -> None:
        for server in endpoint.servers:
            server.stop()
        self.account.pause()
        self.endpoints.remove(endpoint.name)

    def list(self, request: Payload) -> Payload:
        """ListEndpoints."""
        return _listed(self.endpoints, request, "Endpoints", "Endpoint", status=True)

    def serving(self, name: str) -> Server:
        """The container that answers for an endpoint."""
        endpoint = self.endpoints.rows.get(name)
        if endpoint is None or not endpoint.servers or endpoint.status == "Deleting":
            raise ServiceError("ValidationError", f"Endpoint {name} of account not found.")
        return endpoint.servers[0]

    def end_all(self) -> None:
        """Waits for what is under way and stops every container."""
        for endpoint in list(self.endpoints.rows.values()):
            for server in endpoint.servers:
                if server.process:
                    server.process.kill()
            if endpoint.thread:
                endpoint.thread.join(timeout=60)
            for server in endpoint.servers:
                server.stop()


def _in_thread(endpoint: Endpoint, work: Any, *arguments: Any) -> None:
    endpoint.thread = threading.Thread(target=work, args=arguments, name=endpoint.name, daemon=True)
    endpoint.thread.start()


def _variant(server: Server) -> Payload:
    count = server.variant.get("InitialInstanceCount", 1)
    return {
        "VariantName": server.variant["VariantName"],
        "CurrentWeight": server.variant.get("InitialVariantWeight", 1.0),
        "DesiredWeight": server.variant.get("InitialVariantWeight", 1.0),
        "CurrentInstanceCount": count,
        "DesiredInstanceCount": count,
        "DeployedImages": [_deployed(server.container["Image"])],
    }


def _deployed(image: str) -> Payload:
    """A tag is resolved to a digest; no image is pulled, so it is one of the URI."""
    name = image.partition("@")[0].rpartition(":")[0] or image
    digest = hashlib.sha256(image.encode()).hexdigest()
    resolved = image if "@" in image else f"{name}@sha256:{digest}"
    return {"SpecifiedImage": image, "ResolvedImage": resolved, "ResolutionTime": now()}


def _told(row: Resource, arn_name: str) -> Payload:
    """Answer to a Describe: what was asked for, without the tags."""
    request = {name: value for name, value in row.request.items() if name != "Tags"}
    return {**request, arn_name: row.arn, "CreationTime": row.created}


def _forget(table: Table[Any], name: str) -> None:
    table.remove(name)


def _listed(table: Table[Any], request: Payload, items: str, kind: str, status: bool = False) -> Payload:
    summaries = [
        {f"{kind}Name": row.name, f"{kind}Arn": row.arn, "CreationTime": row.created}
        | ({"LastModifiedTime": row.modified, "EndpointStatus": row.status} if status else {})
        for row in table.find(request)
    ]
    return page(summaries, request, items)
