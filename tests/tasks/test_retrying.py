import errno
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from importlib import import_module
from typing import Any

import httpx
import pytest
import requests
from prefect import Task

from finetune_flows.tasks.artifacts.hub import hub_errors
from finetune_flows.tasks.base.errors import (
    ArtifactDamaged,
    DatasetError,
    EndpointFailed,
    EnvironmentProblem,
    FinetuneError,
    GateRefused,
    JobFailed,
    RecipeError,
    TryLater,
)
from finetune_flows.tasks.retrying import retry_condition, worth_retrying

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
        (status(408), True),
        (status(502), True),
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


def raised(translate: Callable[[], AbstractContextManager[None]], error: Exception) -> BaseException:
    """What becomes of the error of a library."""
    with pytest.raises(FinetuneError) as caught, translate():
        raise error
    return caught.value


# AWS: every code that botocore or the model of one of our services knows.
SERVICES = (
    "sagemaker", "sagemaker-runtime", "s3", "ecr", "logs", "cloudwatch", "iam", "sts", "service-quotas", "cloudformation",
    "application-autoscaling",
)  # fmt: skip
QUOTAS = {"LimitExceededException"}  # botocore counts it as throttling; these services say it of a quota
CAPACITY = {"InsufficientInstanceCapacity", "InternalFailure", "InternalError", "ServiceUnavailable"}  # in no model


def aws_codes() -> Iterator[tuple[str, int, bool]]:
    """Code, HTTP status, and whether another try may succeed."""
    session = pytest.importorskip("botocore.session").get_session()
    from botocore.retries import standard

    passing = {*standard.ThrottledRetryableChecker._THROTTLED_ERROR_CODES, *CAPACITY}
    passing |= {*standard.TransientRetryableChecker._TRANSIENT_ERROR_CODES}
    passing -= QUOTAS
    for code in passing:
        yield code, 400, True
    for status in standard.TransientRetryableChecker._TRANSIENT_STATUS_CODES:
        yield "Unknown", status, True
    for service in SERVICES:
        for shape in session.get_service_model(service).error_shapes:
            told = shape.metadata.get("error", {})
            status = told.get("httpStatusCode", 500 if shape.metadata.get("fault") else 400)
            code = told.get("code", shape.name)
            named = code in passing or "InternalServer" in code or "ServiceUnavailable" in code
            yield code, status, bool(named or status >= 500 or "retryable" in shape.metadata)


def test_every_error_code_of_our_aws_services_is_retried_or_not_as_botocore_says() -> None:
    from botocore.exceptions import ClientError

    from finetune_flows.tasks.aws.errors import translated

    codes = sorted(set(aws_codes()))
    assert len(codes) > 100
    for code, http, again in codes:
        answer: Any = {"Error": {"Code": code, "Message": "words"}, "ResponseMetadata": {"HTTPStatusCode": http}}
        assert worth_retrying(translated(ClientError(answer, "Do"), "doing")) is again, (code, http)


# Of botocore's own errors, these are of a connection or a transfer that may go better.
BOTOCORE_PASSING = {
    "ChecksumError", "ConnectTimeoutError", "ConnectionClosedError", "ConnectionError", "EndpointConnectionError",
    "FlexibleChecksumError", "HTTPClientError", "IncompleteReadError", "ProxyConnectionError", "ReadTimeoutError",
    "ResponseStreamingError",
}  # fmt: skip


def test_botocores_own_errors_are_retried_when_the_connection_failed() -> None:
    exceptions = pytest.importorskip("botocore.exceptions")
    from finetune_flows.tasks.aws.errors import aws_errors

    kinds = [
        kind
        for _, kind in inspect.getmembers(exceptions, inspect.isclass)
        if issubclass(kind, exceptions.BotoCoreError)
    ]
    assert {kind.__name__ for kind in kinds} >= BOTOCORE_PASSING
    for kind in kinds:
        error = kind.__new__(kind)  # each wants other arguments
        Exception.__init__(error, "words")
        translated = raised(lambda: aws_errors("doing"), error)
        assert worth_retrying(translated) is (kind.__name__ in BOTOCORE_PASSING), kind.__name__


