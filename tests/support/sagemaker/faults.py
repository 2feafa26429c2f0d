"""What can be made to go wrong, and when. Everything is off until a test asks for it."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, fields


@dataclass
class Interruption:
    """A spot instance is taken away when the program prints `step=<at_step>` or a later one."""

    at_step: int
    notice: bool = True  # SIGTERM first, as AWS does; without, the machine is just gone


@dataclass
class Faults:
    """The faults that are armed. Counters go down with each use."""

    throttled: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    no_capacity: set[str] = field(default_factory=set)
    interruptions: list[Interruption] = field(default_factory=list)
    healthy_before: int = 0
    unhealthy_endpoints: int = 0
    broken: Callable[[str, bytes], bool] = lambda endpoint, body: False
    seconds_per_state: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def heal(self) -> None:
        """Nothing is armed any more."""
        unarmed = Faults(lock=self.lock)
        for each in fields(self):
            setattr(self, each.name, getattr(unarmed, each.name))

    def throttle(self, operation: str, times: int = 1) -> None:
        """The next calls of `operation` are answered by ThrottlingException, and nothing is done."""
        self.throttled[operation] += times

    def lose_response(self, operation: str, times: int = 1) -> None:
        """The next calls of `operation` are carried out, but the connection closes without an answer."""
        self.lost[operation] += times

    def out_of_capacity(self, *instance_types: str) -> None:
        """Jobs and endpoints on these types find no machine until further notice."""
        self.no_capacity |= set(instance_types)

    def interrupt_spot(self, at_step: int, notice: bool = True) -> None:
        """The next spot job to reach a step loses its machine there, and starts again on another one."""
        self.interruptions.append(Interruption(at_step, notice))

    def fail_health_check(self, after: int = 0, times: int = 1) -> None:
        """So many endpoints come up in health; the next ones print what they print, but none of their pings is seen."""
        self.healthy_before, self.unhealthy_endpoints = after, times

    def fail_invocations(self, when: Callable[[str, bytes], bool]) -> None:
        """The container answers 500 to those requests that `when(endpoint, body)` picks."""
        self.broken = when

    def slow_states(self, seconds: float) -> None:
        """Every state of a job or an endpoint lasts at least so long."""
        self.seconds_per_state = seconds

    def strikes(self, armed: Counter[str], operation: str) -> bool:
        """Whether a fault of `armed` is due for this call; uses it up."""
        with self.lock:
            due = armed[operation] > 0
            armed[operation] -= due
        return due

    def takes_health_check(self) -> bool:
        """Whether the endpoint that is just coming up must fail; uses it up."""
        with self.lock:
            due = self.unhealthy_endpoints > 0 and self.healthy_before == 0
            self.unhealthy_endpoints -= due
            self.healthy_before -= self.healthy_before > 0
        return due

    def interruption_at(self, step: int) -> Interruption | None:
        """The interruption that is due at this step; uses it up."""
        with self.lock:
            due = next((each for each in self.interruptions if each.at_step <= step), None)
            if due:
                self.interruptions.remove(due)
        return due
