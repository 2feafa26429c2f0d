"""An engine of the test's own, killed and started again in the middle of a job."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import DockerException

from finetune_flows.tasks.base.errors import TryLater
from finetune_flows.tasks.platforms.attempts import run_job
from finetune_flows.tasks.platforms.contract import TrainingJob
from finetune_flows.tasks.platforms.docker import DockerRunner
from finetune_flows.tasks.platforms.docker.engine import connect
from finetune_flows.tasks.sections.platforms import DockerPlatform
from tests.tasks.platforms.docker.test_docker_jobs import job, told

pytestmark = [pytest.mark.docker, pytest.mark.slow]
__all__ = ["job"]


class OwnEngine:
    """A dockerd on a socket of its own, beside the machine's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = f"unix://{folder}/docker.sock"

    def start(self) -> None:
        flags = ["--host", self.host, "--data-root", f"{self.folder}/data", "--exec-root", f"{self.folder}/exec"]
        flags += ["--pidfile", f"{self.folder}/pid", "--bridge=none", "--iptables=false"]
        with (self.folder / "log").open("ab") as log:
            # In namespaces of its own: with --bridge=none it would delete the docker0 of the machine's engine.
            command = ["unshare", "--net", "--mount", "dockerd", *flags]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        give_up = time.monotonic() + 60
        while not self._answers():
            assert time.monotonic() < give_up, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.2)

    def kill(self) -> None:
        """The engine and its containerd, as when a machine's memory runs out; the container itself goes on for a while."""
        self.process.kill()
        self.process.wait()
        containerd = self.folder / "exec/containerd/containerd.pid"
        os.kill(int(containerd.read_text()), signal.SIGKILL)
        for left in (containerd, self.folder / "pid"):
            left.unlink(missing_ok=True)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()

    def _answers(self) -> bool:
        try:
            return bool(docker.DockerClient(base_url=self.host).ping())
        except DockerException:
            return False


@pytest.fixture
def engine(client: docker.DockerClient, image: str, tmp_path: Path) -> Iterator[OwnEngine]:
    if shutil.which("dockerd") is None or os.getuid() != 0:
        pytest.skip("starting an engine needs dockerd and root")
    folder = Path("/tmp") / f"engine-{os.getpid()}"  # a socket's path must be short
    folder.mkdir()
    engine = OwnEngine(folder)
    engine.start()
    docker.DockerClient(base_url=engine.host).images.load(b"".join(client.images.get(image).save(named=True)))
    yield engine
    engine.stop()
    shutil.rmtree(folder, ignore_errors=True)


def test_a_job_whose_engine_was_killed_goes_on_from_its_checkpoint(
    engine: OwnEngine, image: str, job: TrainingJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", engine.host)
    connect.cache_clear()
    runner = DockerRunner(DockerPlatform(training_image=image), tmp_path / "docker")
    job = told(job, steps="100", seconds="0.1")

    def kill_at_ten(line: str) -> None:
        if line.startswith("step=10 "):
            engine.kill()

    with pytest.raises(TryLater, match="the Docker engine went away while following"):
        run_job(runner, job, kill_at_ten, print)
    engine.start()
    name = run_job(runner, told(job, steps="100", seconds="0"), print, print)
    assert name == "r-key-2", "the first attempt ended with its engine"
    assert '"started_at": 0' not in (runner.job_output(name) / "training.json").read_text()
    connect.cache_clear()
