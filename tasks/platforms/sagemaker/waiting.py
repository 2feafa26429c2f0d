"""Waiting by asking again and again: soon at first, then every ten seconds, never all at the same moment."""

import random
import time
from collections.abc import Callable, Iterator

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 10.0


def polls(sleep: Callable[[float], None] = time.sleep) -> Iterator[int]:
    """Yields at once, and then after each pause, without end: jobs may run for days."""
    pause, count = FIRST_SECONDS, 0
    while True:
        yield count
        count += 1
        sleep(pause * random.uniform(0.75, 1.25))
        pause = min(pause * 1.4, LONGEST_SECONDS)
