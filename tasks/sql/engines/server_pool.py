"""The servers that a pool of workers has started: each once, when the first pair of its dialect needs it."""

import threading
from collections.abc import Callable

from finetune_flows.tasks.sql.engines.contract import EngineMissing
from finetune_flows.tasks.sql.engines.private_server import Server


class Servers:
    """The servers of one pool of workers, each started once, when it is first asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started: dict[str, Server | EngineMissing] = {}

    def address(self, dialect: str, number: int) -> str | EngineMissing | None:
        """Where worker `number` finds the dialect's server, or why there is none; None where the engine is no server."""
        if dialect not in _STARTS:
            return None
        with self._lock:
            if dialect not in self._started:
                self._started[dialect] = _start(dialect)
            server = self._started[dialect]
            return server if isinstance(server, EngineMissing) else server.room(number)

    def stop(self) -> None:
        """End all of them."""
        for server in self._started.values():
            if not isinstance(server, EngineMissing):
                server.stop()
        self._started.clear()


def _start_postgres() -> Server:
    from finetune_flows.tasks.sql.engines.postgres_server import PostgresServer

    return PostgresServer()


def _start_mysql() -> Server:
    from finetune_flows.tasks.sql.engines import mysql_server

    return mysql_server.start()


_STARTS: dict[str, Callable[[], Server]] = {"postgres": _start_postgres, "mysql": _start_mysql}


def _start(dialect: str) -> Server | EngineMissing:
    try:
        return _STARTS[dialect]()
    except ImportError as problem:
        return EngineMissing(f"{problem}; pip install 'finetune-flows[databases]'")
    except EngineMissing as problem:
        return problem
