"""Which container image runs: the recipe's own, or AWS's from the SageMaker SDK's table of accounts and tags."""

import re

from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.aws.errors import code_of
from finetune_flows.tasks.base.errors import EnvironmentProblem, RecipeError
from finetune_flows.tasks.preflight.serving_images import AWS_IMAGES
from finetune_flows.tasks.sections.sagemaker import SageMakerPlatform

TRAINING_FRAMEWORK = "pytorch-amzn2023"
ECR_IMAGE = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com[a-z.]*/"
    r"(?P<repository>[^:@]+)(:(?P<tag>[^@]+))?(@(?P<digest>.+))?"
)
# The driver on AWS's default host is too old for CUDA 13: the endpoint would fail its ping without saying why.
_CUDA_13 = re.compile(r"cu13\d")
_AMI_OF_CUDA_13 = "al2023-ami-sagemaker-inference-gpu-4-1"


def training_image(clients: Clients, instance: str) -> str:
    """The URI of the image that trains on this instance type.

    Raises:
        RecipeError: AWS has no image of this version for the region and the instance type.
    """
    section = clients.section
    if section.training_image:
        return section.training_image
    return _retrieve("training", TRAINING_FRAMEWORK, section.training_version, clients.region, instance)


def serving_image(clients: Clients) -> str:
    """The URI of the image that serves. Raises RecipeError as `training_image` does."""
    section = clients.section
    if section.serving_image:
        return section.serving_image
    framework, pinned = AWS_IMAGES[section.serving_engine]
    version = section.serving_version or pinned
    return _retrieve("inference", framework, version, clients.region, section.serving_instance)


def inference_ami(section: SageMakerPlatform, image: str) -> str | None:
    """The InferenceAmiVersion of the host that this image needs; None if AWS's default is enough."""
    return section.inference_ami or (_AMI_OF_CUDA_13 if _CUDA_13.search(image) else None)


def image_digest(clients: Clients, uri: str) -> str | None:
    """The current digest (`sha256:...`) of an image; None if there is no such image or it is not in this region's ECR.

    Raises:
        botocore.exceptions.ClientError: the caller may not read the registry.
    """
    from botocore.exceptions import ClientError

    image = ECR_IMAGE.fullmatch(uri)
    if image is None or image["region"] != clients.region:
        return None
    which = {"imageDigest": image["digest"]} if image["digest"] else {"imageTag": image["tag"] or "latest"}
    try:
        # BatchGetImage needs the same permission as a pull, so it also works for AWS's images in another account.
        answer = clients.client("ecr").batch_get_image(
            registryId=image["account"], repositoryName=image["repository"], imageIds=[which]
        )
    except ClientError as error:
        if code_of(error) == "RepositoryNotFoundException":
            return None
        raise
    return next((str(each["imageId"]["imageDigest"]) for each in answer["images"]), None)


def _retrieve(scope: str, framework: str, version: str, region: str, instance: str) -> str:
    try:
        from sagemaker.core import image_uris  # here, because this import takes seconds
    except ImportError as error:
        problem = (
            "the SageMaker SDK, which finds AWS's images, is not installed. Next: pip install 'finetune-flows[sagemaker]', "
            "or name the image in the recipe"
        )
        raise EnvironmentProblem(problem) from error
    try:
        found: str = image_uris.retrieve(framework, region, version=version, instance_type=instance, image_scope=scope)
    except ValueError as error:
        field = "platform.training_version" if scope == "training" else "platform.serving_version"
        problem = f"{field} {version}: AWS has no {framework} image for {instance} in {region}: {error}"
        raise RecipeError("platform", [problem]) from error
    return found
