"""Those who watch a run while it goes on: the live page, the experiment tracking."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Watcher(Protocol):
    """Shows a run while it goes on. No error in it may leave it: it must not end hours of training."""

    def trained(self, step: Mapping[str, str]) -> None:
        """The fields of a progress line of the training program, such as step, steps and loss."""

    def failed(self, error: BaseException) -> None:
        """The run ended with this error."""


_watchers: ContextVar[Sequence[Watcher]] = ContextVar("watchers", default=())


@contextmanager
def watched_by(*watchers: Watcher) -> Iterator[None]:
    """The run in the block is watched; the steps that it calls need not know by whom."""
    token = _watchers.set(watchers)
    try:
        yield
    except BaseException as error:  # also when Prefect cancels the run: its TerminationSignal is no Exception
        for watcher in watchers:
            watcher.failed(error)
        raise
    finally:
        _watchers.reset(token)


def tell_watchers(step: Mapping[str, str]) -> None:
    """Passes a progress line of the training program on to all who watch the run."""
    for watcher in _watchers.get():
        watcher.trained(step)
