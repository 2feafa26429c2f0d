"""What `finetune doctor` reports about the Docker engine."""

import os
import shutil

from finetune_flows.tasks.base.errors import EnvironmentProblem
from finetune_flows.tasks.platforms.docker.engine import connect
from finetune_flows.tasks.preflight.findings import Finding

_GIB = 2**30


def findings() -> list[Finding]:
    """The findings about the engine. It is optional: if it is absent, they say how to get one, but are no problem."""
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
        _disk(information["DockerRootDir"]),
    ]


def _disk(root: str) -> Finding:
    if not os.path.isdir(root):  # a remote engine, or one whose folder this user may not see
        return Finding(what="Docker disk", found="cannot be seen from here", ok=True)
    free = shutil.disk_usage(root).free / _GIB
    ok = free >= 8
    return Finding(
        what="Docker disk",
        found=f"{free:.0f} GiB free",
        ok=ok,
        advice="" if ok else "run docker system df, then docker image prune",
    )
