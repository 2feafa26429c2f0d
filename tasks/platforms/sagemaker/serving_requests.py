"""Builds the requests for an endpoint as plain dictionaries. Nothing here calls AWS.

The names of members are AWS's; see the API reference of CreateModel, CreateEndpointConfig, CreateEndpoint, UpdateEndpoint.
"""

import hashlib
import json
from dataclasses import dataclass

from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.aws.instances import gpus_that_serve, has_own_disk
from finetune_flows.tasks.platforms import engines
from finetune_flows.tasks.platforms.contract import EndpointSpec, Labels
from finetune_flows.tasks.platforms.sagemaker import images
from finetune_flows.tasks.platforms.sagemaker.requests import Request, tags, vpc

VARIANT = "main"
_SHORTEST, _LONGEST = 60, 3600  # seconds: AWS's limits for each of the two start-up time-outs


@dataclass(frozen=True)
class Plan:
    """The requests for one endpoint. `name`, for its model and its configuration, is the endpoint's and their digest."""

    name: str
    model: Request
    config: Request
    endpoint: Request


def plan(clients: Clients, spec: EndpointSpec, model_uri: str, image: str) -> Plan:
    """The three requests. Any change in model, settings or instance gives another name, and so a new configuration."""
    model, config = _model(clients, spec, model_uri, image), _config(clients, spec, image)
    identity = json.dumps([model, config], sort_keys=True).encode()
    name = f"{spec.name}-{hashlib.sha256(identity).hexdigest()[:8]}"
    config["ProductionVariants"][0]["ModelName"] = name
    labels = endpoint_tags(clients, spec.labels, spec.model_digest)
    return Plan(
        name=name,
        model={"ModelName": name, **model, "Tags": labels},
        config={"EndpointConfigName": name, **config, "Tags": labels},
        endpoint={"EndpointName": spec.name, "EndpointConfigName": name, "Tags": labels},
    )


def endpoint_tags(clients: Clients, labels: Labels, model_digest: str) -> list[dict[str, str]]:
    """The tags of an endpoint and its parts, with the digest of the model that it serves."""
    return [*tags(clients, labels), {"Key": "finetune:model_digest", "Value": model_digest}]


def update(name: str, config: str, alarms: list[str]) -> Request:
    """The UpdateEndpoint request: new instances start next to the old ones, get all traffic once they are healthy, and
    lose it again on an alarm."""
    policy = {
        "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 120},
        "TerminationWaitInSeconds": 60,
        "MaximumExecutionTimeoutInSeconds": 3 * 3600,
    }
    rollback = {"Alarms": [{"AlarmName": alarm} for alarm in alarms]}
    return {
        "EndpointName": name,
        "EndpointConfigName": config,
        "DeploymentConfig": {"BlueGreenUpdatePolicy": policy, "AutoRollbackConfiguration": rollback},
    }


def startup_seconds(spec: EndpointSpec) -> int:
    """Seconds that the endpoint has to start, within AWS's limits."""
    return round(min(max(spec.startup_seconds, _SHORTEST), _LONGEST))


def _model(clients: Clients, spec: EndpointSpec, model_uri: str, image: str) -> Request:
    section = clients.section
    source = {"S3Uri": model_uri, "S3DataType": "S3Prefix", "CompressionType": "None"}
    model: Request = {
        "ExecutionRoleArn": clients.role_arn,
        "PrimaryContainer": {
            "Image": image,
            "ModelDataSource": {"S3DataSource": source},
            "Environment": engines.environment(section.serving_engine, spec.serving, gpus_that_serve(section)),
        },
        "EnableNetworkIsolation": section.network_isolation,
    }
    if section.subnets:
        model["VpcConfig"] = vpc(section)
    return model


def _config(clients: Clients, spec: EndpointSpec, image: str) -> Request:
    section = clients.section
    variant: Request = {
        "VariantName": VARIANT,
        "InstanceType": section.serving_instance,
        "InitialInstanceCount": max(1, section.autoscaling.min_instances if section.autoscaling else 1),
        "ModelDataDownloadTimeoutInSeconds": startup_seconds(spec),
        "ContainerStartupHealthCheckTimeoutInSeconds": startup_seconds(spec),
    }
    ami = images.inference_ami(section, image)
    if ami:
        variant["InferenceAmiVersion"] = ami
    config: Request = {"ProductionVariants": [variant]}
    # As for jobs: AWS refuses a volume key for instance types with a disk of their own.
    if section.kms_key and not has_own_disk(section.serving_instance):
        config["KmsKeyId"] = section.kms_key
    if section.asynchronous:
        config["AsyncInferenceConfig"] = _asynchronous(clients, spec)
    return config


def _asynchronous(clients: Clients, spec: EndpointSpec) -> Request:
    output: Request = {
        "S3OutputPath": f"{clients.home}/requests/{spec.name}/answers",
        "S3FailurePath": f"{clients.home}/requests/{spec.name}/failures",
    }
    if clients.section.kms_key:
        output["KmsKeyId"] = clients.section.kms_key
    at_once = min(spec.serving.max_batch_size, 1000)
    return {"OutputConfig": output, "ClientConfig": {"MaxConcurrentInvocationsPerInstance": at_once}}
