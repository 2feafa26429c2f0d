"""SageMaker's Model Registry: a package group for each recipe, a version for each candidate, its status by the gate.

This is only a mirror: our own registry (finetune_flows.tasks.evaluation.registry) decides. A version holds the container
as it was judged, the scores, and where the model comes from.
"""

import re
from typing import Any

from finetune_flows.tasks.aws.errors import aws_errors, words_of
from finetune_flows.tasks.platforms.contract import JudgedModel
from finetune_flows.tasks.platforms.sagemaker import data
from finetune_flows.tasks.platforms.sagemaker.parts import describe
from finetune_flows.tasks.platforms.sagemaker.place import Place
from finetune_flows.tasks.platforms.sagemaker.requests import tags

_LONGEST = 1024  # characters of an approval's description
_TAKEN = re.compile(r"already exist", re.IGNORECASE)


class SageMakerRegistry(Place):
    """The model registry part of `contract.Platform`."""

    def enter_model(self, judged: JudgedModel) -> None:
        """Makes a version in the recipe's group: pending at first, then approved or rejected as the gate decided.

        If the same model is judged again, only the status of its version changes.
        """
        if not self.section.model_registry:
            return
        with aws_errors(f"entering a model of {judged.recipe} into the Model Registry"):
            self._make_group(judged)
            arn = self._find(judged) or self._create_version(judged)
            self.sagemaker.update_model_package(
                ModelPackageArn=arn,
                ModelApprovalStatus="Approved" if judged.passed else "Rejected",
                ApprovalDescription="; ".join(judged.reasons)[:_LONGEST],
            )

    def _make_group(self, judged: JudgedModel) -> None:
        from botocore.exceptions import ClientError

        labels = [tag for tag in tags(self.clients, judged.labels) if tag["Key"] in _OF_THE_GROUP]
        words = f"Models of the recipe {judged.recipe}, by finetune-flows"
        try:
            self.sagemaker.create_model_package_group(
                ModelPackageGroupName=judged.recipe, ModelPackageGroupDescription=words, Tags=labels
            )
        except ClientError as error:
            if not _TAKEN.search(words_of(error)):
                raise

    def _find(self, judged: JudgedModel) -> str | None:
        """The ARN of this model's version; None if there is none."""
        # By the description, because a listing returns that and no metadata.
        pages = self.sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=judged.recipe)
        versions = [each for page in pages for each in page["ModelPackageSummaryList"]]
        wanted = _description(judged)
        return next(
            (each["ModelPackageArn"] for each in versions if each.get("ModelPackageDescription") == wanted), None
        )

    def _create_version(self, judged: JudgedModel) -> str:
        scores = data.place_files(self.clients, "scores", {"scores.json": judged.scores})
        described = describe(self.sagemaker, judged.endpoint) or {}
        container = self._container(described["EndpointConfigName"])
        request = version(judged, container, self.section.serving_instance, scores)
        request["CustomerMetadataProperties"] |= {"ServingImage": serving_image(described)}
        arn: str = self.sagemaker.create_model_package(**request)["ModelPackageArn"]
        return arn

    def _container(self, model: str) -> dict[str, Any]:
        """Image, model data and environment of the judged endpoint. Its configuration and its model share a name."""
        container: dict[str, Any] = self.sagemaker.describe_model(ModelName=model)["PrimaryContainer"]
        return {name: container[name] for name in ("Image", "ModelDataSource", "Environment") if name in container}


_OF_THE_GROUP = ("finetune:home", "finetune:recipe")


def version(judged: JudgedModel, container: dict[str, Any], instance: str, scores: str) -> dict[str, Any]:
    """The CreateModelPackage request. `scores` is the s3:// prefix of scores.json."""
    form = "application/json"
    return {
        "ModelPackageGroupName": judged.recipe,
        "ModelPackageDescription": _description(judged),
        "ModelApprovalStatus": "PendingManualApproval",
        "InferenceSpecification": {
            "Containers": [container],
            "SupportedContentTypes": [form],
            "SupportedResponseMIMETypes": [form],
            "SupportedRealtimeInferenceInstanceTypes": [instance],
        },
        "ModelMetrics": {"ModelQuality": {"Statistics": {"ContentType": form, "S3Uri": f"{scores}scores.json"}}},
        "CustomerMetadataProperties": {name: value[:256] for name, value in judged.lineage.items()},
    }


def serving_image(described: dict[str, Any]) -> str:
    """The image that an endpoint runs, by the digest to which AWS resolved its tag; without one, the image as requested."""
    deployed = described["ProductionVariants"][0]["DeployedImages"][0]
    return str(deployed.get("ResolvedImage") or deployed["SpecifiedImage"])


def _description(judged: JudgedModel) -> str:
    return f"model {judged.model_digest[:16]}"
