"""Connects to the Docker engine once, and turns its errors into ours."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager

import docker
import requests
from docker.errors import APIError, BuildError, DockerException, ImageNotFound

from finetune_flows.tasks.base.errors import EndpointFailed, EnvironmentProblem, FinetuneError, TryLater

NO_GPU = (
    "this Docker engine cannot give a container a GPU. Next: install the NVIDIA Container Toolkit, run "
    "`nvidia-ctk runtime configure --runtime=docker` and restart the engine, or leave platform.gpus out"
)
NO_SPACE = "the disk of the Docker engine is full. Next: run docker system df, then docker image prune"
# Raised when the engine goes away during a call. These are not DockerExceptions, so they are caught by their own names.
_PASSING = (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError, requests.exceptions.Timeout)


@functools.cache
def connect() -> docker.DockerClient:
    """The engine that DOCKER_HOST names, or the usual socket.

    Raises:
        EnvironmentProblem: no engine answers there, or this user may not use it.
    """
    try:
        client = docker.from_env(timeout=60)
        client.ping()
    except (DockerException, requests.exceptions.ConnectionError) as error:
        raise EnvironmentProblem(_unreachable(error)) from error
    return client


def _unreachable(error: Exception) -> str:
    if "PermissionError" in str(error):
        next_step = "this user may not use the engine: add the user to the group docker, and log in again"
    else:
        next_step = "start the engine (systemctl start docker), set DOCKER_HOST, or run with --platform process"
    return f"no Docker engine answers: {str(error)[:200]}\n  {next_step}"


@contextmanager
def engine_errors(doing: str) -> Iterator[None]:
    """Turns errors of the engine into ours: TryLater if they pass by themselves, otherwise one that says what to repair."""
    try:
        yield
    except FinetuneError:
        raise
    except _PASSING as error:
        raise TryLater(f"the Docker engine went away while {doing}: {error}") from error
    except ImageNotFound as error:
        advice = "Next: docker pull the image, or remove it from the recipe to build our own"
        raise EnvironmentProblem(f"{doing}: {_words(error)}. {advice}") from error
    except BuildError as error:
        raise EnvironmentProblem(f"{doing}: {error}") from error
    except APIError as error:
        raise _translated(error, doing) from error
    except DockerException as error:
        raise TryLater(f"the Docker engine failed while {doing}: {error}") from error


def _translated(error: APIError, doing: str) -> FinetuneError:
    words = _words(error)
    # docker-py raises the same class for all of these, so only the engine's message tells them apart.
    if "could not select device driver" in words or "Unknown runtime specified nvidia" in words:
        return EnvironmentProblem(NO_GPU)
    if "no space left on device" in words:
        return EnvironmentProblem(f"{doing}: {NO_SPACE}")
    if "port is already allocated" in words:
        return TryLater(f"{doing}: {words}")
    if "executable file not found" in words or "no such file or directory" in words:
        return EndpointFailed(f"{doing}: the image lacks python3 or its own program: {words}")
    if error.is_server_error():
        return TryLater(f"{doing}: {words}")
    return EnvironmentProblem(f"{doing}: {words}")


def _words(error: APIError) -> str:
    return str(error.explanation or error)[:500]
