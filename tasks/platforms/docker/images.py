"""Finds, pulls or builds images. A build is named by the digest of its inputs, so an unchanged one is found again."""

import hashlib
import io
import logging
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import docker
from docker.errors import BuildError, ImageNotFound

from finetune_flows.tasks.base.errors import EnvironmentProblem
from finetune_flows.tasks.base.files import PACKAGE
from finetune_flows.tasks.platforms.docker.engine import engine_errors

Kind = Literal["training", "serving"]
CONTEXTS: dict[Kind, list[str]] = {
    "training": ["containers/training/Dockerfile", "containers/training/requirements.txt", "training/**/*"],
    "serving": [
        "containers/serving/Dockerfile",
        "containers/serving/requirements.txt",
        "containers/__init__.py",
        "containers/serving/**/*.py",
    ],
}
# A build does not see this machine's pip settings: without these, pip would look only at its default index.
PIP_SETTINGS = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS")
log = logging.getLogger("finetune.docker")


def find_image(client: docker.DockerClient, kind: Kind, named: str | None, base_image: str) -> str:
    """The image to run: the one `named`, pulled if it is not here, or else our own, built if any input changed.

    Raises:
        EnvironmentProblem: there is no such image, or the build failed; the message includes the engine's own.
        TryLater: the engine went away.
    """
    if named:
        return _named(client, named)
    arguments = {"BASE_IMAGE": base_image, **pip_settings()}
    files = context_files(kind)
    tag = f"finetune-flows/{kind}:{_digest(files, base_image)}"
    with engine_errors(f"looking for image {tag}"):
        try:
            client.images.get(tag)
            return tag
        except ImageNotFound:
            log.info("building image %s from containers/%s; this takes minutes, but only once", tag, kind)
    _build(client, kind, files, tag, arguments)
    return tag


def context_files(kind: Kind) -> dict[str, Path]:
    """The files that go into a build, by their names in it."""
    found = {path for pattern in CONTEXTS[kind] for path in PACKAGE.glob(pattern) if path.is_file()}
    return {str(path.relative_to(PACKAGE)): path for path in sorted(found) if "__pycache__" not in path.parts}


def pip_settings() -> dict[str, str]:
    """This machine's package indexes, as build arguments.

    Raises:
        EnvironmentProblem: one contains a password, which would stay readable in the image's history.
    """
    settings = {name: os.environ[name] for name in PIP_SETTINGS if os.environ.get(name)}
    for name, value in settings.items():
        if any(urlsplit(url).password for url in value.split()):
            raise EnvironmentProblem(
                f"{name} contains a password, and a build would keep it in the image. Build the images yourself with a "
                "secret mount, and name them in platform.training_image and platform.serving_image"
            )
    # A folder of this machine does not exist in the build: only addresses are passed on.
    return {name: value for name, value in settings.items() if "://" in value}


def _named(client: docker.DockerClient, name: str) -> str:
    with engine_errors(f"looking for image {name}"):
        # First on this machine: an image that is already here needs no registry.
        try:
            client.images.get(name)
        except ImageNotFound:
            log.info("pulling image %s", name)
            repository, _, tag = name.rpartition(":") if ":" in name.rsplit("/", 1)[-1] else (name, "", "latest")
            try:
                client.images.pull(repository, tag)
            except docker.errors.APIError as error:
                raise EnvironmentProblem(
                    f"image {name} is not on this machine and cannot be pulled: {str(error.explanation or error)[:300]}"
                    "\n  Check the name, and log in to its registry with docker login"
                ) from error
    return name


def _digest(files: dict[str, Path], base_image: str) -> str:
    digest = hashlib.sha256(base_image.encode())
    for name, path in files.items():
        digest.update(f"\0{name}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _build(
    client: docker.DockerClient, kind: Kind, files: dict[str, Path], tag: str, arguments: dict[str, str]
) -> None:
    with engine_errors(f"building image {tag}"):
        lines = client.api.build(
            fileobj=_archive(files),
            custom_context=True,
            dockerfile=f"containers/{kind}/Dockerfile",
            tag=tag,
            buildargs=arguments,
            network_mode=_network(arguments),
            rm=True,
            forcerm=True,  # otherwise docker-py leaves the container of each step behind
            decode=True,
        )
        _follow(lines, kind, tag)


def _archive(files: dict[str, Path]) -> io.BytesIO:
    """A tar of the build context. It has only kilobytes, because models and rows are mounted, never copied."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, path in files.items():
            archive.add(path, name)
    content.seek(0)
    return content


def _network(arguments: dict[str, str]) -> str | None:
    """The network of a build: the machine's own if an index is on its loopback interface, or else the default."""
    urls = " ".join(arguments.get(name, "") for name in PIP_SETTINGS).split()
    return "host" if any(urlsplit(url).hostname in ("127.0.0.1", "localhost") for url in urls) else None


def _follow(lines: Iterator[dict[str, str]], kind: Kind, tag: str) -> None:
    last: list[str] = []
    for line in lines:
        words = line.get("stream", "").rstrip()
        if words.startswith("Step "):
            log.info("image %s: %s", kind, words)
        last = [*last[-19:], words] if words else last
        if "error" in line:
            raise BuildError(f"{line['error']}\n  " + "\n  ".join(last[-8:]), iter(()))
    log.info("image %s is built", tag)
