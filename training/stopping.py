"""How a job is asked to stop. Imports nothing slow, so that it listens from the first moment."""

import signal
from types import FrameType


class Stopped(Exception):
    """The platform asked the job to end. What was trained lies in a checkpoint."""


class StopRequest:
    """Remembers that SIGTERM came. The job looks between its phases, the trainer after each step."""

    def __init__(self) -> None:
        self.came = False

    def listen(self) -> None:
        """Answer SIGTERM from now on. Call in the main thread."""
        signal.signal(signal.SIGTERM, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.came = True

    def obey(self) -> None:
        """Raise Stopped if SIGTERM came."""
        if self.came:
            raise Stopped

    def came_to_any(self) -> bool:
        """Whether it came to any of the processes, which must all stop at the same step."""
        import torch
        import torch.distributed as dist

        if not dist.is_initialized():
            return self.came
        flag = torch.tensor(float(self.came), device="cuda" if dist.get_backend() == "nccl" else "cpu")
        dist.all_reduce(flag, dist.ReduceOp.MAX)
        return bool(flag)
