"""What this machine has for each platform, and what to do about what it lacks."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version

import psutil

from finetune_flows.tasks.base.errors import EnvironmentProblem
from finetune_flows.tasks.base.files import home
from finetune_flows.tasks.preflight.findings import Finding

_GIB = 2**30


def examine(python: str = sys.executable) -> list[Finding]:
    """Looks at everything at once; nothing is changed."""
    return [
        _python(),
        _prefect(),
        _training(python),
        _accelerator(python),
        *_docker(),
        *_aws(),
        _memory(),
        _disk(),
        _home(),
    ]


def _python() -> Finding:
    ok = sys.version_info >= (3, 11)
    return Finding(what="Python", found=sys.version.split()[0], ok=ok, advice="" if ok else "use Python 3.11 or later")


def _prefect() -> Finding:
    api = os.environ.get("PREFECT_API_URL", "a server of its own for each run")
    return Finding(what="Prefect", found=f"{version('prefect')}, {api}", ok=True)


def _training(python: str) -> Finding:
    lacking = [name for name in ("torch", "trl", "peft", "bitsandbytes", "uvicorn") if not _installed(name)]
    found = "all there" if not lacking else f"missing: {', '.join(lacking)}"
    advice = "pip install 'finetune-flows[training,serving]'" if lacking else ""
    return Finding(what="training and serving", found=found, ok=not lacking, advice=advice)


def _installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _accelerator(python: str) -> Finding:
    """Asked in a process of its own: the orchestrator never imports torch."""
    code = (
        "import torch; print(torch.cuda.get_device_name(0) if torch.cuda.is_available() else 'none, the CPU is used')"
    )
    result = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    found = result.stdout.strip() or "torch cannot be imported"
    return Finding(what="GPU", found=found, ok=result.returncode == 0, advice="" if found else result.stderr[-200:])


def _docker() -> list[Finding]:
    """An engine is not needed: its absence is told, with how to get one, but is no problem."""
    if not _installed("docker"):
        return [Finding(what="Docker", found="not used", ok=True, advice="pip install 'finetune-flows[docker]'")]
    from finetune_flows.tasks.platforms.docker.engine import connect

    try:
        client = connect()
        information = client.info()
    except EnvironmentProblem as problem:
        found, _, advice = str(problem).partition("\n")
        return [Finding(what="Docker", found=found[:60], ok=True, advice=advice.strip())]
    gpu = "nvidia" in information.get("Runtimes", {})
    memory = information["MemTotal"] / _GIB
    engine = f"engine {information['ServerVersion']}, {information['NCPU']} cores, {memory:.0f} GiB"
    advice = "" if gpu else "for platform.gpus: install the NVIDIA Container Toolkit"
    return [
        Finding(what="Docker", found=engine, ok=True),
        Finding(what="Docker GPU", found="NVIDIA runtime" if gpu else "none", ok=True, advice=advice),
        _docker_disk(information["DockerRootDir"]),
    ]


def _docker_disk(root: str) -> Finding:
    if not os.path.isdir(root):  # a remote engine, or one whose folder this user may not see
        return Finding(what="Docker disk", found="not to be seen from here", ok=True)
    free = shutil.disk_usage(root).free / _GIB
    ok = free >= 8
    return Finding(
        what="Docker disk",
        found=f"{free:.0f} GiB free",
        ok=ok,
        advice="" if ok else "docker system df; docker image prune",
    )


def _aws() -> list[Finding]:
    """Only what this machine knows, nothing is asked: `finetune plan` asks AWS. Doing without AWS is no problem."""
    if not _installed("boto3"):
        return [Finding(what="AWS", found="not used", ok=True, advice="pip install 'finetune-flows[sagemaker]'")]
    from finetune_flows.tasks.aws.clients import Clients
    from finetune_flows.tasks.recipe import SageMakerPlatform

    clients = Clients(SageMakerPlatform())
    try:
        credentials, region = clients.session.get_credentials(), clients.session.region_name
    except Exception as error:  # whatever is wrong with files and settings that are not ours is told, not raised
        return [Finding(what="AWS", found=str(error)[:120], ok=True, advice="look at ~/.aws/config and AWS_PROFILE")]
    found = f"from {credentials.method}" if credentials else "none"
    advice = "" if credentials else "for platform sagemaker: aws configure, or aws sso login"
    place = "" if region else "for platform sagemaker: set platform.region, or AWS_REGION"
    return [
        Finding(what="AWS credentials", found=found, ok=True, advice=advice),
        Finding(what="AWS region", found=region or "none", ok=True, advice=place),
    ]


def _memory() -> Finding:
    free = psutil.virtual_memory().available / _GIB
    ok = free >= 4
    return Finding(
        what="memory", found=f"{free:.0f} GiB free", ok=ok, advice="" if ok else "the demo takes about 4 GiB"
    )


def _disk() -> Finding:
    home().mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(home()).free / _GIB
    ok = free >= 5
    return Finding(
        what="disk", found=f"{free:.0f} GiB free", ok=ok, advice="" if ok else "finetune sweep, or set FINETUNE_HOME"
    )


def _home() -> Finding:
    ok = os.access(home(), os.W_OK)
    return Finding(
        what="home", found=str(home()), ok=ok, advice="" if ok else "set FINETUNE_HOME to a folder you may write to"
    )
