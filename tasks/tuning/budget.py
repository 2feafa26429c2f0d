"""How many hours of training a search may still begin."""

from dataclasses import dataclass

_SHORTEST = 0.25  # hours; a job that is left less is not begun


@dataclass(frozen=True)
class Budget:
    """`hours` of all jobs together (None: no limit), `longest` of one."""

    hours: float | None
    longest: float

    def share(self, spent: float, reserved: float, places: int) -> float | None:
        """Hours that the next of `places` jobs may run, so that all limits together stay within; None: no further one.

        `reserved` are the limits of the jobs that run.
        """
        if self.hours is None:
            return self.longest
        share = min(self.longest, (self.hours - spent - reserved) / places)
        return share if share >= min(_SHORTEST, self.longest, self.hours / 4) else None
