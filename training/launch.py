"""Several processes on one machine: the program starts itself again under torchrun, once for each GPU."""

import os
import sys
import uuid
from collections.abc import Sequence

from training.problems import TrainingProblem
from training.stopping import Stopped

GRACE = 100  # seconds between SIGTERM and SIGKILL for the workers; SageMaker gives the job 120


def is_worker() -> bool:
    """Whether this process was started by torchrun."""
    return "LOCAL_RANK" in os.environ


def launch(processes: int, arguments: Sequence[str]) -> None:
    """Run `python -m training <arguments>` in so many processes and wait for them.

    torchrun passes SIGTERM on and waits for the workers. Raises Stopped after that, and TrainingProblem when a worker
    failed; its own words are then in the failure file.
    """
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        monitor_interval=0.2,
        shutdown_timeout=GRACE,
    )
    try:
        elastic_launch(config, sys.executable)("-m", "training", *arguments)
    except SignalException as signal:
        raise Stopped from signal
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        raise TrainingProblem(f"Process {rank} of {processes} ended with exit code {failure.exitcode}") from error
