"""Worker processes that judge hostile SQL. A worker that is killed is replaced, and only its pair suffers."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from finetune_flows.tasks.base.errors import EnvironmentProblem
from finetune_flows.tasks.base.files import PACKAGE
from finetune_flows.tasks.base.programs import program
from finetune_flows.tasks.sql.engines.server_pool import Servers
from finetune_flows.tasks.sql.judging import SqlOutcome, SqlPair
from finetune_flows.tasks.sql.real.judging import RealPair

Pair = SqlPair | RealPair
MOST_WORKERS = 8
KILLED = "killed: the query takes too long or too much memory"


class SqlWorkers:
    """A pool of worker processes, by default one for each core. Use it as a context manager.

    `password_variable`: the one variable of our environment that a worker gets besides the paths of programs.
    """

    def __init__(self, count: int | None = None, *, password_variable: str | None = None) -> None:
        self.count = count or min(MOST_WORKERS, _cores())
        self._servers = Servers()
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        for number in range(self.count):
            self._idle.put(_Worker(number, password_variable))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while not self._idle.empty():
            self._idle.get().stop()
        self._servers.stop()

    def judge(self, pair: Pair) -> SqlOutcome:
        """Judge one pair. A prediction that kills its worker is wrong; a gold that does so cannot be judged by."""
        try:
            return self._ask(pair)
        except _Died:
            pass
        try:
            gold_alone = self._ask(replace(pair, prediction=""))
        except _Died:
            return SqlOutcome(obstacle="killed", detail=KILLED)
        judged = None if gold_alone.obstacle else False
        return replace(gold_alone, valid=False, error=KILLED, execution=judged, caseless=judged)

    def judge_all(self, pairs: Sequence[Pair]) -> Iterator[SqlOutcome]:
        """The outcomes, in the order of the pairs."""
        threads = ThreadPoolExecutor(self.count)
        try:
            yield from threads.map(self.judge, pairs)
        finally:
            threads.shutdown(cancel_futures=True)

    def _ask(self, pair: Pair) -> SqlOutcome:
        with self._borrowed() as worker:
            if isinstance(pair, SqlPair):
                pair = replace(pair, server=self._servers.address(pair.dialect, worker.number))
            try:
                return worker.ask(pair)
            except _Died as death:
                if death.used_up_its_time:
                    raise
                return worker.ask(pair)  # it may have been killed from outside, for want of memory, say

    @contextmanager
    def _borrowed(self) -> "Iterator[_Worker]":
        worker = self._idle.get()
        try:
            yield worker
        finally:
            self._idle.put(worker)


def judge(pairs: Sequence[Pair], workers: int | None = None) -> Iterator[SqlOutcome]:
    """The outcomes, in the order of the pairs, by worker processes: by default one for each core.

    Raises EnvironmentProblem when no worker process can be started.
    """
    with SqlWorkers(workers) as pool:
        yield from pool.judge_all(pairs)


class _Died(Exception):
    """A worker process ended over a pair."""

    def __init__(self, status: int | None) -> None:
        self.used_up_its_time = status == -signal.SIGPROF


class _Worker:
    """One process and the socket to it, started when it is first needed."""

    def __init__(self, number: int, password_variable: str | None) -> None:
        self.number = number
        self._environment = _environment(password_variable)
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None

    def ask(self, pair: Pair) -> SqlOutcome:
        """Raises _Died when the process dies over the pair."""
        connection = self._connection or self._start()
        try:
            connection.send(pair)
            return SqlOutcome(**json.loads(connection.recv_bytes()))
        except (EOFError, OSError) as problem:
            raise _Died(self.stop()) from problem

    def _start(self) -> Connection:
        ours, theirs = socket.socketpair()
        with theirs:
            command = program("tasks.sql.worker", str(theirs.fileno()), python=sys.executable)
            self._process = subprocess.Popen(
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._connection = Connection(ours.detach())
        try:
            self._connection.recv_bytes()  # it is up
        except (EOFError, OSError) as problem:
            self.stop()
            raise EnvironmentProblem(f"the SQL sandbox does not start; try: {' '.join(command[:-1])} 0") from problem
        return self._connection

    def stop(self) -> int | None:
        """End the process, if there is one. Returns how it ended: minus the signal, if it had ended by one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is None:
            return None
        try:
            status = self._process.wait(timeout=1)  # it ends by itself when we hang up
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._process = None
        return status


def _environment(password_variable: str | None) -> dict[str, str]:
    """No secret of ours may be where hostile SQL runs, but for the password of the database that it is to run on."""
    names = ("PATH", "LD_LIBRARY_PATH", password_variable)
    kept = {name: os.environ[name] for name in names if name and name in os.environ}
    return {**kept, "PYTHONPATH": str(PACKAGE.parent), "PYTHONDONTWRITEBYTECODE": "1", "TZ": "UTC"}


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
