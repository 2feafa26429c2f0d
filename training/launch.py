"""Training with several processes on one or more machines: the program starts itself again under torchrun, once per GPU."""

import os
import sys
import uuid
from collections.abc import Sequence
from typing import Any

from finetune_flows.training.contract import Hosts
from finetune_flows.training.problems import TrainingProblem
from finetune_flows.training.stopping import Stopped

PORT = 29400  # on the first host, where the processes of several hosts connect
RENDEZVOUS_SECONDS = 900  # a host may still be installing packages while the first one waits
GRACE = 100  # seconds between SIGTERM and SIGKILL for the workers; SageMaker gives the job 120


def is_worker() -> bool:
    """Whether this process was started by torchrun."""
    return "LOCAL_RANK" in os.environ


def launch(processes: int, arguments: Sequence[str], hosts: Hosts) -> None:
    """Run `python -m finetune_flows.training <arguments>` in `processes` processes on this host, and wait for them.

    The other hosts do the same. torchrun forwards SIGTERM to the workers and waits for them; then this raises Stopped.
    Raises TrainingProblem when a worker failed. The worker has written its reason into the failure file.
    """
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    config = LaunchConfig(
        min_nodes=len(hosts.names),
        max_nodes=len(hosts.names),
        nproc_per_node=processes,
        max_restarts=0,
        **_rendezvous(hosts),
        monitor_interval=0.2,
        shutdown_timeout=GRACE,
    )
    try:
        # -P keeps the current folder out of the import path: a user's folder must not be imported in place of ours.
        elastic_launch(config, sys.executable)("-P", "-m", "finetune_flows.training", *arguments)
    except SignalException as signal:
        raise Stopped from signal
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        raise TrainingProblem(
            f"Process {rank} of {processes} ended with exit code {failure.exitcode}. See the log above for its reason"
        ) from error


def _rendezvous(hosts: Hosts) -> dict[str, Any]:
    """How the processes find each other: one host uses any free port; several hosts use PORT on the first host."""
    if len(hosts.names) == 1:
        return {"run_id": uuid.uuid4().hex, "rdzv_backend": "c10d", "rdzv_endpoint": "localhost:0"}
    return {
        "run_id": os.environ.get("TRAINING_JOB_NAME", "finetune"),
        "rdzv_backend": "static",
        "rdzv_endpoint": f"{hosts.names[0]}:{PORT}",
        "rdzv_configs": {"rank": hosts.rank, "timeout": RENDEZVOUS_SECONDS},
    }
