"""Which errors are retried. All others fail at once."""

import errno
from typing import Any

import httpx
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import exponential_backoff

from finetune_flows.tasks.base.errors import FinetuneError, TryLater

# The first match decides. An error in neither table is not retried: it may be a bug, and another try may cost money.
_TRANSIENT: tuple[type[BaseException], ...] = (TryLater, httpx.TransportError, ConnectionError, TimeoutError)
_FINAL: tuple[type[BaseException], ...] = (FinetuneError,)
_TRANSIENT_ERRNO = {errno.EAGAIN, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN}


def worth_retrying(error: BaseException) -> bool:
    """True for throttling, network and capacity; False for validation, access and a failed program."""
    if isinstance(error, _TRANSIENT):
        return True
    if isinstance(error, _FINAL):
        return False
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in (408, 425, 429, 502, 503, 504)
    return isinstance(error, OSError) and error.errno in _TRANSIENT_ERRNO


def retry_condition(task: object, task_run: TaskRun, state: State[Any]) -> bool:
    """`worth_retrying` for Prefect. Prefect 3.8 accepts only a plain function; it takes a partial for "never retry"."""
    try:
        state.result()
    except Exception as error:  # the task's own error, of any class
        return worth_retrying(error)
    return False


RETRIES: dict[str, Any] = {
    "retries": 3,
    "retry_delay_seconds": exponential_backoff(backoff_factor=2),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": retry_condition,
}
