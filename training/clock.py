"""Measures how long each phase of a job takes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from finetune_flows.training.stopping import StopRequest


class Clock:
    """Times the phases. If a stop was requested, it ends the job before the next phase."""

    def __init__(self, stop: StopRequest) -> None:
        self.stop = stop
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a phase. Raises Stopped before it starts if a stop was requested."""
        self.stop.obey()
        began = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - began, 2)
