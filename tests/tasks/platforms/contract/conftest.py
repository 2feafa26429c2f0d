"""The contract of a platform, as tests that any platform can run.

    pytest tests/tasks/platforms/contract                                   # process and the emulator of SageMaker
    pytest tests/tasks/platforms/contract -m docker                         # docker; it needs an engine
    pytest tests/tasks/platforms/contract --platform my_package.mine:make   # one of your own

`make(folder: Path) -> Platform` is called with an empty folder, and again with the same folder where a test wants a second
object that sees what the first one did, as another process would. Jobs and endpoints of that platform must run the quick
programs of tests/support/contract_image: its image answers to `train` and `serve` by SageMaker's container contract, and
an interpreter is stood for by as_python.py. A test leaves nothing behind: what runs is stopped at its end.
"""

import importlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from finetune_flows.tasks.platforms.contract import Platform
from finetune_flows.tasks.platforms.process import ProcessRunner
from finetune_flows.tasks.sections.platforms import ProcessPlatform
from tests.support.quick_work import quick_python

Make = Callable[[Path], Platform]
OURS = ["process", pytest.param("docker", marks=pytest.mark.docker), "sagemaker"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--platform", help="MODULE:FUNCTION that makes the platform to test; default: each of ours")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "make" in metafunc.fixturenames:
        own = metafunc.config.getoption("platform", None)
        metafunc.parametrize("make", [own] if own else OURS, indirect=True)


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.setenv("FINETUNE_HOME", str(tmp_path / "home"))
    makers = {"process": _process, "docker": _docker, "sagemaker": _sagemaker}
    if request.param in makers:
        return makers[request.param](request)
    module, _, function = request.param.partition(":")
    found: Make = getattr(importlib.import_module(module), function)
    return found


def _process(request: pytest.FixtureRequest) -> Make:
    interpreter = quick_python(request.getfixturevalue("tmp_path"))
    return lambda folder: ProcessRunner(ProcessPlatform(python=str(interpreter)), folder)


def _docker(request: pytest.FixtureRequest) -> Make:
    from finetune_flows.tasks.platforms.docker import DockerRunner
    from finetune_flows.tasks.sections.platforms import DockerPlatform

    image = request.getfixturevalue("image")
    section = DockerPlatform(training_image=image, serving_image=image, memory_gb=0.25)
    return lambda folder: DockerRunner(section, folder)


def _sagemaker(request: pytest.FixtureRequest) -> Make:
    from finetune_flows.tasks.platforms.sagemaker import SageMakerRunner
    from tests.tasks.platforms.sagemaker.platform_jobs import section, use_quick_programs

    use_quick_programs(request.getfixturevalue("emulator"))
    return lambda folder: SageMakerRunner(section(), folder, sleep=lambda _: time.sleep(0.05))


@pytest.fixture
def again(make: Make, tmp_path: Path) -> Callable[[], Platform]:
    """Another object for the same place."""
    return lambda: make(tmp_path / "platform")


@pytest.fixture
def platform(again: Callable[[], Platform]) -> Iterator[Platform]:
    platform = again()
    yield platform
    for alias in platform.aliases():
        platform.delete_alias(alias.name)
    for endpoint in platform.endpoints():
        platform.delete_endpoint(endpoint.name)
    for name in ("r-key-1", "r-key-2", "r-key-3"):
        if platform.describe_job(name).status == "running":
            platform.stop_job(name)