@pytest.mark.parametrize(
    ("code", "words", "again"),
    [
        (400, "bad parameter", False),
        (401, "unauthorised", False),
        (403, "forbidden", False),
        (404, "no such container", False),
        (409, "name is in use", False),
        (500, "the engine stumbled", True),
        (502, "bad gateway", True),
        (503, "unavailable", True),
        (500, "port is already allocated", True),
        (500, "no space left on device", False),
        (500, "could not select device driver", False),
        (500, "executable file not found in $PATH", False),
    ],
)
def test_what_the_docker_engine_refuses_is_not_asked_again(code: int, words: str, again: bool) -> None:
    errors = pytest.importorskip("docker.errors")
    from finetune_flows.tasks.platforms.docker.engine import engine_errors

    response = requests.Response()
    response.status_code = code
    assert worth_retrying(raised(lambda: engine_errors("doing"), errors.APIError("x", response, words))) is again


@pytest.mark.parametrize(
    "error",
    [
        requests.exceptions.ConnectionError("refused"),
        requests.exceptions.ConnectTimeout("slow"),
        requests.exceptions.ReadTimeout("slow"),
        requests.exceptions.ChunkedEncodingError("cut"),
    ],
    ids=repr,
)
def test_a_docker_engine_that_went_away_is_asked_again(error: Exception) -> None:
    pytest.importorskip("docker")
    from finetune_flows.tasks.platforms.docker.engine import engine_errors

    assert worth_retrying(raised(lambda: engine_errors("doing"), error))


def test_the_hub_is_asked_again_when_it_is_busy_or_out_of_reach() -> None:
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    def of_status(code: int) -> Exception:
        return HfHubHTTPError("words", response=httpx.Response(code, request=REQUEST))

    def not_here(cause: Exception) -> Exception:
        error = LocalEntryNotFoundError("not here either")
        error.__cause__ = cause
        return error

    passing = [of_status(code) for code in (408, 429, 500, 502, 503, 504)]
    passing += [httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), ConnectionResetError(), TimeoutError()]
    passing += [not_here(httpx.ConnectError("refused"))]
    with suppress(ModuleNotFoundError):  # what newer versions of huggingface_hub ask with
        passing.append(import_module("httpx2").ConnectError("refused"))
    final = [of_status(code) for code in (400, 401, 403, 404, 410)]
    final += [OfflineModeIsEnabled("offline"), not_here(OfflineModeIsEnabled("offline")), OSError(errno.ENOSPC, "full")]
    for error in (*passing, *final):
        assert worth_retrying(raised(lambda: hub_errors("asking", "Next"), error)) is (error in passing), repr(error)


def errors_of_ours() -> list[FinetuneError]:
    made: dict[type, FinetuneError] = {
        RecipeError: RecipeError("r", ["p"]), GateRefused: GateRefused("r", "refused", ["worse"]),
    }  # fmt: skip
    return [made.get(kind) or kind("words") for kind in FinetuneError.__subclasses__()]


def test_of_our_own_errors_only_one_is_retried() -> None:
    assert [type(error) for error in errors_of_ours() if worth_retrying(error)] == [TryLater]


def test_nothing_is_retried_for_ever() -> None:
    """Every task that retries has the shared numbers, and each wait between two tries is short and finite."""
    from finetune_flows import tasks

    flows = [importlib.import_module(f"{tasks.__name__}.{each.name}") for each in pkgutil.iter_modules(tasks.__path__)]
    retried = [each for flow in flows for each in vars(flow).values() if isinstance(each, Task) and each.retries]
    assert len(retried) > 10
    for task in retried:
        assert 0 < task.retries <= 5, task.name
        assert task.retry_condition_fn is retry_condition, f"{task.name} would retry what cannot succeed"
        delays = task.retry_delay_seconds
        assert isinstance(delays, list)
        assert len(delays) >= task.retries
        assert all(0 <= delay <= 120 for delay in delays)
