"""One serving container: its model from S3, its program, its health."""

import socket
import threading
import time
import uuid
from pathlib import Path

import httpx

from tests.support.sagemaker.account import Account, with_arguments
from tests.support.sagemaker.api_model import Payload
from tests.support.sagemaker.containers import Process, Program, start_container
from tests.support.sagemaker.logs import LogStream

PING_SECONDS = 2.0
GRACE_SECONDS = 30.0
DEFAULT_STARTUP_SECONDS = 480


class Unhealthy(Exception):
    """It did not pass its pings. The message becomes the endpoint's FailureReason."""


class Server:
    """A container behind a variant of an endpoint."""

    def __init__(self, account: Account, endpoint: str, variant: Payload, model: Payload) -> None:
        self.account, self.variant, self.model = account, variant, model
        self.container: Payload = model.get("PrimaryContainer") or model["Containers"][0]
        self.folder = account.folder / "endpoints" / f"{endpoint}-{uuid.uuid4().hex[:8]}"
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        group = f"/aws/sagemaker/Endpoints/{endpoint}"
        self.log = LogStream(account.logs, group, f"{variant['VariantName']}/i-{uuid.uuid4().hex[:17]}")
        self.process: Program | None = None
        self.reader: threading.Thread | None = None

    def start(self) -> None:
        """Returns when it is healthy.

        Raises:
            Unhealthy: it is not, or it ended; nothing of it runs any more.
        """
        root = self.folder / "ml"
        (root / "model").mkdir(parents=True)
        self._download(root / "model")
        self.process = self._start(root)
        self.reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self.reader.start()
        healthy = self._is_healthy()  # asked first: a fault strikes a container that has come up, and has said so
        if self.account.faults.takes_health_check() or not healthy:
            self.stop()
            raise Unhealthy(
                f"The primary container for production variant {self.variant['VariantName']} did not pass the ping health "
                "check. Please check CloudWatch logs for this endpoint."
            )

    def _download(self, folder: Path) -> None:
        source = self.container.get("ModelDataSource", {}).get("S3DataSource")
        if source and source["CompressionType"] == "None":
            self.account.storage.download(source["S3Uri"], folder)
        elif source or "ModelDataUrl" in self.container:
            archive = source["S3Uri"] if source else self.container["ModelDataUrl"]
            self.account.storage.download_archive(archive, folder, self.folder / "archive.tar.gz")

    def _start(self, root: Path) -> Program:
        image = self.account.image(self.container["Image"])
        if image.tag:
            return start_container(image.tag, ["serve"], root, self._environment(), network=True, port=self.port)
        command = with_arguments(image.entrypoint, ["serve"], {"port": str(self.port)})
        return Process.start(command, root, self._environment(), network=True)

    def _environment(self) -> dict[str, str]:
        image = self.account.image(self.container["Image"])
        isolated = self.model.get("EnableNetworkIsolation", False)
        role = {} if isolated else self.account.role_environment()
        return {**dict(image.environment), **role, **self.container.get("Environment", {}), "OMP_NUM_THREADS": "1"}

    def _read(self, process: Program) -> None:
        for line in process.lines():
            self.log.write(line)
            self.log.flush()

    def _is_healthy(self) -> bool:
        allowed = self.variant.get("ContainerStartupHealthCheckTimeoutInSeconds", DEFAULT_STARTUP_SECONDS)
        limit = time.monotonic() + allowed
        assert self.process is not None
        with httpx.Client(base_url=self.url, timeout=PING_SECONDS, trust_env=False) as client:
            while time.monotonic() < limit and self.process.is_running():
                try:
                    if client.get("/ping").status_code == 200:
                        return True
                except httpx.TransportError:
                    pass
                time.sleep(0.05)
        return False

    def stop(self) -> None:
        """SIGTERM, and SIGKILL after the grace."""
        if self.process is None:
            return
        self.process.terminate()
        limit = time.monotonic() + GRACE_SECONDS
        while self.process.is_running() and time.monotonic() < limit:
            time.sleep(0.02)
        self.process.kill()
        self.process.wait()
        if self.reader:
            self.reader.join()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
