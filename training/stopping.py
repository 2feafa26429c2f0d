"""How a job receives a request to stop. It imports nothing slow, so that the job listens from its first moment."""

import signal
from types import FrameType


class Stopped(Exception):
    """The platform asked the job to end. A checkpoint holds the progress."""


class StopRequest:
    """Remembers that SIGTERM came. The job checks it between its phases, and the trainer after each step."""

    def __init__(self) -> None:
        self.came = False

    def listen(self) -> None:
        """Handle SIGTERM from now on. Call it in the main thread."""
        signal.signal(signal.SIGTERM, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.came = True

    def obey(self) -> None:
        """Raise Stopped if SIGTERM came."""
        if self.came:
            raise Stopped

    def came_to_any(self) -> bool:
        """Whether SIGTERM came to any process. All must stop at the same step, because they wait for each other."""
        import torch
        import torch.distributed as dist

        if not dist.is_initialized():
            return self.came
        flag = torch.tensor(float(self.came), device="cuda" if dist.get_backend() == "nccl" else "cpu")
        dist.all_reduce(flag, dist.ReduceOp.MAX)
        return bool(flag)
