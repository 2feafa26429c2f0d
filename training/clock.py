"""Seconds of each phase of a job."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from finetune_flows.training.stopping import StopRequest


class Clock:
    """Times the phases, and ends the job between two of them when a stop was asked for."""

    def __init__(self, stop: StopRequest) -> None:
        self.stop = stop
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a phase. Raises Stopped before it when a stop was asked for."""
        self.stop.obey()
        began = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - began, 2)
