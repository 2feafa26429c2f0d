"""The program in which hostile SQL runs: one pair in, one outcome out, over an inherited socket.

    python -m finetune_flows.tasks.sql.worker FILE_DESCRIPTOR

It has no environment to leak, may use little memory, open few files and write no byte to one. A pair that takes too long
kills the process: the kernel does it, so nothing a query does can prevent it. The limit is in CPU time, which a busy
machine does not use up; the one in wall clock time is for a worker that waits.

Pairs come pickled, from us. Outcomes go back as JSON: nothing that stood next to hostile SQL is unpickled.
"""

import json
import logging
import os
import resource
import signal
import sys
from dataclasses import asdict
from multiprocessing.connection import Connection

from finetune_flows.tasks.sql.judging import SqlPair
from finetune_flows.tasks.sql.real.judging import RealPair

OPEN_FILES = 64
MOST_MEMORY_BYTES = 4 * 2**30


def serve(connection: Connection) -> None:
    """Say that this end is up, then judge pairs until the other end hangs up."""
    connection.send_bytes(b"ready")
    while True:
        try:
            pair: SqlPair | RealPair = connection.recv()
        except EOFError:
            return
        _limit_memory(pair.memory_bytes)
        _limit_time(pair.cpu_seconds, pair.wall_clock_seconds)
        outcome = pair.judge()
        _limit_time(0, 0)
        connection.send_bytes(json.dumps(asdict(outcome)).encode())


def _limit_time(cpu: float, wall_clock: float) -> None:
    """The signals of these timers end a process that has no handler for them."""
    signal.setitimer(signal.ITIMER_PROF, cpu)
    signal.setitimer(signal.ITIMER_REAL, wall_clock)


def _limit_memory(address_space: int) -> None:
    """Never less than a pair before: what an engine has mapped stays mapped. macOS does not hold a process to it."""
    now, most = resource.getrlimit(resource.RLIMIT_AS)
    if now in (most, resource.RLIM_INFINITY) or now < address_space:
        resource.setrlimit(resource.RLIMIT_AS, (address_space, most))


def confine() -> None:
    """Give up what judging does not need."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limits = {
        resource.RLIMIT_AS: MOST_MEMORY_BYTES,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: OPEN_FILES,
    }
    for limit, value in limits.items():
        resource.setrlimit(limit, (value, value))
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)


if __name__ == "__main__":
    confine()
    serve(Connection(int(sys.argv[1])))
    os._exit(0)  # without the clean-up, in which DuckDB's binding complains
