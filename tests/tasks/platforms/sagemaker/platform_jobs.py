"""Jobs of a second for the product's own platform, against the emulator."""

import json
import time
from pathlib import Path

from finetune_flows.tasks.platforms.sagemaker.runner import SageMakerRunner
from finetune_flows.tasks.recipe import SageMakerPlatform
from tests import SUPPORT
from tests.support.sagemaker.emulator import Emulator
from tests.support.sagemaker.images import Image

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/contract:1"
PROGRAM = SUPPORT / "contract_image" / "program.py"
ECHO = SUPPORT / "sagemaker" / "echo_server.py"


def section(**fields: object) -> SageMakerPlatform:
    return SageMakerPlatform.model_validate({"training_image": IMAGE, "serving_image": IMAGE} | fields)


def runner(home: Path, **fields: object) -> SageMakerRunner:
    """Asks often, because all that it waits for takes a second."""
    return SageMakerRunner(section(**fields), home / "sagemaker", sleep=lambda _: time.sleep(0.05))


def use_quick_programs(emulator: Emulator) -> None:
    """The image answers to `train` and `serve` by programs of a second."""
    emulator.account.images[IMAGE] = Image(
        ("sh", "-c", f"[ $0 = serve ] && exec python3 -u {ECHO} {{port}} || exec python3 -u {PROGRAM} $0")
    )


def push_image(emulator: Emulator, repository: str, tag: str) -> str:
    """Puts an image into the account's ECR, and returns its digest."""
    ecr = emulator.client("ecr")
    ecr.create_repository(repositoryName=repository)
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = {"schemaVersion": 2, "mediaType": kind, "config": {"digest": "sha256:0", "size": 1}, "layers": []}
    put = ecr.put_image(repositoryName=repository, imageManifest=json.dumps(manifest), imageTag=tag)
    return str(put["image"]["imageId"]["imageDigest"])


def step_in(emulator: Emulator) -> int:
    """The step at which the checkpoint in S3 stands."""
    from tests.support.sagemaker.emulator import BUCKET

    s3 = emulator.account.s3
    found = s3.list_objects_v2(Bucket=BUCKET, Prefix="finetune/checkpoints/r-key/step")
    keys = [each["Key"] for each in found.get("Contents", []) if each["Key"].endswith("/step")]
    return int(s3.get_object(Bucket=BUCKET, Key=keys[0])["Body"].read() or 0) if keys else 0
