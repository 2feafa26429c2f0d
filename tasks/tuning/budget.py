"""The budget of a search, in hours of training."""

from dataclasses import dataclass

_SHORTEST = 0.25  # hours; a job with less time left is not started


@dataclass(frozen=True)
class Budget:
    """`hours` is the limit of all jobs together (None: no limit), `longest` the limit of one job."""

    hours: float | None
    longest: float

    def share(self, spent: float, reserved: float, places: int) -> float | None:
        """The limit of the next job, in hours; None when the budget pays for no further job.

        Args:
            spent: hours that finished and running jobs have used.
            reserved: limits of the running jobs, in hours.
            places: how many jobs could start now. They share what is left.
        """
        if self.hours is None:
            return self.longest
        share = min(self.longest, (self.hours - spent - reserved) / places)
        return share if share >= min(_SHORTEST, self.longest, self.hours / 4) else None
