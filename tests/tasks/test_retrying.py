import errno

import httpx
import pytest

from finetune_flows.tasks.base.errors import (
    ArtifactDamaged,
    DatasetError,
    EndpointFailed,
    EnvironmentProblem,
    GateRefused,
    JobFailed,
    RecipeError,
    TryLater,
)
from finetune_flows.tasks.retrying import worth_retrying

REQUEST = httpx.Request("GET", "http://localhost")


def status(code: int) -> httpx.HTTPStatusError:
    return httpx.HTTPStatusError("", request=REQUEST, response=httpx.Response(code, request=REQUEST))


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (TryLater("throttled"), True),
        (httpx.ConnectError("refused"), True),
        (httpx.ReadTimeout("slow"), True),
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (OSError(errno.ENETUNREACH, "unreachable"), True),
        (status(429), True),
        (status(503), True),
        (status(400), False),
        (status(403), False),
        (status(500), False),
        (RecipeError("r", ["p"]), False),
        (DatasetError("d"), False),
        (EnvironmentProblem("no GPU"), False),
        (JobFailed("failed"), False),
        (EndpointFailed("down"), False),
        (ArtifactDamaged("changed"), False),
        (GateRefused("r", "refused", ["worse"]), False),
        (OSError(errno.ENOSPC, "disk full"), False),
        (PermissionError(), False),
        (ValueError(), False),
        (KeyboardInterrupt(), False),
    ],
    ids=repr,
)
def test_what_is_tried_again(error: BaseException, again: bool) -> None:
    assert worth_retrying(error) is again


@pytest.mark.parametrize("error", [RecipeError("r", ["a", "b"]), GateRefused("r", "refused", ["worse"])])
def test_errors_survive_the_trip_between_processes(error: Exception) -> None:
    import pickle

    assert vars(pickle.loads(pickle.dumps(error))) == vars(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
