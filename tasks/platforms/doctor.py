"""Checks what this machine has for each platform, and says how to get what is missing."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version

import psutil

from finetune_flows.tasks.base.files import home
from finetune_flows.tasks.preflight.findings import Finding
from finetune_flows.training.readers import VARIABLE, find_readers

_GIB = 2**30


def examine(python: str = sys.executable) -> list[Finding]:
    """Runs all checks; changes nothing."""
    return [
        _python(),
        _prefect(),
        _training(python),
        _accelerator(python),
        _sql_engines(),
        *_readers(),
        *_docker(),
        *_aws(),
        _memory(),
        *_home(),
    ]


def _python() -> Finding:
    ok = sys.version_info >= (3, 11)
    return Finding(what="Python", found=sys.version.split()[0], ok=ok, advice="" if ok else "use Python 3.11 or later")


def _prefect() -> Finding:
    api = os.environ.get("PREFECT_API_URL", "a server of its own, started when needed")
    return Finding(what="Prefect", found=f"{version('prefect')}, {api}", ok=True)


def _training(python: str) -> Finding:
    lacking = [name for name in ("torch", "trl", "peft", "bitsandbytes", "uvicorn") if not _installed(name)]
    found = "all installed" if not lacking else f"missing: {', '.join(lacking)}"
    advice = "pip install 'finetune-flows[training,serving]'" if lacking else ""
    return Finding(what="training and serving", found=found, ok=not lacking, advice=advice)


def _installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _accelerator(python: str) -> Finding:
    """Looks for a GPU in another process, because the orchestrator never imports torch."""
    code = (
        "import torch; print(torch.cuda.get_device_name(0) if torch.cuda.is_available() else 'none, the CPU is used')"
    )
    try:
        result = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    except subprocess.TimeoutExpired:
        return Finding(
            what="GPU", found="torch was not imported within 120 s", ok=False, advice=f"run {python} by hand"
        )
    found = result.stdout.strip() or "torch cannot be imported"
    return Finding(what="GPU", found=found, ok=result.returncode == 0, advice="" if found else result.stderr[-200:])


def _sql_engines() -> Finding:
    """Doing without an engine is no problem: SQL of its dialect is judged by translation to SQLite, as far as it can be."""
    from finetune_flows.tasks.sql.engines import INSTALL, engine_here

    here = {dialect: engine_here(dialect) for dialect in ("sqlite", *INSTALL)}
    found = "; ".join(f"{dialect}: {engine or 'by translation to SQLite'}" for dialect, engine in here.items())
    advice = [f"for {dialect}: {INSTALL[dialect]}" for dialect, engine in here.items() if engine is None]
    return Finding(what="SQL judge", found=found, ok=True, advice="; ".join(advice))


def _readers() -> list[Finding]:
    """Doing without is no problem; an interpreter that was named and cannot read is one."""
    readers = find_readers()
    if not readers:
        advice = f"set {VARIABLE} to the Python of an environment with another transformers and torch"
        return [Finding(what="readers of models", found="none", ok=True, advice=advice)]
    return [
        Finding(
            what="reader of models",
            found=f"{reader.name}: {reader.python}" if reader.version else f"{reader.python}: {reader.problem}",
            ok=reader.version is not None,
            advice="" if reader.version else f"install transformers and torch there, or take it out of {VARIABLE}",
        )
        for reader in readers
    ]


def _docker() -> list[Finding]:
    """Docker is optional: without it, the finding is no problem."""
    if not _installed("docker"):
        return [Finding(what="Docker", found="not used", ok=True, advice="pip install 'finetune-flows[docker]'")]
    from finetune_flows.tasks.platforms.docker.doctor import findings

    return findings()


def _aws() -> list[Finding]:
    """AWS is optional: without boto3, the finding is no problem."""
    if not _installed("boto3"):
        return [Finding(what="AWS", found="not used", ok=True, advice="pip install 'finetune-flows[sagemaker]'")]
    from finetune_flows.tasks.platforms.sagemaker.doctor import findings

    return findings()


def _memory() -> Finding:
    free = psutil.virtual_memory().available / _GIB
    ok = free >= 4
    return Finding(
        what="memory",
        found=f"{free:.0f} GiB free",
        ok=ok,
        advice="" if ok else "free some memory: the demo needs about 4 GiB",
    )


def _home() -> list[Finding]:
    """The folder of all that is made, and the room on its disk."""
    try:
        home().mkdir(parents=True, exist_ok=True)
    except OSError as error:
        found, ok = f"{home()} cannot be made: {error.strerror}", False
    else:
        found, ok = str(home()), os.access(home(), os.W_OK)
    advice = "" if ok else "set FINETUNE_HOME to a folder that you may write to"
    findings = [Finding(what="home", found=found, ok=ok, advice=advice)]
    if ok:
        free = shutil.disk_usage(home()).free / _GIB
        advice = "" if free >= 5 else "run finetune sweep, or set FINETUNE_HOME to a larger disk"
        findings.append(Finding(what="disk", found=f"{free:.0f} GiB free", ok=free >= 5, advice=advice))
    return findings
