"""Several processes, on one machine or on several: the program starts itself again under torchrun, once for each GPU."""

import os
import sys
import uuid
from collections.abc import Sequence
from typing import Any

from finetune_flows.training.contract import Hosts
from finetune_flows.training.problems import TrainingProblem
from finetune_flows.training.stopping import Stopped

PORT = 29400  # of the first host, where the processes of several hosts meet
MEETING_SECONDS = 900  # a host may still be installing packages while the first one waits
GRACE = 100  # seconds between SIGTERM and SIGKILL for the workers; SageMaker gives the job 120


def is_worker() -> bool:
    """Whether this process was started by torchrun."""
    return "LOCAL_RANK" in os.environ


def launch(processes: int, arguments: Sequence[str], hosts: Hosts) -> None:
    """Run `python -m finetune_flows.training <arguments>` in so many processes on each of the hosts and wait for those of this one.

    torchrun passes SIGTERM on and waits for the workers. Raises Stopped after that, and TrainingProblem when a worker
    failed; its own words are then in the failure file.
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
        **_meeting(hosts),
        monitor_interval=0.2,
        shutdown_timeout=GRACE,
    )
    try:
        elastic_launch(config, sys.executable)("-P", "-m", "finetune_flows.training", *arguments)
    except SignalException as signal:
        raise Stopped from signal
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        raise TrainingProblem(f"Process {rank} of {processes} ended with exit code {failure.exitcode}") from error


def _meeting(hosts: Hosts) -> dict[str, Any]:
    """Where and how the hosts find each other: alone on any free port, else at the first one, each with its given rank."""
    if len(hosts.names) == 1:
        return {"run_id": uuid.uuid4().hex, "rdzv_backend": "c10d", "rdzv_endpoint": "localhost:0"}
    return {
        "run_id": os.environ.get("TRAINING_JOB_NAME", "finetune"),
        "rdzv_backend": "static",
        "rdzv_endpoint": f"{hosts.names[0]}:{PORT}",
        "rdzv_configs": {"rank": hosts.rank, "timeout": MEETING_SECONDS},
    }
