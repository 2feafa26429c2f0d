"""What stands for a container image: nothing is pulled here, so each known kind has a program of this machine.

A serving image of any engine is stood for by our own server: it obeys the same contract and answers the same protocol.
A training image of AWS has no program of its own here; a job has to bring one (ContainerEntrypoint).
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from tests import ROOT
from tests.support.sagemaker.errors import invalid
from tests.support.sagemaker.tables import REGION

_ECR = re.compile(r"\d{12}\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com/(?P<repository>[^:@]+)([:@].+)?")
_SERVING = re.compile(r"vllm|tgi|djl|lmi|inference|serving|finetune")


@dataclass(frozen=True)
class Image:
    """The command of an image, without `train` or `serve`; `{port}` is filled in. Empty: it has none of its own.

    `tag` names an image of a Docker engine instead: then it is run by the engine, and its own entry point holds.
    """

    entrypoint: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    tag: str | None = None


OUR_CODE = (("PYTHONPATH", str(ROOT / "src")), ("OMP_WAIT_POLICY", "PASSIVE"))
SERVER = Image(
    (sys.executable, "-u", "-m", "finetune_flows.containers.serving", "--host", "127.0.0.1", "--port", "{port}"),
    OUR_CODE,
)
TRAINER = Image((sys.executable, "-u", "-m", "finetune_flows.training"), OUR_CODE)


def image_of(uri: str, own: Mapping[str, Image]) -> Image:
    """Raises SageMaker's error for an image that its region does not have."""
    if uri in own:
        return own[uri]
    found = _ECR.fullmatch(uri)
    if not found or found["region"] != REGION:
        raise invalid(f"Requested image {uri} not found.")
    if "training" in found["repository"] and "finetune" in found["repository"]:
        return TRAINER
    return SERVER if _SERVING.search(found["repository"]) else Image()
